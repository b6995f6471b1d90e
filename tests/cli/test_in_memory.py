"""``MUXI_TRANSPORT=memory`` is enough for every command: the world in memory brings its address and keys."""

from __future__ import annotations

import json

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture(autouse=True)
def in_memory(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUXI_TRANSPORT", "memory")


def test_a_formation_answers_without_any_setting(terminal: Terminal) -> None:
    assert terminal("ask", "Hello").out == "You said: Hello\n"
    assert terminal("call", "get_agents", "-o", "name").out == "assistant\n"


def test_a_server_answers_without_any_setting(terminal: Terminal) -> None:
    found = terminal("formations", "list", "-o", "json")
    assert json.loads(found.out) == []
    assert "There are no formations on this server yet." in found.err


def test_the_doctor_finds_nothing_missing(terminal: Terminal) -> None:
    found = terminal("doctor", "--json")
    assert [check for check in json.loads(found.out) if check["verdict"] == "failed"] == []
    assert found.code == 0
