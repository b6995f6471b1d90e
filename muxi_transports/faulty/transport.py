"""The transports of both colours: each request goes on to another transport, and meets what the plan has for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from muxi.clock import Clock, SystemClock
from muxi.transport import (
    AsyncResponse,
    AsyncTransport,
    Headers,
    Request,
    Response,
    Transport,
    replayed,
    replayed_async,
)
from muxi_transports.around.choice import DEFAULT_TRANSPORT, AsyncChoice, Choice, async_slot, sync_slot
from muxi_transports.around.waiting import AsyncWaiter, Waiter, finished
from muxi_transports.faulty.faults import Ended, Fault
from muxi_transports.faulty.plan import Faults
from muxi_transports.memory.patience import Patience
from muxi_transports.memory.world import Pause

__all__ = ["AsyncFaultyTransport", "FaultyTransport"]


class FaultyTransport(Transport):
    """Sends by another transport, over a network that fails as planned.

    Pauses are kept on the clock of the wrapped transport: over the in-memory world nothing is waited for in earnest.
    They count against the bounds of the request, which end them as they would end a real silence.

    Args:
        transport: what is wrapped: a name, a function that makes a transport, or a transport, which stays the
            giver's to close.
        faults: what goes wrong; without a plan nothing does until :attr:`faults` says so.

    Raises:
        ConfigurationError: the transport is unknown, or an async one.
    """

    def __init__(self, transport: Choice = DEFAULT_TRANSPORT, faults: Faults | None = None) -> None:
        self._slot = sync_slot(transport)
        #: The plan.
        self.faults: Faults = Faults() if faults is None else faults
        self.clock: Clock | None = _SkewedClock(self._slot.get().clock or SystemClock(), self.faults)

    def send(self, request: Request) -> Response:
        """Send, unless what goes wrong is that nothing is sent; see :meth:`muxi.transport.Transport.send`."""
        inner, fault = self._slot.get(), self.faults.choose(request)
        if fault is None:
            return inner.send(request)
        clock = inner.clock or SystemClock()
        waiter = Waiter(clock, Patience(request.timeouts, clock))
        for pause in fault.before(request):
            waiter.wait(pause)
        if (answer := fault.instead(request, clock.time())) is not None:
            return replayed(answer)
        response = inner.send(request)
        try:
            for _ in range(fault.sends - 1):
                response.read()
                response = inner.send(request)
            for pause in fault.answered(request):
                waiter.wait(pause)
        except BaseException:
            response.close()
            raise
        waiter.patience.heard()
        return _FaultyResponse(response, request, fault, waiter)

    def close(self) -> None:
        """Close the wrapped transport, if it was made here."""
        if made := self._slot.take():
            made.close()

    def __repr__(self) -> str:
        return f"FaultyTransport({self._slot.shown}, {self.faults!r})"


class AsyncFaultyTransport(AsyncTransport):
    """As :class:`FaultyTransport`, for async clients.

    Args:
        transport: what is wrapped: a name, a function that makes an async transport, or an async transport.
        faults: what goes wrong.

    Raises:
        ConfigurationError: the transport is unknown, or a sync one.
    """

    def __init__(self, transport: AsyncChoice = DEFAULT_TRANSPORT, faults: Faults | None = None) -> None:
        self._slot = async_slot(transport)
        #: The plan.
        self.faults: Faults = Faults() if faults is None else faults
        self.clock: Clock | None = _SkewedClock(self._slot.get().clock or SystemClock(), self.faults)

    async def send(self, request: Request) -> AsyncResponse:
        """As :meth:`FaultyTransport.send`."""
        inner, fault = self._slot.get(), self.faults.choose(request)
        if fault is None:
            return await inner.send(request)
        clock = inner.clock or SystemClock()
        waiter = AsyncWaiter(clock, Patience(request.timeouts, clock))
        for pause in fault.before(request):
            await waiter.wait(pause)
        if (answer := fault.instead(request, clock.time())) is not None:
            return replayed_async(answer)
        response = await inner.send(request)
        try:
            for _ in range(fault.sends - 1):
                await response.read()
                response = await inner.send(request)
            for pause in fault.answered(request):
                await waiter.wait(pause)
        except BaseException:
            await response.close()
            raise
        waiter.patience.heard()
        return _AsyncFaultyResponse(response, request, fault, waiter)

    async def close(self) -> None:
        """As :meth:`FaultyTransport.close`."""
        if made := self._slot.take():
            await made.close()

    def __repr__(self) -> str:
        return f"AsyncFaultyTransport({self._slot.shown}, {self.faults!r})"


class _FaultyResponse(Response):
    def __init__(self, inner: Response, request: Request, fault: Fault, waiter: Waiter) -> None:
        headers: Headers = fault.head(inner.headers)
        super().__init__(inner.status, headers, reason=inner.reason, http_version=inner.http_version)
        self._inner = inner
        self._shaper = fault.shaper(request)
        self._waiter = waiter

    def chunks(self) -> Iterator[bytes]:
        try:
            self._shaper.begin()
            for piece in self._inner.chunks():
                for shaped in self._shaper.feed(piece):
                    if isinstance(shaped, Pause):
                        self._waiter.wait(shaped)
                        if self._waiter.left.is_set():
                            return
                    elif shaped:
                        self._waiter.patience.heard()
                        yield shaped
        except Ended:
            pass
        finally:
            self._inner.close()

    def close(self) -> None:
        self._waiter.left.set()
        self._inner.close()


class _AsyncFaultyResponse(AsyncResponse):
    def __init__(self, inner: AsyncResponse, request: Request, fault: Fault, waiter: AsyncWaiter) -> None:
        headers: Headers = fault.head(inner.headers)
        super().__init__(inner.status, headers, reason=inner.reason, http_version=inner.http_version)
        self._inner = inner
        self._shaper = fault.shaper(request)
        self._waiter = waiter
        self._closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        pieces = self._inner.chunks()
        try:
            self._shaper.begin()
            async for piece in pieces:
                for shaped in self._shaper.feed(piece):
                    if isinstance(shaped, Pause):
                        await self._waiter.wait(shaped)
                        if self._closed:
                            return
                    elif shaped:
                        self._waiter.patience.heard()
                        yield shaped
        except Ended:
            pass
        finally:
            await finished(pieces)
            await self._inner.close()

    async def close(self) -> None:
        self._closed = True
        self._waiter.leave()
        await self._inner.close()


class _SkewedClock(Clock):
    """The client's clock where it differs from the platform's. Durations are the same by both."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults

    def time(self) -> float:
        return self._clock.time() + self._faults.skew

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        await self._clock.sleep_async(seconds)
