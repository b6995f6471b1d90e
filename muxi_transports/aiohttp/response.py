"""Answers that aiohttp received as the contract of transports wants them, and its exceptions as errors of our own."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import http_exceptions

from muxi.errors import MuxiError
from muxi.transport import AsyncResponse
from muxi_transports.http.attempt import Attempt, invalid_request
from muxi_transports.http.content import Codings
from muxi_transports.http.wire import received_headers

__all__ = ["AiohttpResponse", "translated"]

# What means an answer that is no HTTP.
_INVALID = (http_exceptions.HttpProcessingError, aiohttp.ClientResponseError)


class AiohttpResponse(AsyncResponse):
    """An answer that aiohttp received.

    Args:
        received: the answer with its body unread.
        attempt: the bounds to keep.
    """

    def __init__(self, received: aiohttp.ClientResponse, attempt: Attempt) -> None:
        version = received.version
        super().__init__(
            received.status,
            received_headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in received.raw_headers),
            reason=received.reason or "",
            http_version="1.1" if version is None else f"{version.major}.{version.minor}",
        )
        self._received = received
        self._attempt = attempt
        self._codings = Codings(self.headers.get("content-encoding") or "", attempt)
        attempt.headless = False
        if attempt.timeouts.head is not None:
            _bound_silence(received, attempt.timeouts.read)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; see :meth:`muxi.transport.AsyncResponse.chunks`."""
        attempt, content = self._attempt, self._received.content
        while not self._is_ended():
            try:
                with translated(attempt):
                    data = await content.readany()
            except MuxiError:
                if self._is_ended():
                    break
                self.end("failure")
                # aiohttp prefers an error to what had arrived before it.
                if left := self._codings.feed(_unread(content)):
                    yield left
                raise
            except BaseException:
                self.end("caller")
                raise
            if not data:
                self._codings.finish()
                break
            if data := self._codings.feed(data):
                yield data
        if attempt.ended_by == "transport":
            raise attempt.failed("the transport was closed")

    async def close(self) -> None:
        """Free the connection at once; see :meth:`muxi.transport.AsyncResponse.close`."""
        if self._attempt.ended_by is None:
            self.end("caller")
            # The loop closes the socket in its next round.
            await asyncio.sleep(0)

    def _is_ended(self) -> bool:
        return self._attempt.ended_by is not None

    def end(self, by: str) -> None:
        """Let go of the connection, and note for the reader who did it."""
        if self._attempt.ended_by is None:
            self._attempt.ended_by = by
            connection = self._received.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()  # close() alone would wait until the peer has read a body on its way
            self._received.close()


def _bound_silence(received: aiohttp.ClientResponse, seconds: float | None) -> None:
    """Let the connection keep another bound from here on than it did for the head."""
    protocol = received.connection.protocol if received.connection is not None else None
    if protocol is not None:  # else the body is here already
        protocol.read_timeout = seconds
        protocol.start_timeout()


def _unread(content: aiohttp.StreamReader) -> bytes:
    """What has arrived and will not be handed over any more, for there is no public way to it after an error."""
    buffered: Iterable[bytes] = getattr(content, "_buffer", ())
    return b"".join(buffered)[getattr(content, "_buffer_offset", 0) :]


@contextmanager
def translated(attempt: Attempt) -> Iterator[None]:
    """Every exception of aiohttp, ssl and the socket as an error of :mod:`muxi.errors`."""
    try:
        yield
    except MuxiError:
        raise
    except (aiohttp.ClientError, http_exceptions.HttpProcessingError, OSError, asyncio.TimeoutError) as error:
        raise _failure_of(error, attempt) from error
    except ValueError as error:
        raise attempt.body_error or invalid_request(error) from error


def _failure_of(error: BaseException, attempt: Attempt) -> BaseException:
    if attempt.body_error is not None:
        return attempt.body_error
    if isinstance(error, aiohttp.InvalidURL):
        return invalid_request(error)
    if isinstance(error, asyncio.TimeoutError):
        return attempt.timed_out()
    if isinstance(error, aiohttp.ClientConnectorError):
        attempt.connected = False
    found = [_as_builtin(cause) for cause in _causes(error)]
    return attempt.failed_by(found, invalid=any(isinstance(cause, _INVALID) for cause in found))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions behind an exception, outermost first."""
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        if isinstance(behind, aiohttp.ClientConnectorCertificateError):
            behind = behind.certificate_error
        elif isinstance(behind, aiohttp.ClientConnectorError):
            behind = behind.os_error
        else:
            behind = behind.__cause__


def _as_builtin(error: BaseException) -> BaseException:
    """An exception of aiohttp as the one of Python that means the same, where there is one."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return OSError(f"Tunnel connection failed: {error.status} {error.message}")
    if isinstance(error, http_exceptions.PayloadEncodingError) and "Not enough data" in str(error):
        return http.client.IncompleteRead(b"")
    if isinstance(error, aiohttp.ClientConnectorError) and type(error).__name__ == "ClientConnectorDNSError":
        return socket.gaierror(str(error.os_error))  # whatever resolver it came from; aiohttp 3.10 has no such class
    return error
