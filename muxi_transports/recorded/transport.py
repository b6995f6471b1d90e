"""The transports of both colours: each request is answered out of a cassette, or by another transport and recorded."""

from __future__ import annotations

import asyncio
import os

from muxi.clock import Clock
from muxi.transport import AsyncResponse, AsyncTransport, BytesBody, Request, Response, Transport
from muxi_transports.around.choice import DEFAULT_TRANSPORT, AsyncChoice, Choice, async_slot, sync_slot
from muxi_transports.recorded.cassette import Cassette, Mode
from muxi_transports.recorded.outgoing import Outgoing, look_at
from muxi_transports.recorded.playing import AsyncPlayedResponse, PlayedResponse
from muxi_transports.recorded.policy import Policy
from muxi_transports.recorded.recording import AsyncRecordingResponse, OpenTakes, RecordingResponse

__all__ = ["AsyncRecordedTransport", "RecordedTransport"]


class RecordedTransport(Transport):
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
        ConfigurationError: the transport is unknown, or an async one; or PyYAML is not installed.
    """

    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        transport: Choice = DEFAULT_TRANSPORT,
        mode: Mode = "once",
        *,
        speed: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        self._slot = sync_slot(transport)
        self._policy = Policy(cassette, mode, speed, clock)
        self.clock: Clock | None = self._policy.clock(self._slot.get() if self._policy.records else self._slot.given)
        self._takes = OpenTakes()

    @property
    def cassette(self) -> Cassette:
        """The cassette."""
        return self._policy.cassette

    @property
    def mode(self) -> Mode:
        """When this records and when it plays."""
        return self._policy.mode

    def send(self, request: Request) -> Response:
        """Play what was recorded, or send and record; see :meth:`muxi.transport.Transport.send`.

        Raises:
            UnrecordedRequest: nothing was recorded for it, and nothing is.
            CassetteError: the file cannot be written.
        """
        outgoing = look_at(request)
        if (exchange := self._policy.played(outgoing.recorded)) is not None:
            return PlayedResponse.play(self._policy.playback(exchange, request, self.clock))
        inner = self._slot.get()
        take = self._takes.begin(self.cassette, outgoing.recorded, inner.clock)
        with take.until_answered():
            response = inner.send(outgoing.request)
        return RecordingResponse(response, take)

    def close(self) -> None:
        """Close the wrapped transport, if it was made here. Open streams are recorded as far as they came."""
        try:
            self._takes.close()
        finally:
            if made := self._slot.take():
                made.close()

    def __repr__(self) -> str:
        return f"RecordedTransport({str(self.cassette.path)!r}, {self._slot.shown!r}, {self.mode!r})"


class AsyncRecordedTransport(AsyncTransport):
    """As :class:`RecordedTransport`, for async clients. What one of the two has recorded the other one plays.

    Args:
        cassette: the cassette, or the path of its file.
        transport: what answers while something is recorded: a name, a function that makes an async transport, or an
            async transport.
        mode: when to record and when to play.
        speed: how fast the answers come that are played.
        clock: the clock for that.

    Raises:
        CassetteError: the file is not a cassette, or there is none and the mode is ``none``.
        ConfigurationError: the transport is unknown, or a sync one; or PyYAML is not installed.
    """

    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        transport: AsyncChoice = DEFAULT_TRANSPORT,
        mode: Mode = "once",
        *,
        speed: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        self._slot = async_slot(transport)
        self._policy = Policy(cassette, mode, speed, clock)
        self.clock: Clock | None = self._policy.clock(self._slot.get() if self._policy.records else self._slot.given)
        self._takes = OpenTakes()

    @property
    def cassette(self) -> Cassette:
        """The cassette."""
        return self._policy.cassette

    @property
    def mode(self) -> Mode:
        """When this records and when it plays."""
        return self._policy.mode

    async def send(self, request: Request) -> AsyncResponse:
        """As :meth:`RecordedTransport.send`."""
        outgoing = await _look_at(request)
        if (exchange := self._policy.played(outgoing.recorded)) is not None:
            return await AsyncPlayedResponse.play(self._policy.playback(exchange, request, self.clock))
        inner = self._slot.get()
        take = self._takes.begin(self.cassette, outgoing.recorded, inner.clock)
        with take.until_answered():
            response = await inner.send(outgoing.request)
        return AsyncRecordingResponse(response, take)

    async def close(self) -> None:
        """As :meth:`RecordedTransport.close`."""
        try:
            self._takes.close()
        finally:
            if made := self._slot.take():
                await made.close()

    def __repr__(self) -> str:
        return f"AsyncRecordedTransport({str(self.cassette.path)!r}, {self._slot.shown!r}, {self.mode!r})"


async def _look_at(request: Request) -> Outgoing:
    if request.body is None or isinstance(request.body, BytesBody):
        return look_at(request)
    # What is read from a disk or made by a function may take its time.
    return await asyncio.to_thread(look_at, request)
