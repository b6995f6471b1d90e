"""Event streams as callers hold them: open, iterate, close; in both colours.

What the frames mean is read in :mod:`muxi.streaming.chat`, how far a stream has been read and how it ends in
:mod:`muxi.streaming.progress`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from muxi.errors import ConnectionError, MuxiError, StreamInterrupted
from muxi.streaming.progress import AsyncOpened, Opened
from muxi.transport import Headers
from muxi.transport.causes import seal
from muxi.types.chat import ChatEvent, ChatMessage

if TYPE_CHECKING:
    import asyncio

    from typing_extensions import Self

    from muxi.types.deployments import DeploymentEvent, DeploymentResult

__all__ = ["AsyncEventStream", "EventStream"]

E = TypeVar("E")


class _Stream(ABC, Generic[E]):
    """The properties of a stream of either colour."""

    @abstractmethod
    def _find_open(self) -> Opened[E] | AsyncOpened[E] | None:
        """Return the open stream, or None before it is opened."""

    @property
    def headers(self) -> Headers:
        """The headers of the answer; there are none before an async stream is open."""
        opened = self._find_open()
        return opened.response.headers if opened else Headers()

    @property
    def status_code(self) -> int:
        """The HTTP status of the answer; 0 before an async stream is open."""
        opened = self._find_open()
        return opened.response.status if opened else 0

    @property
    def keepalives(self) -> int:
        """Number of keepalive comments received."""
        opened = self._find_open()
        return opened.reader.keepalives if opened else 0

    @property
    def closed(self) -> bool:
        """True if the stream has ended, or has been closed."""
        opened = self._find_open()
        return opened is not None and opened.progress.ended

    def __repr__(self) -> str:
        opened = self._find_open()
        label = f"{opened.context.call.label}, " if opened else ""
        state = "closed" if self.closed else "open" if opened else "not opened yet"
        return f"<{type(self).__name__} {label}{state}>"


class EventStream(_Stream[E]):
    """A stream of events that is open: an iterator, a context manager, and for a chat its text and its result.

    ``with`` and :meth:`close` free the connection at once; a loop that is left in the middle frees it when the
    stream object is garbage-collected. ::

        with client.chat_stream({"message": "Hello!"}, user_id="ada") as stream:
            for piece in stream.text():
                print(piece, end="", flush=True)
    """

    def __init__(self, opened: Opened[E]) -> None:
        self._opened = opened
        self._reading = threading.Lock()

    def _find_open(self) -> Opened[E]:
        return self._opened

    def __iter__(self) -> Iterator[E]:
        return self

    def __next__(self) -> E:
        if not self._reading.acquire(blocking=False):
            raise _in_use("thread")
        try:
            return self._next()
        finally:
            self._reading.release()

    def _next(self) -> E:
        opened = self._opened
        progress = opened.progress
        ready = progress.reader.ready
        if progress.is_of_parent:
            raise _of_parent()
        try:
            if len(ready) > 1 and not progress.left and opened.on_event is None:
                return ready.popleft()  # most of what comes in batches
            if not ready:
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
            seal(failure)
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
        """Read to the end and return the result: the final message of a chat, or the deployed formation.

        Raises:
            TurnFailed: the turn failed, or ended without completing.
            StreamInterrupted: the stream broke, or was closed; ``partial`` has what had arrived.
            MuxiError: the deployment failed; see :mod:`muxi.streaming.deployments`.
        """
        for _ in self:
            pass
        return self._opened.progress.result()

    def show(self: EventStream[ChatEvent]) -> ChatMessage:
        """Show the answer of a chat as it is made, as Markdown in a notebook, and return the final message.

        Elsewhere it is printed. An interrupt closes the stream. In a notebook a stream that is the last value of a
        cell shows itself.

        Raises:
            TurnFailed: as :meth:`text`; what had arrived stays on the screen.
            StreamInterrupted: likewise.
        """
        from muxi.rendering import find_screen  # here, because most programs show nothing

        screen = find_screen()
        with self:
            try:
                for piece in self.text():
                    screen.add(piece)
            finally:
                screen.end()
            return self.result()

    def _ipython_display_(self: EventStream[Any]) -> None:
        """Show a chat that is the last value of a cell; of other streams, and of one that has ended, show the repr."""
        if self.closed or getattr(self._opened.context.call, "events", None) != "chat":
            print(repr(self))
        else:
            self.show()

    def close(self) -> None:
        """End the stream and free its connection at once. From another thread too: the reader's loop ends.

        A turn that is left before its end is cancelled (see ``cancel_on_close``).
        """
        if self.closed:
            return
        opened = self._opened
        opened.progress.left = True
        opened.response.close()
        if opened.progress.is_of_parent:
            opened.progress.claim_end()  # no hook, and no cancel: the turn goes on in the parent
        else:
            opened.end(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A collector may run anywhere, also where this thread holds a lock. So nothing that takes one is called from
        # here: the response, dropped with this object, closes its socket, and the client calls the hooks later.
        opened: Opened[E] | None = getattr(self, "_opened", None)
        if opened is not None and opened.progress.claim_end():
            opened.on_drop()


class AsyncEventStream(_Stream[E]):
    """A stream of events on an async client.

    Awaiting it opens it (an error status is raised there) and returns it; iterating over it, or entering it
    with ``async with``, opens it where that has not been done. It is opened once: after a failure make the
    call again.
    """

    def __init__(self, open_stream: Callable[[], Awaitable[AsyncOpened[E]]]) -> None:
        self._open_stream: Callable[[], Awaitable[AsyncOpened[E]]] | None = open_stream
        self._opened: AsyncOpened[E] | None = None
        #: The loop that it was opened in; set with ``_opened``.
        self._loop: asyncio.AbstractEventLoop
        #: Whether it was closed before it was open.
        self._shut = False
        self._reading = False

    def _find_open(self) -> AsyncOpened[E] | None:
        return self._opened

    def __await__(self) -> Generator[object, None, Self]:
        return self.__aenter__().__await__()

    async def _open(self) -> AsyncOpened[E]:
        """Return the open stream; open it if that has not been tried."""
        if self._opened is None:
            if self._open_stream is None:
                raise _not_open()
            import asyncio  # here, because a sync program need not load it

            open_stream, self._open_stream = self._open_stream, None
            self._opened = await open_stream()  # which refuses to run below other loops than asyncio's
            self._loop = asyncio.get_running_loop()
            if self._shut:
                await self.close()
        return self._opened

    @property
    def closed(self) -> bool:
        """True if the stream has ended, or has been closed."""
        return super().closed or self._shut

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        if self._reading:
            raise _in_use("task")
        self._reading = True
        try:
            return await self._next()
        finally:
            self._reading = False

    async def _next(self) -> E:
        if self._shut:
            raise StopAsyncIteration
        opened = self._opened or await self._open()
        progress = opened.progress
        if progress.is_of_parent:
            raise _of_parent()
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
            seal(failure)
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

    async def show(self: AsyncEventStream[ChatEvent]) -> ChatMessage:
        """As :meth:`EventStream.show`: ``message = await formation.chat_stream("Hello!").show()``."""
        from muxi.rendering import find_screen  # as above

        screen = find_screen()
        async with self:
            try:
                async for piece in self.text():
                    screen.add(piece)
            finally:
                screen.end()
            return await self.result()

    async def close(self) -> None:
        """End the stream and free its connection at once; a task that reads it comes to the end of its loop."""
        if self._opened is None:
            self._shut = True
            self._open_stream = None
        elif self._opened.progress.is_of_parent:
            # The event loop is the parent's too, and watches its connections: nothing is touched.
            self._opened.progress.claim_end()
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
        opened: AsyncOpened[E] | None = getattr(self, "_opened", None)
        if opened is not None and not opened.progress.ended:
            with suppress(RuntimeError):  # the loop is closed, and its connections with it
                self._loop.call_soon_threadsafe(_abandon, self._loop, opened)


def _abandon(loop: asyncio.AbstractEventLoop, opened: AsyncOpened[Any]) -> None:
    """End a stream whose object is gone."""

    def try_again(task: asyncio.Task[None]) -> None:
        # Where the program ends, asyncio.run() cancels this task too, even before it has begun.
        if not opened.progress.ended:
            _abandon(loop, opened)

    loop.create_task(opened.end(None)).add_done_callback(try_again)


def _in_use(reader: str) -> MuxiError:
    return MuxiError(
        "STREAM_IN_USE",
        f"another {reader} is reading this stream, which has one reader at a time; read it there, or pass events on by "
        "a queue",
    )


def _of_parent() -> ConnectionError:
    return ConnectionError(
        "CONNECTION_LOST",
        "this process was forked while the stream was open, and the parent goes on reading it; make the call again in "
        "this process",
    )


def _not_open() -> StreamInterrupted:
    return StreamInterrupted(
        "STREAM_CLOSED", "the stream is not open: it was closed, or opening it has failed or is going on elsewhere"
    )
