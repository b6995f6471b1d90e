"""Recorded streams in each framing of HTTP, cut at any byte of the wire. No I/O happens here."""

from __future__ import annotations

import random
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from tests.soak.hostile.answers import head
from tests.soak.recorded import Chat

__all__ = ["ENDS", "FRAMINGS", "Case", "Framed", "case_at", "frame"]

FRAMINGS = ("length", "by-event", "by-byte", "odd-pieces", "until-close", "gzip")
ENDS = ("fin", "rst")


@dataclass
class Framed:
    """A stream as it goes over the wire."""

    chat: Chat
    head: bytes
    wire: bytes
    #: For chunked framings: where the data of each chunk starts on the wire, and how many bytes came before it.
    starts: list[tuple[int, int]]
    gzip: bool = False

    def arrived(self, cut: int) -> int:
        """How many bytes of the stream are in that many of the wire."""
        coded = self._coded(cut)
        return self._plain(coded) if self.gzip else coded

    def _coded(self, cut: int) -> int:
        if not self.starts:
            return cut
        place = bisect_right(self.starts, (cut, 1 << 60)) - 1
        if place < 0:
            return 0
        start, before = self.starts[place]
        size = self.starts[place + 1][1] - before if place + 1 < len(self.starts) else 0
        return before + min(size, cut - start)

    def _plain(self, coded: int) -> int:
        """How many bytes come out of the first so many compressed ones."""
        return self._lengths[coded]

    @cached_property
    def _lengths(self) -> list[int]:
        lengths, total, decoder = [0], 0, zlib.decompressobj(wbits=31)
        for at in range(len(self._compressed)):
            total += len(decoder.decompress(self._compressed[at : at + 1]))
            lengths.append(total)
        return lengths

    @cached_property
    def _compressed(self) -> bytes:
        pieces = []
        for (start, before), (_, after) in zip(self.starts, self.starts[1:], strict=False):
            pieces.append(self.wire[start : start + after - before])
        return b"".join(pieces)


def frame(chat: Chat, framing: str) -> Framed:
    """The stream in that framing."""
    lines = ["Content-Type: text/event-stream; charset=utf-8"]
    if framing == "length":
        return Framed(chat, head("200 OK", *lines, f"Content-Length: {len(chat.body)}"), chat.body, [])
    if framing == "until-close":
        return Framed(chat, head("200 OK", *lines, "Connection: close"), chat.body, [])
    lines.append("Transfer-Encoding: chunked")
    if framing == "gzip":
        lines.append("Content-Encoding: gzip")
    wire, starts = _chunked(_PIECES[framing](chat))
    return Framed(chat, head("200 OK", *lines), wire, starts, gzip=framing == "gzip")


def _chunked(pieces: Iterable[bytes]) -> tuple[bytes, list[tuple[int, int]]]:
    wire, starts, before = bytearray(), [], 0
    for piece in pieces:
        wire += b"%x\r\n" % len(piece)
        starts.append((len(wire), before))
        wire += piece + b"\r\n"
        before += len(piece)
    wire += b"0\r\n\r\n"
    return bytes(wire), [*starts, (len(wire), before)]


def _odd(chat: Chat) -> list[bytes]:
    draw, pieces, at = random.Random(chat.name), [], 0
    while at < len(chat.body):
        size = draw.randrange(1, 98)
        pieces.append(chat.body[at : at + size])
        at += size
    return pieces


def _gzip(chat: Chat) -> list[bytes]:
    """Compressed, and flushed after each frame, as a server does that wants its events to arrive."""
    press, pieces = zlib.compressobj(wbits=31), []
    for each in chat.frames:
        pieces.append(press.compress(each) + press.flush(zlib.Z_SYNC_FLUSH))
    return [*pieces, press.flush()]


_PIECES = {
    "by-event": lambda chat: chat.frames,
    "by-byte": lambda chat: [chat.body[at : at + 1] for at in range(len(chat.body))],
    "odd-pieces": _odd,
    "gzip": _gzip,
}


@dataclass(frozen=True)
class Case:
    """One stream, cut once."""

    chat: int
    framing: str
    ending: str
    #: How many bytes of the wire are sent after the head.
    cut: int

    def __str__(self) -> str:
        return f"{self.chat} {self.framing} {self.ending} {self.cut}"

    @classmethod
    def parse(cls, text: str) -> Case:
        """The case that was written as this text."""
        chat, framing, ending, cut = text.split()
        return cls(int(chat), framing, ending, int(cut))


def case_at(framed: dict[tuple[int, str], Framed], place: int) -> Case:
    """The case at a place in the row of all of them.

    Args:
        framed: all streams in all framings.
        place: from 0 to twice the sum of (length of the wire + 1).
    """
    place, ending = divmod(place, len(ENDS))
    for (chat, framing), it in framed.items():
        if place <= len(it.wire):
            return Case(chat, framing, ENDS[ending], place)
        place -= len(it.wire) + 1
    raise IndexError(place)
