"""``muxi-client ask``: the answer alone on stdout, whatever else happens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from muxi_transports.memory import EmbeddedFormation, MemoryTransport, Served, Turn
from tests.cli.terminal import Terminal

pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture
def formation(monkeypatch: pytest.MonkeyPatch) -> EmbeddedFormation:
    """A formation of the test's own, without a network."""
    from muxi import formation as module

    world = EmbeddedFormation("bot")
    original = module.FormationClient.__init__

    def connect(self: object, *arguments: object, **settings: object) -> None:
        original(self, *arguments, **{**settings, "transport": MemoryTransport(world)})  # type: ignore[arg-type]

    monkeypatch.setattr(module.FormationClient, "__init__", connect)
    monkeypatch.delenv("MUXI_FORMATION_ID")
    monkeypatch.setenv("MUXI_FORMATION_URL", "http://memory")
    return world


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
@pytest.mark.parametrize(
    ("message", "given", "sent"),
    [
        (["hello"], "", "hello"),
        (["review this"], "a diff\n", "review this\n\na diff\n"),
        ([], "only the input", "only the input"),
    ],
)
def test_the_answer_stands_alone_on_stdout(
    terminal: Terminal, options: list[str], message: list[str], given: str, sent: str
) -> None:
    done = terminal("ask", *message, *options, given=given)
    assert (done.code, done.err) == (0, "")
    assert done.out.rstrip("\n") == f"You said: {sent}".rstrip("\n")
    assert done.out.endswith("\n")


def test_without_a_message_it_is_wrong_use(terminal: Terminal) -> None:
    done = terminal("ask")
    assert (done.code, done.out) == (2, "")
    assert 'muxi-client ask "Hello!"' in done.err


def test_an_input_that_is_no_text_is_sent_as_a_file_says_the_error(terminal: Terminal) -> None:
    done = terminal("ask", "what is it?", given=b"\xff\xd8\xff")
    assert done.code == 2
    assert "--file PATH" in done.err


def test_the_whole_answer_is_json(terminal: Terminal) -> None:
    done = terminal("ask", "hi", "--json", "-u", "ada")
    found = json.loads(done.out)
    assert (found["message"]["content"], found["user_id"]) == ("You said: hi", "ada")


def test_events_are_lines_of_json(terminal: Terminal) -> None:
    events = [json.loads(line) for line in terminal("ask", "hi", "--events").out.splitlines()]
    assert [events[0]["type"], events[-1]["type"]] == ["progress", "done"]
    assert "".join(event["text"] for event in events if event["type"] == "text") == "You said: hi"


def test_agent_session_files_and_user_travel(terminal: Terminal, formation: EmbeddedFormation) -> None:
    turns: list[Turn] = []

    def read(turn: Turn) -> str:
        turns.append(turn)
        return "read"

    formation.agent("expert", read)
    Path("note.txt").write_text("content")
    done = terminal("ask", "see", "--file", "note.txt", "--agent", "expert", "-u", "ada", "-s", "sess_1")
    assert (done.code, done.out) == (0, "read\n")
    (turn,) = turns
    assert (turn.user_id, turn.session_id) == ("ada", "sess_1")
    assert [file["filename"] for file in turn.files] == ["note.txt"]


def test_a_refused_key_is_exit_code_3(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUXI_CLIENT_KEY", "fmc_wrong")
    done = terminal("ask", "hi")
    assert (done.code, done.out) == (3, "")
    assert "fmc_wrong" not in done.err
    assert done.err.count("\n") == 1


def test_a_turn_that_fails_after_some_text_ends_in_a_line_of_its_own(
    terminal: Terminal, formation: EmbeddedFormation
) -> None:
    from muxi_transports.memory import Failure

    formation.agent("assistant", lambda turn: ["Some text", Failure("out of order")])
    done = terminal("ask", "hi")
    assert done.code == 1
    assert done.out == "Some text\n"
    assert "out of order" in done.err


SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("answer", "code", "problem"),
    [
        ('```json\n{"name": "Ada", "age": 36}\n```', 0, ""),
        ('{"age": "x"}', 1, "name: is missing"),
        ("I do not know", 1, "the answer is not JSON"),
    ],
)
def test_an_answer_is_checked_against_a_schema(
    terminal: Terminal, formation: EmbeddedFormation, answer: str, code: int, problem: str
) -> None:
    Path("person.json").write_text(json.dumps(SCHEMA))
    formation.agent("assistant", lambda turn: answer)
    done = terminal("ask", "who?", "--schema", "person.json")
    assert done.code == code, done.err
    assert problem in done.err
    assert not code or done.out == ""
    assert code or json.loads(done.out) == {"name": "Ada", "age": 36}


def test_a_schema_that_is_not_checked_is_refused(terminal: Terminal) -> None:
    Path("person.json").write_text('{"$ref": "#/x"}')
    done = terminal("ask", "who?", "--schema", "person.json")
    assert done.code == 2
    assert "'$ref', which is not checked here" in done.err


def test_no_formation_is_wrong_use_that_lists_the_ways(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MUXI_SERVER_URL", "MUXI_FORMATION_ID"):
        monkeypatch.delenv(name)
    done = terminal("ask", "hi")
    assert done.code == 2
    assert "--formation ID" in done.err


def test_a_server_that_is_not_there_is_one_line(terminal: Terminal, sandbox: Served) -> None:
    done = terminal("ask", "hi", "--url", "http://127.0.0.1:9")
    assert done.code == 1
    assert done.err.count("\n") == 1
