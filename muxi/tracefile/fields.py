"""Values of a line, reduced to the types and sizes that a page can show: the file may have been written by anything."""

from __future__ import annotations

from typing import Any

__all__ = ["number_of", "pairs_of", "text_of", "whole_of"]

#: Longest text other than a body, in characters.
LONGEST_TEXT = 2000

#: Most headers of a request or an answer.
_MAX_PAIRS = 100


def text_of(value: object, longest: int = LONGEST_TEXT) -> str | None:
    """Return a text, truncated, without halves of surrogate pairs; None if it is not a text."""
    if not isinstance(value, str):
        return None
    if len(value) > longest:
        value = f"{value[:longest]}… ({len(value) - longest} more characters)"
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def number_of(value: object) -> float | None:
    """Return a finite number; None if it is not one."""
    # type() rather than isinstance(): bool is no number here.
    if type(value) is float or type(value) is int:
        return value if -1e15 < value < 1e15 else None
    return None


def whole_of(value: object) -> int | None:
    """Return a whole number from 0 up; None if it is not one."""
    number = number_of(value)
    return int(number) if number is not None and number >= 0 else None


def pairs_of(value: object) -> list[list[str]]:
    """Return headers as pairs of texts; others are left out."""
    found: list[list[str]] = []
    for pair in value if isinstance(value, list) else ():
        parts: list[Any] = pair if isinstance(pair, list) else []
        name, text = (text_of(parts[0], 200), text_of(parts[1])) if len(parts) == 2 else (None, None)
        if name is not None and text is not None and len(found) < _MAX_PAIRS:
            found.append([name, text])
    return found
