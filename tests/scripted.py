"""Transports that follow a script, and one face for the streams of both colours, so that a scenario is written once."""

from __future__ import annotations

import asyncio
import gc
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

from muxi import AsyncFormationClient, FormationClient
from muxi.call import Call
from muxi.streaming.streams import AsyncEventStream, EventStream
from muxi.transport import AsyncResponse, AsyncTransport, Headers, Request, Response, Transport
from muxi.types.chat import ChatMessage

T = TypeVar("T")

#: Longer than anything takes, in seconds; what exceeds it has failed.
PATIENCE = 10.0

#: A step of a script: the reader waits until the response is closed.
HOLD = "hold"

#: Bytes arrive; an exception is raised; a function is called; :data:`HOLD`.
Step = bytes | BaseException | Callable[[], None] | str

Event = Mapping[str, Any]


class Script:
    """What a server does, and what it has seen.

    Args:
        steps: the body of the answer to anything but a ``DELETE``.
        deleted: the status that a ``DELETE`` is answered with, or the error of trying.
        torn: what a reader who waits at a :data:`HOLD` gets when the response is closed; by default the end.
    """

    def __init__(
        self,
        *steps: Step,
        status: int = 200,
        content_type: str = "text/event-stream; charset=utf-8",
        deleted: int | BaseException = 200,
        torn: BaseException | None = None,
    ) -> None:
        self.steps = steps
        self.status = status
        self.content_type = content_type
        self.deleted = deleted
        self.torn = torn
        self.requests: list[Request] = []
        #: How often a connection was freed.
        self.freed = 0
        #: Set once a reader waits at a :data:`HOLD`.
        self.held = threading.Event()

    @property
    def sent(self) -> list[str]:
        """The requests, as method and path."""
        return [f"{request.method} {request.path}" for request in self.requests]

    async def until_held(self) -> None:
        """Return once a reader waits at a :data:`HOLD`."""
        await asyncio.to_thread(self.held.wait, PATIENCE)

    def answer(self, request: Request) -> tuple[int, Headers, tuple[Step, ...]]:
        self.requests.append(request)
        if request.method != "DELETE":
            return self.status, Headers({"Content-Type": self.content_type}), self.steps
        if isinstance(self.deleted, BaseException):
            raise self.deleted
        return self.deleted, Headers({"Content-Type": "application/json"}), (b'{"success": true, "data": {}}',)


class ScriptedTransport(Transport):
    def __init__(self, script: Script) -> None:
        self.script = script

    def send(self, request: Request) -> Response:
        return _ScriptedResponse(self.script, *self.script.answer(request))


class _ScriptedResponse(Response):
    def __init__(self, script: Script, status: int, headers: Headers, steps: tuple[Step, ...]) -> None:
        super().__init__(status, headers)
        self._script = script
        self._steps = steps
        self._closed = threading.Event()

    def chunks(self) -> Iterator[bytes]:
        for step in self._steps:
            if step == HOLD:
                self._script.held.set()
                assert self._closed.wait(PATIENCE)
                _perform(self._script.torn)
            if self._closed.is_set():
                return
            if isinstance(step, bytes):
                yield step
            else:
                _perform(step)

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._script.freed += 1

    def __del__(self) -> None:
        if not self._closed.is_set():
            self._script.freed += 1


class ScriptedAsyncTransport(AsyncTransport):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def send(self, request: Request) -> AsyncResponse:
        return _ScriptedAsyncResponse(self.script, *self.script.answer(request))


class _ScriptedAsyncResponse(AsyncResponse):
    def __init__(self, script: Script, status: int, headers: Headers, steps: tuple[Step, ...]) -> None:
        super().__init__(status, headers)
        self._script = script
        self._steps = steps
        self._closed = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if step == HOLD:
                self._script.held.set()
                await asyncio.wait_for(self._closed.wait(), PATIENCE)
                _perform(self._script.torn)
            if self._closed.is_set():
                return
            if isinstance(step, bytes):
                yield step
            else:
                _perform(step)

    async def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._script.freed += 1
            await asyncio.sleep(0)


def _perform(step: Step | None) -> None:
    if isinstance(step, BaseException):
        raise step
    if callable(step):
        step()


class Held(ABC):
    """An open stream, of either colour."""

    @property
    @abstractmethod
    def stream(self) -> EventStream[Any] | AsyncEventStream[Any]: ...

    @abstractmethod
    def next(self) -> Event:
        """The next event.

        Raises:
            StopIteration: there is none.
        """

    @abstractmethod
    def text(self) -> Iterator[str]: ...

    @abstractmethod
    def result(self) -> ChatMessage: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def leave_with(self, error: BaseException | None = None) -> None:
        """Enter the stream as a context manager and leave it, with an error from its body if there is one."""

    @abstractmethod
    def drop(self) -> None:
        """Let go of the stream, and let nothing but the count of references find that out."""

    def events(self) -> list[Event]:
        """All that are left."""
        return list(self.each())

    def each(self) -> Iterator[Event]:
        while True:
            try:
                event = self.next()
            except StopIteration:
                return
            yield event


class Side(ABC):
    """Clients and streams of one colour."""

    @abstractmethod
    def open(self, script: Script, call: Call[Any] | None = None, **settings: Any) -> Held:
        """Open a stream over a script: a chat's, unless another call is given."""


class SyncSide(Side):
    def open(self, script: Script, call: Call[Any] | None = None, **settings: Any) -> Held:
        client = FormationClient(transport=ScriptedTransport(script), **_addressed(settings))
        return _HeldSync(client.chat_stream("hi", user_id="ada") if call is None else client.send(call), client)


class _HeldSync(Held):
    def __init__(self, stream: EventStream[Any], client: FormationClient) -> None:
        self._streams = [stream]
        self._client = client

    @property
    def stream(self) -> EventStream[Any]:
        return self._streams[0]

    def next(self) -> Event:
        event: Event = next(self.stream)
        return event

    def text(self) -> Iterator[str]:
        return self.stream.text()

    def result(self) -> ChatMessage:
        message: ChatMessage = self.stream.result()
        return message

    def close(self) -> None:
        self.stream.close()

    def leave_with(self, error: BaseException | None = None) -> None:
        with self.stream:
            if error:
                raise error

    def drop(self) -> None:
        with uncollected():
            self._streams.clear()
        # A finalizer calls no hooks: they are called by the next call of the client, or when it is closed.
        self._client.close()


class AsyncSide(Side):
    """Async streams, each step of which is one run of a loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    def open(self, script: Script, call: Call[Any] | None = None, **settings: Any) -> Held:
        async def opened() -> AsyncEventStream[Any]:
            client = AsyncFormationClient(transport=ScriptedAsyncTransport(script), **_addressed(settings))
            if call is not None:
                stream: AsyncEventStream[Any] = await client.send(call)
                return stream
            return await client.chat_stream("hi", user_id="ada")

        return _HeldAsync(self, self.run(opened()))

    def end(self) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.loop.close()


class _HeldAsync(Held):
    def __init__(self, side: AsyncSide, stream: AsyncEventStream[Any]) -> None:
        self._side = side
        self._streams = [stream]

    @property
    def stream(self) -> AsyncEventStream[Any]:
        return self._streams[0]

    def next(self) -> Event:
        event: Event | None = self._side.run(_anext(self.stream))
        if event is None:
            raise StopIteration
        return event

    def text(self) -> Iterator[str]:
        pieces = self.stream.text()
        while (piece := self._side.run(_anext(pieces))) is not None:
            yield piece

    def result(self) -> ChatMessage:
        return self._side.run(self.stream.result())

    def close(self) -> None:
        self._side.run(self.stream.close())

    def leave_with(self, error: BaseException | None = None) -> None:
        async def leave() -> None:
            async with self.stream:
                if error:
                    raise error

        self._side.run(leave())

    def drop(self) -> None:
        with uncollected():
            self._streams.clear()
            for _ in range(5):
                self._side.run(asyncio.sleep(0))


async def _anext(events: AsyncIterator[T]) -> T | None:
    return await anext(events, None)


class uncollected:  # noqa: N801  used as a context manager
    """No garbage collector meanwhile."""

    def __enter__(self) -> None:
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()


def _addressed(settings: dict[str, Any]) -> dict[str, Any]:
    if "server_url" not in settings:
        settings.setdefault("url", "http://localhost:8001")
    settings.setdefault("client_key", "fmc_test")
    return settings
