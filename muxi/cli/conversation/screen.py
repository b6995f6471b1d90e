"""The screen of a conversation: Markdown as it arrives, progress dimly, on a terminal; plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from muxi.cli.terminal import answer, is_terminal, printable, say

__all__ = ["Screen", "settled"]

#: Refreshes of the live part in a second.
_REFRESHES = 12


class Screen:
    """Prints the answers of a conversation."""

    def __init__(self) -> None:
        self._terminal = is_terminal(sys.stdout)
        self._live: Any = None
        self._text = ""
        self._progress = ""
        if self._terminal:
            from rich.console import Console

            self._console = Console(file=sys.stdout, highlight=False)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Show one answer; what has been shown stays, however it ends."""
        self._text = self._progress = ""
        if not self._terminal:
            try:
                yield
            finally:
                if self._text and not self._text.endswith("\n"):
                    answer("")
            return
        from rich.live import Live

        self._live = Live(
            console=self._console, refresh_per_second=_REFRESHES, get_renderable=self._render, auto_refresh=True,
            vertical_overflow="crop",
        )  # fmt: skip
        try:
            with self._live:
                yield
                self._progress = ""
        finally:
            self._live = None

    def text(self, piece: str) -> None:
        """Add a piece of the answer."""
        if not self._terminal:
            self._text += piece
            answer(piece, end="")
            return
        self._progress = ""
        done, self._text = settled(self._text + printable(piece, sys.stdout))
        if done:
            self._print_above(done)

    def progress(self, text: str) -> None:
        """Show what the formation is doing, until there is text."""
        if not self._text:
            self._progress = printable(" ".join(text.split()), sys.stdout)

    def note(self, text: str = "") -> None:
        """Print a line about the conversation."""
        say(text, dim=True)

    def _print_above(self, markdown: str) -> None:
        from rich.markdown import Markdown

        # Above the live part, where it stays; only the paragraph that still grows is drawn again.
        self._live.console.print(Markdown(markdown))
        self._live.console.print()

    def _render(self) -> Any:
        from rich.markdown import Markdown
        from rich.text import Text

        if self._text.strip():
            return Markdown(self._text)
        return Text(self._progress, style="dim", no_wrap=True, overflow="ellipsis")


def settled(text: str) -> tuple[str, str]:
    """Split a growing Markdown text: the paragraphs that will not change, and the rest.

    A block of code is one paragraph, whatever blank lines are in it.
    """
    fenced = False
    end = position = 0
    for line in text.splitlines(keepends=True):
        position += len(line)
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        if not fenced and not line.strip() and line.endswith("\n"):
            end = position
    return text[:end].strip("\n"), text[end:]
