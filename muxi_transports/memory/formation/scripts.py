"""Scripts: replies by message, or replies in order."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from muxi.forks import renew_after_fork
from muxi_transports.memory.formation.agents import Agent, Reply, Turn, echo

__all__ = ["Line", "Replies", "ReplyScript", "ScriptExhausted"]

#: One line of a script: a reply, an agent that makes one, or an exception to raise.
Line: TypeAlias = Reply | Agent | Exception
#: Lines by message: by its whole text, or by a pattern (``re.Pattern[str]``) that matches all of it. Mappings are of
#: one type of keys to mypy, so that texts and patterns side by side have to go as Any.
ReplyScript: TypeAlias = Mapping[Any, Line]


class Replies:
    """An agent that replies by a script.

    ::

        Replies({
            "hello": "Hi!",
            re.compile(r"weather in (?P<city>\\w+)", re.I): lambda turn: f"Sunny in {turn.groups['city']}.",
            "boom": RuntimeError("out of order"),
            "and then?": Replies.in_order("First.", "Second."),
        })

    Exact texts are looked up before patterns, and patterns are tried in the order they were given.

    Args:
        script: what to reply to which message.
        otherwise: the reply to everything else; an echo by default.
    """

    def __init__(self, script: ReplyScript | None = None, *, otherwise: Line = echo) -> None:
        script = script or {}
        self._exact = {cue: line for cue, line in script.items() if isinstance(cue, str)}
        self._patterns = [(cue, line) for cue, line in script.items() if isinstance(cue, re.Pattern)]
        self._otherwise = otherwise
        #: The turns that came here, in order: what a test asserts about.
        self.turns: list[Turn] = []

    @classmethod
    def in_order(cls, *lines: Line, then: Line | None = None) -> Replies:
        """Reply with one line after the other to any message.

        Args:
            lines: the replies.
            then: the reply once they are used up; without it the turn fails with :class:`ScriptExhausted`.
        """
        return cls(otherwise=_Lines(lines, then))

    def __call__(self, turn: Turn) -> Reply:
        """The reply to a turn."""
        self.turns.append(turn)
        return evaluate_line(*self._find(turn))

    @property
    def messages(self) -> list[str]:
        """The messages so far, in order."""
        return [turn.message for turn in self.turns]

    def _find(self, turn: Turn) -> tuple[Line, Turn]:
        if turn.message in self._exact:
            return self._exact[turn.message], turn
        for pattern, line in self._patterns:
            if match := pattern.fullmatch(turn.message):
                return line, turn.matched(match)
        return self._otherwise, turn


class ScriptExhausted(LookupError):
    """A script without further replies was asked for one."""


class _Lines:
    """An agent with a fixed number of lines."""

    def __init__(self, lines: Iterable[Line], then: Line | None) -> None:
        self._lines = list(lines)
        self._then = then
        self._said = 0
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")

    def __call__(self, turn: Turn) -> Reply:
        with self._lock:
            index, self._said = self._said, self._said + 1
        if index < len(self._lines):
            return evaluate_line(self._lines[index], turn)
        if self._then is not None:
            return evaluate_line(self._then, turn)
        raise ScriptExhausted(
            f"the script has {len(self._lines)} replies, and this is message {index + 1}: {turn.message!r}"
        )


def evaluate_line(line: Line, turn: Turn) -> Reply:
    """Evaluate a line of a script.

    Raises:
        Exception: the line is one.
    """
    if isinstance(line, Exception):
        raise line
    return line(turn) if callable(line) else line
