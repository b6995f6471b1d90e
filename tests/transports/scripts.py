"""What the scenarios of all HTTP transports have in common: requests, and what a server does with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muxi.errors import MuxiError
from muxi.transport import Request, Transport
from tests.transports.raw_server import Peer

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE_DELIMITED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


def ok(peer: Peer) -> None:
    """Answer every request."""
    while True:
        peer.request()
        peer.answer()


def get(url: str, **options: object) -> Request:
    return Request("GET", url, **options)  # type: ignore[arg-type]  # a shorthand; the tests give what fits


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def pieces() -> Iterator[bytes]:
    yield b"one"
    yield b""
    yield b"two"


def failure(transport: Transport, request: Request) -> MuxiError:
    """The error of a request that has to fail, wherever it does."""
    with pytest.raises(MuxiError) as caught:
        transport.send(request).read()
    return caught.value
