"""The rate and the retry budget of a whole batch, as decisions without a clock."""

from __future__ import annotations

import math

__all__ = ["Pace"]

#: Seconds of the rate that may be sent at once, so that a late wake-up costs no throughput.
_BURST_SECONDS = 0.1

#: Successful calls that return one retry to the budget.
_REFUND = 10


class Pace:
    """Determines when the next call may start, and whether it may be retried.

    Retries happen inside the workers. They are counted when a call ends: each delays the calls after it as one more
    request, and takes one from the budget.

    Args:
        rate: most requests per second; None is no limit.
        retry_budget: most retries of all calls together; ten successful calls return one. None is no limit.
    """

    def __init__(self, rate: float | None = None, retry_budget: int | None = None) -> None:
        self._interval = 0.0 if rate is None else 1.0 / rate
        burst = 1 if rate is None else max(1, math.floor(rate * _BURST_SECONDS))
        self._ahead = (burst - 1) * self._interval
        self._tail = -math.inf
        #: In tenths of a retry, so that successes add up without rounding.
        self._capacity = math.inf if retry_budget is None else retry_budget * _REFUND
        self._budget = self._capacity

    @property
    def retried(self) -> bool:
        """True while the budget allows retries of calls that start now."""
        return self._budget >= _REFUND

    def delay(self, now: float) -> float:
        """Return the seconds until the next call may start; 0 if it may at once."""
        return max(0.0, self._tail - self._ahead - now)

    def start(self, now: float) -> None:
        """Count a call that starts."""
        self._tail = max(self._tail, now) + self._interval

    def end(self, attempts: int, *, ok: bool, now: float) -> None:
        """Count the retries of a call that ended."""
        retries = max(0, attempts - 1)
        for _ in range(retries if self._interval else 0):
            self.start(now)
        self._budget = min(self._capacity, max(0, self._budget - retries * _REFUND) + ok)
