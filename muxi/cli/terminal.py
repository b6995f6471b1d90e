"""Standard streams: the answer goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["answer", "discard_stdout", "has_style", "is_terminal", "printable", "say"]

#: Control characters, among them those that begin a sequence for the terminal; not tab and line feed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(text: str = "", *, end: str = "\n", dim: bool = False, again: bool = False) -> None:
    """Print a note, progress or an error to stderr, if there is one.

    Args:
        text: the text; a terminal gets it without control characters.
        end: what follows it.
        dim: whether a terminal shows it dimly.
        again: whether it takes the place of the line before, which had no end.
    """
    if sys.stderr is None:
        return
    shown = printable(text, sys.stderr)
    if dim and has_style(sys.stderr):
        shown = f"\x1b[2m{shown}\x1b[0m"
    if again:
        shown = f"\r{shown}"
    print(shown, end=end, file=sys.stderr, flush=True)


def answer(text: str, *, end: str = "\n", style: str = "") -> None:
    """Print a part of the answer to stdout, at once.

    Args:
        text: the text; a terminal gets it without control characters.
        end: what follows it.
        style: parameters of the sequence that sets a style (``31`` is red), for a terminal that shows styles.

    Raises:
        OSError: stdout cannot be written.
        UnicodeEncodeError: its encoding lacks a character.
    """
    if sys.stdout is not None:
        shown = printable(text, sys.stdout)
        print(f"\x1b[{style}m{shown}\x1b[0m" if style and has_style(sys.stdout) else shown, end=end, flush=True)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person looks at a stream."""
    return stream is not None and not stream.closed and stream.isatty()


def has_style(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal that shows styles, and no variable speaks against it."""
    return is_terminal(stream) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def printable(text: str, stream: TextIO) -> str:
    """Return a text without control characters if the stream is a terminal, which would obey them."""
    if not is_terminal(stream):
        return text
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}" if "utf" in (stream.encoding or "").lower() else "?", text)


def discard_stdout() -> None:
    """Let what is left in the buffer of stdout go nowhere, so that Python does not fail again when it exits."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
