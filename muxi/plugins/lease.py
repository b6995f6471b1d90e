"""A resource that a call holds until it ends, or until its context is collected."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Lease"]


class Lease:
    """A resource kept in ``context.state`` and released when the call ends.

    No hook is called for a coroutine that is closed unfinished, nor for a stream whose event loop is gone. The lease
    is then released by its finalizer, in whatever thread the collector runs: ``release`` must not wait for a lock.

    Args:
        release: called once.
    """

    __slots__ = ("_release",)

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def end(self) -> None:
        """Release the resource, at the first call."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __del__(self) -> None:
        self.end()
