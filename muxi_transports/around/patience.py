"""The bounds of a request, applied to pauses on a clock that need not be the machine's."""

from __future__ import annotations

from typing import NamedTuple

from muxi.clock import Clock
from muxi.errors import TimeoutError
from muxi.transport import Timeouts

__all__ = ["BoundedWait", "Patience"]


class BoundedWait(NamedTuple):
    """A wait, cut to the bounds of a request."""

    #: How long to sleep.
    seconds: float
    #: The error to raise afterwards, where a bound ends the wait.
    error: TimeoutError | None


class Patience:
    """The bounds of one request, from now on.

    Args:
        timeouts: ``read`` bounds a run of waits in which nothing arrives, ``head`` the first of them (the wait for
            the head of the answer) where it is given, ``total`` all time since now.
            (There is nothing to connect to, so ``connect`` has no meaning here.)
        clock: the clock of the pauses.
    """

    def __init__(self, timeouts: Timeouts, clock: Clock) -> None:
        self._timeouts = timeouts
        self._clock = clock
        self._started = clock.monotonic()
        self._silence = 0.0
        self._headless = True

    def heard(self) -> None:
        """Restart the ``read`` bound: the head, or bytes of the body, have arrived."""
        self._silence = 0.0
        self._headless = False

    def wait(self, seconds: float) -> BoundedWait:
        """Cut a wait to the bounds. It may be endless (``inf``)."""
        bound, read, total = "read", self._timeouts.read, self._timeouts.total
        if self._headless and self._timeouts.head is not None:
            bound, read = "head", self._timeouts.head
        if read is not None and self._silence + seconds > read and not self._sooner(total, read - self._silence):
            return BoundedWait(
                max(0.0, read - self._silence), _timeout(bound, read, "READ_TIMEOUT", "no bytes arrived for")
            )
        if total is not None and (left := self._time_left(total)) < seconds:
            return BoundedWait(
                max(0.0, left), _timeout("timeout", total, "TIMEOUT", "the answer was not complete after")
            )
        if seconds < float("inf"):
            self._silence += seconds
        return BoundedWait(seconds, None)

    def _time_left(self, total: float) -> float:
        return total - (self._clock.monotonic() - self._started)

    def _sooner(self, total: float | None, than: float) -> bool:
        return total is not None and self._time_left(total) < than


def _timeout(bound: str, seconds: float, code: str, what: str) -> TimeoutError:
    return TimeoutError(code, f"{what} {seconds:g} s (the bound is {bound!r})", bound=bound)
