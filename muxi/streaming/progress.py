"""The state of open streams: position, watchdogs, and the end, which happens once."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar

from muxi.context import Context
from muxi.errors import ConnectionError, MuxiError, StreamInterrupted, TimeoutError
from muxi.streaming.chat import EventReader
from muxi.transport import AsyncResponse, Response
from muxi.transport.causes import hide_secrets
from muxi.transport.once import Once

__all__ = ["AsyncOpened", "Opened", "Progress"]

E = TypeVar("E")


class Progress(Generic[E]):
    """The state of an open stream, without I/O: its reader, its watchdogs, and how it ended."""

    def __init__(self, reader: EventReader[E], context: Context) -> None:
        self.reader = reader
        self.context = context
        #: Whether the caller has closed it before it ended by itself.
        self.left = False
        self._bounds = reader.bounds(context.options)
        self._stall = self._bounds.get("stall_timeout", math.inf)
        #: When the stall timer was started.
        self._waiting_since: float
        self._end = Once()
        self._pid = os.getpid()

    @property
    def is_of_parent(self) -> bool:
        """True in the child of a fork: the parent goes on reading, from the same connection."""
        return self._pid != os.getpid()

    @property
    def ended(self) -> bool:
        """True if the stream has ended and its connection is released."""
        return self._end.claimed

    def claim_end(self) -> bool:
        """Return whether the caller has to end the stream; true once, whichever thread comes first."""
        return self._end.claim()

    @property
    def waiting(self) -> bool:
        """True if no event is ready and more may come."""
        reader = self.reader
        return not (reader.ready or reader.over or self.left or self._end.claimed)

    @property
    def drained(self) -> bool:
        """True if the stream has ended properly and all its events have been returned."""
        return self.reader.finished and not self.reader.ready

    def wait(self) -> None:
        """Start the stall timer."""
        self._waiting_since = self.context.clock.monotonic()

    def arrived(self, chunk: bytes | None) -> None:
        """Decode a chunk, or None for the end of the body. A time limit is checked after the events in it."""
        reader = self.reader
        if chunk is None:
            if not self.left:
                reader.end()
            return
        reader.feed(chunk)
        if reader.over:
            return
        context, deadline = self.context, self.context.options.deadline
        if deadline is not None and context.elapsed >= deadline:
            reader.failure = _too_late("deadline", deadline)
        elif not reader.ready and context.clock.monotonic() - self._waiting_since > self._stall:
            reader.failure = _too_late("stall_timeout", self._stall)

    def take(self) -> E | None:
        """Return the next event, or None at the end of the stream.

        Raises:
            MuxiError: the stream failed, and all events before that have been returned.
        """
        reader = self.reader
        if self.left:
            return None
        if reader.ready:
            return reader.ready.popleft()
        if not reader.finished:
            raise self._failure()
        return None

    def failed(self, error: BaseException) -> BaseException | None:
        """Return the error to raise for a failed read, or None if the caller has closed the stream."""
        if error is self.reader.failure or not isinstance(error, MuxiError):
            return error
        if self.left:
            return None
        failure = self._explain_error(error)
        if failure is not error:
            failure.__cause__ = error  # here, so that secrets are masked in both
        self.reader.failure = self._complete(failure)
        return failure

    def result(self) -> Any:
        """Return the result of the whole stream."""
        if not self.reader.finished:
            raise self._failure()
        try:
            result = self.reader.result()
        except MuxiError as error:
            raise self._complete(error) from None
        if "IPython" in sys.modules:
            from muxi.rendering import render_in_notebook  # here, because only notebooks need it

            render_in_notebook(result)
        return result

    def _failure(self) -> MuxiError:
        """Return the error of a stream without a proper end."""
        return self._complete(
            self.reader.failure
            or StreamInterrupted("STREAM_CLOSED", "the stream was closed before its end; .partial has what had arrived")
        )

    def _complete(self, error: MuxiError) -> MuxiError:
        """Add call, attempts, request id and the partial result to an error."""
        error.call = error.call or self.context.call.label
        error.attempts = error.attempts or self.context.attempt
        error.partial = error.partial or self.reader.partial
        known = error.partial.get("metadata") or {}
        error.request_id = error.request_id or known.get("request_id") or self.context.request_id
        hide_secrets(error, self.context.secrets)
        return error

    def _explain_error(self, error: MuxiError) -> MuxiError:
        """Return the stream's error for a transport's error in mid-stream."""
        if isinstance(error, TimeoutError):
            deadline = self.context.options.deadline
            if deadline is not None and (error.bound == "timeout" or self.context.elapsed >= deadline):
                return _too_late("deadline", deadline)
            if error.bound in ("read", "stall") and self._bounds:
                shortest = min(self._bounds, key=self._bounds.__getitem__)
                return _too_late(shortest, self._bounds[shortest])
        if isinstance(error, ConnectionError):
            message = f"{error.message}; .partial has what had arrived"
            return StreamInterrupted("STREAM_INTERRUPTED", message, details=error.details)
        return error


#: The code of each bound's error, and what has lasted too long.
_BOUNDS = {
    "deadline": ("DEADLINE", "the call has run, and its stream has not ended,"),
    "idle_timeout": ("IDLE_TIMEOUT", "nothing came, not even a keepalive,"),
    "stall_timeout": ("STALL_TIMEOUT", "no event came, at most keepalives,"),
}


def _too_late(bound: str, seconds: float) -> TimeoutError:
    code, what = _BOUNDS[bound]
    how = f"raise it with {bound}= on the client or with_options({bound}=…), or switch it off with None"
    return TimeoutError(code, f"{what} for more than {bound} = {seconds:g} s; {how}", bound=bound)


class Opened(Generic[E]):
    """An open sync stream: the response, its reader and its callbacks.

    Args:
        response: the answer.
        reader: reads its events.
        context: the call.
        on_event: called with each event before the caller gets it; None if no plugin observes events.
        on_end: called once, with the error or None, and whether the caller left before the end.
        on_drop: called in place of ``on_end`` by the finalizer of a stream that was dropped; takes no lock and sends
            nothing.
    """

    def __init__(
        self,
        response: Response,
        reader: EventReader[E],
        context: Context,
        on_event: Callable[[E], None] | None,
        on_end: Callable[[BaseException | None, bool], None],
        on_drop: Callable[[], None],
    ) -> None:
        self.response = response
        self.reader = reader
        self.context = context
        self.on_event = on_event
        self.on_end = on_end
        self.on_drop = on_drop
        self.progress: Progress[E] = Progress(reader, context)
        self.chunks: Iterator[bytes] = response.chunks()

    def end(self, error: BaseException | None) -> None:
        """Release the connection and call ``on_end``; only the first call has an effect."""
        if self.progress.claim_end():
            try:
                self.response.close()
            finally:
                self.on_end(error, self.progress.left and not self.reader.over)


class AsyncOpened(Generic[E]):
    """As :class:`Opened`, for async streams."""

    def __init__(
        self,
        response: AsyncResponse,
        reader: EventReader[E],
        context: Context,
        on_event: Callable[[E], Awaitable[None]] | None,
        on_end: Callable[[BaseException | None, bool], Awaitable[None]],
    ) -> None:
        self.response = response
        self.reader = reader
        self.context = context
        self.on_event = on_event
        self.on_end = on_end
        self.progress: Progress[E] = Progress(reader, context)
        self.chunks: AsyncIterator[bytes] = response.chunks()

    async def end(self, error: BaseException | None) -> None:
        """As :meth:`Opened.end`."""
        if self.progress.claim_end():
            try:
                await self.response.close()
            finally:
                await self.on_end(error, self.progress.left and not self.reader.over)
