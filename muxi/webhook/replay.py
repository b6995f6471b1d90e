"""Detection of replayed deliveries."""

from __future__ import annotations

import heapq
import math
import threading
from typing import Protocol

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.forks import renew_after_fork
from muxi.redact import show_value
from muxi.transport.arguments import check_arguments

__all__ = ["Guard", "ReplayGuard"]


class Guard(Protocol):
    """A memory of deliveries. Several receiving processes need one with a shared store (set if absent)."""

    def admit(self, timestamp: int, signature: str) -> bool:
        """Remember a delivery with a valid signature.

        Args:
            timestamp: time of the signature, in seconds since the epoch.
            signature: 64 hexadecimal digits, unique to the delivery.

        Returns:
            True for a new delivery. False for a known one, and for one that is too old to be known.
        """
        ...


@check_arguments("tolerance_seconds", "capacity")
class ReplayGuard:
    """A memory of the deliveries of the last minutes in this process. Threads may share one.

    A delivery that is refused as too old is not lost: unless it is answered with 2xx, the runtime sends it again after
    1, 2 and 4 seconds, each time with a new signature.

    Args:
        tolerance_seconds: seconds during which a delivery is remembered; that of
            :func:`muxi.webhook.verify_signature`.
        capacity: largest number of remembered deliveries. Beyond it the oldest are dropped, and deliveries as old as
            those count as known.
        clock: clock to compare with; the machine's by default.

    Raises:
        ConfigurationError: a number is invalid.
    """

    def __init__(self, tolerance_seconds: float = 300, *, capacity: int = 10_000, clock: Clock | None = None) -> None:
        size: object = capacity
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigurationError(f"capacity= takes a whole number from 1 up, got {show_value(capacity)}")
        age: object = tolerance_seconds
        if isinstance(age, bool) or not isinstance(age, int | float) or not age >= 0:
            raise ConfigurationError(
                f"tolerance_seconds= takes a number from 0 up, got {show_value(tolerance_seconds)}"
            )
        self._tolerance = tolerance_seconds
        self._capacity = capacity
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._seen: set[tuple[int, str]] = set()
        self._oldest: list[tuple[int, str]] = []
        #: Deliveries signed up to this time may have been dropped. Holds also after the clock was set back.
        self._dropped_until = -math.inf

    def admit(self, timestamp: int, signature: str) -> bool:
        """Remember a delivery (:class:`Guard`); False if it is known, or too old to be known."""
        delivery = (timestamp, signature)
        with self._lock:
            now = int(self._clock.time())
            while self._oldest and now - self._oldest[0][0] > self._tolerance:
                self._drop()
            if delivery in self._seen or timestamp <= self._dropped_until or now - timestamp > self._tolerance:
                return False
            self._seen.add(delivery)
            heapq.heappush(self._oldest, delivery)
            if len(self._oldest) > self._capacity:
                self._drop()
            return True

    def _drop(self) -> None:
        delivery = heapq.heappop(self._oldest)
        self._seen.discard(delivery)
        self._dropped_until = max(self._dropped_until, delivery[0])

    def __len__(self) -> int:
        return len(self._oldest)

    def __repr__(self) -> str:
        return f"<ReplayGuard {len(self)} of {self._capacity}, {self._tolerance:g} s>"
