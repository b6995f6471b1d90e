"""When to try again: exponential backoff with full jitter, ``Retry-After``, and a budget for the whole client."""

from __future__ import annotations

import random
import threading

from muxi.context import STOP, Context, Outcome, Stop
from muxi.errors import MuxiError
from muxi.hookspecs import hookimpl

__all__ = ["MAX_RETRY_AFTER", "Retry", "RetryBudget", "backoff"]

#: The longest ``Retry-After`` that is waited for, in seconds; a longer one raises the error at once.
MAX_RETRY_AFTER = 120.0


def backoff(attempt: int, *, base: float = 0.5, cap: float = 30.0) -> float:
    """The longest wait after this attempt, in seconds: the base, doubling, up to the cap.

    Args:
        attempt: the number of the attempt that failed, from 1.
        base: the wait after the first.
        cap: the longest.
    """
    return min(cap, base * 2.0 ** min(attempt - 1, 60))


class RetryBudget:
    """Tokens for retries, shared by all calls of a client: a dead server is not hammered by everybody at once.

    Args:
        capacity: tokens at the start, and the most there can be.
        cost: what a retry takes.
        refund: what a call that succeeded gives back.
    """

    def __init__(self, capacity: float = 100.0, cost: float = 5.0, refund: float = 1.0) -> None:
        self._capacity = capacity
        self._cost = cost
        self._refund = refund
        self._tokens = capacity
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a retry's tokens, if there are enough."""
        with self._lock:
            if self._tokens < self._cost:
                return False
            self._tokens -= self._cost
            return True

    def give_back(self) -> None:
        """Put back what a success earns."""
        if self._tokens < self._capacity:
            with self._lock:
                self._tokens = min(self._capacity, self._tokens + self._refund)


class Retry:
    """``muxi.retry``: asked only where a call may be repeated, it says when.

    Args:
        budget: shared over the calls of the client.
        random_source: for the jitter.
    """

    name = "muxi.retry"

    def __init__(self, budget: RetryBudget | None = None, random_source: random.Random | None = None) -> None:
        self.budget: RetryBudget = budget or RetryBudget()
        self._random = random_source or random.SystemRandom()

    @hookimpl
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> float | Stop | None:
        error = outcome.error
        if not isinstance(error, MuxiError) or error.status_code == 401:
            return None
        if context.attempt > context.options.max_retries:
            return STOP
        wait = error.retry_after
        if wait is not None and wait > MAX_RETRY_AFTER:
            return STOP
        if not self.budget.take():
            return STOP
        return wait if wait is not None else self._random.uniform(0, backoff(context.attempt))

    @hookimpl
    def muxi_call_finished(self, outcome: Outcome) -> None:
        if outcome.error is None:
            self.budget.give_back()
