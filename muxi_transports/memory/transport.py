"""The in-memory transports: requests are answered by an embedded world, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import TypeVar

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.transport import (
    AsyncSteppedTransport,
    AsyncTransport,
    BodySteps,
    Request,
    SendSteps,
    Step,
    Stepped,
    SteppedResponse,
    SteppedTransport,
    Transport,
)
from muxi.transport.arguments import check_arguments
from muxi_transports.around.pause import Pause
from muxi_transports.around.waiting import Waiter
from muxi_transports.memory.sandbox import Sandbox
from muxi_transports.memory.signal import Signal
from muxi_transports.memory.stubs import StubbedWorld, Stubbing
from muxi_transports.memory.world import Answer, AnswerStream, Idle, World

__all__ = ["DEFAULTS", "AsyncMemoryTransport", "MemoryTransport", "WorldTransport", "answer_headers", "as_stream"]

#: Settings of clients that are given none. A world that has no keys of its own accepts any.
DEFAULTS: Mapping[str, str] = {
    "url": "http://memory",
    "client_key": "fmc_memory",
    "admin_key": "fma_memory",
    "key_id": "muxi_pk_memory",
    "secret_key": "muxi_sk_memory",
}

T = TypeVar("T", bound=Transport | AsyncTransport)


@check_arguments()
class WorldTransport(Stubbing, Stepped[T]):
    """Answers requests out of an embedded world. Every origin is accepted.

    No time passes but on the world's clock: a timeout moves it by what it bounds and raises. Single routes can be
    stubbed, and requests are remembered.

    Args:
        world: an :class:`~muxi_transports.memory.EmbeddedFormation` or
            :class:`~muxi_transports.memory.EmbeddedServer`. Without one the transport has a
            :class:`~muxi_transports.memory.Sandbox` of its own: an echo formation behind every address
            and every formation id, open to any key. A :class:`~muxi_transports.memory.StubbedWorld` is shared, with
            its stubs and requests, by the transports that are given it.
        clock: the time of the sandbox, where no world is given.
        strict: whether requests are refused that no stub is for (:meth:`stub_only`).

    Raises:
        ConfigurationError: a world and a clock that is not the world's were given.
    """

    @property
    def private(self) -> bool:
        """True: requests stay in this process."""
        return True

    @property
    def defaults(self) -> Mapping[str, str]:
        """An address and keys that the world accepts, for clients that are given none."""
        return {**DEFAULTS, **self.stubbed.credentials}

    def __init__(self, world: World | None = None, *, clock: Clock | None = None, strict: bool = False) -> None:
        #: The world with what is stubbed over it; give it to another transport to share it.
        self.stubbed: StubbedWorld = _stub_world(world, clock, strict=strict)
        self.world: World = self.stubbed.world
        self.clock: Clock | None = self.world.clock
        self._ledger = self.stubbed.ledger

    def steps(self, request: Request) -> SendSteps:
        """Have the world answer; see :meth:`muxi.transport.Transport.send`."""
        waiter = Waiter(request.timeouts, self.world.clock)
        with closing(self.stubbed.respond(request)) as exchange:
            yield from _LetOthersRun()
            try:
                while True:
                    yield from waiter.keep(next(exchange))
            except StopIteration as end:
                answer: Answer = end.value
        waiter.patience.heard()
        body = _read_stream(as_stream(request, answer), waiter)
        next(body)
        return SteppedResponse(answer.status, answer_headers(answer), body, reason=answer.reason)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.world!r})"


class MemoryTransport(WorldTransport[Transport], SteppedTransport):
    """:class:`WorldTransport` for sync clients."""


class AsyncMemoryTransport(WorldTransport[AsyncTransport], AsyncSteppedTransport):
    """:class:`WorldTransport` for async clients.

    The steps of the world run in the event loop: an agent function that blocks, blocks the loop.
    """


def _read_stream(stream: AnswerStream, waiter: Waiter) -> BodySteps:
    """The body of an answer as the reader gets it: made while it is read, with the waits of the world.

    The first piece is empty and for the caller: a generator that has not begun is closed without closing the stream.
    """
    with closing(stream):
        yield b""
        for piece in stream:
            if isinstance(piece, Pause):
                yield from waiter.keep(piece)
            elif isinstance(piece, Idle):
                yield from _AwaitSignal(piece.signal, waiter)
            elif piece:
                waiter.patience.heard()
                yield piece
                yield from _LetOthersRun()


class _LetOthersRun(Step[None]):
    """Let other tasks of the event loop run, where the world itself does not wait."""

    def do(self) -> None:
        return

    async def do_async(self) -> None:
        await asyncio.sleep(0)


class _AwaitSignal(Step[None]):
    """Wait for a signal. A bound of the request is waited for on the world's clock, as everywhere."""

    def __init__(self, signal: Signal, waiter: Waiter) -> None:
        self._signal = signal
        self._waiter = waiter
        self._interrupted = False
        self._task: asyncio.Future[None] | None = None

    def do(self) -> None:
        clock = self._waiter.clock
        wait = self._waiter.patience.wait(float("inf"))
        if not self._interrupted:
            if isinstance(clock, SystemClock) or wait.error is None:
                self._signal.wait(None if wait.error is None else wait.seconds)
            elif not self._signal.is_set:
                clock.sleep(wait.seconds)
        if wait.error and not self._signal.is_set and not self._interrupted:
            raise wait.error

    async def do_async(self) -> None:
        wait = self._waiter.patience.wait(float("inf"))
        if self._interrupted:
            return
        happening = self._task = asyncio.ensure_future(self._signal.wait_async())
        waiting: set[asyncio.Future[None]] = {happening}
        if wait.error is not None:
            waiting.add(asyncio.ensure_future(_sleep(self._waiter.clock, wait.seconds)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._task = None
            for one in waiting:
                one.cancel()
        if wait.error and not self._signal.is_set and not self._interrupted:
            raise wait.error

    def interrupt(self) -> None:
        self._interrupted = True
        if self._task is not None:
            self._task.cancel()
        else:
            self._signal.set()


async def _sleep(clock: Clock, seconds: float) -> None:
    await clock.sleep_async(seconds)


def _stub_world(world: World | None, clock: Clock | None, *, strict: bool) -> StubbedWorld:
    """The world that was given, or a new sandbox, with room for stubs over it."""
    if world is None:
        return StubbedWorld(Sandbox(clock=clock), strict=strict)
    if clock is not None and clock is not world.clock:
        raise ConfigurationError("a world brings its own clock; give the clock to the world, not to its transport")
    if not isinstance(world, StubbedWorld):
        return StubbedWorld(world, strict=strict)
    if strict:
        world.stub_only()
    return world


def as_stream(request: Request, answer: Answer) -> AnswerStream:
    """The body of an answer as a stream; nothing for HEAD."""
    if isinstance(answer.body, bytes):
        return _once(b"" if request.method == "HEAD" else answer.body)
    if request.method == "HEAD":
        answer.body.close()
        return _once(b"")
    return answer.body


def answer_headers(answer: Answer) -> list[tuple[str, str]]:
    """The headers as they would arrive: a stream has no length and comes in chunks."""
    if isinstance(answer.body, bytes):
        return answer.headers
    return [*answer.headers, ("Transfer-Encoding", "chunked")]


def _once(content: bytes) -> Generator[bytes | Pause, None, None]:
    yield content
