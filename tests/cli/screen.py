"""A pseudo-terminal with a person at it: sees what is on the screen, and types."""

from __future__ import annotations

import os
import sys
from typing import Any

import pexpect
import pyte

__all__ = ["Screen", "terminal_environment"]


def terminal_environment(home: os.PathLike[str], **settings: str) -> dict[str, str]:
    """The environment of a command at a terminal, with these settings and no others."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("MUXI_")},
        "TERM": "xterm-256color",
        "HOME": os.fspath(home),
        # The terminal of the tests does not answer where its cursor is.
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "LC_ALL": "C.UTF-8",
        **settings,
    }


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
            assert self.read(), f"it ended without {text!r}: {self.lines}"

    def wait_for_prompt(self) -> None:
        """Wait until the conversation asks for the next input."""
        while [line for line in self.lines if line][-1:] != [">"]:
            assert self.read(), f"it ended: {self.lines}"

    def read(self) -> bool:
        """Take in what has been printed since; False at the end."""
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
        while self.read():
            pass
        self.child.close()
        code: int = self.child.exitstatus
        return code
