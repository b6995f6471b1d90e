"""Requests and bodies that several scenarios share."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from muxi.testing.transport_suite.server import Peer
from muxi.transport import Headers, Request, Timeouts

__all__ = ["CHUNKED", "CLOSE_DELIMITED", "UNBOUNDED", "chunk", "compressed", "get", "of_length", "ok", "pieces"]

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE_DELIMITED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
UNBOUNDED = Timeouts()


def ok(peer: Peer) -> None:
    """Answer every request."""
    while True:
        peer.request()
        peer.answer()


def get(
    url: str, headers: dict[str, str] | None = None, *, stream: bool = False, timeouts: Timeouts = UNBOUNDED
) -> Request:
    """A request without a body."""
    return Request("GET", url, Headers(headers or {}), timeouts=timeouts, stream=stream)


def chunk(data: bytes) -> bytes:
    """A chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def of_length(length: int, content: bytes = b"") -> bytes:
    """An answer that says how long it is, and its beginning."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (length, content)


def pieces() -> Iterator[bytes]:
    """Six bytes, and a piece without any."""
    yield b"one"
    yield b""
    yield b"two"


def compressed(encoding: str, *parts: bytes) -> list[bytes]:
    """Parts of a compressed body, of which each can be decoded when it is there."""
    compress = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    done = [compress.compress(part) + compress.flush(zlib.Z_SYNC_FLUSH) for part in parts]
    done[-1] += compress.flush()
    return done
