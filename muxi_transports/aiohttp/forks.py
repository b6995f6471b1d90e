"""Connections of aiohttp after a fork: the child leaves them to its parent, whatever finalizers run there.

The child has the parent's epoll object. A finalizer of aiohttp that closed a connection there would take the connection
out of it, and the parent would never hear of the connection again.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import Protocol

__all__ = ["LeftAfterFork", "leave_after_fork", "release_descriptors"]


class LeftAfterFork(Protocol):
    """An object with connections that stay with the parent of a fork."""

    def leave_to_parent(self) -> None: ...


_owners: weakref.WeakSet[LeftAfterFork] = weakref.WeakSet()


def leave_after_fork(owner: LeftAfterFork) -> None:
    """Have :meth:`LeftAfterFork.leave_to_parent` called in the child of a fork."""
    _owners.add(owner)


def _leave() -> None:
    for owner in list(_owners):
        owner.leave_to_parent()


def release_descriptors(*descriptors: int) -> None:
    """Close this process's copies of sockets. Their numbers stay taken, as objects that close them still exist."""
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        for descriptor in descriptors:
            if descriptor >= 0:
                with suppress(OSError):
                    os.dup2(nothing, descriptor, inheritable=False)
    finally:
        os.close(nothing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)
