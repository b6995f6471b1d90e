"""Checks of the arguments of endpoints against their annotations, before anything is sent.

Annotations stay texts (evaluated for every endpoint they would cost an import 10 ms). A parameter is checked if each
part of its annotation is in the table below. What reaches a body with a schema is left to the schema, which reports all
wrong fields at once; time limits are left to what waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, NamedTuple

from muxi.call import Call, text_problem
from muxi.errors import MuxiError, ValidationError

__all__ = ["ArgumentCheck", "described_with"]

#: Types by the beginning of their annotation, each with its name in errors.
_KINDS: dict[str, tuple[type, str]] = {
    "None": (type(None), "None"),
    "bool": (bool, "True or False"),
    "bytes": (bytes, "bytes"),
    "int": (int, "a whole number"),
    "Literal": (str, "a text"),
    "Mapping": (Mapping, "a mapping"),
    "os.PathLike": (os.PathLike, "a path"),
    "Sequence": (Sequence, "a list"),
    "str": (str, "a text"),
}
#: The ends of the whole numbers that the platform's databases can store.
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
#: Aliases of functions.
_FUNCTIONS = frozenset({"DownloadProgress", "Progress", "Sign"})
#: Sequences of Python that are no lists.
_NO_LISTS = (str, bytes, bytearray, memoryview)


class Mistake(NamedTuple):
    """An argument that its parameter does not take."""

    name: str
    value: object
    problem: str

    def is_left_to(self, call: Call[Any]) -> bool:
        """Return True if the checks of the call itself find it."""
        if self.name == "user_id" and call.user_id is self.value:
            return True
        if self.name in call.limits and call.query.get(self.name) is self.value:
            return True
        body: object = call.body
        if call.accepts is None:
            return False
        return body is self.value or (isinstance(body, dict) and any(item is self.value for item in body.values()))


class _Parameter(NamedTuple):
    """A parameter that is checked."""

    name: str
    #: The exact types that pass at once.
    quick: frozenset[type]
    types: tuple[type, ...]
    callable: bool
    #: What it takes, for errors.
    takes: str

    def problem(self, value: Any) -> str | None:
        kind = type(value)
        if kind not in self.quick and not self._fits(value):
            return f"takes {self.takes}, got {kind.__name__}"
        if kind is str and os.PathLike not in self.types:  # names of files may have bytes that are not UTF-8
            return text_problem(value)
        if kind is int and not _SMALLEST <= value <= _LARGEST:
            return "takes a whole number of 64 bits, and this one has more"
        return None

    def _fits(self, value: object) -> bool:
        if self.callable and callable(value):
            return True
        if isinstance(value, bool):
            return bool in self.types
        if isinstance(value, _NO_LISTS):
            return any(isinstance(value, kind) for kind in self.types if kind is not Sequence)
        return isinstance(value, self.types)


class ArgumentCheck:
    """Finds arguments of a function that are of another type than its annotations say.

    Args:
        function: the function; its first parameter is the client.
    """

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        found = {name: _parameter(name, str(function.__annotations__.get(name, ""))) for name in names}
        self._by_name = {name: parameter for name, parameter in found.items() if parameter is not None}
        self._positional = [found[name] for name in names[: code.co_argcount - 1]]

    def mistakes(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Mistake]:
        """Return the wrong arguments of a call. Those that the function does not have are left to Python."""
        found: list[Mistake] = []
        for parameter, value in zip(self._positional, args, strict=False):
            if parameter is not None and (problem := parameter.problem(value)):
                found.append(Mistake(parameter.name, value, problem))
        for name, value in kwargs.items():
            named = self._by_name.get(name)
            if named is not None and (problem := named.problem(value)):
                found.append(Mistake(name, value, problem))
        return found


def described_with(
    mistakes: list[Mistake], describe: Callable[..., Any], client: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Return the call that is described with wrong arguments, if its own checks find them all.

    Raises:
        ValidationError: they do not; ``details["validation_errors"]`` has each.
    """
    described: Any = None
    try:
        described = describe(client, *args, **kwargs)
    except MuxiError:
        raise
    except Exception:
        left = mistakes  # raised below, without the failure that they have led to
    else:
        is_call = isinstance(described, Call)
        left = [mistake for mistake in mistakes if not (is_call and mistake.is_left_to(described))]
    if not left:
        return described
    error = ValidationError(
        "INVALID_PARAMETER",
        ", ".join(f"{mistake.name} {mistake.problem}" for mistake in left),
        details={"validation_errors": [{"field": mistake.name, "msg": mistake.problem} for mistake in left]},
    )
    error.call = describe.__name__
    raise error


def _parameter(name: str, annotation: str) -> _Parameter | None:
    """Return the check of one parameter; None if its annotation is not understood."""
    parts = _split(annotation)
    kinds: list[tuple[type, str]] = []
    function = False
    for part in parts:
        kind = _KINDS.get(part.partition("[")[0])
        if kind is not None:
            kinds.append(kind)
        elif part in _FUNCTIONS:
            function = True
        elif not (part.isidentifier() and any(other == "str" or other.startswith("Mapping[") for other in parts)):
            # A mapping of known fields may stand beside ``Mapping`` itself, and known texts beside ``str``.
            return None
    types = tuple(dict.fromkeys(kind for kind, _ in kinds))
    shown = list(dict.fromkeys(["a function"] * function + [said for _, said in kinds]))
    takes = " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    return _Parameter(name, frozenset(types), types, function, takes)


def _split(annotation: str) -> list[str]:
    """Split a union at its bars, but not within brackets."""
    parts, depth = [""], 0
    for character in annotation:
        depth += (character == "[") - (character == "]")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
