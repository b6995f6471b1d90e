"""Retries: exponential backoff with full jitter, ``Retry-After``, and a budget for the whole client."""

from __future__ import annotations

import logging
import random
import threading

from muxi.context import STOP, Context, Outcome, Stop
from muxi.errors import ConfigurationError, ConnectionError, MuxiError, TimeoutError
from muxi.forks import renew_after_fork
from muxi.hookspecs import hookimpl
from muxi.redact import show_value
from muxi.transport.arguments import check_arguments

__all__ = ["MAX_RETRY_AFTER", "REASON", "Retry", "RetryBudget", "backoff"]

logger: logging.Logger = logging.getLogger("muxi")

#: Key in the context's state of a call that is counted as waiting to be connected.
_WAITING = "muxi.retry.waiting"

#: Key in the context's state of the reason why there is no further attempt, as a text.
REASON = "muxi.retry.reason"

#: Longest ``Retry-After`` that is waited for, in seconds; with a longer one the error is raised at once.
MAX_RETRY_AFTER = 120.0


def backoff(attempt: int, *, base: float = 0.5, cap: float = 30.0) -> float:
    """Return the longest wait after an attempt, in seconds: the base, doubled with each attempt, up to the cap.

    Args:
        attempt: number of the failed attempt, from 1.
        base: longest wait after the first.
        cap: upper bound.
    """
    return min(cap, base * 2.0 ** min(attempt - 1, 60))


class RetryBudget:
    """Tokens for retries, shared by all calls of a client, which bound the load on a failing server.

    Retries of attempts that were never connected are counted apart, because they cost a server nothing: as many as the
    tokens allow, and more where many calls wait at the same time, so that each of them can outlast a restart. A call
    that succeeds clears that count; as long as none does, a dead server is asked once by each further call.

    Args:
        capacity: number of tokens at the start, and the largest number.
        cost: tokens that a retry takes.
        refund: tokens that a successful call returns.

    Raises:
        ConfigurationError: a number is below 0.
    """

    def __init__(self, capacity: float = 100.0, cost: float = 5.0, refund: float = 1.0) -> None:
        _check_numbers(capacity=capacity, cost=cost, refund=refund)
        self._capacity = capacity
        self._cost = cost
        self._refund = refund
        self._tokens = capacity
        #: Tokens spent on attempts that were never connected, since a call last succeeded.
        self._unconnected = 0.0
        #: Calls that wait to be connected: now, and the most since a call last succeeded.
        self._waiting = 0
        self._most_waiting = 0
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")

    def take(self) -> bool:
        """Take a retry's tokens, if there are enough."""
        with self._lock:
            if self._tokens < self._cost:
                return False
            self._tokens -= self._cost
            return True

    def take_unconnected(self, retries: int) -> bool:
        """Take the tokens of a retry of an attempt that was never connected, if there are enough.

        Args:
            retries: the most retries of the call.
        """
        with self._lock:
            allowed = self._capacity + self._cost * retries * max(0, self._most_waiting - 1)
            if self._unconnected + self._cost > allowed:
                return False
            self._unconnected += self._cost
            return True

    def begin_waiting(self) -> None:
        """Count a call that was not connected."""
        with self._lock:
            self._waiting += 1
            self._most_waiting = max(self._most_waiting, self._waiting)

    def end_waiting(self) -> None:
        """Count down a call for which :meth:`begin_waiting` was called, once it has ended."""
        with self._lock:
            self._waiting -= 1

    def refund(self) -> None:
        """Return the tokens of a successful call."""
        if self._tokens < self._capacity or self._unconnected:
            with self._lock:
                self._tokens = min(self._capacity, self._tokens + self._refund)
                self._unconnected, self._most_waiting = 0.0, self._waiting


@check_arguments()
class Retry:
    """``muxi.retry``: determines the wait before the next attempt of a call that may be repeated.

    The wait is that of ``Retry-After``, else a random time of up to ``base`` seconds, doubled with each attempt up to
    ``cap``; after an attempt that was never connected at least half of that. There is no further attempt after the
    client's ``max_retries``, if ``Retry-After`` exceeds ``max_retry_after``, and if the budget is used up.

    Args:
        budget: budget of the client's calls; clients that are given the same one share it.
        random_source: source of the jitter.
        base: longest wait after the first attempt, in seconds.
        cap: longest wait, in seconds.
        max_retry_after: longest ``Retry-After`` that is waited for, in seconds; with a longer one the error is raised.

    Raises:
        ConfigurationError: a number is below 0.
    """

    name = "muxi.retry"

    def __init__(
        self,
        budget: RetryBudget | None = None,
        random_source: random.Random | None = None,
        *,
        base: float = 0.5,
        cap: float = 30.0,
        max_retry_after: float = MAX_RETRY_AFTER,
    ) -> None:
        _check_numbers(base=base, cap=cap, max_retry_after=max_retry_after)
        if budget is not None and not isinstance(budget, RetryBudget):
            raise ConfigurationError(f"budget= takes a RetryBudget, got {type(budget).__name__}")
        self.budget: RetryBudget = budget or RetryBudget()
        self._random = random_source or random.SystemRandom()
        self._base = base
        self._cap = cap
        self._max_retry_after = max_retry_after
        self._exhausted = False

    @hookimpl
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> float | Stop | None:
        error = outcome.error
        # Waiting does not make a refused key valid; the auth plugin retries if it has another.
        if not isinstance(error, MuxiError) or error.status_code == 401:
            return None
        if context.attempt > context.options.max_retries:
            context.state[REASON] = f"max_retries = {context.options.max_retries} is used up"
            return STOP
        wait = error.retry_after
        if wait is not None and wait > self._max_retry_after:
            context.state[REASON] = f"Retry-After of {wait:g} s exceeds max_retry_after = {self._max_retry_after:g} s"
            return STOP
        unconnected = isinstance(error, ConnectionError | TimeoutError) and not error.connected
        if unconnected and _WAITING not in context.state:
            context.state[_WAITING] = True
            self.budget.begin_waiting()
        if not (self.budget.take_unconnected(context.options.max_retries) if unconnected else self.budget.take()):
            context.state[REASON] = "the retry budget of the client is used up"
            self._report_exhausted(error, context)
            return STOP
        self._exhausted = False
        if wait is not None:
            return wait
        longest = backoff(context.attempt, base=self._base, cap=self._cap)
        # At least half of that after a refused connection: three waits outlast a restart that takes 1.7 s.
        return self._random.uniform(longest / 2 if unconnected else 0, longest)

    @hookimpl
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        if context.state.pop(_WAITING, False):
            self.budget.end_waiting()
        if outcome.error is None:
            self.budget.refund()

    def _report_exhausted(self, error: MuxiError, context: Context) -> None:
        """Name the budget in the error, and log it, once until there are tokens again."""
        error.message = f"{error.message}; not sent again because the retry budget of the client is used up"
        if not self._exhausted:
            self._exhausted = True
            logger.warning(
                "the retry budget of the client is used up; %s and others are not sent again until calls succeed",
                context.call.label,
            )


def _check_numbers(**numbers: float) -> None:
    for name, number in numbers.items():
        given: object = number
        if isinstance(given, bool) or not isinstance(given, int | float) or not number >= 0:
            raise ConfigurationError(f"{name}= takes a number from 0 up, got {show_value(number)}")
