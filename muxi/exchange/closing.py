"""The end of a client, as its calls see it: no further retries, and waits that end at once."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from muxi.clock import Clock, SystemClock
from muxi.forks import renew_after_fork

if TYPE_CHECKING:
    import asyncio

__all__ = ["Closing"]


class Closing:
    """The state of a client: open or closing. Calls of other threads and tasks wait through it."""

    def __init__(self) -> None:
        #: Whether ``close()`` has begun: nothing is sent again.
        self.begun: bool = False
        #: Whether the connections have been closed: what still arrives is not an answer any more.
        self.connections_closed: bool = False
        self._event = threading.Event()
        renew_after_fork(self, "_event")
        self._futures: set[asyncio.Future[None]] = set()

    def begin(self) -> None:
        """End all waits; those of async clients are in the calling thread's event loop."""
        self.begun = True
        self._event.set()
        for future in list(self._futures):
            if not future.done():
                future.set_result(None)

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Wait for a number of seconds, or until the client is closed."""
        if self.begun:
            return
        if isinstance(clock, SystemClock):
            self._event.wait(seconds)
        else:
            clock.sleep(seconds)

    async def sleep_async(self, seconds: float, clock: Clock) -> None:
        """As :meth:`sleep`, for async clients, whatever the clock."""
        import asyncio  # here, because a sync program need not load it

        if self.begun:
            return
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.add(closed)
        sleeping = asyncio.ensure_future(clock.sleep_async(seconds))
        try:
            await asyncio.wait({sleeping, closed}, return_when=asyncio.FIRST_COMPLETED)
            if sleeping.done():
                sleeping.result()
        finally:
            self._futures.discard(closed)
            sleeping.cancel()
            with suppress(asyncio.CancelledError):
                await sleeping
