"""Answers that aiohttp received, by the contract of transports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable

import aiohttp

from muxi.errors import MuxiError
from muxi.transport import AsyncResponse
from muxi_transports.aiohttp.carriage import Carriage
from muxi_transports.aiohttp.failures import failure_of
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import Codings
from muxi_transports.http.wire import received_headers

__all__ = ["AiohttpResponse"]


class AiohttpResponse(AsyncResponse):
    """An answer that aiohttp received.

    Args:
        received: the answer with its body unread.
        carriage: the request and the connections that carried it.

    Raises:
        ConnectionError: the status is none that an answer has.
    """

    def __init__(self, received: aiohttp.ClientResponse, carriage: Carriage) -> None:
        version = received.version
        super().__init__(
            received.status,
            received_headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in received.raw_headers),
            reason=received.reason or "",
            http_version="1.1" if version is None else f"{version.major}.{version.minor}",
        )
        self._received = received
        self._carriage = carriage
        self._attempt = attempt = carriage.attempt
        attempt.headless = False
        self._watchdog = _Watchdog(attempt, self._drop)
        self._pid = os.getpid()
        if not 200 <= received.status <= 999:
            self.end("failure")
            raise attempt.failed(f"{received.status} is no status of an answer", code="INVALID_RESPONSE")
        self._codings = Codings(self.headers.get("content-encoding") or "", attempt)
        if attempt.timeouts.head is not None:
            _bound_silence(received, attempt.timeouts.read)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; see :meth:`muxi.transport.AsyncResponse.chunks`."""
        attempt, content, codings = self._attempt, self._received.content, self._codings
        while not self._is_ended():
            if self._pid != os.getpid():
                raise attempt.failed(
                    "this process was forked while the answer was read, and the parent goes on reading it",
                    code="CONNECTION_LOST",
                )
            failure: BaseException | None = None
            data = b""
            self._watchdog.start_waiting()
            try:
                while not self._is_ended() and (data := await content.readany()):
                    codings.add(data)
                    if data := codings.take():
                        break
            except MuxiError as error:
                failure = error
            except Exception as error:
                failure = failure_of(error, attempt, self._carriage.fault)
            except BaseException:
                self.end("caller")
                raise
            finally:
                self._watchdog.stop_waiting()
            if failure is None and not data and not self._is_ended():
                failure = self._failure_at_end()
                if failure is None:
                    self._watchdog.cancel()
                    break
            if failure is not None:
                if self._is_ended():
                    break
                self.end("failure")
                # aiohttp prefers an error to what had arrived before it.
                if not isinstance(failure, MuxiError) or failure.code != "INVALID_RESPONSE" or self._carriage.fault:
                    codings.add(_unread(content))
                    while left := codings.take():
                        yield left
                raise failure
            while data and not self._is_ended():
                yield data
                data = codings.take()
        if attempt.ended_by == "transport":
            raise attempt.closed_by_transport()

    def _failure_at_end(self) -> MuxiError | None:
        """Return the error of a body that has ended; None if it is complete."""
        attempt, fault = self._attempt, self._carriage.fault
        if fault is not None:
            return attempt.failed(str(fault), code="INVALID_RESPONSE")
        if attempt.is_overdue:
            return attempt.timed_out()
        try:
            self._codings.finish()
        except MuxiError as error:
            return error
        return None

    async def read(self, within: float | None = None, *, limit: int | None = None) -> bytes:
        """The whole body; see :meth:`muxi.transport.AsyncResponse.read`. Each wait is bounded by ``within``."""
        if within is not None:
            self._attempt.finish_within(within)
            self._watchdog.cancel()
        return await super().read(limit=limit)

    async def close(self) -> None:
        """Free the connection at once; see :meth:`muxi.transport.AsyncResponse.close`."""
        if self._attempt.ended_by is None:
            self.end("caller")
            # The loop closes the socket in its next round.
            await asyncio.sleep(0)

    def end(self, by: str) -> None:
        """End the answer, and note for its reader who did it."""
        if self._attempt.ended_by is None:
            self._attempt.ended_by = by
            self._watchdog.cancel()
            self._drop()
            self._received.close()

    def _drop(self) -> None:
        """Drop the connection: close() alone would wait until the peer has read a body on its way."""
        connection = self._received.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    def _is_ended(self) -> bool:
        return self._attempt.ended_by is not None

    def __del__(self) -> None:
        # A loop that is closed can take nothing back; aiohttp would try, and complain.
        received = getattr(self, "_received", None)
        if received is not None:
            received.close()


class _Watchdog:
    """Ends an answer whose next content is overdue. One timer serves many waits.

    Args:
        attempt: has the deadlines.
        drop: drops the connection, which wakes the reader.
    """

    def __init__(self, attempt: Attempt, drop: Callable[[], None]) -> None:
        self._attempt = attempt
        self._drop = drop
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None

    def start_waiting(self) -> None:
        """Note that the reader waits for content from here on."""
        self._attempt.await_content()
        self._waiting = True
        if self._timer is None and self._attempt.next_deadline is not None:
            self._schedule()

    def stop_waiting(self) -> None:
        """Note that content has come."""
        self._waiting = False

    def cancel(self) -> None:
        """Stop the timer; the next wait starts it again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        left = self._attempt.time_left
        if left is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, left), self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        if self._attempt.is_overdue:
            self._drop()
        else:
            self._schedule()


def _bound_silence(received: aiohttp.ClientResponse, seconds: float | None) -> None:
    """Let the connection keep another bound from here on than it did for the head."""
    protocol = received.connection.protocol if received.connection is not None else None
    if protocol is not None:  # else the body is here already
        protocol.read_timeout = seconds
        protocol.start_timeout()


def _unread(content: aiohttp.StreamReader) -> bytes:
    """Return the bytes received but not delivered; aiohttp has no public access to them after an error."""
    buffered: Iterable[bytes] = getattr(content, "_buffer", ())
    return b"".join(buffered)[getattr(content, "_buffer_offset", 0) :]
