"""Streams of events as a caller holds them: open, iterate, close; in both colours.

What the frames mean is read in :mod:`muxi.events`; here is when to read on, when to stop, and what is
left to do at the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from muxi.context import Context
from muxi.errors import ConnectionError, MuxiError, StreamInterrupted, TimeoutError
from muxi.events import EventReader
from muxi.transport import AsyncResponse, Headers, Response
from muxi.types.chat import ChatEvent, ChatMessage

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AsyncEventStream", "EventStream"]

E = TypeVar("E")

#: Bounds of a stream and how a caller raises them; see ``with_options``.
_HOW = "raise it with {0}= on the client or with_options({0}=…), or switch it off with None"


class _Progress(Generic[E]):
    """What both colours share: the reader, the watchdogs, and how errors are completed."""

    def __init__(self, reader: EventReader[E], context: Context) -> None:
        self.reader = reader
        self.context = context
        self.closed = False
        stall = context.options.stall_timeout
        self._stall = reader.stall_timeout if isinstance(stall, str) else stall
        self._deadline = context.options.deadline
        self._last_event = context.clock.monotonic()

    def take(self) -> E | None:
        """The next event that is there."""
        if self.reader.ready:
            return self.reader.ready.popleft()
        if self.reader.failure:
            raise self.complete(self.reader.failure)
        return None

    @property
    def over(self) -> bool:
        """Whether nothing is left to hand out and nothing more will come."""
        return not self.reader.ready and self.reader.finished and not self.reader.failure

    def arrived(self, chunk: bytes | None) -> None:
        """Take a chunk; None is the end of the body."""
        if chunk is None:
            if not self.closed:
                self.reader.end()
            return
        self.reader.feed(chunk)
        now = self.context.clock.monotonic()
        if self.reader.ready:
            self._last_event = now
        elif self._stall is not None and now - self._last_event > self._stall:
            raise self._too_long("STALL_TIMEOUT", "stall_timeout", "keepalives, but no event,", self._stall)
        if self._deadline is not None and now - self.context.started > self._deadline:
            raise self._too_long("DEADLINE", "deadline", "the call, and no end of the stream,", self._deadline)

    def failed(self, error: MuxiError) -> MuxiError:
        """What a transport's error in mid-stream is for the caller."""
        if isinstance(error, TimeoutError) and error.bound in ("read", "idle_timeout"):
            bound = self.context.request.timeouts.read if self.context.request else None
            return self._too_long("IDLE_TIMEOUT", "idle_timeout", "silence", bound or 0.0)
        if isinstance(error, ConnectionError):
            interrupted = StreamInterrupted("STREAM_INTERRUPTED", error.message, details=error.details)
            interrupted.__cause__ = error
            return self.complete(interrupted)
        return self.complete(error)

    def complete(self, error: MuxiError) -> MuxiError:
        """The error with all that is known of the call."""
        error.call = error.call or self.context.call.label
        error.attempts = error.attempts or self.context.attempt
        error.partial = error.partial or self.reader.partial
        known = error.partial.get("metadata") or {}
        error.request_id = error.request_id or known.get("request_id") or self.context.request_id
        return error

    def _too_long(self, code: str, bound: str, what: str, seconds: float) -> MuxiError:
        message = f"{what} for more than {bound} = {seconds:g} s; {_HOW.format(bound)}"
        return self.complete(TimeoutError(code, message, bound=bound))


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


class EventStream(Generic[E]):
    """A stream of events that is open: an iterator, a context manager, and for a chat its text and its result.

    ::

        with client.chat_stream({"message": "Hello!"}, user_id="ada") as stream:
            for piece in stream.text():
                print(piece, end="", flush=True)
    """

    def __init__(self, opened: Opened[E]) -> None:
        self._response = opened.response
        self._chunks = opened.response.chunks()
        self._progress = _Progress(opened.reader, opened.context)
        self._on_event = opened.on_event
        self._on_end = opened.on_end
        self._ended = False

    @property
    def headers(self) -> Headers:
        """The headers of the answer."""
        return self._response.headers

    @property
    def status_code(self) -> int:
        """The HTTP status of the answer."""
        return self._response.status

    @property
    def keepalives(self) -> int:
        """How many keepalive comments have come."""
        return self._progress.reader.keepalives

    @property
    def closed(self) -> bool:
        """Whether the stream has ended, or has been closed."""
        return self._ended or self._progress.closed

    def __iter__(self) -> Iterator[E]:
        return self

    def __next__(self) -> E:
        progress = self._progress
        while True:
            try:
                event = progress.take()
                if event is None and not self.closed and not progress.over:
                    progress.arrived(next(self._chunks, None))
                    continue
            except MuxiError as error:
                if progress.closed:
                    raise StopIteration from None
                failure = progress.failed(error) if error is not progress.reader.failure else error
                self._end(failure)
                raise failure from failure.__cause__
            except BaseException as error:
                self._end(error)
                raise
            if progress.over or progress.closed:
                # Before the last event is handed out: a loop that breaks at it leaves nothing open.
                self._end(None)
            if event is None or progress.closed:
                raise StopIteration
            if self._on_event:
                self._on_event(event)
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
        if not self._progress.closed:
            self._result()

    def result(self: EventStream[ChatEvent]) -> ChatMessage:
        """Run to the end and return the final message of a chat.

        Raises:
            TurnFailed: the turn failed, or ended without completing.
            StreamInterrupted: the stream broke, or was closed; ``partial`` has what had arrived.
        """
        for _ in self:
            pass
        return self._result()

    def _result(self: EventStream[ChatEvent]) -> ChatMessage:
        reader = self._progress.reader
        if self._progress.closed and not reader.finished:
            raise self._progress.complete(StreamInterrupted("STREAM_CLOSED", "the stream was closed before its end"))
        try:
            return reader.result()  # type: ignore[return-value]  # a chat's reader returns a chat's message
        except MuxiError as error:
            raise self._progress.complete(error) from None

    def close(self) -> None:
        """End the stream and free its connection at once. From another thread too: the reader's loop ends."""
        if self.closed:
            return
        self._progress.closed = True
        self._response.close()
        self._end(None, left=True)

    def _end(self, error: BaseException | None, *, left: bool = False) -> None:
        if self._ended:
            return
        self._ended = True
        self._response.close()
        self._on_end(error, left)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A loop that was left with the stream in a temporary: the connection must not wait for a collector.
        if hasattr(self, "_ended") and not self._ended:
            self._response.close()

    def __repr__(self) -> str:
        return _shown(self, self._progress.context, self.closed)


@dataclass
class AsyncOpened(Generic[E]):
    """As :class:`Opened`, for async streams."""

    response: AsyncResponse
    reader: EventReader[E]
    context: Context
    on_event: Callable[[E], Awaitable[None]] | None
    on_end: Callable[[BaseException | None, bool], Awaitable[None]]


class AsyncEventStream(Generic[E]):
    """A stream of events on an async client.

    Awaiting it opens it (an error status is raised there) and returns it; iterating over it, or entering it
    with ``async with``, opens it where that has not been done.
    """

    def __init__(self, open_stream: Callable[[], Awaitable[AsyncOpened[E]]]) -> None:
        self._open_stream = open_stream
        self._opened: AsyncOpened[E] | None = None
        self._progress: _Progress[E] | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._ended = False

    def __await__(self) -> Generator[object, None, Self]:
        return self._ensure_open().__await__()

    async def _ensure_open(self) -> Self:
        if self._opened is None:
            self._opened = await self._open_stream()
            self._progress = _Progress(self._opened.reader, self._opened.context)
            self._chunks = self._opened.response.chunks()
        return self

    @property
    def headers(self) -> Headers:
        """The headers of the answer; there are none before the stream is open."""
        return self._opened.response.headers if self._opened else Headers()

    @property
    def status_code(self) -> int:
        """The HTTP status of the answer; 0 before the stream is open."""
        return self._opened.response.status if self._opened else 0

    @property
    def keepalives(self) -> int:
        """How many keepalive comments have come."""
        return self._opened.reader.keepalives if self._opened else 0

    @property
    def closed(self) -> bool:
        """Whether the stream has ended, or has been closed."""
        return self._ended or (self._progress is not None and self._progress.closed)

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        await self._ensure_open()
        progress, opened, chunks = self._progress, self._opened, self._chunks
        if progress is None or opened is None or chunks is None:
            raise StopAsyncIteration
        while True:
            try:
                event = progress.take()
                if event is None and not self.closed and not progress.over:
                    progress.arrived(await anext(chunks, None))
                    continue
            except MuxiError as error:
                if progress.closed:
                    raise StopAsyncIteration from None
                failure = progress.failed(error) if error is not progress.reader.failure else error
                await self._end(failure)
                raise failure from failure.__cause__
            except BaseException as error:
                await self._end(error)
                raise
            if progress.over or progress.closed:
                await self._end(None)
            if event is None or progress.closed:
                raise StopAsyncIteration
            if opened.on_event:
                await opened.on_event(event)
            return event

    async def text(self: AsyncEventStream[ChatEvent]) -> AsyncIterator[str]:
        """As :meth:`EventStream.text`."""
        async for event in self:
            if event["type"] == "text":
                yield event.get("text", "")
        if not (self._progress and self._progress.closed):
            self._result()

    async def result(self: AsyncEventStream[ChatEvent]) -> ChatMessage:
        """As :meth:`EventStream.result`."""
        async for _ in self:
            pass
        return self._result()

    def _result(self: AsyncEventStream[ChatEvent]) -> ChatMessage:
        progress = self._progress
        if progress is None:
            raise StreamInterrupted("STREAM_CLOSED", "the stream was closed before it was opened")
        if progress.closed and not progress.reader.finished:
            raise progress.complete(StreamInterrupted("STREAM_CLOSED", "the stream was closed before its end"))
        try:
            return progress.reader.result()  # type: ignore[return-value]  # a chat's reader returns a chat's message
        except MuxiError as error:
            raise progress.complete(error) from None

    async def close(self) -> None:
        """End the stream and free its connection at once; a task that reads it comes to the end of its loop."""
        if self.closed:
            return
        if self._progress is None:
            self._ended = True
            return
        self._progress.closed = True
        await self._end(None, left=True)

    async def _end(self, error: BaseException | None, *, left: bool = False) -> None:
        if self._ended or self._opened is None:
            return
        self._ended = True
        await self._opened.response.close()
        await self._opened.on_end(error, left)

    async def __aenter__(self) -> Self:
        return await self._ensure_open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return _shown(self, self._progress.context if self._progress else None, self.closed)


def _shown(stream: object, context: Context | None, closed: bool) -> str:
    state = "closed" if closed else "open" if context else "not opened yet"
    return f"<{type(stream).__name__} {context.call.label + ', ' if context else ''}{state}>"
