"""A signal that threads and event loops can wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from muxi.forks import renew_after_fork

__all__ = ["Signal"]


class Signal:
    """Is set once in a while; who waits for it is woken. Safe to set from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._listeners: list[Callable[[], object]] = []

    def set(self) -> None:
        """Wake everybody."""
        with self._lock:
            self._event.set()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def clear(self) -> None:
        """Wait for the next time."""
        self._event.clear()

    @property
    def is_set(self) -> bool:
        """True if it was set since it was last cleared."""
        return self._event.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Block until it is set, or so many seconds of the machine's time have passed."""
        return self._event.wait(seconds)

    def listen(self, listener: Callable[[], object]) -> None:
        """Call something once when it is set, from the thread that sets it; at once if it is set already."""
        with self._lock:
            if not self._event.is_set():
                self._listeners.append(listener)
                return
        listener()

    async def wait_async(self) -> None:
        """Wait until it is set, in an event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has been closed, and its waiters with it
                loop.call_soon_threadsafe(_resolve, future)

        self.listen(wake)
        await future


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
