"""What the pages say of the code is what the code does."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from muxi import FormationClient, FormationConfig, ServerClient, ServerConfig, hookspecs
from muxi.exchange.repeat import REPEATS
from muxi.streaming.chat import ChatReader
from tests.requirements import require_module

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The extension that makes the tables."""
    require_module("sphinx")
    spec = importlib.util.spec_from_file_location("tables", DOCS / "_ext" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("config", [FormationConfig, ServerConfig])
def test_every_setting_has_a_description(tables: ModuleType, config: type) -> None:
    described = {name for base in config.__mro__[:-1] for name in tables.comments_of(inspect.getsource(base))}
    assert {field.name for field in dataclasses.fields(config)} <= described


@pytest.mark.parametrize("config", [FormationConfig, ServerConfig])
def test_the_variables_are_those_that_are_read(
    tables: ModuleType, config: type[FormationConfig | ServerConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting, variable in tables.VARIABLES[config.__name__].items():
        if setting == "transport":
            continue  # read when the transport is made
        with monkeypatch.context() as changes:
            for other in tables.VARIABLES[config.__name__].values():
                changes.delenv(other, raising=False)
            changes.setenv(variable, "1")
            assert str(getattr(config().resolved(), setting)) in ("1", "True"), variable


@pytest.mark.parametrize("client", [FormationClient, ServerClient])
def test_the_table_of_repetitions_has_every_operation(client: type) -> None:
    operations = {name for name in dir(client) if hasattr(getattr(client, name), "call")}
    assert operations
    assert operations <= set(REPEATS)


def test_every_hook_is_in_the_order_of_a_call() -> None:
    text = (DOCS / "life-of-a-call.md").read_text(encoding="utf-8")
    for name in vars(hookspecs):
        if name.startswith("muxi_"):
            assert f"`{name}`" in text, name


def test_the_bounds_of_chats_are_those_of_the_reader() -> None:
    text = (DOCS / "streaming.md").read_text(encoding="utf-8")
    for name in ("idle_timeout", "stall_timeout"):
        assert getattr(ChatReader, name)
        assert f"{{muxi-default}}`{name}`" in text
