"""Matching of requests: path patterns, and JSON of which a part is named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from muxi.errors import ConfigurationError
from muxi.redact import redact_data, redact_text, show_value

__all__ = ["PathPattern", "differences"]

_LONGEST = 120


class PathPattern:
    """A pattern of paths: ``{name}`` and ``*`` are one segment, ``**`` is any number of them.

    Args:
        text: ``/v1/agents/{agent_id}``; ``*`` alone is any path.

    Raises:
        ConfigurationError: it is no pattern; the message says why.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if text == "*":
            self._parts: tuple[str, ...] = ("**",)
            return
        if not text.startswith("/"):
            raise ConfigurationError(
                f"a path begins with a slash, as in '/v1/agents/{{agent_id}}'; got {show_value(text)}"
            )
        if "?" in text or "#" in text:
            raise ConfigurationError(f"a path has no query; write query={{…}} beside {text.partition('?')[0]!r}")
        self._parts = tuple(text.split("/")[1:])
        for part in self._parts:
            whole = part in ("*", "**") or re.fullmatch(r"\{[A-Za-z_]\w*\}", part)
            if not whole and set("*{}") & set(part):
                raise ConfigurationError(
                    f"'*' and '{{name}}' stand for whole segments of a path; got {show_value(part)}"
                )

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Match a path. Returns the values of the names; None if it does not match.

        A formation's path fits behind the proxy of a server too: ``/v1/chat`` is also ``/api/my-bot/v1/chat``.

        Args:
            segments: of the path, each decoded.
        """
        found = _match(self._parts, tuple(segments))
        if found is None and len(segments) > 2 and segments[0] in ("api", "draft") and self._parts[0] == "v1":
            found = _match(self._parts, tuple(segments[2:]))
        return found

    def overlaps(self, other: PathPattern) -> bool:
        """True if some path matches both patterns."""
        return _overlap(self._parts, other._parts)

    def __repr__(self) -> str:
        return repr(self.text)


def _match(parts: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    if not parts:
        return None if segments else {}
    part, rest = parts[0], parts[1:]
    if part == "**":
        tries = (_match(rest, segments[cut:]) for cut in range(len(segments) + 1))
        return next((found for found in tries if found is not None), None)
    if not segments or not (part.startswith("{") or part in ("*", segments[0])):
        return None
    found = _match(rest, segments[1:])
    if found is None or not part.startswith("{"):
        return found
    return {part[1:-1]: segments[0], **found}


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if one[:1] == ("**",):
        return _overlap(one[1:], other) or (bool(other) and _overlap(one, other[1:]))
    if other[:1] == ("**",):
        return _overlap(other, one)
    if not one or not other:
        return one == other
    free = any(part == "*" or part.startswith("{") for part in (one[0], other[0])) and "" not in (one[0], other[0])
    return (free or one[0] == other[0]) and _overlap(one[1:], other[1:])


def differences(expected: object, actual: object, where: str) -> Iterator[str]:
    """Describe the differences between a value and the expected part of it.

    Of an object only the keys that are named count; a list has to have the same length; a pattern of :mod:`re` is
    searched for in a text; everything else has to be equal, as JSON has it: ``true`` is not 1.

    Args:
        expected: the part that is named.
        actual: what there is.
        where: what it is called in the words.
    """
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            yield f"{where} is {_show_value(actual, where)}, not an object"
            return
        for key, value in expected.items():
            if key in actual:
                yield from differences(value, actual[key], f"{where}.{key}")
            else:
                near = get_close_matches(str(key), [str(other) for other in actual], 1)
                yield f"{where}.{key} is missing" + (f"; there is {near[0]!r}" if near else "")
    elif isinstance(expected, list | tuple):
        if not isinstance(actual, list | tuple):
            yield f"{where} is {_show_value(actual, where)}, not a list"
        elif len(expected) != len(actual):
            yield f"{where} has {len(actual)} items, not {len(expected)}"
        else:
            for index, (wanted, given) in enumerate(zip(expected, actual, strict=True)):
                yield from differences(wanted, given, f"{where}[{index}]")
    elif isinstance(expected, re.Pattern):
        if not (isinstance(actual, str) and expected.search(actual)):
            yield f"{where} is {_show_value(actual, where)}, which has no match of {expected.pattern!r}"
    elif not _equal(expected, actual):
        yield f"{where} is {_show_value(actual, where)}, not {_show_value(expected, where)}"


def _equal(expected: object, actual: object) -> bool:
    if isinstance(expected, bool | int | float) and isinstance(expected, bool) != isinstance(actual, bool):
        return False
    return bool(expected == actual)


def _show_value(value: object, where: str) -> str:
    """A value as it may be shown in a message: short, and not where its name says that it is a secret."""
    name = where.rpartition(".")[2]
    hidden = redact_data({name: value})
    assert isinstance(hidden, dict)  # noqa: S101  for the type checker: a mapping stays one
    text = redact_text(repr(hidden[name]))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
