"""Progress on stderr: bars for bytes, and the stages of a server's work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from muxi.cli.background import events_of
from muxi.cli.terminal import is_terminal, say

__all__ = ["bar_of", "follow_stages", "progress_bar", "stage_text"]

#: Width of a bar in characters.
_WIDTH = 24


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that shows how many bytes there are, on one line of a terminal; elsewhere nothing is shown.

    Args:
        what: the word before the bar.
    """
    if not is_terminal(sys.stderr):
        yield lambda sent, total: None
        return
    shown = ""

    def report(sent: int, total: int | None) -> None:
        nonlocal shown
        line = f"{what} {bar_of(sent, total)}"
        if line != shown:
            say(line, end="\n" if sent == total else "", again=True)
            shown = line

    try:
        yield report
    finally:
        if shown and "100 %" not in shown:
            say("")


def bar_of(sent: int, total: int | None) -> str:
    """Return the bar for bytes so far and in all, if that is known."""
    if not total:
        return f"{size_of(sent)}"
    filled = _WIDTH * sent // total
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {100 * sent // total:3d} % of {size_of(total)}"


def size_of(count: int) -> str:
    """Return a number of bytes for people."""
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def follow_stages(stream: Any, on_interrupt: Callable[[], None] | None = None) -> Any:
    """Print the stages of a deployment as they come, and return its result.

    Args:
        stream: the open stream.
        on_interrupt: called after Ctrl-C; it returns to go on, or raises. By default Ctrl-C raises.
    """
    events = events_of(stream)
    while True:
        try:
            for event in events:
                if event["type"] != "complete":
                    say(stage_text(event), dim=True)
            return stream.result()
        except KeyboardInterrupt:
            if on_interrupt is None:
                raise
            on_interrupt()


def stage_text(event: Any) -> str:
    """Return the line for an event of a deployment."""
    stage = str(event.get("stage") or event["type"]).replace("_", " ")
    attempt = f" ({event['attempt']} of {event['max_attempts']})" if event.get("max_attempts") else ""
    message = event.get("message")
    return f"{stage}{attempt}: {message}" if message else f"{stage}{attempt}"
