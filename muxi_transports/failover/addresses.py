"""The addresses of one server: what is known of each, shared by all threads and tasks that send."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from muxi.clock import Clock
from muxi.errors import ConfigurationError, MuxiError
from muxi.forks import renew_after_fork
from muxi.redact import redact_text
from muxi.transport import AsyncTransport, Transport
from muxi_transports.around.choice import Slot
from muxi_transports.failover.health import AddressHealth, after_error, after_failure, after_success, order_of
from muxi_transports.http.wire import parse_origin

__all__ = ["AddressStatus", "Addresses", "FailoverAddress", "Order", "parse_address"]

logger: logging.Logger = logging.getLogger("muxi.transports")

T = TypeVar("T", bound=Transport | AsyncTransport)

#: Which address a request begins with.
Order: TypeAlias = Literal["given", "round-robin"]


@dataclass(frozen=True)
class AddressStatus:
    """The state of one address."""

    #: The origin, without a password.
    url: str
    #: Whether it is in use, that is, not set aside.
    up: bool
    #: Failures in a row.
    failures: int
    #: Why it was set aside; empty for one that is up.
    reason: str
    #: Seconds until it is tried again; 0 for one that is up, or due.
    retry_in: float


@dataclass(frozen=True)
class FailoverAddress(Generic[T]):
    """One address and what sends to it."""

    #: The origin as requests go to it; there may be a password in it.
    base: str = field(repr=False)
    #: The same as it may be shown.
    url: str
    slot: Slot[T]


def parse_address(text: str) -> tuple[str, str]:
    """An address as requests go to it, and as it may be shown.

    Raises:
        ConfigurationError: it is not an origin.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"addresses= takes addresses as texts, got {type(text).__name__}")
    scheme, found, authority = text.strip().rstrip("/").partition("://")
    if not found or not authority or any(mark in authority for mark in "/?#"):
        raise ConfigurationError(
            redact_text(f"{text!r} is not an address; write scheme://host[:port], without a path: ")
            + "the path of a request is kept"
        )
    base = f"{scheme}://{authority}"
    if scheme.lower() in ("http", "https"):
        parse_origin(base)
    elif not urlsplit(base).netloc:
        raise ConfigurationError(redact_text(f"{text!r} is not an address"))
    return base, f"{scheme}://{authority.rpartition('@')[2]}"


class Addresses(Generic[T]):
    """All addresses with their health.

    Args:
        entries: the addresses, in the order of the caller.
        order: which one a request begins with.
        cooldown: how long a failed one is set aside, in seconds.
        clock: the time it goes by.
        on_change: called with each address that goes down or comes back.
    """

    def __init__(
        self,
        entries: Sequence[FailoverAddress[T]],
        order: Order,
        cooldown: float,
        clock: Clock,
        on_change: Callable[[AddressStatus], object] | None,
    ) -> None:
        self.entries: Sequence[FailoverAddress[T]] = entries
        self.clock: Clock = clock
        self._order = order
        self._cooldown = cooldown
        self._on_change = on_change
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._healths = [AddressHealth() for _ in entries]
        self._turn = 0

    def status(self) -> tuple[AddressStatus, ...]:
        """The state of each address, in the order given."""
        with self._lock:
            return tuple(self._status(index) for index in range(len(self.entries)))

    def next_order(self) -> list[int]:
        """The addresses in the order in which a request tries them."""
        with self._lock:
            first = self._turn if self._order == "round-robin" else 0
            self._turn = (self._turn + 1) % len(self.entries)
            return order_of(self._healths, self.clock.monotonic(), first)

    def claim(self, index: int) -> bool:
        """Reserve the probe of an address whose cooldown is over for one request; false where no probe is due."""
        with self._lock:
            health = self._healths[index]
            due = health.is_due(self.clock.monotonic())
            if due:
                self._healths[index] = replace(health, probing=True)
            return due

    def is_doubtful(self, index: int) -> bool:
        """True where an address that is up did not answer in time."""
        with self._lock:
            return self._healths[index].doubtful

    def release(self, index: int) -> None:
        """Release the probe without a result; the next request may reserve it."""
        with self._lock:
            self._healths[index] = replace(self._healths[index], probing=False)

    def succeeded(self, index: int) -> None:
        """Note that an address has answered."""
        self._change(index, after_success)

    def failed(self, index: int, reason: str, seconds: float | None = None) -> None:
        """Set an address aside that has answered with a status of failure, for some seconds or the cooldown."""
        until = self.clock.monotonic() + (self._cooldown if seconds is None else seconds)
        self._change(index, lambda health: after_failure(health, until, reason))

    def raised(self, index: int, error: MuxiError) -> None:
        """Note an error of the transport to an address."""
        until = self.clock.monotonic() + self._cooldown
        self._change(index, lambda health: after_error(health, error, until))

    def _change(self, index: int, change: Callable[[AddressHealth], AddressHealth]) -> None:
        with self._lock:
            was_up = self._healths[index].up
            self._healths[index] = change(self._healths[index])
            status = self._status(index)
        if status.up == was_up:
            return
        if status.up:
            logger.info("%s is back", status.url)
        else:
            logger.warning("%s is set aside for %g s: %s", status.url, status.retry_in, status.reason)
        if self._on_change is not None:
            try:
                self._on_change(status)
            except Exception:
                logger.exception("on_change= of a failover transport failed")

    def _status(self, index: int) -> AddressStatus:
        health = self._healths[index]
        left = 0.0 if health.down_until is None else max(0.0, health.down_until - self.clock.monotonic())
        return AddressStatus(self.entries[index].url, health.up, health.failures, health.reason, left)
