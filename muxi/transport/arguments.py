"""Arguments checked by their annotations, so that a wrong one is named where it is given."""

from __future__ import annotations

import os
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from muxi.errors import ConfigurationError
from muxi.records import Record, fields

__all__ = ["check_arguments", "record_tests"]

T = TypeVar("T", bound=Callable[..., Any])

#: Whether a value may be given.
_Test = Callable[[object], bool]


def check_arguments(*own: str, contents: Collection[str] = ()) -> Callable[[T], T]:
    """Have a function, or the constructor of a class, refuse arguments that do not fit their annotations.

    Annotations that are not there at run time, such as a class of an optional package, and literals admit everything:
    the function itself checks what they stand for. Values are not shown in errors: they may be secret.

    Args:
        own: arguments that the function checks by itself, with a better error.
        contents: collections whose items the function checks by itself.
    """

    def decorate(target: T) -> T:
        held: Any = target
        if isinstance(held, type):
            initialise: Any = held.__init__  # type: ignore[misc]  # wrapped as it is
            held.__init__ = _checked(initialise, own, contents)  # type: ignore[misc]  # the same, with checks before it
            return target
        return typing.cast(T, _checked(held, own, contents))

    return decorate


def _checked(function: Callable[..., Any], own: tuple[str, ...], contents: Collection[str]) -> Callable[..., Any]:
    tests: dict[str, _Test] | None = None
    names: tuple[str, ...] = ()

    @wraps(function)
    def check_first(*args: Any, **kwargs: Any) -> Any:
        nonlocal tests, names
        if tests is None:  # made at the first call: importing a module costs nothing
            names = function.__code__.co_varnames[: function.__code__.co_argcount]
            tests = _tests_of(function, own, contents)
        try:
            for name, value in (*zip(names, args, strict=False), *kwargs.items()):
                test = tests.get(name)
                if test is not None and not test(value):
                    raise _refusal(name, value, function.__annotations__[name])
            return function(*args, **kwargs)
        except BaseException as error:
            from muxi.transport.frames import clear_frames  # only for an error

            clear_frames(error)  # arguments may be keys
            value = None
            raise
        finally:
            del args, kwargs

    return check_first


def record_tests(kind: type[Record], types: Mapping[str, object]) -> Mapping[str, tuple[_Test, str]]:
    """Return the test of each field of a class of records that can be tested, and what it takes, in words.

    Args:
        kind: the class.
        types: the types of fields whose annotations do not say them.
    """
    names = {name: held for base in reversed(kind.__mro__) for name, held in _names_in(base.__module__).items()}
    tests = ((item, _test_for(types.get(item.name, item.type), names)) for item in fields(kind))
    return {item.name: (test, _described(item.type)) for item, test in tests if test is not None}


def _refusal(name: str, value: object, annotation: object) -> ConfigurationError:
    is_text = isinstance(value, str) and "PathLike" in str(annotation)
    what = "a text that is no path" if is_text else _kind_of(value)
    return ConfigurationError(f"{name}= takes {_described(annotation)}, got {what}")


def _tests_of(function: Callable[..., Any], own: tuple[str, ...], contents: Collection[str]) -> dict[str, _Test]:
    """The tests of the parameters that can be tested."""
    names = _names_of(function)
    tests = {
        name: _test_for(_of_anything(annotation) if name in contents else annotation, names)
        for name, annotation in function.__annotations__.items()
        if name != "return" and name not in own
    }
    return {name: test for name, test in tests.items() if test is not None}


def _of_anything(annotation: str) -> str:
    """An annotation of collections, whatever is in them."""
    parts = (part.partition("[") for part in _split(annotation))
    return " | ".join(f"{head}[Any]" if bracket else head for head, bracket, _ in parts)


def _names_of(function: Callable[..., Any]) -> dict[str, Any]:
    # The generated constructor of a dataclass has globals of its own.
    return _names_in(function.__module__, getattr(function, "__globals__", {}))


def _names_in(module: str, more: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """The names that annotations of a module may have."""
    found = sys.modules.get(module)
    names = {**vars(typing), **more, **(vars(found) if found else {})}
    # A module that is loaded when it is first used is not loaded for a check.
    return {name: held for name, held in names.items() if type(held).__module__ != "muxi.lazy"}


def _kind_of(value: object) -> str:
    """The type of a value, of a collection with the types of what is in it: one of those may be the wrong one."""
    kind = type(value).__name__
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Collection):
        return kind
    inside = sorted({type(item).__name__ for item in value})
    return f"{kind} of {', '.join(inside[:3])}" if inside else kind


def _described(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return " ".join(text.replace("os.PathLike[str]", "a path").replace(" | ", " or ").split())


def _test_for(annotation: object, names: dict[str, Any]) -> _Test | None:
    """The test of an annotation; None admits everything."""
    if isinstance(annotation, str):
        parts = _split(annotation)
        tests = [_test_for_part(part, names) for part in parts]
        if any(part.startswith("os.PathLike") for part in parts):
            tests = [_is_path_text if part == "str" else test for part, test in zip(parts, tests, strict=True)]
        return _any_of(tests)
    return _test_for_type(annotation, names)


def _test_for_part(text: str, names: dict[str, Any]) -> _Test | None:
    for known in (text, text.partition("[")[0]):
        try:
            return _test_for_type(eval(known, names), names)  # noqa: S307  an annotation of the SDK
        except Exception:  # noqa: S112  not there at run time, or only without what is in its brackets
            continue
    return None


def _split(annotation: str) -> list[str]:
    """The parts of a union."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(annotation):
        depth += (character in "[(") - (character in "])")
        if character == "|" and depth == 0:
            parts.append(annotation[start:at].strip())
            start = at + 1
    return [*parts, annotation[start:].strip()]


def _any_of(tests: list[_Test | None]) -> _Test | None:
    if any(test is None for test in tests):
        return None
    known = [test for test in tests if test is not None]
    return known[0] if len(known) == 1 else lambda value: any(test(value) for test in known)


def _test_for_type(found: Any, names: dict[str, Any]) -> _Test | None:
    if found is None or found is type(None):
        return lambda value: value is None
    if isinstance(found, str | typing.ForwardRef):
        return _test_for(found if isinstance(found, str) else found.__forward_arg__, names)
    origin, inner = get_origin(found), get_args(found)
    if origin is Literal:
        return None
    if origin in (Union, types.UnionType):
        return _any_of([_test_for_type(part, names) for part in inner])
    kind = origin or found
    if found is Any or not isinstance(kind, type) or kind is object:
        return None
    return _test_for_class(kind, inner, names)


def _test_for_class(kind: type, inner: tuple[Any, ...], names: dict[str, Any]) -> _Test | None:
    if kind is bool:
        return lambda value: isinstance(value, bool)
    if kind in (int, float):
        kinds = (int,) if kind is int else (int, float)
        return lambda value: isinstance(value, kinds) and not isinstance(value, bool)
    if kind is os.PathLike:
        return lambda value: isinstance(value, os.PathLike)
    if kind.__name__ == "Callable":
        return callable
    if kind.__name__ in ("IO", "BinaryIO", "TextIO"):  # files do not inherit from them
        return lambda value: hasattr(value, "write") or hasattr(value, "read")
    if issubclass(kind, Mapping):
        return _mapping_test(inner, names)
    if kind is not str and kind is not bytes and issubclass(kind, Iterable) and inner and not hasattr(kind, "_fields"):
        return _items_test(inner[0], names)
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        return None
    return lambda value: isinstance(value, kind)


def _is_path_text(value: object) -> bool:
    """Return whether a value is a text that can be given to the system as a path."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return True


def _mapping_test(inner: tuple[Any, ...], names: dict[str, Any]) -> _Test:
    key, item = (_test_for_type(part, names) for part in inner) if len(inner) == 2 else (None, None)

    def test(value: object) -> bool:
        return isinstance(value, Mapping) and all(
            (key is None or key(name)) and (item is None or item(held)) for name, held in value.items()
        )

    return test


def _items_test(inner: Any, names: dict[str, Any]) -> _Test:
    """Any iterable serves where a list or a tuple is asked for; one without a length is not looked into."""
    item = _test_for_type(inner, names)

    def test(value: object) -> bool:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            return hasattr(value, "__aiter__")
        return item is None or not isinstance(value, Collection) or all(map(item, value))

    return test
