"""``muxi-client chat``: through pipes, and through a pseudo-terminal as a person sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient
from muxi.cli.conversation.screen import GrowingMarkdown
from muxi.cli.conversation.state import ChatState, chosen_values
from muxi_transports.memory import EmbeddedFormation, Pause, Served, Turn, Widgets, serve
from tests.cli.screen import Screen, terminal_environment
from tests.cli.terminal import Terminal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminal of this kind")

WIDGET = {
    "type": "options",
    "id": "ui_1",
    "prompt": "Which account?",
    "options": [{"value": "w", "label": "work"}, {"value": "h", "label": "home"}],
    "multi": False,
}


@pytest.mark.parametrize(
    ("text", "done", "rest"),
    [
        ("One", "", "One"),
        ("One\n\nTwo", "One", "Two"),
        ("One\n\nTwo\n\nThree", "One\n\nTwo", "Three"),
        ("```\na\n\nb", "", "```\na\n\nb"),
        ("```\na\n\nb\n```\n\nafter", "```\na\n\nb\n```", "after"),
        ("One\n", "", "One\n"),
    ],
)
def test_only_the_paragraph_that_grows_is_drawn_again(text: str, done: str, rest: str) -> None:
    whole, letters = GrowingMarkdown(), GrowingMarkdown()
    assert (whole.add(text), whole.rest) == (done, rest)
    parts = [part for letter in text if (part := letters.add(letter))]
    assert ("\n\n".join(parts), letters.rest) == (done, rest)


@pytest.mark.parametrize(
    ("multi", "text", "values"),
    [
        (False, "1", ["w"]),
        (False, "2", ["h"]),
        (False, "3", []),
        (False, "0", []),
        (False, "1,2", []),
        (True, "1, 2", ["w", "h"]),
        (False, "home", []),
        (False, "", []),
    ],
)
def test_numbers_choose_from_a_widget(multi: bool, text: str, values: list[str]) -> None:
    assert chosen_values({**WIDGET, "multi": multi}, text) == values


def test_a_choice_answers_its_widget_and_other_text_is_a_message() -> None:
    chat = ChatState(widget=WIDGET, session_id="s", agent_id="a")
    assert chat.payload("2") == {
        "message": "home", "ui_response": {"id": "ui_1", "value": "h"}, "session_id": "s", "agent_id": "a",
    }  # fmt: skip
    assert chat.payload("neither")["message"] == "neither"
    assert "ui_response" not in chat.payload("neither")


def test_a_conversation_through_pipes_has_the_answers_on_stdout(terminal: Terminal, connected: Served) -> None:
    lines = "Hello\n/memory Likes tea\n/memory\n/agents\n/session\n/retry\n/nope\n/save talk.md\n/quit\nnot sent\n"
    done = terminal("chat", "-u", "cleo", given=lines)
    assert done.code == 0, done.err
    assert done.out.count("You said: Hello\n") == 2
    assert "Likes tea" in done.out
    assert "assistant" in done.out
    assert "session sess_" in done.err
    assert "there is no command '/nope'" in done.err
    assert "not sent" not in done.out
    assert Path("talk.md").read_text().count("## assistant\n\nYou said: Hello") == 2
    listed = terminal("chat", "-u", "cleo", given="/sessions\n")
    assert "cleo" in listed.out


def test_an_error_in_a_conversation_is_a_line_and_it_goes_on(terminal: Terminal, connected: Served) -> None:
    done = terminal("chat", "-u", "cleo", given="/session nope\n/file nope\nHello\n")
    assert done.code == 0
    assert "SESSION_NOT_FOUND" in done.err or "NOT_FOUND" in done.err
    assert "There is no file 'nope'." in done.err
    assert "You said: Hello" in done.out


def test_a_file_goes_along_with_the_next_message_alone_and_again_with_a_retry(
    terminal: Terminal, home: Path, served: Served, formation: EmbeddedFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[str]] = []

    def agent(turn: Turn) -> str:
        sent.append([str(file["filename"]) for file in turn.files])
        return "Seen."

    formation.agent("assistant", agent)
    monkeypatch.setenv("MUXI_FORMATION_URL", served.url)
    monkeypatch.setenv("MUXI_CLIENT_KEY", "fmc_cli_key_0001")
    Path("notes.txt").write_text("Tea at five.")
    done = terminal("chat", "-u", "ada", given="/file notes.txt\nRead this\n/retry\nAnd now\n/quit\n")
    assert done.code == 0, done.err
    assert sent == [["notes.txt"], ["notes.txt"], []]


@pytest.fixture
def formation(home: Path) -> EmbeddedFormation:
    """A formation for a conversation at a terminal."""
    return EmbeddedFormation("bot", client_key="fmc_cli_key_0001")


@pytest.fixture
def served(formation: EmbeddedFormation) -> Iterator[Served]:
    """The formation over HTTP."""
    with serve(formation) as served:
        yield served


def converse(served: Served, home: Path, size: tuple[int, int] = (24, 80)) -> Screen:
    """Begin a conversation at a terminal."""
    environment = terminal_environment(home, MUXI_FORMATION_URL=served.url, MUXI_CLIENT_KEY="fmc_cli_key_0001")
    return Screen(["chat", "-u", "ada"], environment, size)


def test_a_conversation_in_a_narrow_window(formation: EmbeddedFormation, served: Served, home: Path) -> None:
    words = [f"word{number}" for number in range(12)]
    turns: list[Turn] = []

    def agent(turn: Turn) -> Iterator[Any]:
        turns.append(turn)
        if len(turns) == 2:
            yield "Well chosen."
            return
        yield Pause(0.3)  # in which progress is shown
        yield "Some **bold** text.\n\n"
        yield "```python\nprint(1)\n```\n\n"
        yield " ".join(words)
        yield Widgets((WIDGET,))

    formation.agent("assistant", agent)
    screen = converse(served, home, (40, 30))
    screen.wait_for_prompt()
    screen.type("Hello")
    screen.wait_for("1  work")
    screen.wait_for_prompt()
    shown = screen.lines
    assert "Some bold text." in shown
    assert any("print(1)" in line for line in shown)
    assert [word for line in shown for word in line.split() if word.startswith("word")] == words
    assert not any("processing" in line for line in shown), "progress gives way to the text"
    screen.type("2")
    screen.wait_for("Well chosen.")
    screen.type("/quit")
    assert screen.end() == 0
    assert turns[1].ui_response == {"id": "ui_1", "value": "h"}
    assert turns[1].session_id == turns[0].session_id
    assert b"\x1b[1mbold" in screen.raw, "Markdown is rendered"
    assert b"\x1b[2m" in screen.raw, "progress is dim"
    (history,) = home.rglob("chat-history")
    assert "+Hello" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_ctrl_c_cancels_the_turn_and_a_second_one_leaves(
    formation: EmbeddedFormation, served: Served, home: Path
) -> None:
    turns: list[Turn] = []

    def agent(turn: Turn) -> Iterator[Any]:
        turns.append(turn)
        yield "This takes "
        yield Pause(600)

    formation.agent("assistant", agent)
    screen = converse(served, home)
    screen.wait_for_prompt()
    screen.type("Hello")
    screen.wait_for("This takes")
    screen.interrupt()
    screen.wait_for("Stopped; the turn is cancelled.")
    (turn,) = turns
    with FormationClient(url=served.url, client_key="fmc_cli_key_0001") as client:
        assert client.get_request_status(turn.request_id, "ada")["status"] == "cancelled"
    screen.interrupt()
    assert screen.end() == 0
