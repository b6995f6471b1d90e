"""A flag that can be set once, whichever thread comes first."""

from __future__ import annotations

import threading

__all__ = ["Once"]


class Once:
    """Something that happens once: :meth:`claim` is true for one caller. Never blocks, so finalizers may use it."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def claim(self) -> bool:
        """Return whether the caller is the first, and so the one to do it."""
        return self._lock.acquire(blocking=False)

    @property
    def claimed(self) -> bool:
        """True if a caller has claimed it."""
        return self._lock.locked()
