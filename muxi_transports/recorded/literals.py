"""The positions of strings and numbers in a JSON document, so that one is replaced and no other byte changes."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

__all__ = ["Literal", "literals_of"]

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


class Literal(NamedTuple):
    """A text or a number, or one of ``true``, ``false`` and ``null``."""

    start: int
    end: int
    value: str | int | float | bool | None
    #: The names of the fields that lead to it; what is in a list has the path of the list.
    path: tuple[str, ...]


def literals_of(text: str) -> list[Literal] | None:
    """The values of a JSON document in order, the names of fields not among them; None where it is not JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    found: list[Literal] = []
    # Names of the fields around; None stands for a list.
    path: list[str | None] = []
    opened: list[str] = []
    name_comes = False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            opened.append(word)
            path.append(None)
            name_comes = word == "{"
        elif word in "}]":
            opened.pop()
            path.pop()
            name_comes = False
        elif word == ",":
            name_comes = opened[-1] == "{"
        elif word == ":":
            name_comes = False
        elif name_comes:
            path[-1] = json.loads(word)
        else:
            names = tuple(name for name in path if name is not None)
            found.append(Literal(token.start(), token.end(), json.loads(word), names))
    return found
