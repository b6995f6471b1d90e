"""An alarm on the world's clock, for background work that no request waits for."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import partial

from muxi.clock import Clock, ManualClock, SystemClock
from muxi.forks import renew_after_fork
from muxi.transport.finisher import finish_later, start_finisher

__all__ = ["Alarm"]


class Alarm:
    """Calls one method at the time it was last set to.

    A :class:`~muxi.ManualClock` calls it when a test moves the clock past that time; on the machine's clock a
    timer thread does. Any other clock has no timers, and there the world catches up at the next request.

    Args:
        clock: the time it goes by.
        callback: a bound method, kept weakly: an alarm keeps no world alive.
    """

    def __init__(self, clock: Clock, callback: Callable[[], object]) -> None:
        self._clock = clock
        start_finisher()
        # The world may be collected at any point, in the middle of a call to set() as well.
        self._callback = weakref.WeakMethod(callback, lambda _: finish_later(partial(self.set, None)))
        self._lock = threading.RLock()
        renew_after_fork(self, "_lock")
        self._cancel: Callable[[], object] = _nothing

    def set(self, seconds: float | None) -> None:
        """Ring in so many seconds instead of whenever it was to ring; None for not at all."""
        with self._lock:
            self._cancel()
            self._cancel = _nothing if seconds is None else self._start(max(0.0, seconds))

    def _start(self, seconds: float) -> Callable[[], object]:
        if isinstance(self._clock, ManualClock):
            return self._clock.call_later(seconds, self._ring)
        if not isinstance(self._clock, SystemClock):
            return _nothing
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._ring)
        timer.daemon = True
        timer.start()
        return timer.cancel

    def _ring(self) -> None:
        if (callback := self._callback()) is not None:
            callback()


def _nothing() -> None:
    """Nothing was started."""
