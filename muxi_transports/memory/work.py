"""Background work on the world's clock."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Generic, TypeVar

from muxi.clock import Clock
from muxi.forks import renew_after_fork
from muxi_transports.memory.alarm import Alarm
from muxi_transports.memory.world import Pause

__all__ = ["Background", "Work"]

T_co = TypeVar("T_co", covariant=True)

#: Waits below this, in seconds, are over: a clock that counts from 1970 in floats has no finer steps.
_DUST = 1e-6


class Work(Generic[T_co]):
    """A generator of waits with a result; any caller runs its steps once they are due.

    Several callers may wait for one piece of work (the runtime joins repeated calls with one idempotency
    key to the call that still runs), and all of them may leave: the work goes on
    at the due time, when the background next catches up.

    Args:
        steps: yields the waits, returns the result.
        clock: the time it goes by.
    """

    def __init__(self, steps: Generator[Pause, None, T_co], clock: Clock) -> None:
        self._steps = steps
        self._clock = clock
        self._due = clock.monotonic()
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._result: list[T_co] = []
        self._error: Exception | None = None

    @property
    def done(self) -> bool:
        """True once there is a result or an error."""
        return bool(self._result) or self._error is not None

    @property
    def busy(self) -> bool:
        """True while a step runs."""
        return self._lock.locked()

    @property
    def failed(self) -> bool:
        """True if it ended with an error."""
        return self._error is not None

    def advance(self, *, blocking: bool = True) -> float | None:
        """Take the steps that are due.

        Args:
            blocking: wait for another thread that is taking a step just now.

        Returns:
            Seconds until the next step; None when the work is done.
        """
        if not self._lock.acquire(blocking=blocking):
            return 0.0
        try:
            while not self.done:
                left = self._due - self._clock.monotonic()
                if left > _DUST:
                    return left
                self._step()
            return None
        finally:
            self._lock.release()

    def _step(self) -> None:
        try:
            self._due += next(self._steps).seconds
        except StopIteration as end:
            self._result.append(end.value)
        except Exception as error:
            self._error = error

    @property
    def left(self) -> float | None:
        """Seconds until the next step; None when the work is done."""
        return None if self.done else max(0.0, self._due - self._clock.monotonic())

    def join(self) -> Generator[Pause, None, T_co]:
        """Wait until it is done.

        Returns:
            The result.

        Raises:
            Exception: the error of the work, for every waiting caller.
        """
        while (left := self.advance()) is not None:
            yield Pause(left)
        if self._error is not None:
            raise self._error
        return self._result[0]


class Background:
    """Work without a waiting caller, run when it is due.

    Each request runs the work that is due before it; without requests, an alarm on the clock does.

    Args:
        clock: the time of the world, for the alarm; without it only requests run the work.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._work: list[Work[object]] = []
        self._alarm = None if clock is None else Alarm(clock, self.catch_up)

    def adopt(self, work: Work[object]) -> None:
        """Add a piece of work that has no waiting caller. No step is run here."""
        with self._lock:
            if work not in self._work:
                self._work.append(work)
        self._set_alarm()

    def drop(self, work: Work[object]) -> None:
        """Drop a piece of work."""
        with self._lock:
            self._work = [other for other in self._work if other is not work]
        self._set_alarm()

    def catch_up(self) -> None:
        """Run the steps that are due, and those that these make due."""
        moved = True
        while moved:
            # What another thread is at, or this one further up the stack, does not move and stays due.
            moved = sum(work.advance(blocking=False) != 0.0 for work in self._due()) > 0
        self._set_alarm()

    def _due(self) -> list[Work[object]]:
        """The work with a step to take."""
        with self._lock:
            self._work = [work for work in self._work if not work.done]
            return [work for work in self._work if (work.left or 0.0) <= _DUST]

    def _set_alarm(self) -> None:
        if self._alarm is None:
            return
        with self._lock:
            # The thread that runs a step sets the next alarm.
            waits = [left for work in self._work if not work.busy and (left := work.left) is not None]
        self._alarm.set(min(waits) if waits else None)
