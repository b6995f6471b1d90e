"""``muxi-client chat``: through pipes, and through a pseudo-terminal as a person sees it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi.cli.conversation.screen import settled
from muxi.cli.conversation.state import Conversation, chosen_values
from muxi_transports.memory import EmbeddedFormation, Served, Turn, Widgets, serve
from tests.cli.terminal import Terminal

pexpect = pytest.importorskip("pexpect")
pyte = pytest.importorskip("pyte")

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
    assert settled(text) == (done, rest)


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
    chat = Conversation(widget=WIDGET, session_id="s", agent_id="a")
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


class Screen:
    """A terminal with a person at it: sees what is on it, and types.

    Args:
        arguments: of the command.
        environment: of the command.
        size: rows and columns.
    """

    def __init__(self, arguments: list[str], environment: dict[str, str], size: tuple[int, int] = (24, 80)) -> None:
        self._screen = pyte.HistoryScreen(size[1], size[0], history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self.child: Any = pexpect.spawn(
            sys.executable, ["-m", "muxi.cli", *arguments], env=environment, dimensions=size, timeout=30
        )

    @property
    def lines(self) -> list[str]:
        """The lines that are on the screen, and those that have left it at the top."""
        above = [
            "".join(line[column].data for column in range(self._screen.columns)) for line in self._screen.history.top
        ]
        return [line.rstrip() for line in [*above, *self._screen.display]]

    def wait_for(self, text: str) -> None:
        """Wait until a text is on the screen."""
        while not any(text in line for line in self.lines):
            assert self._read(), f"it ended without {text!r}: {self.lines}"

    def _read(self) -> bool:
        try:
            data: bytes = self.child.read_nonblocking(4096, timeout=30)
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    def type(self, text: str) -> None:
        """Type a text, and Enter."""
        self.child.send(f"{text}\r")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.child.send("\x03")

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        while self._read():
            pass
        self.child.close()
        code: int = self.child.exitstatus
        return code


class World:
    """A formation whose agent answers as a test wants, and a terminal at it."""

    def __init__(self, formation: EmbeddedFormation, environment: dict[str, str]) -> None:
        self.formation = formation
        self.environment = environment
        self.turns: list[Turn] = []
        self.go_on = threading.Event()

    def screen(self, *arguments: str, size: tuple[int, int] = (24, 80)) -> Screen:
        """Begin a conversation at a terminal."""
        return Screen(["chat", "-u", "ada", *arguments], self.environment, size)


@pytest.fixture
def world(home: Path) -> Iterator[World]:
    """A formation over HTTP for a conversation at a terminal."""
    formation = EmbeddedFormation("bot", client_key="fmc_cli_key_0001")
    with serve(formation) as served:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MUXI_")},
            "TERM": "xterm-256color",
            "HOME": str(home),
            "MUXI_FORMATION_URL": served.url,
            "MUXI_CLIENT_KEY": "fmc_cli_key_0001",
            # The terminal of the test does not answer where its cursor is.
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "LC_ALL": "C.UTF-8",
        }
        yield World(formation, environment)


def test_a_conversation_at_a_terminal(world: World, home: Path) -> None:
    def agent(turn: Turn) -> Iterator[object]:
        world.turns.append(turn)
        yield "Some **bold** text.\n\n"
        yield "```python\nprint(1)\n```\n\nThe "
        yield "end."
        if len(world.turns) == 1:
            yield Widgets((WIDGET,))

    world.formation.agent("assistant", agent)
    screen = world.screen()
    screen.wait_for("/help lists")
    screen.wait_for("> ")
    screen.type("Hello")
    screen.wait_for("Some bold text.")
    screen.wait_for("print(1)")
    screen.wait_for("The end.")
    screen.wait_for("1  work")
    screen.type("2")
    while len(world.turns) < 2:
        screen._read()
    assert world.turns[1].ui_response == {"id": "ui_1", "value": "h"}
    assert world.turns[1].session_id == world.turns[0].session_id
    screen.type("/quit")
    assert screen.end() == 0
    assert b"\x1b[1mbold" in screen.raw, "it is rendered"
    (history,) = home.rglob("chat-history")
    assert "+Hello" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_ctrl_c_stops_an_answer_and_cancels_its_turn_and_a_second_one_leaves(world: World) -> None:
    from muxi_transports.memory import Pause

    def agent(turn: Turn) -> Iterator[object]:
        world.turns.append(turn)
        yield "This takes "
        yield Pause(600)
        yield "ages."

    world.formation.agent("assistant", agent)
    screen = world.screen()
    screen.wait_for("> ")
    screen.type("Hello")
    screen.wait_for("This takes")
    screen.interrupt()
    screen.wait_for("Stopped; the turn is cancelled.")
    (turn,) = world.turns
    assert world.formation.requests[turn.request_id].status == "cancelled"
    screen.interrupt()
    assert screen.end() == 0


def test_ctrl_c_at_the_prompt_leaves_the_second_time(world: World) -> None:
    screen = world.screen()
    screen.wait_for("> ")
    screen.interrupt()
    screen.wait_for("Ctrl-C again leaves.")
    screen.interrupt()
    assert screen.end() == 0


def test_a_narrow_window_breaks_lines_and_loses_nothing(world: World) -> None:
    words = [f"word{number}" for number in range(30)]
    world.formation.agent("assistant", lambda turn: " ".join(words))
    screen = world.screen(size=(40, 30))
    screen.wait_for("> ")
    screen.type("Hello")
    screen.wait_for("word29")
    screen.type("/quit")
    assert screen.end() == 0
    shown = " ".join(screen.lines).split()
    assert [word for word in shown if word.startswith("word")] == words


def test_progress_is_shown_dimly_until_there_is_text(world: World) -> None:
    from muxi_transports.memory import Pause

    def agent(turn: Turn) -> Iterator[object]:
        yield Pause(0.3)
        yield "Done."

    world.formation.agent("assistant", agent)
    screen = world.screen()
    screen.wait_for("> ")
    screen.type("Hello")
    screen.wait_for("Done.")
    screen.type("/quit")
    assert screen.end() == 0
    assert b"\x1b[2m" in screen.raw
    assert not any("Got it, processing" in line or "Preparing response" in line for line in screen.lines)
