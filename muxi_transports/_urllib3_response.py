"""Answers of urllib3 as the contract of transports wants them: bodies as they arrive, closing, errors of our own."""

from __future__ import annotations

import builtins
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    InvalidChunkLength,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from muxi.errors import MuxiError
from muxi.transport import Response
from muxi_transports._attempt import Attempt, invalid_request
from muxi_transports._urllib3_connection import Answer
from muxi_transports._wire import PIECE, received_headers

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

__all__ = ["Urllib3Response", "translated"]

# What means an answer that is no HTTP, and what of it only means an early end.
_INVALID = (http.client.HTTPException, DecodeError)
_EARLY_END = (http.client.IncompleteRead, http.client.RemoteDisconnected)
_NOT_CONNECTED = (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError, LocationValueError)
# What urllib3 and the floors below it raise.
_FAILURES = (HTTPError, OSError, http.client.HTTPException)


@contextmanager
def translated(attempt: Attempt, *, foreign: bool = False) -> Iterator[None]:
    """Every exception of requests, urllib3, http.client, ssl and the socket as an error of :mod:`muxi.errors`.

    Args:
        attempt: what was tried.
        foreign: whether the connection is not one of ours, so that how far it came is told by the exception alone.
    """
    try:
        yield
    except MuxiError:
        raise
    except _FAILURES as error:
        raise failure_of(error, attempt, foreign=foreign) from error
    except ValueError as error:
        if foreign or attempt.body_error is not None:
            raise
        raise invalid_request(error) from error


def failure_of(error: BaseException, attempt: Attempt, *, foreign: bool = False) -> BaseException:
    """The error for whatever went wrong; what the body itself raised is left as it is."""
    if attempt.body_error is not None:
        return attempt.body_error
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, LocationValueError | http.client.InvalidURL | UnicodeError):
            return invalid_request(cause)
    if foreign:
        attempt.connected = not any(isinstance(cause, _NOT_CONNECTED) for cause in causes)
        if attempt.proxy is None and any(isinstance(cause, ProxyError) for cause in causes):
            attempt.proxy = "of the session"
    return attempt.failed_by(
        [_as_builtin(cause) for cause in causes],
        invalid=any(isinstance(e, InvalidChunkLength) for e in causes)
        or any(isinstance(e, _INVALID) and not isinstance(e, _EARLY_END) for e in causes),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions behind an exception, outermost first."""
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        if isinstance(behind, MaxRetryError) and behind.reason is not None:
            behind = behind.reason
        else:
            wrapped = next((arg for arg in reversed(behind.args) if isinstance(arg, BaseException)), None)
            behind = wrapped or behind.__cause__


def _as_builtin(error: BaseException) -> BaseException:
    """An exception of urllib3 as the one of Python that means the same, where there is one."""
    if isinstance(error, Urllib3TimeoutError) and not isinstance(error, NewConnectionError):
        return builtins.TimeoutError(str(error))
    if isinstance(error, SSLError):
        return ssl.SSLError(str(error))
    return error


class Urllib3Response(Response):
    """An answer that urllib3 received.

    Args:
        raw: the answer with its body unread.
        attempt: the bounds to keep.
        answer: the same one floor below, if it came over a connection of ours.
        content: the body, if somebody has read it already (a hook of a session).
    """

    def __init__(
        self, raw: BaseHTTPResponse, attempt: Attempt, answer: Answer | None = None, content: bytes | None = None
    ) -> None:
        super().__init__(
            raw.status,
            received_headers(raw.headers.items()),
            reason=raw.reason or "",
            http_version="1.0" if raw.version == 10 else "1.1",
        )
        self._raw = raw
        self._attempt = attempt
        attempt.headless = False
        self._answer = answer
        self._content = content
        self._socket = None if answer is not None else _socket_of(raw)
        self._pid = os.getpid()
        self._reading = False
        self._freed = False
        self._freeing = threading.Lock()

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives; see :meth:`muxi.transport.Response.chunks`."""
        attempt, read1 = self._attempt, self._raw.read1
        if self._content is not None:
            if self._content:
                yield self._content
            return
        while True:
            # Set first and looked at second, the other way round than in end(): one of the two notices the other.
            self._reading = True
            if self._is_ended():
                break
            try:
                if self._socket is not None:
                    self._bound_next_read(self._socket)
                data = read1(PIECE, True)
            except BaseException as error:
                if self._is_ended():
                    break
                self._reading = False
                self.close()
                # A ValueError or AttributeError is how http.client notices that its file is gone.
                if isinstance(error, (*_FAILURES, ValueError, AttributeError)):
                    raise failure_of(error, attempt) from error
                raise
            self._reading = False
            if not data or self._is_ended():
                break
            yield data
        self._reading = False
        if self._is_ended():
            self._free()
        if attempt.ended_by == "transport":
            raise attempt.failed("the transport was closed")

    def _is_ended(self) -> bool:
        return self._attempt.ended_by is not None

    def _bound_next_read(self, sock: socket.socket) -> None:
        # A connection that is not ours (a user's session) keeps no bounds by itself.
        wait = self._attempt.next_wait()
        with suppress(OSError):  # closed: everything was read
            sock.settimeout(wait)

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

    def _wake_reader(self) -> None:
        """End the reader's wait; it frees the connection itself, so that no two threads touch it at once."""
        if self._answer is not None:
            self._answer.cut_off()
            return
        with suppress(OSError, ValueError, RuntimeError, NotImplementedError):
            self._raw.shutdown()

    def _free(self) -> None:
        with self._freeing:
            if self._freed:
                return
            self._freed = True
        with suppress(*_FAILURES, ValueError):
            self._raw.close()
            self._raw.release_conn()


def _socket_of(raw: BaseHTTPResponse) -> socket.socket | None:
    """The socket of an answer over a connection that is not ours, as far as urllib3 tells."""
    sock = getattr(getattr(raw, "connection", None), "sock", None)
    if sock is None:  # "Connection: close": the connection has let go of its socket, the answer has not
        sock = getattr(getattr(raw, "_sock_shutdown", None), "__self__", None)
    return sock if isinstance(sock, socket.socket) else None
