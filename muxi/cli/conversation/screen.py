"""The screen of a conversation: Markdown as it arrives, progress dimly, on a terminal; plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from muxi.cli.terminal import answer, is_terminal, printable, say

__all__ = ["GrowingMarkdown", "Screen"]

#: Refreshes of the live part in a second.
_REFRESHES = 12


class Screen:
    """Prints the answers of a conversation."""

    def __init__(self) -> None:
        self._terminal = is_terminal(sys.stdout)
        self._live: Any = None
        #: The answer, at a terminal.
        self._markdown = GrowingMarkdown()
        #: The last character of it, elsewhere.
        self._last = ""
        self._progress = ""
        if self._terminal:
            from rich.console import Console

            self._console = Console(file=sys.stdout, highlight=False)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Show one answer; what has been shown stays, however it ends."""
        self._markdown = GrowingMarkdown()
        self._last = self._progress = ""
        if not self._terminal:
            try:
                yield
            finally:
                if self._last not in ("", "\n"):
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
            self._last = piece[-1:] or self._last
            answer(piece, end="")
            return
        self._progress = ""
        if settled := self._markdown.add(printable(piece, sys.stdout)):
            self._print_above(settled)

    def progress(self, text: str) -> None:
        """Show what the formation is doing, until there is text."""
        if not self._markdown.rest:
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

        text = self._markdown.rest
        if text.strip():
            return Markdown(text)
        return Text(self._progress, style="dim", no_wrap=True, overflow="ellipsis")


class GrowingMarkdown:
    """A Markdown text that grows: its paragraphs that will not change, and the rest.

    A block of code is one paragraph, whatever blank lines are in it.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        #: The pieces of the line that has not ended.
        self._line: list[str] = []
        self._fenced = False

    @property
    def rest(self) -> str:
        """The text that may still change."""
        return "".join(self._pieces)

    def add(self, piece: str) -> str:
        """Add a piece; return the paragraphs that will not change any more."""
        settled: list[str] = []
        *ended, begun = piece.split("\n")
        for part in ended:
            self._pieces.append(f"{part}\n")
            line = "".join([*self._line, part])
            self._line.clear()
            if line.lstrip().startswith(("```", "~~~")):
                self._fenced = not self._fenced
            if not self._fenced and not line.strip():
                settled += self._pieces
                self._pieces.clear()
        if begun:
            self._pieces.append(begun)
            self._line.append(begun)
        return "".join(settled).strip("\n")
