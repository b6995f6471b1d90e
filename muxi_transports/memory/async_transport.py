"""The in-memory transport for async clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine

from muxi.clock import Clock
from muxi.transport import AsyncResponse, AsyncTransport, Request
from muxi_transports.memory.patience import Patience
from muxi_transports.memory.stubs import StubbedWorld, Stubbing
from muxi_transports.memory.transport import answer_headers, as_stream, stubbed_world_for
from muxi_transports.memory.world import Answer, Idle, Pause, World

__all__ = ["AsyncMemoryResponse", "AsyncMemoryTransport"]


class AsyncMemoryTransport(Stubbing, AsyncTransport):
    """Answers requests out of an embedded world. As :class:`~muxi_transports.memory.MemoryTransport`.

    The world's own steps run in the event loop: an agent function that blocks, blocks the loop.
    """

    def __init__(self, world: World | None = None, *, clock: Clock | None = None, strict: bool = False) -> None:
        #: The world with what is stubbed over it; give it to another transport to share it.
        self.stubbed: StubbedWorld = stubbed_world_for(world, clock, strict=strict)
        self.world: World = self.stubbed.world
        self.clock: Clock | None = self.world.clock
        self._ledger = self.stubbed.ledger

    async def send(self, request: Request) -> AsyncResponse:
        clock = self.world.clock
        patience = Patience(request.timeouts, clock)
        exchange = self.stubbed.respond(request)
        await asyncio.sleep(0)
        try:
            while True:
                wait = patience.wait(next(exchange).seconds)
                await clock.sleep_async(wait.seconds)
                if wait.error:
                    raise wait.error
        except StopIteration as end:
            answer: Answer = end.value
        finally:
            exchange.close()
        patience.heard()
        return AsyncMemoryResponse(request, answer, clock, patience)

    def __repr__(self) -> str:
        return f"AsyncMemoryTransport({self.world!r})"


class AsyncMemoryResponse(AsyncResponse):
    """An answer out of an embedded world; a stream is made while it is read, piece by piece."""

    def __init__(self, request: Request, answer: Answer, clock: Clock, patience: Patience) -> None:
        super().__init__(answer.status, answer_headers(answer), reason=answer.reason)
        self._body = as_stream(request, answer)
        self._clock = clock
        self._patience = patience
        self._closed = False
        self._sleeper: asyncio.Task[None] | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._closed and (piece := next(self._body, None)) is not None:
            if isinstance(piece, Pause):
                await self._wait(piece.seconds)
            elif isinstance(piece, Idle):
                await self._idle(piece)
            elif piece:
                self._patience.heard()
                yield piece
                await asyncio.sleep(0)

    async def _wait(self, seconds: float) -> None:
        wait = self._patience.wait(seconds)
        await self._rest(_sleep(self._clock, wait.seconds))
        if wait.error and not self._closed:
            await self.close()
            raise wait.error

    async def _idle(self, idle: Idle) -> None:
        """Wait for something to happen; a bound is waited for on the world's clock, as everywhere."""
        wait = self._patience.wait(float("inf"))
        bound = None if wait.error is None else asyncio.ensure_future(_sleep(self._clock, wait.seconds))
        try:
            await self._rest(_either(idle, bound))
        finally:
            if bound is not None:
                bound.cancel()
        if wait.error and not idle.signal.is_set and not self._closed:
            await self.close()
            raise wait.error

    async def _rest(self, waiting: Coroutine[object, object, None]) -> None:
        self._sleeper = asyncio.ensure_future(waiting)
        try:
            await self._sleeper
        except asyncio.CancelledError:
            # Either another task closed this response, which ends the reading, or the reader was cancelled.
            if not self._closed:
                raise
        finally:
            self._sleeper = None

    async def close(self) -> None:
        self._closed = True
        self._body.close()
        if self._sleeper is not None:
            self._sleeper.cancel()


async def _sleep(clock: Clock, seconds: float) -> None:
    await clock.sleep_async(seconds)


async def _either(idle: Idle, bound: asyncio.Task[None] | None) -> None:
    happening = asyncio.ensure_future(idle.signal.wait_async())
    try:
        await asyncio.wait({happening} if bound is None else {happening, bound}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        happening.cancel()
