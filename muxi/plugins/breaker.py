"""A circuit breaker: while the platform is down, calls fail at once instead of waiting for it one by one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Literal

from muxi.context import STOP, Context, Outcome, Stop
from muxi.errors import ConnectionError, MuxiError, TimeoutError
from muxi.forks import renew_after_fork
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_count, check_function, check_name, check_number
from muxi.plugins.lease import Lease
from muxi.transport import AsyncResponse, BufferedResponse, Response

__all__ = ["CircuitBreaker", "CircuitOpen"]

logger: logging.Logger = logging.getLogger("muxi.plugins")

#: Statuses of a gateway whose backend is down.
_DOWN = frozenset({502, 503, 504})


class CircuitOpen(ConnectionError):
    """A call refused by an open circuit; nothing was sent.

    ``retry_after`` is the number of seconds until the next trial, None while another call is that trial.
    """


class CircuitBreaker:
    """``muxi.breaker``: consecutive failures open a circuit; no request is sent until a trial call succeeds.

    An attempt counts as a failure when no connection was made, when it timed out (other than at the caller's
    ``deadline``), and when it was answered with 502, 503 or 504. Any other answer, including other errors, counts as a
    success. Each address has its own circuit: a formation's URL, or behind a server the formation's path. Clients,
    sync and async, and threads may share one instance; they then share its circuits.

    Args:
        failures: number of consecutive failures that opens a circuit.
        recovery: seconds that a circuit stays open before one attempt is let through as a trial. Its outcome closes
            the circuit, or opens it again for the same time.
        on_change: called with the address, the old state and the new state after each change.
        name: name of the plugin.

    Raises:
        ConfigurationError: an argument is invalid.

    While a circuit is open, calls fail with :class:`CircuitOpen`. A call whose own failure opens the circuit raises
    that failure. Neither is retried.
    """

    def __init__(
        self,
        failures: int = 5,
        recovery: float = 30.0,
        *,
        on_change: Callable[[str, str, str], None] | None = None,
        name: str = "muxi.breaker",
    ) -> None:
        check_count("failures", failures)
        check_number("recovery", recovery)
        check_function("on_change", on_change)
        check_name(name)
        self.name: str = name
        self._failures = failures
        self._recovery = recovery
        self._on_change = on_change
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._circuits: dict[str, _Circuit] = {}

    @property
    def states(self) -> Mapping[str, str]:
        """The state of each circuit by address: ``closed``, ``open`` or ``half-open``."""
        with self._lock:
            return {address: circuit.state for address, circuit in self._circuits.items()}

    @property
    def state(self) -> str:
        """The worst state of all circuits: ``open``, else ``half-open``, else ``closed``."""
        states = set(self.states.values())
        return next((state for state in ("open", "half-open") if state in states), "closed")

    @hookimpl
    def muxi_intercept(self, context: Context) -> None:
        address = context.address.base_url
        with self._lock:
            circuit = self._circuits.get(address)
            if circuit is None:
                circuit = self._circuits[address] = _Circuit(self._failures, self._recovery)
            before = circuit.state
            attempt = circuit.admit(context.clock.monotonic())
            after, wait = circuit.state, circuit.seconds_to_trial(context.clock.monotonic())
        self._report_change(address, before, after)
        if attempt is None:
            raise self._refusal(address, wait)
        context.state[self.name] = attempt

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        self._record(context, up=response.status not in _DOWN)
        return None

    @hookimpl
    def muxi_attempt_failed(self, error: Exception, context: Context) -> None:
        self._record(context, up=_platform_is_up(error))

    @hookimpl(tryfirst=True)
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> Stop | None:
        # A retry would be refused, and its error would hide the failure that opened the circuit.
        circuit = self._circuits.get(context.address.base_url)
        return STOP if isinstance(outcome.error, CircuitOpen) or (circuit and circuit.state == "open") else None

    @hookimpl
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        self._record(context, up=True if outcome.error is None else _platform_is_up(outcome.error))

    def _record(self, context: Context, *, up: bool | None) -> None:
        """Count the outcome of an attempt; None says nothing about the platform."""
        attempt: _AdmittedAttempt | None = context.state.pop(self.name, None)
        if attempt is None:
            return
        address = context.address.base_url
        with self._lock:
            circuit = self._circuits[address]
            before = circuit.state
            if up is not None:
                circuit.count(attempt, up, context.clock.monotonic())
            after = circuit.state
        attempt.end()
        self._report_change(address, before, after)

    def _report_change(self, address: str, before: str, after: str) -> None:
        if before == after:
            return
        logger.warning("the circuit of %s is %s (was %s)", address, after, before)
        if self._on_change is not None:
            try:
                self._on_change(address, before, after)
            except Exception:
                logger.exception("the on_change of the plugin %r failed", self.name)

    def _refusal(self, address: str, wait: float) -> CircuitOpen:
        when = f"the next trial is in {wait:.3g} s" if wait > 0 else "another call is the trial just now"
        error = CircuitOpen(
            "CIRCUIT_OPEN",
            f"{address} failed {self._failures} times in a row, so nothing is sent to it; {when}",
            details={"address": address},
            connected=False,
        )
        error.retry_after = wait if wait > 0 else None
        return error


def _platform_is_up(error: BaseException) -> bool | None:
    """Tell whether the platform is up from how an attempt failed; None where the failure does not show it."""
    if not isinstance(error, MuxiError) or isinstance(error, CircuitOpen):
        return None
    if error.answer is not None:
        return error.status_code not in _DOWN
    if isinstance(error, TimeoutError) and error.bound == "deadline":
        return None
    return False if isinstance(error, ConnectionError | TimeoutError) else None


class _AdmittedAttempt(Lease):
    """An attempt that a circuit admitted, with the era of its admission."""

    __slots__ = ("era",)

    def __init__(self, era: int, release: Callable[[], None]) -> None:
        super().__init__(release)
        self.era = era


class _Circuit:
    """The state machine of one address, on the client's clock. The caller holds the lock.

    ``closed`` → (``failures`` in a row) → ``open`` → (``recovery`` seconds) → ``half-open`` → (the trial) → ``closed``
    or ``open``.
    """

    def __init__(self, failures: int, recovery: float) -> None:
        self.state: Literal["closed", "open", "half-open"] = "closed"
        self._limit = failures
        self._recovery = recovery
        self._failures = 0
        self._opened = 0.0
        #: Number of state changes so far. The outcome of an attempt of an earlier era is ignored.
        self._era = 0
        self._on_trial = False

    def seconds_to_trial(self, now: float) -> float:
        """Seconds until an open circuit admits a trial; 0 in the other states."""
        return max(0.0, self._opened + self._recovery - now) if self.state == "open" else 0.0

    def admit(self, now: float) -> _AdmittedAttempt | None:
        """Admit an attempt, or return None to refuse it. A half-open circuit admits one at a time."""
        if self.state == "open" and self.seconds_to_trial(now) <= 0:
            self._change("half-open")
        if self.state == "closed":
            return _AdmittedAttempt(self._era, _release_nothing)
        if self.state == "open" or self._on_trial:
            return None
        self._on_trial = True
        return _AdmittedAttempt(self._era, self._end_trial)

    def count(self, attempt: _AdmittedAttempt, up: bool, now: float) -> None:
        """Count the outcome of an attempt."""
        if attempt.era != self._era:
            return
        self._failures = 0 if up else self._failures + 1
        if up and self.state == "half-open":
            self._change("closed")
        elif not up and (self.state == "half-open" or self._failures >= self._limit):
            self._opened = now
            self._change("open")

    def _change(self, state: Literal["closed", "open", "half-open"]) -> None:
        self.state = state
        self._failures = 0
        self._era += 1

    def _end_trial(self) -> None:
        self._on_trial = False


def _release_nothing() -> None:
    """Attempts of a closed circuit hold nothing."""
