"""Responses whose body is made by steps, in either colour, and what ends them: their end, an error, or a close()."""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, cast

from muxi.errors import ConfigurationError, ConnectionError
from muxi.transport.contract import AsyncResponse, Response, ResponseHead, UnreadResponse
from muxi.transport.finisher import finish_later, start_finisher
from muxi.transport.headers import Headers
from muxi.transport.loop import run, run_async
from muxi.transport.steps import BodySteps, CloseSteps, NextChunk, Step, perform, perform_async

__all__ = ["AsyncSteppedResponse", "SteppedResponse", "SyncSteppedResponse", "transport_closed"]


class SteppedResponse(ResponseHead):
    """A response whose body is made by steps; what the steps of a request return for it. The transport adds the colour.

    Args:
        status: the HTTP status.
        headers: names and values.
        body: yields chunks, and steps between them. It is closed where the reader leaves; clean up in a ``finally``
            without further steps.
        inner: a response that the body is made of: :class:`~muxi.transport.NextChunk` reads it. It is closed at the end
            of the body, and at once where the reader leaves.
        left: returns further steps, run once where the reader leaves before the end of the body.
        reason: the phrase that goes with the status.
        http_version: such as ``1.1``.
    """

    def __init__(
        self,
        status: int,
        headers: Headers | Iterable[tuple[str, str]],
        body: BodySteps,
        *,
        inner: UnreadResponse | None = None,
        left: Callable[[], CloseSteps] | None = None,
        reason: str = "",
        http_version: str = "1.1",
    ) -> None:
        super().__init__(status, headers, reason=reason, http_version=http_version)
        self.body: BodySteps = body
        self.inner: UnreadResponse | None = inner
        self.left: Callable[[], CloseSteps] | None = left

    @classmethod
    def around(
        cls,
        inner: UnreadResponse,
        body: BodySteps,
        *,
        headers: Headers | None = None,
        left: Callable[[], CloseSteps] | None = None,
    ) -> SteppedResponse:
        """A response with the head of another one, whose body is made of the other's.

        Args:
            inner: the other response.
            body: yields chunks and steps; :class:`~muxi.transport.NextChunk` reads the other's body.
            headers: other headers than those of ``inner``.
            left: returns steps to run where the reader leaves before the end.
        """
        return cls(
            inner.status,
            inner.headers if headers is None else headers,
            body,
            inner=inner,
            left=left,
            reason=inner.reason,
            http_version=inner.http_version,
        )


class _BodyRun:
    """The state of a body that is being read: one reader at a time, and a close from anywhere.

    Whoever ends it, reader or closer, cleans up: the closer, unless the body is at work at that moment.
    """

    def __init__(self, body: BodySteps) -> None:
        self._body = body
        self._lock = threading.Lock()
        self._working = False
        self._ended = False
        self._step: Step[Any] | None = None
        #: Who has closed the response before its end: the ``caller``, or the ``transport``.
        self.closed_by: str | None = None
        #: Whether the body was closed early and what follows from that is still to be done.
        self.must_clean_up: bool = False

    @property
    def is_over(self) -> bool:
        """True once nothing more comes."""
        return self._ended or self.closed_by is not None

    def resume(
        self, *, after: Step[Any] | None = None, outcome: object = None, error: BaseException | None = None
    ) -> bytes | Step[Any] | None:
        """Go on to the next chunk or step; None where the body is over.

        Args:
            after: the step that has been done, if one has.
            outcome: its outcome.
            error: its error.

        Raises:
            ConfigurationError: another reader is at it.
        """
        with self._lock:
            if self._working or self._step is not after:
                raise ConfigurationError("the response is being read already, by another thread or task")
            self._step = None
            if self.is_over:
                return None
            self._working = True
        ended = True
        item: bytes | Step[Any] | None = None
        try:
            item = self._body.send(outcome) if error is None else self._body.throw(error)
            ended = False
        except StopIteration:
            pass
        finally:
            with self._lock:
                self._working = False
                if self.closed_by is not None:
                    self.must_clean_up = True
                    item = None
                elif ended:
                    self._ended = True
                elif isinstance(item, Step):
                    self._step = item
        return item

    def close(self, by: str) -> Step[Any] | None:
        """Note that the response is closed; return the step that is being done, to be interrupted."""
        with self._lock:
            if self.is_over:
                return None
            self.closed_by = by
            self.must_clean_up = not self._working
            return self._step

    def close_body(self) -> None:
        """Close the body; for a response that no reader has any more."""
        self._body.close()

    def clean_up(self) -> bool:
        """Close the body, once; whether this was the time."""
        with self._lock:
            due, self.must_clean_up = self.must_clean_up, False
        if due:
            self._body.close()
        return due


class SyncSteppedResponse(Response):
    """The sync colour of a :class:`SteppedResponse`.

    Args:
        made: the response.
    """

    def __init__(self, made: SteppedResponse) -> None:
        super().__init__(made.status, made.headers, reason=made.reason, http_version=made.http_version)
        self._run = _BodyRun(made.body)
        self._inner = cast("Response | None", made.inner)
        self._left = made.left
        self._pieces: Iterator[bytes] | None = None
        _close_when_dropped(self, self._run)

    def chunks(self) -> Iterator[bytes]:
        try:
            item = self._run.resume()
            while item is not None:
                if not isinstance(item, Step):
                    if item:
                        yield item
                    item = self._run.resume()
                    continue
                try:
                    outcome = self._next_piece() if isinstance(item, NextChunk) else item.do()
                except BaseException as error:
                    item = self._run.resume(after=item, error=error)
                else:
                    item = self._run.resume(after=item, outcome=outcome)
        finally:
            if self._run.is_over:
                self._finish()
        if self._run.closed_by == "transport":
            raise transport_closed()

    def _next_piece(self) -> bytes | None:
        if self._inner is None:
            raise TypeError("NextChunk in the body of a response that wraps no other one")
        if self._pieces is None:
            self._pieces = self._inner.chunks()
        return next(self._pieces, None)

    def _finish(self) -> None:
        try:
            if self._inner is not None:
                self._inner.close()
        finally:
            if self._run.clean_up() and self._left is not None:
                run(self._left(), perform)

    def close(self) -> None:
        self.end("caller")

    def end(self, by: str) -> None:
        """Close the response on behalf of the caller or the transport."""
        step = self._run.close(by)
        if step is not None:
            step.interrupt()
        self._finish()


class AsyncSteppedResponse(AsyncResponse):
    """The async colour of a :class:`SteppedResponse`.

    Args:
        made: the response.
    """

    def __init__(self, made: SteppedResponse) -> None:
        super().__init__(made.status, made.headers, reason=made.reason, http_version=made.http_version)
        self._run = _BodyRun(made.body)
        self._inner = cast("AsyncResponse | None", made.inner)
        self._left = made.left
        self._pieces: AsyncIterator[bytes] | None = None
        self._is_waiting = False
        _close_when_dropped(self, self._run)

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            item = self._run.resume()
            while item is not None:
                if not isinstance(item, Step):
                    if item:
                        yield item
                    item = self._run.resume()
                    continue
                self._is_waiting = True
                try:
                    outcome = await (self._next_piece() if isinstance(item, NextChunk) else item.do_async())
                except BaseException as error:
                    self._is_waiting = False
                    item = self._run.resume(after=item, error=error)
                else:
                    self._is_waiting = False
                    item = self._run.resume(after=item, outcome=outcome)
        finally:
            await self._end_iteration()
            if self._run.is_over:
                await self._finish()
        if self._run.closed_by == "transport":
            raise transport_closed()

    async def _next_piece(self) -> bytes | None:
        if self._inner is None:
            raise TypeError("NextChunk in the body of a response that wraps no other one")
        if self._pieces is None:
            self._pieces = self._inner.chunks()
        try:
            return await self._pieces.__anext__()
        except StopAsyncIteration:
            return None

    async def _end_iteration(self) -> None:
        """End the iteration of the wrapped body; the collector would do it in a loop that may be gone."""
        if self._is_waiting:
            return  # the reader does it
        pieces, self._pieces = self._pieces, None
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()

    async def _finish(self) -> None:
        try:
            if self._inner is not None:
                await self._inner.close()
        finally:
            await self._end_iteration()
            if self._run.clean_up() and self._left is not None:
                await run_async(self._left(), perform_async)

    async def close(self) -> None:
        await self.end("caller")

    async def end(self, by: str) -> None:
        """Close the response on behalf of the caller or the transport."""
        step = self._run.close(by)
        if step is not None:
            step.interrupt()
        await self._finish()


def _close_when_dropped(response: object, run: _BodyRun) -> None:
    """Have the body of a response closed that is dropped before its end, by another thread: it may take any lock.

    The finalizer keeps the body out of what is collected with the response; a collector would close it at once.
    """
    start_finisher()
    weakref.finalize(response, _close_later, run).atexit = False


def _close_later(run: _BodyRun) -> None:
    if not run.is_over:
        finish_later(run.close_body)


def transport_closed() -> ConnectionError:
    """The error of a send or a read that a close of the transport ends."""
    return ConnectionError("CONNECTION_LOST", "the connection broke: the transport was closed")
