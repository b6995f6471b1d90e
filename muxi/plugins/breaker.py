"""A circuit breaker: where the platform is down, calls fail at once in place of waiting for it one by one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from muxi.context import STOP, Context, Outcome, Stop
from muxi.errors import ConnectionError, MissingExtraError, MuxiError, TimeoutError
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_count, check_function, check_name, check_number
from muxi.plugins.lease import Lease
from muxi.transport import AsyncResponse, BufferedResponse, Response

try:
    import pybreaker
except ImportError as _missing:
    raise MissingExtraError(
        f"the circuit breaker needs pybreaker, which cannot be imported ({_missing}): "
        "pip install 'muxi-client[breaker]'"
    ) from _missing

__all__ = ["CircuitBreaker", "CircuitOpen"]

logger: logging.Logger = logging.getLogger("muxi.plugins")

#: What a gateway answers when there is nothing behind it.
_DOWN = frozenset({502, 503, 504})


class CircuitOpen(ConnectionError):
    """The circuit breaker let nothing be sent; ``retry_after`` has the seconds until it tries the platform again.

    It is None where another call tries just now.
    """


class CircuitBreaker:
    """``muxi.breaker``: after so many failures in a row nothing is sent for a while, then one call tries.

    Counted is each attempt that says that the platform is down: no connection, a timeout (other than of the caller's
    ``deadline``), 502, 503, 504. Any other answer, an error too, shows that it is up. Each address has a circuit of its
    own: a formation's URL, or behind a server the formation's path. One instance may serve several clients, sync and
    async, and threads: they then learn from each other.

    Args:
        failures: how many in a row open the circuit.
        recovery: for how many seconds it is open; then one attempt goes through, and its end closes or opens it.
        on_change: called with the address, the old and the new state after each change.
        name: of the plugin.

    Raises:
        ConfigurationError: an argument has no sense.

    While a circuit is open its calls fail with :class:`CircuitOpen`, and a call whose own failure has opened it with
    that failure; neither is repeated.
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
        self._circuits: dict[str, _Circuit] = {}

    @property
    def states(self) -> Mapping[str, str]:
        """The state of each circuit by its address: ``closed``, ``open`` or ``half-open``."""
        with self._lock:
            return {address: circuit.state for address, circuit in self._circuits.items()}

    @property
    def state(self) -> str:
        """The worst state of all circuits: ``closed`` where nothing is wrong."""
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
            after, left = circuit.state, circuit.left(context.clock.monotonic())
        self._tell(address, before, after)
        if attempt is None:
            raise self._refusal(address, left)
        context.state[self.name] = attempt

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        self._settle(context, up=response.status not in _DOWN)
        return None

    @hookimpl
    def muxi_attempt_failed(self, error: Exception, context: Context) -> None:
        self._settle(context, up=_shows(error))

    @hookimpl(tryfirst=True)
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> Stop | None:
        # A repetition would be refused, and hide why the circuit is open.
        circuit = self._circuits.get(context.address.base_url)
        return STOP if isinstance(outcome.error, CircuitOpen) or (circuit and circuit.state == "open") else None

    @hookimpl
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        self._settle(context, up=True if outcome.error is None else _shows(outcome.error))

    def _settle(self, context: Context, *, up: bool | None) -> None:
        """Count an attempt that was let through; None says nothing of the platform."""
        attempt: _Attempt | None = context.state.pop(self.name, None)
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
        self._tell(address, before, after)

    def _tell(self, address: str, before: str, after: str) -> None:
        if before == after:
            return
        logger.warning("the circuit of %s is %s (was %s)", address, after, before)
        if self._on_change is not None:
            try:
                self._on_change(address, before, after)
            except Exception:
                logger.exception("the on_change of the plugin %r failed", self.name)

    def _refusal(self, address: str, left: float) -> CircuitOpen:
        when = f"it is tried again in {left:.3g} s" if left > 0 else "another call tries it just now"
        error = CircuitOpen(
            "CIRCUIT_OPEN",
            f"{address} was down {self._failures} times in a row and nothing is sent to it; {when}",
            details={"address": address},
            connected=False,
        )
        error.retry_after = left if left > 0 else None
        return error


def _shows(error: BaseException) -> bool | None:
    """Whether the end of an attempt shows that the platform is up; None where it shows nothing."""
    if not isinstance(error, MuxiError) or isinstance(error, CircuitOpen):
        return None
    if error.answer is not None:
        return error.status_code not in _DOWN
    if isinstance(error, TimeoutError) and error.bound == "deadline":
        return None
    return False if isinstance(error, ConnectionError | TimeoutError) else None


class _Attempt(Lease):
    """An attempt that was let through, under what the circuit was then."""

    __slots__ = ("era",)

    def __init__(self, era: int, give_back: Callable[[], None]) -> None:
        super().__init__(give_back)
        self.era = era


class _Down(Exception):
    """What pybreaker is shown for a failure."""


class _Circuit:
    """One address: pybreaker keeps count and state; when it is tried again goes by the client's clock."""

    def __init__(self, failures: int, recovery: float) -> None:
        self._recovery = recovery
        # pybreaker's own wait is not used: it looks at the machine's clock, and has no way to let only one through.
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures, reset_timeout=recovery, throw_new_error_on_trip=False
        )
        self._opened = 0.0
        #: Counts the changes of state, so that an attempt of before a change has no say after it.
        self._era = 0
        self._trying = False

    @property
    def state(self) -> str:
        return self._breaker.current_state

    def left(self, now: float) -> float:
        """Seconds until it is tried again; 0 where it is not open."""
        return max(0.0, self._opened + self._recovery - now) if self.state == pybreaker.STATE_OPEN else 0.0

    def admit(self, now: float) -> _Attempt | None:
        """Let an attempt through, or not."""
        if self.state == pybreaker.STATE_OPEN and self.left(now) <= 0:
            self._breaker.half_open()
            self._era += 1
        if self.state == pybreaker.STATE_CLOSED:
            return _Attempt(self._era, _nothing)
        if self.state == pybreaker.STATE_OPEN or self._trying:
            return None
        self._trying = True
        return _Attempt(self._era, self._tried)

    def count(self, attempt: _Attempt, up: bool, now: float) -> None:
        """Take the end of an attempt into account."""
        if attempt.era != self._era:
            return
        before = self.state
        with suppress(_Down):
            self._breaker.call(_nothing if up else _fail)
        if self.state != before:
            self._era += 1
            self._opened = now

    def _tried(self) -> None:
        self._trying = False


def _nothing() -> None:
    pass


def _fail() -> None:
    raise _Down
