"""The mode of a recorded transport: which requests are played, which are recorded, and on which clock."""

from __future__ import annotations

import os
import time
from typing import get_args

from muxi.clock import Clock, ManualClock, SystemClock
from muxi.errors import ConfigurationError
from muxi.redact import show_value
from muxi.transport import AsyncTransport, Request, Transport
from muxi_transports.recorded.cassette import Cassette, Mode
from muxi_transports.recorded.errors import CassetteError, UnrecordedRequest
from muxi_transports.recorded.exchange import Exchange, RecordedRequest
from muxi_transports.recorded.playing import Playback

__all__ = ["RecordingPolicy"]


class RecordingPolicy:
    """The mode of a transport, and the decisions that follow from it.

    Args:
        cassette: the cassette, or the path of its file.
        mode: when to record and when to play.
        speed: how fast answers are played; 0 is at once.
        clock: the clock, where the caller gave one.

    Raises:
        CassetteError: the cassette cannot be read, or is not there.
        ConfigurationError: there is no such mode, or the speed is invalid.
    """

    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        mode: Mode,
        speed: float,
        clock: Clock | None,
    ) -> None:
        if mode not in get_args(Mode):
            raise ConfigurationError(f"mode= takes {', '.join(map(repr, get_args(Mode)))}, got {show_value(mode)}")
        if not 0 <= speed < float("inf"):
            raise ConfigurationError(f"speed= takes a number from 0 up, got {show_value(speed)}")
        self.cassette: Cassette = cassette if isinstance(cassette, Cassette) else Cassette(cassette)
        self.mode: Mode = mode
        self.speed: float = speed
        self._clock = clock
        existed = self.cassette.existed
        if mode == "none" and not existed:
            raise CassetteError(
                f"there is no cassette {self.cassette.path}, and mode 'none' records none; record it with mode 'once'"
            )
        if mode == "all":
            self.cassette.start_over()
        #: Whether what was recorded is played.
        self.plays: bool = mode == "new" or (mode != "all" and existed)
        #: Whether what was not is recorded.
        self.records: bool = mode in ("new", "all") or (mode == "once" and not existed)

    def clock(self, wrapped: Transport | AsyncTransport | None) -> Clock | None:
        """The clock of the transport."""
        if self._clock is not None:
            return self._clock
        if not self.records and self.speed == 0:
            # Nothing is waited for: neither here nor, sharing this clock, by the client that retries or polls.
            return ManualClock(time.time())
        return wrapped.clock if wrapped is not None else None

    def find_played(self, recorded: RecordedRequest) -> Exchange | None:
        """The exchange to play for a request; None where the request is to be recorded."""
        found = self.cassette.play(recorded) if self.plays else None
        if found is None and not self.records:
            raise self._unrecorded_error(recorded)
        return found

    def _unrecorded_error(self, recorded: RecordedRequest) -> UnrecordedRequest:
        why = "" if self.mode == "none" else ", because the file was there"
        hint = f"Mode {self.mode!r} records nothing{why}: mode 'new' records what is missing, 'all' everything anew."
        return self.cassette.refuse(self.cassette.unrecorded(recorded, hint))

    def playback(self, exchange: Exchange, request: Request, clock: Clock | None) -> Playback:
        """An exchange, about to be played."""
        return Playback(exchange, self.cassette, self.speed, request, clock or SystemClock())
