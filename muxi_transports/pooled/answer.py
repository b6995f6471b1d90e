"""Answers on a connection of urllib3: every wait is bounded, chunks come by the batch, and anybody may cut one off."""

from __future__ import annotations

import builtins
import http.client
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import PIECE
from muxi_transports.pooled.http1 import ChunkFraming, Head, InvalidFraming, parse_head

if TYPE_CHECKING:
    from muxi_transports.pooled.connection import Connection, Pool

__all__ = ["Answer", "Wire"]

# A wait that a socket is set to already may be longer than it should be by that much, in seconds: setting it anew
# costs a call of the system.
_SLACK = 0.005


class Wire(Protocol):
    """As much of a socket as is used here; TLS inside TLS has no more."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes | memoryview, /) -> None: ...
    def gettimeout(self) -> float | None: ...
    def settimeout(self, value: float | None, /) -> None: ...


def bound(wire: Wire, attempt: Attempt) -> None:
    """Let the next read or write of a socket end in time.

    Raises:
        builtins.TimeoutError: there is no time left.
    """
    wait, now = attempt.next_wait(), wire.gettimeout()
    if wait is None or now is None:
        if wait is not now:
            wire.settimeout(wait)
    elif not wait <= now <= wait + _SLACK:
        wire.settimeout(wait)


class Answer:
    """The answer to a request, with its head read.

    Args:
        connection: where it comes from; given back to its pool when the body has been read.
        pool: that pool.
        attempt: the bounds to keep.
        method: of the request.
        sent: whether the whole request is out, so that another may follow it.
    """

    def __init__(self, connection: Connection, pool: Pool, attempt: Attempt, method: str, *, sent: bool) -> None:
        self._connection = connection
        self._pool = pool
        self._attempt = attempt
        self._wire: Wire = connection.wire
        self._buffer = b""
        self._returning = threading.Lock()
        self._returned = False
        self.head: Head = self._read_head()
        self._reusable = sent and self._may_go_on()
        self._chunks: ChunkFraming | None = None
        #: How many bytes are still to come; None where the end of the connection is the end.
        self._left: int | None = 0
        if method != "HEAD" and self.head.status not in (204, 304):
            self._find_framing()
        if self._left == 0 and self._chunks is None:
            self._reusable = self._reusable and not self._buffer
            self._return()

    def read1(self) -> bytes:
        """What has arrived of the body, as it is on the wire without its framing; nothing at its end.

        Raises:
            http.client.IncompleteRead: the connection ended before the body.
            http.client.HTTPException: the framing makes no sense.
        """
        if self._returned:
            return b""
        if self._chunks is not None:
            content = b""
            while not content and not self._chunks.ended:
                content = self._chunks.feed(self._next() or _incomplete())
            if self._chunks.ended:
                self._reusable = self._reusable and not self._chunks.surplus
                self._return()
            return content
        data = self._next()
        if self._left is None:
            if not data:
                self._return()
            return data
        if not data:
            _incomplete()
        if len(data) > self._left:
            data, self._reusable = data[: self._left], False
        self._left -= len(data)
        if self._left == 0:
            self._return()
        return data

    def cut_off(self) -> None:
        """Wake whoever waits for this answer. The connection is spared if it serves another request already."""
        with self._returning:
            if not self._returned:
                shut_down(self._wire)

    def drop(self) -> None:
        """Close the connection, unless the body was read to its end."""
        self._reusable = False
        self._return()

    def abandon(self) -> None:
        """Close the connection without a word to its pool, whose locks a garbage collector must not touch."""
        if not self._returned:
            self._connection.close()

    def _return(self) -> None:
        with self._returning:
            if self._returned:
                return
            self._returned = True
        if not self._reusable:
            self._connection.close()
        self._pool.give_back(self._connection)

    def _next(self) -> bytes:
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        bound(self._wire, self._attempt)
        return self._wire.recv(PIECE)

    def _read_head(self) -> Head:
        data = b""
        while True:
            head = parse_head(data) if data else None
            if head is None:
                piece = self._next()
                if not piece:
                    raise http.client.IncompleteRead(b"") if data else http.client.RemoteDisconnected("it was closed")
                data += piece
                continue
            self._buffer = data[head.size :]
            if head.status >= 200 or head.status == 101:
                return head
            data = self._buffer  # "100 Continue" and its like announce the answer
            self._buffer = b""

    def _may_go_on(self) -> bool:
        options = (self.head.get("connection") or "").lower()
        return "keep-alive" in options if self.head.version == "1.0" else "close" not in options

    def _find_framing(self) -> None:
        codings = self.head.get("transfer-encoding")
        if codings is not None and codings.lower().rpartition(",")[2].strip() == "chunked":
            self._chunks = ChunkFraming()
            return
        lengths = {length.strip() for length in (self.head.get("content-length") or "").split(",")}
        if codings is not None or lengths == {""}:
            self._left, self._reusable = None, False
            return
        length = lengths.pop()
        if lengths or not (length.isascii() and length.isdigit()):
            raise InvalidFraming("its Content-Length is not a length")
        self._left = int(length)


def _incomplete() -> bytes:
    raise http.client.IncompleteRead(b"")


def shut_down(wire: object) -> None:
    """End all waits on a socket at once, in other threads too."""
    inner = wire if hasattr(wire, "shutdown") else getattr(wire, "socket", None)
    if isinstance(inner, socket.socket):
        with suppress(OSError, builtins.ValueError):
            inner.shutdown(socket.SHUT_RDWR)
