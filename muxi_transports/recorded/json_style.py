"""Styles of JSON documents: of one in a usual style the data is kept, and its bytes are made of it again."""

from __future__ import annotations

import itertools
import json

__all__ = ["STYLES", "style_of", "written"]

#: What can differ: spaces after separators, all in ASCII, a line break at the end. Formations write none of them.
STYLES = ("spaced", "ascii", "newline")

_COMBINATIONS = [chosen for count in range(len(STYLES) + 1) for chosen in itertools.combinations(STYLES, count)]


def written(data: object, style: tuple[str, ...] = ()) -> bytes:
    """The document.

    Raises:
        ValueError: the data cannot be written.
    """
    separators = (", ", ": ") if "spaced" in style else (",", ":")
    text = json.dumps(data, separators=separators, ensure_ascii="ascii" in style, allow_nan=False)
    return (text + "\n" * ("newline" in style)).encode()


def style_of(content: bytes) -> tuple[object, tuple[str, ...]] | None:
    """The data and the way it is written; None where that is no usual one, or there is nothing to see in it."""
    try:
        data = json.loads(content.decode())
        if not isinstance(data, dict | list) or not data:
            return None
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is in no text file
        return next(((data, style) for style in _COMBINATIONS if written(data, style) == content), None)
    except (ValueError, RecursionError):
        return None
