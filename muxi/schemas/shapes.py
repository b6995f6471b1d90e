"""Tests compiled from types, which tell without marshmallow whether data fits; marshmallow is slow to load and to run.

:mod:`muxi.types` has the types of answers, :mod:`muxi.schemas.payloads` those of requests. A test is compiled when data
of its type is first checked. Where data does not fit, a marshmallow schema explains why.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from muxi.records import Record

__all__ = ["KINDS", "Hint", "Where", "fits", "hints_of", "is_record", "misfits", "options_of", "origin_of"]

#: An annotation: a class, or a form of :mod:`typing`.
Hint = Any

#: The scalar kinds of JSON, each with the classes that :mod:`json` makes of it. A float may come without a fraction.
KINDS: Mapping[Hint, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (float, int),
    bool: (bool,),
    types.NoneType: (types.NoneType,),
}

_ABSENT = object()

_Test = Callable[[object], bool]


class Where(Record, frozen=True):
    """A condition on a value, put into an ``Annotated``."""

    holds: Callable[[Any], object]


def fits(hint: Hint, *, closed: bool = False) -> _Test:
    """Return a function that tells whether data has the shape of a type.

    Args:
        hint: a ``TypedDict``, or a type that can be a field of one.
        closed: whether a mapping with fields that its type does not list fails the test.

    Raises:
        TypeError: the type has a part for which JSON has no form.
    """
    return _compile(hint, closed)


def misfits(hint: Hint, value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each place where data does not fit a type, with the class found there; places in lists are one.

    This takes hardly longer than the test that fails, where a schema takes ten times as long to say why.

    Args:
        hint: as for :func:`fits`.
        value: the data.
        path: the place of the data.
    """
    if fits(hint)(value):
        return
    record, items = _parts(hint)
    if record is not None and isinstance(value, dict):
        hints, required = record
        for name, inner in hints.items():
            found = dict.get(value, name, _ABSENT)
            if found is not _ABSENT:
                yield from misfits(inner, found, f"{path}.{name}")
            elif name in required:
                yield f"{path}.{name}", "absent"
    elif items is not None and isinstance(value, list | dict):
        for name, item in value.items() if isinstance(value, dict) else (("*", item) for item in value):
            yield from misfits(items, item, f"{path}.{name}")
    else:
        yield path, type(value).__name__


@cache
def _parts(hint: Hint) -> tuple[tuple[dict[str, Hint], frozenset[str]] | None, Hint]:
    """Return the fields of the record among a type's options, and the type of the items of the list or mapping."""
    record = items = None
    for option in options_of(hint):
        if is_record(option):
            record = record or hints_of(option)
        elif origin_of(option) in (list, dict):
            items = items or get_args(option)[-1]
    return record, items


def is_record(hint: Hint) -> bool:
    """Tell whether a type is a ``TypedDict``."""
    return isinstance(hint, type) and hasattr(hint, "__required_keys__")


def hints_of(record: Hint) -> tuple[dict[str, Hint], frozenset[str]]:
    """Return the fields of a ``TypedDict`` with their types, and the names of the required ones."""
    return get_type_hints(record, include_extras=True), record.__required_keys__


def origin_of(hint: Hint) -> object:
    """Return the class of a generic type: ``list`` for ``list[str]``."""
    return get_origin(hint)


def options_of(hint: Hint) -> tuple[Hint, ...]:
    """Return the members of a union, and of the unions in it; for any other type, the type itself.

    Types in the annotations of an ``Annotated`` are members too: an answer may have one of them instead.
    """
    origin = origin_of(hint)
    if origin is Union or origin is types.UnionType or (origin is Annotated and not _conditions_of(hint)):
        return tuple(dict.fromkeys(option for inner in get_args(hint) for option in options_of(inner)))
    if origin is Literal:
        return tuple(dict.fromkeys(map(type, get_args(hint))))
    return (hint,)


def _conditions_of(hint: Hint) -> list[Callable[[Any], object]]:
    if origin_of(hint) is not Annotated:
        return []
    return [extra.holds for extra in hint.__metadata__ if isinstance(extra, Where)]


@cache
def _compile(hint: Hint, closed: bool) -> _Test:
    options = options_of(hint)
    if (classes := _classes_of(hint)) is not None:
        return _compile_kinds(classes)
    if len(options) != 1:
        tests = tuple(_compile(option, closed) for option in options)
        return lambda value: any(test(value) for test in tests)
    hint = options[0]
    if conditions := _conditions_of(hint):
        fits_type = _compile(get_args(hint)[0], closed)
        return lambda value: fits_type(value) and all(holds(value) for holds in conditions)
    if hint is Any or hint is object:
        return lambda value: True
    if is_record(hint):
        return _compile_record(hint, closed)
    origin, inner = origin_of(hint), get_args(hint)
    if origin is list:
        return _compile_list(_compile(inner[0], closed))
    if origin is dict:
        return _compile_mapping(_compile(inner[1], closed))
    raise TypeError(f"JSON has no form for the type {hint!r}")


def _classes_of(hint: Hint) -> tuple[type, ...] | None:
    """The classes whose values fit a type; None where the class alone does not tell."""
    options = options_of(hint)
    if all(option in KINDS for option in options):
        return tuple(found for option in options for found in KINDS[option])
    return None


def _compile_kinds(classes: tuple[type, ...]) -> _Test:
    # Exactly these classes: True is an int to isinstance().
    if len(classes) == 1:
        (only,) = classes
        return lambda value: type(value) is only
    return lambda value: type(value) in classes


def _compile_record(record: Hint, closed: bool) -> _Test:
    hints, required = hints_of(record)
    # Most fields are decided by the class of their value, without another call.
    tests = tuple(
        (name, _classes_of(hint) or (), None if _classes_of(hint) else _compile(hint, closed), name not in required)
        for name, hint in hints.items()
    )

    def test(value: object) -> bool:
        if not isinstance(value, dict) or (closed and not hints.keys() >= value.keys()):
            return False
        for name, classes, test_field, optional in tests:
            # Not the value's own get(): a result's looks further than its data.
            found = dict.get(value, name, _ABSENT)
            if found is _ABSENT:
                if not optional:
                    return False
            elif not (type(found) in classes if test_field is None else test_field(found)):
                return False
        return True

    return test


def _compile_list(test_item: _Test) -> _Test:
    return lambda value: type(value) is list and all(map(test_item, value))


def _compile_mapping(test_value: _Test) -> _Test:
    return lambda value: isinstance(value, dict) and all(map(test_value, value.values()))
