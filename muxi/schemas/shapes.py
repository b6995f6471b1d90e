"""Answers that surely fit their type, told without marshmallow: nearly all do, and it is slow to load and to run.

The types of :mod:`muxi.types` say what an answer has. From each a function is made that tells whether some data has it,
once, when the first answer of that type comes. Where it does not, :mod:`muxi.schemas.responses` says what is wrong.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["KINDS", "Hint", "fits", "hints_of", "is_record", "options_of", "origin_of"]

#: What stands in an annotation: a class, or a form of :mod:`typing`.
Hint = Any

#: The plain kinds of JSON, and which classes :mod:`json` makes of them. A float may come without a fraction.
KINDS: Mapping[Hint, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (float, int),
    bool: (bool,),
    types.NoneType: (types.NoneType,),
}

_ABSENT = object()

_Test = Callable[[object], bool]


def fits(hint: Hint) -> _Test:
    """A function that tells whether data has the shape of a type.

    Args:
        hint: a ``TypedDict`` of :mod:`muxi.types`, or what may stand in one.

    Raises:
        TypeError: the type has something that JSON has no form for.
    """
    return _compiled(hint)


def is_record(hint: Hint) -> bool:
    """Whether this is a ``TypedDict``."""
    return isinstance(hint, type) and hasattr(hint, "__required_keys__")


def hints_of(record: Hint) -> tuple[dict[str, Hint], frozenset[str]]:
    """The fields of a ``TypedDict`` with their types, and the names of those that are always there."""
    return get_type_hints(record, include_extras=True), record.__required_keys__


def origin_of(hint: Hint) -> object:
    """What a generic type is one of: ``list`` of ``list[str]``."""
    return get_origin(hint)


def options_of(hint: Hint) -> tuple[Hint, ...]:
    """What a union is made of, and the unions in it; a type that is none is the only option.

    Types that an ``Annotated`` is annotated with count: they are what an answer may have instead.
    """
    origin = origin_of(hint)
    if origin is Union or origin is types.UnionType or origin is Annotated:
        return tuple(dict.fromkeys(option for inner in get_args(hint) for option in options_of(inner)))
    if origin is Literal:
        return tuple(dict.fromkeys(map(type, get_args(hint))))
    return (hint,)


@cache
def _compiled(hint: Hint) -> _Test:
    options = options_of(hint)
    if len(options) != 1:
        tests = tuple(map(_compiled, options))
        return lambda value: any(test(value) for test in tests)
    hint = options[0]
    if hint is Any or hint is object:
        return lambda value: True
    if hint in KINDS:
        return _kind(*KINDS[hint])
    if is_record(hint):
        return _record(hint)
    origin, inner = origin_of(hint), get_args(hint)
    if origin is list:
        return _list(_compiled(inner[0]))
    if origin is dict:
        return _mapping(_compiled(inner[1]))
    raise TypeError(f"{hint!r} is not the type of something that comes as JSON")


def _kind(first: type, *others: type) -> _Test:
    # Exactly these classes: True is an int to isinstance().
    if not others:
        return lambda value: type(value) is first
    return lambda value: type(value) is first or type(value) in others


def _record(record: Hint) -> _Test:
    hints, required = hints_of(record)
    tests = tuple((name, _compiled(hint), name not in required) for name, hint in hints.items())

    def test(value: object) -> bool:
        if not isinstance(value, dict):
            return False
        for name, test_field, optional in tests:
            # Not the value's own get(): a result's looks further than its data.
            found = dict.get(value, name, _ABSENT)
            if not (optional if found is _ABSENT else test_field(found)):
                return False
        return True

    return test


def _list(test_item: _Test) -> _Test:
    return lambda value: type(value) is list and all(map(test_item, value))


def _mapping(test_value: _Test) -> _Test:
    return lambda value: isinstance(value, dict) and all(map(test_value, value.values()))
