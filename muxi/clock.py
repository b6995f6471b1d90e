"""Clocks: the source of time for every wait and timestamp, replaceable in tests."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

from muxi.forks import renew_after_fork

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(ABC):
    """The interface of clocks. The SDK takes every wait and every timestamp from one.

    Give your own with ``FormationClient(clock=…)``. A transport that lives in simulated time (the
    in-memory world) offers its clock to the client, so that both share it.
    """

    @abstractmethod
    def time(self) -> float:
        """Seconds since the Unix epoch (for signatures and ``Retry-After`` dates)."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back (for durations and deadlines)."""

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Block the calling thread for that many seconds."""

    @abstractmethod
    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task for that many seconds."""


class SystemClock(Clock):
    """The system's clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        import asyncio  # here, because a sync program need not load it

        await asyncio.sleep(seconds)

    def __repr__(self) -> str:
        return "SystemClock()"


class ManualClock(Clock):
    """A clock that a test sets and advances; a sleeper wakes when its time is reached.

    Args:
        start: the time it shows first, in seconds since the Unix epoch.
        auto_advance: when true (the default) a sleep moves the clock itself and returns at once;
            when false a sleeper waits until another thread or task calls :meth:`advance`.
    """

    def __init__(self, start: float = 1_800_000_000.0, *, auto_advance: bool = True) -> None:
        self._now = float(start)
        self._origin = float(start)
        self._auto_advance = auto_advance
        self._condition = threading.Condition()
        renew_after_fork(self, "_condition")
        self._order = itertools.count()
        self._tasks: list[tuple[float, int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._alarms: list[tuple[float, int, Callable[[], object]]] = []

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._origin

    def advance(self, seconds: float) -> None:
        """Advance the clock and wake the sleepers whose time has come.

        What was asked for with :meth:`call_later` is called on the way, in this thread, while the clock shows the time
        that it was asked for.

        Raises:
            ValueError: ``seconds`` is negative; time does not go back.
        """
        if seconds < 0:
            raise ValueError(f"a clock cannot be moved back (by {seconds} s)")
        until = self._now + seconds
        while (callback := self._move(until)) is not None:
            callback()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], None]:
        """Schedule a callback.

        Args:
            seconds: from now; what is zero or less is called as soon as the clock moves, be it by nothing.
            callback: called without the clock's lock, by the thread that moves the clock. It may move the clock itself.

        Returns:
            A function that cancels it.
        """
        with self._condition:
            alarm = (self._now + max(0.0, seconds), next(self._order), callback)
            heapq.heappush(self._alarms, alarm)

        def cancel() -> None:
            with self._condition, suppress(ValueError):
                self._alarms.remove(alarm)
                heapq.heapify(self._alarms)

        return cancel

    def _move(self, until: float) -> Callable[[], object] | None:
        """Advance to the next alarm, or to the end; return the alarm's callback."""
        with self._condition:
            callback = None
            if self._alarms and self._alarms[0][0] <= until:
                due, _, callback = heapq.heappop(self._alarms)
                self._now = max(self._now, due)
            else:
                self._now = max(self._now, until)
            self._condition.notify_all()
            while self._tasks and self._tasks[0][0] <= self._now:
                _, _, loop, future = heapq.heappop(self._tasks)
                with suppress(RuntimeError):  # its loop has been closed
                    loop.call_soon_threadsafe(_wake, future)
            return callback

    def sleep(self, seconds: float) -> None:
        if self._auto_advance:
            self.advance(max(0.0, seconds))
            return
        with self._condition:
            until = self._now + seconds
            self._condition.wait_for(lambda: self._now >= until)

    async def sleep_async(self, seconds: float) -> None:
        import asyncio

        if self._auto_advance:
            self.advance(max(0.0, seconds))
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        with self._condition:
            if seconds <= 0:
                return
            future: asyncio.Future[None] = loop.create_future()
            heapq.heappush(self._tasks, (self._now + seconds, next(self._order), loop, future))
        await future

    def __repr__(self) -> str:
        return f"ManualClock({self._now!r})"


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
