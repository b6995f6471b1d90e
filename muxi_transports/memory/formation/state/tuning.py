"""Tuning: the text that is put before every turn, and the suggestions to change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CONTENT_LIMIT", "PATH", "PENDING_PATH", "Pass", "Tuner", "TuningState"]

PATH = "formation/MUXI.md"
PENDING_PATH = "formation/PENDING-MUXI.md"
#: Bytes (the wire).
CONTENT_LIMIT = 32_768

#: Makes a suggestion of the texts that users have written since the last pass; None makes none.
Tuner = Callable[[list[str]], "str | None"]


@dataclass(frozen=True)
class Pass:
    """The result of one pass."""

    events_read: int
    suggested: bool = False
    oversize: bool = False


class TuningState:
    """The content of ``MUXI.md`` and the one suggestion that can be pending.

    Args:
        content: the text at the start.
    """

    def __init__(self, content: str | None = None) -> None:
        self.content: str | None = None
        self.pending: str | None = None
        #: The function that makes suggestions in a pass; without one a pass makes none.
        self.tuner: Tuner | None = None
        #: Duration of a pass in seconds on the formation's clock.
        self.seconds: float = 0.0
        self._learnings = 0
        if content:
            self.replace(content)

    def replace(self, content: str) -> None:
        """Put a text in place; an empty one is none."""
        self.content = content.strip() or None

    def suggest(self, content: str) -> None:
        """Add a suggestion, to be applied or dismissed."""
        self.pending = content.strip() or None
        self._learnings += 1

    def run(self, texts: list[str]) -> Pass:
        """One pass over what users have written."""
        suggestion = self.tuner(texts) if self.tuner is not None and texts else None
        if not suggestion:
            return Pass(len(texts))
        if len(suggestion.encode()) > CONTENT_LIMIT:
            return Pass(len(texts), oversize=True)
        self.suggest(suggestion)
        return Pass(len(texts), suggested=True)

    def apply(self) -> int | None:
        """Put the suggestion in place; how many learnings it stood for, None where there is none."""
        if self.pending is None:
            return None
        self.content = self.pending
        return self.dismiss()

    def dismiss(self) -> int | None:
        """Forget the suggestion; likewise."""
        if self.pending is None:
            return None
        learnings, self._learnings, self.pending = self._learnings, 0, None
        return learnings
