"""Answers that were recorded, played as they came or at once."""

from __future__ import annotations

from collections.abc import Iterator

from muxi.clock import Clock
from muxi.transport import BodySteps, Request, SendSteps, SteppedResponse
from muxi_transports.around.pause import Pause
from muxi_transports.around.waiting import Waiter
from muxi_transports.recorded.cassette import Cassette
from muxi_transports.recorded.errors import CassetteError
from muxi_transports.recorded.exchange import Exchange, RecordedResponse

__all__ = ["Playback"]


class Playback:
    """One exchange that is played.

    Args:
        exchange: the exchange.
        cassette: where it is from.
        speed: how fast; 0 is at once.
        request: the request that is answered; its bounds are kept where there are pauses.
        clock: the clock of the pauses.
    """

    def __init__(self, exchange: Exchange, cassette: Cassette, speed: float, request: Request, clock: Clock) -> None:
        self._exchange = exchange
        self._cassette = cassette
        self._speed = speed
        self._waiter = Waiter(request.timeouts, clock)
        self._began = clock.monotonic()

    def steps(self) -> SendSteps:
        """Play the head of the answer; the body is played while it is read.

        Raises:
            MuxiError: the error that was recorded in place of an answer.
            TimeoutError: a bound of the request passed.
        """
        exchange = self._exchange
        if exchange.error is not None:
            yield from self._waiter.keep_all(self._pause_until(exchange.error.at))
            raise exchange.error.made()
        assert exchange.response is not None  # noqa: S101  for the type checker: an exchange has a response or an error
        head = exchange.response
        yield from self._waiter.keep_all(self._pause_until(head.at))
        self._waiter.patience.heard()
        return SteppedResponse(
            head.status,
            head.headers.copy(),
            self._play_body(head),
            reason=head.reason,
            http_version=head.http_version,
        )

    def _play_body(self, response: RecordedResponse) -> BodySteps:
        keep_all, patience = self._waiter.keep_all, self._waiter.patience
        for chunk in response.chunks:
            yield from keep_all(self._pause_until(chunk.at))
            patience.heard()
            yield chunk.content
        if response.error is not None:
            yield from keep_all(self._pause_until(response.error.at))
            raise response.error.made()
        if response.closed is not None:
            request = self._exchange.request
            error = CassetteError(
                f"{self._cassette.path}: when {request.method} {request.url} was recorded, the reader left here, and "
                "the rest is unknown; read no further, or record it anew and read on"
            )
            raise self._cassette.refuse(error)
        if response.ended is not None:
            yield from keep_all(self._pause_until(response.ended))

    def _pause_until(self, at: float) -> Iterator[Pause]:
        """The pause before what came so many seconds after the request; none where it is due."""
        if self._speed:
            seconds = at / self._speed - (self._waiter.clock.monotonic() - self._began)
            if seconds > 0:
                yield Pause(seconds)
