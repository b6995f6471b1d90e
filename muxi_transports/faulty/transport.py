"""The transports of both colours: each request goes on to another transport, and meets what the plan has for it."""

from __future__ import annotations

from typing import TypeVar

from muxi.clock import Clock, SystemClock
from muxi.transport import (
    AsyncSteppedTransport,
    AsyncTransport,
    BodySteps,
    Forward,
    NextChunk,
    ReadBody,
    Request,
    SendSteps,
    SteppedResponse,
    SteppedTransport,
    Transport,
)
from muxi.transport.arguments import check_arguments
from muxi_transports.around.choice import DEFAULT_TRANSPORT, Choice, Wrapping
from muxi_transports.around.pause import Pause
from muxi_transports.around.waiting import Waiter
from muxi_transports.faulty.faults import Ended, Shaper
from muxi_transports.faulty.plan import Faults

__all__ = ["AsyncFaultyTransport", "Faulty", "FaultyTransport"]

T = TypeVar("T", bound=Transport | AsyncTransport)


@check_arguments()
class Faulty(Wrapping[T]):
    """Sends by another transport, over a network that fails as planned.

    Pauses pass on the clock of the wrapped transport: over the in-memory world they take no real time. They count
    against the bounds of the request, which end them as they would end a real silence.

    Args:
        transport: what is wrapped: a name, a function that makes a transport, or a transport, which stays the
            giver's to close.
        faults: what goes wrong; without a plan nothing does until :attr:`faults` says so.

    Raises:
        ConfigurationError: the transport is unknown, or of the other colour.
    """

    def __init__(self, transport: Choice[T] = DEFAULT_TRANSPORT, faults: Faults | None = None) -> None:
        self._slot = self.slot(transport)
        #: The plan.
        self.faults: Faults = Faults() if faults is None else faults
        self.clock: Clock | None = _SkewedClock(self._slot.get().clock or SystemClock(), self.faults)

    def steps(self, request: Request) -> SendSteps:
        """Send, unless what goes wrong is that nothing is sent; see :meth:`muxi.transport.Transport.send`."""
        inner, fault = self._slot.get(), self.faults.choose(request)
        if fault is None:
            return (yield from Forward(inner, request))
        waiter = Waiter(request.timeouts, inner.clock or SystemClock())
        yield from waiter.keep_all(fault.before(request))
        if (answer := fault.instead(request, waiter.clock.time())) is not None:
            return answer
        response = yield from Forward(inner, request)
        for _ in range(fault.sends - 1):
            yield from ReadBody(response)
            response = yield from Forward(inner, request)
        yield from waiter.keep_all(fault.answered(request))
        waiter.patience.heard()
        body = _shape(fault.shaper(request), waiter)
        return SteppedResponse.around(response, body, headers=fault.head(response.headers))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._slot.shown}, {self.faults!r})"


class FaultyTransport(Faulty[Transport], SteppedTransport):
    """:class:`Faulty` for sync clients, around a sync transport."""


class AsyncFaultyTransport(Faulty[AsyncTransport], AsyncSteppedTransport):
    """:class:`Faulty` for async clients, around an async transport."""


def _shape(shaper: Shaper, waiter: Waiter) -> BodySteps:
    """The body that the reader gets, with the pauses in it."""
    try:
        shaper.begin()
        while (piece := (yield from NextChunk())) is not None:
            for shaped in shaper.feed(piece):
                if isinstance(shaped, Pause):
                    yield from waiter.keep(shaped)
                elif shaped:
                    waiter.patience.heard()
                    yield shaped
    except Ended:
        return


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
