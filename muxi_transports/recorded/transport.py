"""The transports of both colours: each request is answered out of a cassette, or by another transport and recorded."""

from __future__ import annotations

import os
from functools import partial
from typing import TypeVar

from muxi.clock import Clock
from muxi.transport import (
    AsyncSteppedTransport,
    AsyncTransport,
    BlockingCall,
    BytesBody,
    CloseSteps,
    Request,
    SendSteps,
    SteppedTransport,
    Transport,
)
from muxi.transport.arguments import check_arguments
from muxi_transports.around.choice import DEFAULT_TRANSPORT, Choice, Wrapping
from muxi_transports.recorded.cassette import Cassette, Mode
from muxi_transports.recorded.outgoing import inspect_request
from muxi_transports.recorded.policy import RecordingPolicy
from muxi_transports.recorded.recording import OpenTakes, record

__all__ = ["AsyncRecordedTransport", "Recorded", "RecordedTransport"]

T = TypeVar("T", bound=Transport | AsyncTransport)


@check_arguments()
class Recorded(Wrapping[T]):
    """Answers out of a cassette, and records in it what another transport answers.

    ====== ============================== ==========================================
    mode   a request that was recorded    one that was not
    ====== ============================== ==========================================
    none   is played                      is an error
    once   is played                      is an error; recorded if there was no file
    new    is played                      is recorded
    all    is recorded, in a new file     is recorded
    ====== ============================== ==========================================

    Args:
        cassette: the cassette, or the path of its file.
        transport: what answers while something is recorded: a name, a function that makes a transport, or a
            transport, which stays the giver's to close. It is not made before something is to be recorded.
        mode: when to record and when to play.
        speed: how fast the answers come that are played: 0 at once, 1 as they came, 2 in half the time.
        clock: the clock for that; by default the one of the wrapped transport while there is something to record.
            Where nothing is recorded or waited for it is one that stands still, so that the client's own waits
            (retries, polls) pass at once.

    Raises:
        CassetteError: the file is not a cassette, or there is none and the mode is ``none``.
        ConfigurationError: the transport is unknown, or of the other colour; or PyYAML is not installed.
    """

    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        transport: Choice[T] = DEFAULT_TRANSPORT,
        mode: Mode = "once",
        *,
        speed: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        self._slot = self.slot(transport)
        self._policy = RecordingPolicy(cassette, mode, speed, clock)
        self.clock: Clock | None = self._policy.clock(self._slot.get() if self._policy.records else self._slot.given)
        self._takes = OpenTakes()

    @property
    def private(self) -> bool:
        """True if nothing is sent: answers are played only, or the wrapped transport keeps requests in this process."""
        return not self._policy.records or super().private

    @property
    def cassette(self) -> Cassette:
        """The cassette."""
        return self._policy.cassette

    @property
    def mode(self) -> Mode:
        """When this records and when it plays."""
        return self._policy.mode

    def steps(self, request: Request) -> SendSteps:
        """Play what was recorded, or send and record; see :meth:`muxi.transport.Transport.send`.

        Raises:
            UnrecordedRequest: nothing was recorded for it, and nothing is.
            CassetteError: the file cannot be written.
        """
        if request.body is None or isinstance(request.body, BytesBody):
            outgoing = inspect_request(request)
        else:
            # A body is read from a disk, or made by a function: not in an event loop.
            outgoing = yield from BlockingCall(partial(inspect_request, request))
        if (exchange := self._policy.find_played(outgoing.recorded)) is not None:
            return (yield from self._policy.playback(exchange, request, self.clock).steps())
        inner = self._slot.get()
        take = self._takes.begin(self.cassette, outgoing.recorded, inner.clock)
        return (yield from record(inner, outgoing.request, take))

    def close_steps(self) -> CloseSteps:
        """Record open streams as far as they came, and close the wrapped transport, if it was made here."""
        try:
            yield from BlockingCall(self._takes.close)
        finally:
            yield from super().close_steps()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.cassette.path)!r}, {self._slot.shown!r}, {self.mode!r})"


class RecordedTransport(Recorded[Transport], SteppedTransport):
    """:class:`Recorded` for sync clients, around a sync transport."""


class AsyncRecordedTransport(Recorded[AsyncTransport], AsyncSteppedTransport):
    """:class:`Recorded` for async clients. What a transport of one colour has recorded one of the other plays."""
