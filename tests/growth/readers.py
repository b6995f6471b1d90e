"""The functions of the package that take text apart, found in its source by what they call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Reader", "readers"]

_ROOT = Path(__file__).parents[2]

#: Functions and methods that parse, split, search or decode, by their last name. A text is what they are called with.
_CALLS = frozenset(
    {"loads", "load", "split", "rsplit", "splitlines", "find", "rfind", "decompress", "unquote", "unquote_plus"}
    | {"unquote_to_bytes", "urlsplit", "parse_qsl", "compose", "fullmatch", "match", "search", "finditer", "findall"}
    | {"sub", "subn", "readline", "get_close_matches", "SequenceMatcher", "fromisoformat", "b64decode", "literal_eval"}
    | {"translate", "raw_decode", "_decode_json", "_decode", "reader", "fromhex", "parsedate_to_datetime"}
)

#: Packages that are no part of what a client does with a peer's text.
_ASIDE = ("muxi/testing/", "muxi_transports/memory/")


class Reader(NamedTuple):
    """A function that takes text apart."""

    module: str
    name: str
    file: str
    #: The first line of its code, decorators included.
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


@cache
def readers() -> tuple[Reader, ...]:
    """Every function of the packages that calls one of the functions above, without those set aside."""
    return tuple(_find_readers())


def _find_readers() -> Iterator[Reader]:
    for package in ("muxi", "muxi_transports"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            relative = path.relative_to(_ROOT)
            if not relative.as_posix().startswith(_ASIDE):
                module = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
                yield from _readers_of(ast.parse(path.read_text("utf-8")), module, str(path), "")


def _readers_of(node: ast.AST, module: str, file: str, around: str) -> Iterator[Reader]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(_takes_apart(part) for part in _own_nodes(child)):
                line = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                yield Reader(module, around + child.name, file, line)
            yield from _readers_of(child, module, file, f"{around}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _readers_of(child, module, file, f"{around}{child.name}.")
        else:
            yield from _readers_of(child, module, file, around)


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions in it; lambdas and comprehensions are its own."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
            yield from _own_nodes(child)


def _takes_apart(node: ast.AST) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    if isinstance(called, ast.Attribute):
        return called.attr in _CALLS
    return isinstance(called, ast.Name) and called.id in _CALLS
