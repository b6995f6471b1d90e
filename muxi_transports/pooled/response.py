"""Answers that urllib3 received as the contract of transports wants them: bodies as they arrive, and closing."""

from __future__ import annotations

import os
import socket
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from muxi.errors import MuxiError
from muxi.transport import Headers, Response
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import Codings
from muxi_transports.http.wire import PIECE, received_headers
from muxi_transports.pooled.answer import Answer, shut_down
from muxi_transports.pooled.failures import FAILURES, failure_of

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

__all__ = ["EndableResponse", "PooledResponse", "SessionResponse"]


class EndableResponse(Response):
    """An answer that any thread can end, while another one reads it."""

    def __init__(self, status: int, headers: Headers, reason: str, http_version: str, attempt: Attempt) -> None:
        super().__init__(status, headers, reason=reason, http_version=http_version)
        self._attempt = attempt
        attempt.headless = False
        self._pid = os.getpid()
        self._reading = False
        self._freed = False
        self._freeing = threading.Lock()

    @abstractmethod
    def _read(self) -> bytes:
        """What has arrived; nothing at the end."""

    @abstractmethod
    def _wake_reader(self) -> None:
        """End the reader's wait; it frees the connection itself, so that no two threads touch it at once."""

    @abstractmethod
    def _let_go(self) -> None:
        """Give the connection back or close it."""

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives; see :meth:`muxi.transport.Response.chunks`."""
        attempt = self._attempt
        while True:
            # Set first and looked at second, the other way round than in end(): one of the two notices the other.
            self._reading = True
            if attempt.ended_by is not None:
                break
            try:
                data = self._read()
            except BaseException as error:
                if attempt.ended_by is not None:
                    break
                self._reading = False
                self.close()
                if isinstance(error, MuxiError):
                    raise
                # A ValueError or AttributeError is how a socket or a file says that it is gone.
                if isinstance(error, (*FAILURES, ValueError, AttributeError)):
                    raise failure_of(error, attempt) from error
                raise
            self._reading = False
            if not data or attempt.ended_by is not None:
                break
            yield data
        self._reading = False
        if attempt.ended_by is not None:
            self._free()
        if attempt.ended_by == "transport":
            raise attempt.failed("the transport was closed")

    def close(self) -> None:
        """Free the connection; see :meth:`muxi.transport.Response.close`."""
        self.end("caller")

    def end(self, by: str) -> None:
        """Free the connection, and note for the reader who did it."""
        if self._attempt.ended_by is not None:
            return
        self._attempt.ended_by = by
        if os.getpid() != self._pid:
            # A child after a fork only lets go of its copy: the stream may go on in the parent.
            self._free()
        elif self._reading:
            self._wake_reader()
        else:
            self._free()

    def _free(self) -> None:
        with self._freeing:
            if self._freed:
                return
            self._freed = True
        with suppress(*FAILURES, ValueError):
            self._let_go()


class PooledResponse(EndableResponse):
    """An answer over a connection of ours.

    Args:
        answer: the answer with its body unread.
        attempt: the bounds to keep.
    """

    def __init__(self, answer: Answer, attempt: Attempt) -> None:
        head = answer.head
        super().__init__(head.status, received_headers(head.headers), head.reason, head.version, attempt)
        self._answer = answer
        self._read1 = answer.read1
        codings = self.headers.get("content-encoding")
        if codings and codings.lower() != "identity":
            self._read1 = _decoded(answer, Codings(codings, attempt))

    def _read(self) -> bytes:
        return self._read1()

    def _wake_reader(self) -> None:
        self._answer.cut_off()

    def _let_go(self) -> None:
        self._answer.drop()

    def __del__(self) -> None:
        if not self._freed:
            self._answer.abandon()


def _decoded(answer: Answer, codings: Codings) -> Callable[[], bytes]:
    """Reading an answer whose content is compressed."""

    def read1() -> bytes:
        while piece := answer.read1():
            if content := codings.feed(piece):
                return content
        codings.finish()
        return b""

    return read1


class SessionResponse(EndableResponse):
    """An answer over a connection of somebody else's: a session's, an adapter's.

    Args:
        raw: the answer with its body unread.
        attempt: the bounds to keep.
        content: the body, if somebody has read it already (a hook of a session).
    """

    def __init__(self, raw: BaseHTTPResponse, attempt: Attempt, content: bytes | None = None) -> None:
        version = "1.0" if raw.version == 10 else "1.1"
        super().__init__(raw.status, received_headers(raw.headers.items()), raw.reason or "", version, attempt)
        self._raw = raw
        self._content = content
        self._socket = _socket_of(raw)

    def _read(self) -> bytes:
        if self._content is not None:
            content, self._content = self._content, b""
            return content
        if self._socket is not None:
            # A connection that is not ours keeps no bounds by itself.
            wait = self._attempt.next_wait()
            with suppress(OSError):  # closed: everything was read
                self._socket.settimeout(wait)
        return self._raw.read1(PIECE, True)

    def _wake_reader(self) -> None:
        if self._socket is not None:
            shut_down(self._socket)
            return
        with suppress(OSError, ValueError, RuntimeError, NotImplementedError):
            self._raw.shutdown()

    def _let_go(self) -> None:
        self._raw.close()
        self._raw.release_conn()


def _socket_of(raw: BaseHTTPResponse) -> socket.socket | None:
    """The socket of an answer over a connection that is not ours, as far as urllib3 tells."""
    sock = getattr(getattr(raw, "connection", None), "sock", None)
    if sock is None:  # "Connection: close": the connection has let go of its socket, the answer has not
        sock = getattr(getattr(raw, "_sock_shutdown", None), "__self__", None)
    return sock if isinstance(sock, socket.socket) else None
