"""Pauses as steps of a transport: kept on its clock, bounded by the request, ended early where it is closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

from muxi.clock import Clock, SystemClock
from muxi.errors import ConnectionError
from muxi.transport import CloseSteps, Step, Timeouts
from muxi_transports.around.patience import Patience
from muxi_transports.around.pause import Pause

__all__ = ["KeepPause", "Waiter"]


class Waiter:
    """Makes steps of the pauses of one request.

    Args:
        timeouts: the bounds of the request, from now on.
        clock: the clock of the pauses.
    """

    def __init__(self, timeouts: Timeouts, clock: Clock) -> None:
        self.clock: Clock = clock
        self.patience: Patience = Patience(timeouts, clock)

    def keep(self, pause: Pause) -> KeepPause:
        """The step that keeps a pause."""
        return KeepPause(self, pause.seconds)

    def keep_all(self, pauses: Iterable[Pause]) -> CloseSteps:
        """The steps that keep pauses one after the other, each when it is there."""
        for pause in pauses:
            yield from self.keep(pause)


class KeepPause(Step[None]):
    """Wait for some seconds on a clock.

    Args:
        waiter: the waiter of the request.
        seconds: how long.

    Raises:
        TimeoutError: a bound of the request passes before.
        ConnectionError: the response or the transport was closed meanwhile.
    """

    def __init__(self, waiter: Waiter, seconds: float) -> None:
        self._waiter = waiter
        self._seconds = seconds
        self._interrupted = threading.Event()
        self._sleeper: asyncio.Task[None] | None = None

    def do(self) -> None:
        clock = self._waiter.clock
        wait = self._waiter.patience.wait(self._seconds)
        if isinstance(clock, SystemClock):
            # The one clock whose sleep can be cut short.
            self._interrupted.wait(wait.seconds)
        else:
            clock.sleep(wait.seconds)
        self._end(wait.error)

    async def do_async(self) -> None:
        wait = self._waiter.patience.wait(self._seconds)
        if not self._interrupted.is_set():
            sleeper = self._sleeper = asyncio.ensure_future(_sleep(self._waiter.clock, wait.seconds))
            try:
                await asyncio.wait({sleeper})
            finally:
                self._sleeper = None
                sleeper.cancel()
            if not sleeper.cancelled():
                sleeper.result()
        self._end(wait.error)

    def _end(self, error: Exception | None) -> None:
        if self._interrupted.is_set():
            raise ConnectionError("CONNECTION_LOST", "the connection broke: the transport was closed")
        if error is not None:
            raise error

    def interrupt(self) -> None:
        self._interrupted.set()
        if self._sleeper is not None:
            self._sleeper.cancel()


async def _sleep(clock: Clock, seconds: float) -> None:
    await clock.sleep_async(seconds)
