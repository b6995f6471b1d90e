"""The order of failover addresses: decisions on the health of each, without I/O and without a clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from muxi.errors import ConnectionError, MuxiError, TimeoutError

__all__ = ["AddressHealth", "after_error", "after_failure", "after_success", "order_of", "was_not_connected"]


@dataclass(frozen=True)
class AddressHealth:
    """The state of one address. Times are seconds on the clock's ``monotonic``."""

    #: Failures in a row.
    failures: int = 0
    #: Until when it is set aside; None for an address that is up.
    down_until: float | None = None
    #: Why it was set aside last.
    reason: str = ""
    #: Whether a request is probing it.
    probing: bool = False
    #: Whether its health is to be asked for before it is used again, although it is not set aside.
    doubtful: bool = False

    @property
    def up(self) -> bool:
        """True while the address is in use, that is, not set aside."""
        return self.down_until is None

    def is_due(self, now: float) -> bool:
        """True once the cooldown is over, until a request probes the address."""
        return self.down_until is not None and self.down_until <= now and not self.probing


def order_of(healths: Sequence[AddressHealth], now: float, first: int) -> list[int]:
    """The addresses in the order in which one request tries them; all of them, each once.

    Those that are up or due come first, from ``first`` on around; then, as a last resort, those that are set aside or
    being probed, the one whose time is up soonest first.

    Args:
        healths: what is known of each.
        now: the time.
        first: where to begin.
    """
    around = [(first + step) % len(healths) for step in range(len(healths))]
    usable = [index for index in around if healths[index].up or healths[index].is_due(now)]
    aside = [index for index in around if index not in usable]
    return usable + sorted(aside, key=lambda index: healths[index].down_until or 0.0)


def after_success(health: AddressHealth) -> AddressHealth:
    """The state of an address after an answer."""
    return AddressHealth() if health != AddressHealth() else health


def after_failure(health: AddressHealth, until: float, reason: str) -> AddressHealth:
    """The state of an address after a failure: set aside until a time."""
    return AddressHealth(failures=health.failures + 1, down_until=until, reason=reason)


def after_error(health: AddressHealth, error: MuxiError, until: float) -> AddressHealth:
    """The state of an address after an error of its transport.

    No connection, or one that broke: it is set aside. No answer in time may be the work's fault: it is doubtful.
    Anything else says nothing about the address.
    """
    if was_not_connected(error) or isinstance(error, ConnectionError):
        return after_failure(health, until, error.message)
    health = replace(health, probing=False)
    return replace(health, doubtful=True) if isinstance(error, TimeoutError) else health


def was_not_connected(error: BaseException) -> bool:
    """True where the request cannot have been received, so that another address may be tried."""
    return isinstance(error, ConnectionError | TimeoutError) and not error.connected
