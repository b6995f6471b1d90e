"""Event streams as callers hold them: open, iterate, close; in both colours.

What the frames mean is read in :mod:`muxi.events`; here is when to read on, when to stop, and what is
left to do at the end.
"""

from __future__ import annotations

import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from muxi.context import Context
from muxi.errors import ConnectionError, MuxiError, StreamInterrupted, TimeoutError
from muxi.events import EventReader
from muxi.transport import AsyncResponse, Headers, Response
from muxi.types.chat import ChatEvent, ChatMessage

if TYPE_CHECKING:
    import asyncio

    from typing_extensions import Self

    from muxi.types.deployments import DeploymentEvent, DeploymentResult

__all__ = ["AsyncEventStream", "EventStream"]

E = TypeVar("E")


class _Progress(Generic[E]):
    """How far an open stream is: its reader, its watchdogs, and how it ended. Without I/O."""

    def __init__(self, reader: EventReader[E], context: Context) -> None:
        self.reader = reader
        self.context = context
        #: Whether the caller has closed it before it ended by itself.
        self.left = False
        self._bounds = reader.bounds(context.options)
        self._stall = self._bounds.get("stall_timeout", math.inf)
        self._waiting_since = 0.0
        self._end = threading.Lock()

    @property
    def ended(self) -> bool:
        """Whether the connection has been given up."""
        return self._end.locked()

    def claim_end(self) -> bool:
        """Whether it is for the caller to end the stream: true once, however many threads ask."""
        return self._end.acquire(blocking=False)

    @property
    def waiting(self) -> bool:
        """Whether there is no event to hand out and more may come."""
        reader = self.reader
        return not (reader.ready or reader.over or self.left or self._end.locked())

    @property
    def drained(self) -> bool:
        """Whether the stream has come to its proper end and all of it has been handed out."""
        return self.reader.finished and not self.reader.ready

    def wait(self) -> None:
        """Take it that the caller waits for an event from here on; until now the stream waited for the caller."""
        self._waiting_since = self.context.clock.monotonic()

    def arrived(self, chunk: bytes | None) -> None:
        """Take a chunk; None is the end of the body. A bound that has passed counts after the events before it."""
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
        """The next event; None where the stream is over.

        Raises:
            MuxiError: the stream failed, and all events before that have been handed out.
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
        """What an error in reading is for the caller; None where it only comes of the caller's own close()."""
        if error is self.reader.failure or not isinstance(error, MuxiError):
            return error
        if self.left:
            return None
        failure = self.reader.failure = self._complete(self._explained(error))
        return failure

    def result(self) -> Any:
        """What the whole stream came to."""
        if not self.reader.finished:
            raise self._failure()
        try:
            return self.reader.result()
        except MuxiError as error:
            raise self._complete(error) from None

    def _failure(self) -> MuxiError:
        """Why there is no proper end."""
        return self._complete(
            self.reader.failure
            or StreamInterrupted("STREAM_CLOSED", "the stream was closed before its end; .partial has what had arrived")
        )

    def _complete(self, error: MuxiError) -> MuxiError:
        """The error with all that is known of the call."""
        error.call = error.call or self.context.call.label
        error.attempts = error.attempts or self.context.attempt
        error.partial = error.partial or self.reader.partial
        known = error.partial.get("metadata") or {}
        error.request_id = error.request_id or known.get("request_id") or self.context.request_id
        return error

    def _explained(self, error: MuxiError) -> MuxiError:
        """A transport's error in mid-stream, in the words of streams."""
        if isinstance(error, TimeoutError):
            deadline = self.context.options.deadline
            if deadline is not None and (error.bound == "timeout" or self.context.elapsed >= deadline):
                return _too_late("deadline", deadline)
            if error.bound == "read" and self._bounds:
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


@dataclass
class Opened(Generic[E]):
    """What a driver hands to a sync stream once its head has arrived."""

    response: Response
    reader: EventReader[E]
    context: Context
    #: Called with each event before the caller gets it; None where nobody listens.
    on_event: Callable[[E], None] | None
    #: Called once, with the error or None, and whether the caller left before the end.
    on_end: Callable[[BaseException | None, bool], None]
    progress: _Progress[E] = field(init=False)
    chunks: Iterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.progress = _Progress(self.reader, self.context)
        self.chunks = self.response.chunks()

    def end(self, error: BaseException | None) -> None:
        """Give up the connection and tell who wants to know; only the first call has an effect."""
        if self.progress.claim_end():
            try:
                self.response.close()
            finally:
                self.on_end(error, self.progress.left and not self.reader.over)


@dataclass
class AsyncOpened(Generic[E]):
    """As :class:`Opened`, for async streams."""

    response: AsyncResponse
    reader: EventReader[E]
    context: Context
    on_event: Callable[[E], Awaitable[None]] | None
    on_end: Callable[[BaseException | None, bool], Awaitable[None]]
    progress: _Progress[E] = field(init=False)
    chunks: AsyncIterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.progress = _Progress(self.reader, self.context)
        self.chunks = self.response.chunks()

    async def end(self, error: BaseException | None) -> None:
        """As :meth:`Opened.end`."""
        if self.progress.claim_end():
            try:
                await self.response.close()
            finally:
                await self.on_end(error, self.progress.left and not self.reader.over)


class _Stream(Generic[E]):
    """What can be said of a stream in either colour."""

    def _known(self) -> Opened[E] | AsyncOpened[E] | None:
        """What is open."""
        raise NotImplementedError

    @property
    def headers(self) -> Headers:
        """The headers of the answer; there are none before an async stream is open."""
        opened = self._known()
        return opened.response.headers if opened else Headers()

    @property
    def status_code(self) -> int:
        """The HTTP status of the answer; 0 before an async stream is open."""
        opened = self._known()
        return opened.response.status if opened else 0

    @property
    def keepalives(self) -> int:
        """How many keepalive comments have come."""
        opened = self._known()
        return opened.reader.keepalives if opened else 0

    @property
    def closed(self) -> bool:
        """Whether the stream has ended, or has been closed."""
        opened = self._known()
        return opened is not None and opened.progress.ended

    def __repr__(self) -> str:
        opened = self._known()
        label = f"{opened.context.call.label}, " if opened else ""
        state = "closed" if self.closed else "open" if opened else "not opened yet"
        return f"<{type(self).__name__} {label}{state}>"


class EventStream(_Stream[E]):
    """A stream of events that is open: an iterator, a context manager, and for a chat its text and its result.

    ``with`` and :meth:`close` free the connection at once; a loop that is left in the middle frees it when the
    stream itself is let go of. ::

        with client.chat_stream({"message": "Hello!"}, user_id="ada") as stream:
            for piece in stream.text():
                print(piece, end="", flush=True)
    """

    def __init__(self, opened: Opened[E]) -> None:
        self._opened = opened

    def _known(self) -> Opened[E]:
        return self._opened

    def __iter__(self) -> Iterator[E]:
        return self

    def __next__(self) -> E:
        opened, progress = self._opened, self._opened.progress
        try:
            if not progress.reader.ready:
                progress.wait()
                while progress.waiting:
                    progress.arrived(next(opened.chunks, None))
            event = progress.take()
            if event is not None and opened.on_event:
                opened.on_event(event)
        except BaseException as error:
            failure = progress.failed(error)
            opened.end(failure)
            if failure is None:
                raise StopIteration from None
            if failure is error:
                raise
            raise failure from error
        if event is None:
            opened.end(None)
            raise StopIteration
        if progress.drained:
            # With the last event, not after it: a loop that breaks there leaves nothing open.
            opened.end(None)
        return event

    def text(self: EventStream[ChatEvent]) -> Iterator[str]:
        """The answer of a chat, piece by piece.

        Raises:
            TurnFailed: the turn failed, or ended without completing.
            StreamInterrupted: the stream broke; ``partial`` has what had arrived.
        """
        for event in self:
            if event["type"] == "text":
                yield event.get("text", "")
        if not self._opened.progress.left:
            self._opened.progress.result()

    @overload
    def result(self: EventStream[ChatEvent]) -> ChatMessage: ...  # type: ignore[overload-overlap]  # of structure only
    @overload
    def result(self: EventStream[DeploymentEvent]) -> DeploymentResult: ...
    def result(self: EventStream[Any]) -> Any:
        """Run to the end and return what it came to: the final message of a chat, or what has been deployed.

        Raises:
            TurnFailed: the turn failed, or ended without completing.
            StreamInterrupted: the stream broke, or was closed; ``partial`` has what had arrived.
            MuxiError: the deployment failed; see :mod:`muxi.deployments`.
        """
        for _ in self:
            pass
        return self._opened.progress.result()

    def close(self) -> None:
        """End the stream and free its connection at once. From another thread too: the reader's loop ends.

        A turn that is left before its end is cancelled (see ``cancel_on_close``).
        """
        if not self.closed:
            self._opened.progress.left = True
            self._opened.response.close()
            self._opened.end(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A loop was left, with the stream in a temporary. Nothing is sent from here: a collector may run
        # anywhere, in the middle of a transport's own work too.
        if hasattr(self, "_opened"):
            self._opened.end(None)


class AsyncEventStream(_Stream[E]):
    """A stream of events on an async client.

    Awaiting it opens it (an error status is raised there) and returns it; iterating over it, or entering it
    with ``async with``, opens it where that has not been done. It is opened once: after a failure make the
    call again.
    """

    def __init__(self, open_stream: Callable[[], Awaitable[AsyncOpened[E]]]) -> None:
        self._open_stream: Callable[[], Awaitable[AsyncOpened[E]]] | None = open_stream
        self._opened: AsyncOpened[E] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Whether it was closed before it was open.
        self._shut = False

    def _known(self) -> AsyncOpened[E] | None:
        return self._opened

    def __await__(self) -> Generator[object, None, Self]:
        return self.__aenter__().__await__()

    async def _open(self) -> AsyncOpened[E]:
        """What is open; it is opened first where that has not been tried."""
        if self._opened is None:
            if self._open_stream is None:
                raise _not_open()
            import asyncio  # here, because a sync program need not load it

            open_stream, self._open_stream = self._open_stream, None
            self._loop = asyncio.get_running_loop()
            self._opened = await open_stream()
            if self._shut:
                await self.close()
        return self._opened

    @property
    def closed(self) -> bool:
        """Whether the stream has ended, or has been closed."""
        return super().closed or self._shut

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        if self._opened is None and self._shut:
            raise StopAsyncIteration
        opened = self._opened or await self._open()
        progress = opened.progress
        try:
            if not progress.reader.ready:
                progress.wait()
                while progress.waiting:
                    progress.arrived(await anext(opened.chunks, None))
            event = progress.take()
            if event is not None and opened.on_event:
                await opened.on_event(event)
        except GeneratorExit:
            raise  # the loop is gone; nothing can be awaited any more
        except BaseException as error:
            failure = progress.failed(error)
            await opened.end(failure)
            if failure is None:
                raise StopAsyncIteration from None
            if failure is error:
                raise
            raise failure from error
        if event is None:
            await opened.end(None)
            raise StopAsyncIteration
        if progress.drained:
            await opened.end(None)
        return event

    async def text(self: AsyncEventStream[ChatEvent]) -> AsyncIterator[str]:
        """As :meth:`EventStream.text`."""
        async for event in self:
            if event["type"] == "text":
                yield event.get("text", "")
        if self._opened and not self._opened.progress.left:
            self._opened.progress.result()

    @overload
    async def result(self: AsyncEventStream[ChatEvent]) -> ChatMessage: ...  # type: ignore[overload-overlap]  # as above
    @overload
    async def result(self: AsyncEventStream[DeploymentEvent]) -> DeploymentResult: ...
    async def result(self: AsyncEventStream[Any]) -> Any:
        """As :meth:`EventStream.result`."""
        async for _ in self:
            pass
        if self._opened is None:
            raise _not_open()
        return self._opened.progress.result()

    async def close(self) -> None:
        """End the stream and free its connection at once; a task that reads it comes to the end of its loop."""
        if self._opened is None:
            self._shut = True
            self._open_stream = None
        elif not self._opened.progress.ended:
            self._opened.progress.left = True
            await self._opened.end(None)

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        opened = getattr(self, "_opened", None)
        if opened is not None and self._loop is not None and not opened.progress.ended:
            with suppress(RuntimeError):  # the loop is closed, and its connections with it
                self._loop.call_soon_threadsafe(_abandon, self._loop, opened)


def _abandon(loop: asyncio.AbstractEventLoop, opened: AsyncOpened[Any]) -> None:
    """End a stream that nobody holds any more."""

    def try_again(task: asyncio.Task[None]) -> None:
        # Where the program ends, asyncio.run() cancels this task too, even before it has begun.
        if not opened.progress.ended:
            _abandon(loop, opened)

    loop.create_task(opened.end(None)).add_done_callback(try_again)


def _not_open() -> StreamInterrupted:
    return StreamInterrupted(
        "STREAM_CLOSED", "the stream is not open: it was closed, or opening it has failed or is going on elsewhere"
    )
