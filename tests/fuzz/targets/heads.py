"""Targets: the parts of a head and of a body's framing, one by one, before the SDK's own reader and decoders."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator

from muxi import MuxiError
from muxi.transport import Headers, Request
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import Content
from muxi_transports.http1 import AnswerError, AnswerReader
from tests.fuzz.registry import target
from tests.fuzz.targets.scripted import check_error
from tests.fuzz.targets.wire import TOKENS

_REQUEST = Request("GET", "http://localhost/v1/agents")


def _read(wire: bytes) -> None:
    """Read an answer; what comes out is handed on."""
    reader = AnswerReader("GET")
    try:
        content = reader.feed(wire)
        head = reader.head
        reader.eof()
    except AnswerError:
        return None
    assert head is not None
    headers = Headers()
    for name, value in head.headers:
        try:
            headers.add(name, value)
        except MuxiError as error:
            return check_error(error)
    _decode(headers, head.status, content)
    return None


def _decode(headers: Headers, status: int, *pieces: bytes) -> None:
    """Undo the codings of a body."""
    attempt = Attempt(_REQUEST, "localhost:80")
    try:
        body = Content(_REQUEST, status, headers, attempt)
        for piece in pieces:
            body.add(piece)
            while body.take():
                pass
        body.finish()
    except MuxiError as error:
        check_error(error)


def _seeds(*values: bytes) -> Callable[[], list[bytes]]:
    return lambda: list(values)


@target(
    "status-line",
    _seeds(b"HTTP/1.1 200 OK", b"HTTP/1.0 404 Not Found", b"HTTP/1.1 200", b"HTTP/1.1 503 ", b"ICY 200"),
    b"HTTP/", b"1.1", b"1.0", b" ", b"200", b"000", b"99", b"1000", b"-1", b"\t", b"\x0b", b"\xff",
)  # fmt: skip
def status_line(data: bytes) -> None:
    _read(data + b"\r\nContent-Length: 2\r\n\r\n{}")


@target(
    "header",
    _seeds(b"X-Request-ID: req_1", b"Content-Type: application/json; charset=utf-8", b"Set-Cookie: a=b\r\nDate: now",
           b"Content-Length: 2", b"Transfer-Encoding: chunked", b" folded: line\r\n more"),
    *TOKENS,
)  # fmt: skip
def header(data: bytes) -> None:
    _read(b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n{}")


@target(
    "content-length",
    _seeds(b"2", b"0", b"2, 2", b"2\r\nContent-Length: 2", b"+2", b"-1", b"0x2", b"2 ", b"1e3", b"9" * 19),
    b"2", b",", b"\r\nContent-Length: ", b"\r\nTransfer-Encoding: chunked", b"\xd9\xa3", b"_", b" ",
)  # fmt: skip
def content_length(data: bytes) -> None:
    _read(b"HTTP/1.1 200 OK\r\nContent-Length: " + data + b"\r\n\r\n{}")


def _bodies() -> Iterator[bytes]:
    text = b'{"data": {}}' * 20
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    yield b"gzip\n" + gzip.compress(text, mtime=0)
    yield b"deflate\n" + zlib.compress(text)
    yield b"deflate\n" + raw.compress(text) + raw.flush()
    yield b"gzip, deflate\n" + zlib.compress(gzip.compress(text, mtime=0))
    yield b"identity\n" + text
    yield b"br\n" + text
    yield b"gzip\n" + gzip.compress(b"", mtime=0) * 20 + gzip.compress(b"\0" * 50_000, mtime=0)


@target(
    "content-encoding", _bodies,
    b"gzip", b"deflate", b"x-gzip", b"identity", b", ", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\x1f\x8b", b"\x78\x9c",
)  # fmt: skip
def content_encoding(data: bytes) -> None:
    names, _, body = data.partition(b"\n")
    headers = Headers()
    try:
        headers.add("Content-Encoding", names.decode("latin-1"))
    except MuxiError:
        return
    half = len(body) // 2
    _decode(headers, 200, body[:half], body[half:])
