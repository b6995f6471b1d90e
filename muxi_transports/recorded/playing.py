"""Answers that were recorded, played as they came or at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from muxi.clock import Clock
from muxi.transport import AsyncResponse, Response, Timeouts
from muxi_transports.around.waiting import AsyncWaiter, Waiter
from muxi_transports.memory.patience import Patience
from muxi_transports.memory.world import Pause
from muxi_transports.recorded.cassette import Cassette
from muxi_transports.recorded.errors import CassetteError
from muxi_transports.recorded.exchange import Exchange, RecordedResponse

__all__ = ["AsyncPlayedResponse", "Playback", "PlayedResponse"]


class Playback:
    """One exchange that is played, step by step: what comes, and the pause before it.

    Args:
        exchange: the exchange.
        cassette: where it is from.
        speed: how fast; 0 is at once.
        timeouts: the bounds of the request, which are kept where there are pauses.
        clock: the clock of the pauses.
    """

    def __init__(self, exchange: Exchange, cassette: Cassette, speed: float, timeouts: Timeouts, clock: Clock) -> None:
        self.exchange: Exchange = exchange
        self.clock: Clock = clock
        self.patience: Patience = Patience(timeouts, clock)
        self._cassette = cassette
        self._speed = speed
        self._began = clock.monotonic()

    def head(self) -> Iterator[Pause]:
        """The pause before the head of the answer.

        Raises:
            MuxiError: what came in its place.
        """
        if self.exchange.error is not None:
            yield from self._until(self.exchange.error.at)
            raise self.exchange.error.made()
        yield from self._until(self.response.at)
        self.patience.heard()

    @property
    def response(self) -> RecordedResponse:
        """The answer, where there is one."""
        assert self.exchange.response is not None  # noqa: S101  told to the type checker: else there is an error
        return self.exchange.response

    def body(self) -> Iterator[Pause | bytes]:
        """The pieces of the body, and the pauses before each of them and before its end.

        Raises:
            MuxiError: what it broke off with.
            CassetteError: it was not read any further when it was recorded.
        """
        response = self.response
        for chunk in response.chunks:
            yield from self._until(chunk.at)
            self.patience.heard()
            yield chunk.content
        if response.error is not None:
            yield from self._until(response.error.at)
            raise response.error.made()
        if response.closed is not None:
            request = self.exchange.request
            raise CassetteError(
                f"{self._cassette.path}: when {request.method} {request.url} was recorded, the reader left here, and "
                "nobody knows what would have come; read no further, or record it anew and read on"
            )
        if response.ended is not None:
            yield from self._until(response.ended)

    def _until(self, at: float) -> Iterator[Pause]:
        """The pause before what came so many seconds after the request, unless it is due."""
        if self._speed:
            seconds = at / self._speed - (self.clock.monotonic() - self._began)
            if seconds > 0:
                yield Pause(seconds)


class PlayedResponse(Response):
    """An answer out of a cassette."""

    def __init__(self, playback: Playback, waiter: Waiter) -> None:
        head = playback.response
        super().__init__(head.status, head.headers.copy(), reason=head.reason, http_version=head.http_version)
        self._steps = playback.body()
        self._waiter = waiter

    @classmethod
    def play(cls, playback: Playback) -> PlayedResponse:
        """Play an answer as far as its head.

        Raises:
            MuxiError: what was recorded in place of an answer.
            TimeoutError: a bound of the request passed.
        """
        waiter = Waiter(playback.clock, playback.patience)
        for pause in playback.head():
            waiter.wait(pause)
        return cls(playback, waiter)

    def chunks(self) -> Iterator[bytes]:
        while not self._waiter.left.is_set() and (step := next(self._steps, None)) is not None:
            if isinstance(step, Pause):
                self._waiter.wait(step)
            else:
                yield step

    def close(self) -> None:
        self._waiter.left.set()


class AsyncPlayedResponse(AsyncResponse):
    """As :class:`PlayedResponse`, for async clients."""

    def __init__(self, playback: Playback, waiter: AsyncWaiter) -> None:
        head = playback.response
        super().__init__(head.status, head.headers.copy(), reason=head.reason, http_version=head.http_version)
        self._steps = playback.body()
        self._waiter = waiter

    @classmethod
    async def play(cls, playback: Playback) -> AsyncPlayedResponse:
        """As :meth:`PlayedResponse.play`."""
        waiter = AsyncWaiter(playback.clock, playback.patience)
        for pause in playback.head():
            await waiter.wait(pause)
        return cls(playback, waiter)

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._waiter.has_left and (step := next(self._steps, None)) is not None:
            if isinstance(step, Pause):
                await self._waiter.wait(step)
            else:
                yield step

    async def close(self) -> None:
        self._waiter.leave()
