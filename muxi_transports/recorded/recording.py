"""Answers of another transport that are recorded as they are read."""

from __future__ import annotations

import threading
from functools import partial

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError, MuxiError, ValidationError
from muxi.forks import renew_after_fork
from muxi.transport import (
    AsyncTransport,
    BlockingCall,
    BodySteps,
    CloseSteps,
    Forward,
    NextChunk,
    Request,
    SendSteps,
    SteppedResponse,
    Transport,
)
from muxi_transports.recorded.cassette import Cassette
from muxi_transports.recorded.exchange import RecordedRequest
from muxi_transports.recorded.take import Take

__all__ = ["OpenTakes", "record"]


class OpenTakes:
    """The exchanges that one transport is recording."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._takes: list[Take] = []

    def begin(self, cassette: Cassette, request: RecordedRequest, clock: Clock | None) -> Take:
        """Begin to record what comes of a request."""
        take = cassette.begin(request, clock or SystemClock())
        with self._lock:
            self._takes = [*(take for take in self._takes if take.exchange is None), take]
        return take

    def close(self) -> None:
        """Record what is still open as far as it came."""
        with self._lock:
            takes, self._takes = self._takes, []
        for take in takes:
            take.closed()


# The end of a take makes a text of the exchange and writes the file: not in an event loop.


def record(transport: Transport | AsyncTransport, request: Request, take: Take) -> SendSteps:
    """Send a request by another transport, and record what comes of it.

    Args:
        transport: the other transport.
        request: the request.
        take: where it is recorded.
    """
    try:
        response = yield from Forward(transport, request)
    except (ConfigurationError, ValidationError):
        take.drop()  # nothing was sent
        raise
    except MuxiError as error:
        yield from BlockingCall(partial(take.failed, error))
        raise
    except BaseException:
        take.drop()
        raise
    take.answered(response)
    return SteppedResponse.around(response, _record_body(take), left=partial(_record_leaving, take))


def _record_body(take: Take) -> BodySteps:
    try:
        while (piece := (yield from NextChunk())) is not None:
            take.arrived(piece)
            yield piece
    except MuxiError as error:
        yield from BlockingCall(partial(take.failed, error))
        raise
    yield from BlockingCall(take.ended)


def _record_leaving(take: Take) -> CloseSteps:
    yield from BlockingCall(take.closed)
