"""Connections of urllib3 that keep the bounds of an attempt, send a target untouched and unpack chunks by the batch."""

from __future__ import annotations

import http.client
import io
import re
import socket
import threading
from contextlib import suppress
from typing import Any, cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from muxi.errors import ConfigurationError
from muxi_transports._attempt import Attempt
from muxi_transports._wire import PIECE

__all__ = ["POOL_CLASSES", "Answer", "Order", "as_bytes", "refuse_fork"]

# How much of a body in memory is written at a time: each piece has the time of one read to get off.
_WRITE = 256 * 1024
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;|$)")


def refuse_fork() -> None:
    """Refuse what only calls itself urllib3: streams cannot be read as they arrive with it, nor closed.

    Raises:
        ConfigurationError: with what to install.
    """
    if hasattr(urllib3.HTTPResponse, "read1") and hasattr(urllib3.HTTPResponse, "shutdown"):
        return
    raise ConfigurationError(
        "the installed urllib3 cannot read a stream as it arrives. It is too old, or the fork "
        "urllib3-future (it comes with niquests) has replaced it. Install the real one: "
        "pip uninstall -y urllib3-future && pip install --force-reinstall 'urllib3>=2.3,<3'"
    )


class Order(dict[str, "str | bytes"]):
    """The headers of a request, and with them what a connection has to know: urllib3 hands them on unchanged.

    Args:
        headers: names and values; a value that is not ASCII goes out as UTF-8.
        target: the request target, sent exactly as it is.
        attempt: the bounds to keep, and where progress is noted.
    """

    __slots__ = ("answer", "attempt", "target")

    def __init__(self, headers: dict[str, str], target: str, attempt: Attempt) -> None:
        super().__init__(as_bytes(headers))
        self.target = target
        self.attempt = attempt
        #: The answer on the connection that carries this request.
        self.answer: Answer | None = None

    def copy(self) -> Order:
        """This very order: nobody else has it, and a plain copy would lose what comes with the headers."""
        return self


def as_bytes(headers: dict[str, str]) -> dict[str, str | bytes]:
    """Headers whose values can be sent: http.client would refuse text beyond ISO 8859-1."""
    return {name: value if value.isascii() else value.encode() for name, value in headers.items()}


class Answer(http.client.HTTPResponse):
    """An answer that keeps the bounds of its attempt, reads chunks by the batch, and can be cut off from outside."""

    def __init__(
        self,
        order: Order | None,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        self._reads = None if order is None else _BoundedReads(sock, order.attempt)
        readable = sock if self._reads is None else _Readable(self._reads)
        super().__init__(cast(socket.socket, readable), debuglevel, method, url)
        self._chunks = _ChunkFraming()
        self._is_head = method == "HEAD"
        self._socket = sock
        self._returning = threading.Lock()
        self._returned = False
        if order is not None:
            order.answer = self

    def begin(self) -> None:
        """Read the head; http.client would take half of one for the whole."""
        super().begin()
        if self._reads is not None and self._reads.ended:
            raise http.client.IncompleteRead(b"")

    def read1(self, n: int = -1) -> bytes:
        """What has arrived of the body: of a chunked one all chunks at once, and parts of them."""
        file = cast("io.BufferedReader | None", self.fp)  # http.client sets it to None at the end
        if not self.chunked or self._is_head or file is None:
            return super().read1(n)
        content = b""
        while not content and not self._chunks.ended:
            data = file.read1(PIECE)
            if not data:
                raise http.client.IncompleteRead(b"")
            content = self._chunks.feed(data)
        if self._chunks.ended:
            self.close()
        return content

    def isclosed(self) -> bool:
        """Whether the body has been read; urllib3 asks this before it gives the connection back to its pool."""
        closed = super().isclosed()
        if closed:
            with self._returning:
                self._returned = True
        return closed

    def cut_off(self) -> None:
        """Wake whoever waits for this answer. The connection is spared if it serves another request already."""
        with self._returning:
            if not self._returned:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


class _ChunkFraming:
    """Takes the chunked transfer coding off, whatever way the bytes are cut."""

    __slots__ = ("_left", "_line", "_state", "ended")

    def __init__(self) -> None:
        self._left = 0
        self._line = b""
        self._state = "size"
        #: Whether the last chunk and its trailers have come.
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """The content in the next bytes of the wire.

        Raises:
            http.client.IncompleteRead: what stands where a chunk's size should be is none.
        """
        content: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.ended:
            if self._state == "data":
                piece = data[at : at + self._left]
                content.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = "end of data"
                continue
            newline = data.find(b"\n", at)
            if newline < 0:
                self._line += data[at:]
                if len(self._line) > PIECE:
                    raise http.client.LineTooLong("chunk size")
                break
            line = (self._line + data[at:newline]).rstrip(b"\r")
            self._line = b""
            at = newline + 1
            self._take(line)
        return content[0] if len(content) == 1 else b"".join(content)

    def _take(self, line: bytes) -> None:
        if self._state == "end of data":
            if line:
                raise InvalidFraming(f"a chunk is followed by {line[:20]!r} instead of a line break")
            self._state = "size"
        elif self._state == "size":
            size = _CHUNK_SIZE.match(line)
            if size is None:
                raise InvalidFraming(f"{line[:20]!r} is not the size of a chunk")
            self._left = int(size[1], 16)
            self._state = "data" if self._left else "trailer"
        elif not line:
            self.ended = True


class InvalidFraming(http.client.HTTPException):
    """The chunks of an answer are not chunks."""


class _Readable:
    """As much of a socket as http.client needs for an answer."""

    def __init__(self, reads: io.RawIOBase) -> None:
        self._reads = reads

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reads)


class _BoundedReads(io.RawIOBase):
    """The file of a socket, whose every read keeps the bounds of an attempt."""

    def __init__(self, sock: socket.socket, attempt: Attempt) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._attempt = attempt
        #: Whether the peer has said that there is no more.
        self.ended = False
        # No number that a wait can be: the first read sets the timeout.
        self._wait: float | None = -1.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # Any: a writable buffer, which has no type before Python 3.12
        wait = self._attempt.next_wait()
        if wait != self._wait:
            self._sock.settimeout(wait)
            self._wait = wait
        count = self._file.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            super().close()


class _Connection(HTTPConnection):
    """A connection that carries orders. It does nothing of its own with a request that is not one."""

    _order: Order | None = None
    # The head of a request while its body, in memory and small, is still to be added: one packet instead of two.
    _head: bytes | None = None

    def response_class(  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> Answer:
        """Open the answer to the request that was sent.

        It is a class in http.client; a method can tell the answer which request it belongs to.
        """
        return Answer(self._order, sock, debuglevel, method, url)

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        # Any: a body is whatever urllib3 can send, and an order comes in the place of plain headers.
        if not isinstance(headers, Order):
            super().request(method, url, body, headers, **options)
            return
        if self.sock is None:
            self.connect()
        self._order = headers
        headers.attempt.connected = True
        self._head = b"" if isinstance(body, bytes) and 0 < len(body) <= _WRITE else None
        super().request(method, headers.target, body, cast("dict[str, str]", headers), **options)
        headers.attempt.await_head()

    def send(self, data: Any) -> None:
        """Write, each piece within the bounds of the attempt."""
        if self._order is None or self.sock is None:
            super().send(data)
            return
        if self._head == b"":
            self._head = data
            return
        if self._head is not None:
            data, self._head = self._head + data, None
        attempt, sock = self._order.attempt, self.sock
        if len(data) <= _WRITE:
            sock.settimeout(attempt.next_wait())
            sock.sendall(data)
            return
        view = memoryview(data)
        for at in range(0, len(view), _WRITE):
            sock.settimeout(attempt.next_wait())
            sock.sendall(view[at : at + _WRITE])

    def close(self) -> None:
        self._order = self._head = None
        super().close()


class _SecureConnection(_Connection, HTTPSConnection):  # pyright: ignore[reportIncompatibleVariableOverride]  # as above
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = cast(Any, _Connection)  # its declared type is a protocol that urllib3's own does not match


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = cast(Any, _SecureConnection)  # likewise


#: What a PoolManager needs to make connections that carry orders.
POOL_CLASSES: dict[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _SecurePool}
