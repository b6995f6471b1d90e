"""Answers read to their end, as values that can be compared."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from muxi_transports.http1 import AnswerError, AnswerReader, Head


class Reading(NamedTuple):
    """All that a reader says of an answer."""

    head: Head | None
    content: bytes
    ended: bool
    reusable: bool
    #: The class of the error, and the rule that it names.
    error: tuple[type[AnswerError], str] | None


def read(pieces: Iterable[bytes], method: str = "GET", *, close: bool = True) -> Reading:
    """Read an answer that arrives in pieces.

    Args:
        pieces: the bytes.
        method: of the request.
        close: whether the connection ends behind them.
    """
    reader = AnswerReader(method)
    content: list[bytes] = []
    error: tuple[type[AnswerError], str] | None = None
    try:
        for piece in pieces:
            content.append(reader.feed(piece))
        if close:
            reader.eof()
    except AnswerError as raised:
        error = (type(raised), raised.rule.name)
    return Reading(reader.head, b"".join(content), reader.ended, reader.reusable, error)


def cut(wire: bytes, places: Iterable[int]) -> list[bytes]:
    """Bytes cut at some places."""
    bounds = [0, *sorted({place for place in places if 0 < place < len(wire)}), len(wire)]
    return [wire[start:end] for start, end in pairwise(bounds)]


def cut_at_random(wire: bytes, dice: random.Random) -> list[bytes]:
    """Bytes cut at up to six places."""
    return cut(wire, [dice.randrange(len(wire) + 1) for _ in range(dice.randrange(7))])


def every_byte(wire: bytes) -> list[bytes]:
    """Bytes one by one."""
    return [wire[at : at + 1] for at in range(len(wire))]
