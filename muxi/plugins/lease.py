"""What a call holds for its time, and what comes back whatever becomes of the call."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Lease"]


class Lease:
    """Kept in ``context.state``, and ended where the call ends.

    A coroutine that is closed and never finished, or a stream whose loop is gone, tells no hook of its end; the lease
    then ends with its context. That is wherever the collector runs, so ``give_back`` must not wait for a lock.

    Args:
        give_back: called once.
    """

    __slots__ = ("_give_back",)

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def end(self) -> None:
        """Give back what is held, the first time."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()

    def __del__(self) -> None:
        self.end()
