"""Targets: event streams of formations, in pieces that the input chooses too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from muxi import MuxiError, StreamInterrupted, parse_ui_widgets
from muxi.streaming.chat import ChatReader, EventReader
from muxi.transport import Headers, Request, Response
from tests.fuzz.corpus import recorded_streams
from tests.fuzz.registry import goes_on, is_drawn, target
from tests.fuzz.targets.scripted import Parts, ScriptedTransport, formation, one_of

_TRANSPORT = ScriptedTransport()
_CLIENT = formation(_TRANSPORT)
_TOKENS = (
    b"data: ", b"event: ", b"event: done\n", b"event: error\n", b"event: ui\n", b"id: ", b"retry: ", b": ", b"\n\n",
    b"\r\r", b"\r\n\r\n", b'{"token":', b'"type":"content"', b'"type":"completed"', b'"content":', b'"status":"error"',
    b'"metadata":', b'"stream_discontinuity":true', b'"error_code":', b'"ui":[', b"\xef\xbb\xbf", b"data",
)  # fmt: skip


def in_pieces(data: bytes) -> list[bytes]:
    """The input without its first byte, cut into pieces whose length that byte gives."""
    size, body = (data[0] if data else 0), data[1:]
    return [body[at : at + size] for at in range(0, len(body), size)] if size else [body]


#: Pieces that a reader alone is fed with in a long run, at most.
_PIECES = 8


def read_alone(reader: EventReader[Any], data: bytes) -> None:
    """Feed a reader, without a client, as a stream does; in a long run mostly with a few pieces."""
    pieces = in_pieces(data)
    if len(pieces) > _PIECES and not is_drawn(data, 50):
        pieces = [*pieces[: _PIECES - 1], b"".join(pieces[_PIECES - 1 :])]
    for piece in pieces:
        reader.feed(piece)
    reader.end()
    if isinstance(reader, ChatReader) and not reader.failure:
        with suppress(MuxiError):
            reader.result()


def _chats() -> Iterator[bytes]:
    return (bytes([size]) + body for body in recorded_streams() for size in (0, 7))


@target("events", _chats, *_TOKENS)
def events(data: bytes) -> None:
    def respond(request: Request) -> Response:
        return Parts(200, Headers({"Content-Type": "text/event-stream"}), in_pieces(data))

    read_alone(ChatReader(), data)
    if not goes_on(data):
        return
    _TRANSPORT.answer = respond

    def read_each() -> None:
        text = ""
        try:
            with _CLIENT.chat_stream("hi", user_id="u") as stream:
                for event in stream:
                    parse_ui_widgets(event)
                    if event["type"] == "text":
                        text += event["text"]
        except StreamInterrupted as error:
            if error.text != text:
                raise AssertionError(f"the error has {error.text!r}, and {text!r} came out") from error
            raise

    one_of(
        data,
        read_each,
        lambda: _CLIENT.chat_stream("hi", user_id="u").result(),
        lambda: "".join(_CLIENT.chat_stream("hi", user_id="u").text()).encode(),
        lambda: list(_CLIENT.stream_events("u")),
        lambda: list(_CLIENT.stream_logs()),
    )
