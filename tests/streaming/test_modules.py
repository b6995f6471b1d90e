"""The modules of streams at run time: what is there for type checkers only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import pytest

import muxi.streaming

MODULES = sorted(path.stem for path in Path(muxi.streaming.__path__[0]).glob("*.py") if path.stem != "__init__")


def imported_for_type_checkers(source: str) -> Iterator[str]:
    """The names that are imported under ``if TYPE_CHECKING``."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    yield from (alias.asname or alias.name for alias in statement.names)


def test_there_are_imports_for_type_checkers() -> None:
    source = Path(muxi.streaming.__path__[0], "streams.py").read_text("utf-8")
    assert {"asyncio", "Self"} <= set(imported_for_type_checkers(source))


@pytest.mark.parametrize("name", MODULES)
def test_what_is_imported_for_type_checkers_is_not_loaded(name: str) -> None:
    # typing_extensions is no dependency, and asyncio takes a sync program time.
    module = import_module(f"muxi.streaming.{name}")
    source = Path(muxi.streaming.__path__[0], f"{name}.py").read_text("utf-8")
    assert not set(imported_for_type_checkers(source)) & vars(module).keys()


@pytest.mark.parametrize("name", MODULES)
def test_a_type_variable_is_shown_under_its_name(name: str) -> None:
    found = vars(import_module(f"muxi.streaming.{name}"))
    assert {name: kind.__name__ for name, kind in found.items() if isinstance(kind, TypeVar)} == {
        name: name for name, kind in found.items() if isinstance(kind, TypeVar)
    }
