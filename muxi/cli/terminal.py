"""Standard streams: the answer goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["answer", "discard_stdout", "is_terminal", "printable", "say"]

#: Control characters, among them those that begin a sequence for the terminal; not tab and line feed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(text: str = "", *, end: str = "\n") -> None:
    """Print a note, progress or an error to stderr, if there is one."""
    if sys.stderr is not None:
        print(printable(text, sys.stderr), end=end, file=sys.stderr, flush=True)


def answer(text: str, *, end: str = "\n") -> None:
    """Print a part of the answer to stdout, at once.

    Raises:
        OSError: stdout cannot be written.
        UnicodeEncodeError: its encoding lacks a character.
    """
    if sys.stdout is not None:
        print(printable(text, sys.stdout), end=end, flush=True)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person looks at a stream."""
    return stream is not None and not stream.closed and stream.isatty()


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
