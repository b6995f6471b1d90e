"""Telling a delivery that is played back from one that comes for the first time."""

from __future__ import annotations

import heapq
import threading
from typing import Protocol

from muxi.clock import Clock, SystemClock

__all__ = ["Guard", "ReplayGuard"]


class Guard(Protocol):
    """What remembers deliveries. Write your own where several processes receive (a shared store, set if absent)."""

    def admit(self, timestamp: int, signature: str) -> bool:
        """Remember a delivery whose signature is right.

        Args:
            timestamp: when it was signed, in seconds since the epoch.
            signature: what is unique to it, 64 hexadecimal digits.

        Returns:
            Whether it is the first time. False also where that cannot be known any more.
        """
        ...


class ReplayGuard:
    """Remembers the deliveries of the last minutes, in this process. Several threads may use one.

    A delivery that is refused for no longer being known is not lost: the runtime sends it again after 1, 2 and
    4 seconds where the answer is not 2xx, each time signed anew.

    Args:
        tolerance_seconds: how long to remember, in seconds; that of :func:`muxi.webhook.verify_signature`.
        capacity: how many deliveries to remember at most. Of more, the oldest are dropped, and what is as old as
            they are counts as seen.
        clock: the time to go by; the machine's by default.
    """

    def __init__(self, tolerance_seconds: float = 300, *, capacity: int = 10_000, clock: Clock | None = None) -> None:
        if capacity < 1:
            raise ValueError(f"a replay guard remembers at least one delivery, got capacity={capacity}")
        self._tolerance = tolerance_seconds
        self._capacity = capacity
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._seen: set[tuple[int, str]] = set()
        self._oldest: list[tuple[int, str]] = []
        #: What was signed up to then may have been dropped. Also right where the clock is set back.
        self._dropped_until = -1

    def admit(self, timestamp: int, signature: str) -> bool:
        """Remember a delivery (:class:`Guard`); False if it was here before, or is too old to know."""
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
