"""Rows: streams of events, in small pieces."""

from __future__ import annotations

import json
from collections.abc import Callable

from muxi.streaming.chat import reader_for, remainder
from muxi.streaming.sse import Framer
from muxi_transports.faulty.faults import _Events
from tests.growth.rows.row import Row, in_pieces, sized

__all__ = ["ROWS"]


def token(**fields: object) -> bytes:
    """One token of a chat."""
    return b"data: " + json.dumps({"token": fields}).encode() + b"\n\n"


def reader(kind: str) -> Callable[[], Callable[[bytes], object]]:
    """A function that makes the reader of a stream, which is emptied as a caller would empty it."""

    def start() -> Callable[[bytes], object]:
        found = reader_for(kind)

        def feed(piece: bytes) -> None:
            found.feed(piece)
            found.ready.clear()

        return feed

    return start


def faulty() -> Callable[[bytes], object]:
    shaper = _Events(10**9)
    return lambda piece: list(shaper.feed(piece))


_LINES = (
    b"data: a\n",
    b"\n",
    b": ping\n\n",
    b"data: a\n\n",
    b"event: a\n",
    b"\r",
    b"id",
    b"data",
    b"\xef\xbb\xbf",
    b"\xff\n\n",
)
_CONTENT = token(type="content", content="word \ud83d")
_COMPLETED = token(type="completed", content="another text", status="success")
_PROGRESS = b'event: progress\ndata: {"stage": "extracting", "message": "m"}\n\n'

ROWS: dict[str, Row] = {
    "Framer": in_pieces(lambda: Framer().feed, *_LINES),
    "Framer, a byte at a time": in_pieces(lambda: Framer().feed, *_LINES, piece=1, most=10_000),
    "a chat": in_pieces(
        reader("chat"),
        *(_CONTENT, _COMPLETED, _CONTENT + _COMPLETED, b'event: ui\ndata: {"ui": [{}]}\n\n', b"data: [\n", b"data: a\n\n"),
        *(b'data: {"type": "text", "text": "\\udc00"}\n\n', b"event: x\n\n", token(type="thinking", content={"a": 1})),
    ),
    "a chat, after much text": in_pieces(reader("chat"), _COMPLETED, before=_CONTENT * 200, piece=200),
    "frames": in_pieces(reader("frames"), b"event: a\ndata: b\n\n", b"data:\n\n"),
    "a feed of events": in_pieces(
        reader("feed"), b'data: {"type": "a"}\n\n', b'data: {"type": "a"}\\n\\n', b"\\", b'"', b"\\n", b"data: x\n\n"
    ),
    "a log": in_pieces(reader("log"), b'event: log\ndata: {"a": 1}\n\n', b"event: log\ndata: x\n\n"),
    "a formation's log": in_pieces(reader("formation_log"), b'data: {"line": "a"}\n\n', b"data: x\n\n"),
    "a deployment": in_pieces(reader("deployment"), _PROGRESS, b" ", b"\n", b"data: [\n\n", before=b"\n"),
    "a bare answer of a deployment": in_pieces(reader("deployment"), b" ", b'"a": 1,', before=b"{"),
    "the events that a fault counts": in_pieces(faulty, b"a: b\n\n", b":\n", b":", b"\n", b"a"),
    "remainder": sized(
        equal=lambda size: lambda: remainder("a" * size, "a" * size + "b", broken=False),
        controls=lambda size: lambda: remainder("\x01 " * size, "b", broken=True),
    ),
}  # fmt: skip
