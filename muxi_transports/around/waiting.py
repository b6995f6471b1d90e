"""Keeping a pause within the bounds of one request, in either colour, and leaving it when the reader leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from muxi.clock import Clock, SystemClock
from muxi_transports.memory.patience import Patience
from muxi_transports.memory.world import Pause

__all__ = ["AsyncWaiter", "Waiter", "finished"]


class Waiter:
    """Keeps pauses within the bounds of one request, and leaves them when it is told to."""

    def __init__(self, clock: Clock, patience: Patience) -> None:
        self._clock = clock
        self.patience: Patience = patience
        self.left: threading.Event = threading.Event()

    def wait(self, pause: Pause) -> None:
        """Wait; returns early once :attr:`left` is set.

        Raises:
            TimeoutError: patience runs out before the pause is over.
        """
        wait = self.patience.wait(pause.seconds)
        if isinstance(self._clock, SystemClock):
            # The one clock whose sleep can be cut short.
            self.left.wait(wait.seconds)
        else:
            self._clock.sleep(wait.seconds)
        if wait.error and not self.left.is_set():
            raise wait.error


class AsyncWaiter:
    """As :class:`Waiter`, in an event loop."""

    def __init__(self, clock: Clock, patience: Patience) -> None:
        self._clock = clock
        self.patience: Patience = patience
        #: Whether the reader has left.
        self.has_left: bool = False
        self._sleeper: asyncio.Future[None] | None = None

    async def wait(self, pause: Pause) -> None:
        """As :meth:`Waiter.wait`."""
        wait = self.patience.wait(pause.seconds)
        self._sleeper = asyncio.ensure_future(_sleep(self._clock, wait.seconds))
        try:
            await self._sleeper
        except asyncio.CancelledError:
            if not self.has_left:
                raise
            return
        finally:
            self._sleeper = None
        if wait.error:
            raise wait.error

    def leave(self) -> None:
        """End the wait."""
        self.has_left = True
        if self._sleeper is not None:
            self._sleeper.cancel()


async def _sleep(clock: Clock, seconds: float) -> None:
    await clock.sleep_async(seconds)


async def finished(pieces: AsyncIterator[bytes]) -> None:
    """End an iteration that may have been left in the middle; the collector would do it in a loop that is gone."""
    close = getattr(pieces, "aclose", None)
    if close is not None:
        await close()
