"""``muxi-client call``: every operation of both clients, from their signatures, and any route."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from muxi.cli.operations import CatalogueEntry, arguments_of, catalogue, find_operation
from muxi_transports.memory import Served
from tests.cli.terminal import Terminal

CATALOGUE = catalogue()


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.full_name)
def test_every_operation_has_a_summary_and_parameters_that_texts_can_stand_for(entry: CatalogueEntry) -> None:
    assert entry.summary.endswith((".", ")", ":"))
    texts = [f"{name}:=1" if name != "schema" else "schema={}" for name in entry.parameters]
    assert list(arguments_of(entry, texts)) == list(entry.parameters)


def test_both_clients_are_there() -> None:
    names = {entry.full_name for entry in CATALOGUE}
    assert {"formation.chat", "formation.iter_memories", "server.deploy_formation", "server.health"} <= names
    assert len(names) == len(CATALOGUE)


@pytest.mark.parametrize(
    ("operation", "texts", "expected"),
    [
        ("get_session", ["ses_1", "ada"], {"session_id": "ses_1", "user_id": "ada"}),
        ("get_session", ["user_id=ada", "ses_1"], {"user_id": "ada", "session_id": "ses_1"}),
        ("get_memories", ["ada", "limit=5"], {"user_id": "ada", "limit": 5}),
        ("chat", ["payload=a=b"], {"payload": "a=b"}),
        ("chat", ['{"message": "hi"}'], {"payload": {"message": "hi"}}),
        ("chat", ["payload:=[1]"], {"payload": [1]}),
        ("add_memory", ["123"], {"content": "123"}),
        ("download_formation", ["bot", "path=x.zip", "db=yes"], {"formation_id": "bot", "path": "x.zip", "db": True}),
        ("chat", ["payload=@message.txt"], {"payload": "from a file"}),
    ],
)
def test_texts_become_the_values_that_the_signature_wants(
    home: Path, operation: str, texts: list[str], expected: dict[str, Any]
) -> None:
    Path("message.txt").write_text("from a file")
    assert arguments_of(find_operation(operation), texts) == expected


@pytest.mark.parametrize(
    ("operation", "texts", "problem"),
    [
        ("get_memories", ["limit=many"], "limit takes a whole number, got 'many'"),
        ("get_memories", ["limt=3"], "no argument 'limt'; did you mean 'limit'?"),
        ("get_session", ["a", "b", "c"], "takes no further argument 'c'"),
        ("get_session", ["session_id=a", "session_id=b"], "session_id is given twice"),
    ],
)
def test_wrong_arguments_are_named(operation: str, texts: list[str], problem: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        arguments_of(find_operation(operation), texts)
    assert problem in caught.value.message


def test_a_name_that_both_clients_have_shows_the_two(terminal: Terminal, connected: Served) -> None:
    done = terminal("call", "health")
    assert done.code == 2
    assert "formation.health  " in done.err
    assert "server.health  " in done.err
    assert json.loads(terminal("call", "server.health").out)["status"] == "ok"
    assert json.loads(terminal("call", "formation.health").out)["status"] == "healthy"


def test_results_come_in_every_format_and_by_a_query(terminal: Terminal, connected: Served) -> None:
    assert json.loads(terminal("call", "list_formations").out)["formations"][0]["id"] == "bot"
    assert terminal("call", "list_formations", "-o", "name").out == "bot\n"
    table = terminal("call", "list_formations", "-o", "table").out.splitlines()
    assert table[0].split()[:3] == ["ID", "NAME", "PORT"]
    assert terminal("call", "list_formations", "-o", "yaml").out.startswith("formations:\n- id: bot\n")
    assert terminal("call", "list_formations", "--query", "formations[].status").out == '[\n  "running"\n]\n'
    wrong = terminal("call", "list_formations", "--query", "a[")
    assert wrong.code == 2
    assert wrong.err.splitlines()[-1].startswith("muxi-client: --query: ")


def test_the_user_is_that_of_the_option(terminal: Terminal, connected: Served) -> None:
    assert terminal("call", "add_memory", "Likes tea", "-u", "carol").code == 0
    found = json.loads(terminal("call", "get_memories", "-u", "carol").out)
    assert [memory["content"] for memory in found["memories"]] == ["Likes tea"]
    missing = terminal("call", "get_memories")
    assert missing.code == 2
    assert "user_id is missing: muxi-client call formation.get_memories user_id=" in missing.err


def test_iterators_print_some_items_and_with_all_all(terminal: Terminal, connected: Served) -> None:
    for number in range(22):
        assert terminal("call", "add_memory", f"Fact {number}", "-u", "dora").code == 0
    some = terminal("call", "iter_memories", "-u", "dora", "-o", "name")
    assert len(some.out.splitlines()) == 20
    assert "--all prints all" in some.err
    every = terminal("call", "iter_memories", "-u", "dora", "-o", "name", "--all")
    assert (len(every.out.splitlines()), every.err) == (22, "")


def test_a_stream_is_a_line_for_each_event(terminal: Terminal, connected: Served) -> None:
    lines = terminal("call", "chat_stream", "hi", "--query", "type").out.splitlines()
    assert lines[-1] == '"done"'
    assert '"text"' in lines


def test_a_route_is_called_raw(terminal: Terminal, connected: Served) -> None:
    assert terminal("call", "add_memory", "Likes coffee", "-u", "erin").code == 0
    done = terminal("call", "--raw", "GET", "/v1/memories", "-q", "limit=1", "-u", "erin")
    assert (done.code, json.loads(done.out)["memories"] != []) == (0, True), done.err
    agents = terminal("call", "--raw", "GET", "/v1/agents", "--admin", "--query", "agents[].id")
    told = terminal("call", "--raw", "GET", "/v1/agents", "--query", "agents[].id")
    assert (told.out, told.err) == (agents.out, "The client key was refused; this is the answer to the admin key.\n")
    assert json.loads(agents.out) == ["assistant"]
    assert json.loads(terminal("call", "--raw", "GET", "/rpc/server/status").out)["formations"]["total"] == 1
    assert terminal("call", "--raw", "GET", "/rpc/formations/nope").code == 4
    for wrong in (["GET", "v1/agents"], ["GET"], ["GET", "/v1/x", "{"]):
        assert terminal("call", "--raw", *wrong).code == 2


def test_operations_are_listed_and_described(terminal: Terminal) -> None:
    assert terminal("call", "--list", "-o", "name").out.count("\n") == len(CATALOGUE)
    assert terminal("call", "--list", "*secret*", "-o", "name").out.splitlines()[0] == "formation.create_secret"
    described = terminal("call", "get_session", "--help").out
    assert described.startswith("Usage: muxi-client call formation.get_session session_id=")
    assert "NotFoundError: the user has no such session." in described
    assert "did you mean 'get_sessions'?" in terminal("call", "get_sesions").err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("muxi-client ca", ["call", "cassette"]),
        ("muxi-client call server.he", ["server.health"]),
        ("muxi-client call get_sess", ["get_session", "get_session_messages", "get_sessions"]),
        ("muxi-client call get_session session_id=x u", ["user_id="]),
        ("muxi-client call -o j", ["json"]),
        ("muxi-client formations ro", ["rollback"]),
        ("muxi-client profiles use p", ["prod"]),
    ],
)
def test_the_shell_completes_commands_operations_arguments_and_profiles(
    terminal: Terminal, home: Path, monkeypatch: pytest.MonkeyPatch, words: str, expected: list[str]
) -> None:
    from tests.cli.test_profiles import PROFILES, write

    write(home, profiles=PROFILES)
    monkeypatch.setenv("_MUXI_CLIENT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert [line.partition(",")[2] for line in terminal().out.splitlines()] == expected
