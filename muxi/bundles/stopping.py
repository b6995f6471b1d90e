"""The end of work on a bundle in a thread whose caller has been cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from muxi.errors import MuxiError

__all__ = ["check_stopped", "run_in_thread"]

T = TypeVar("T")

_stopped: ContextVar[threading.Event | None] = ContextVar("muxi_bundles_stopped", default=None)


def check_stopped() -> None:
    """End the work of this thread if its caller has been cancelled.

    Raises:
        MuxiError: ``CANCELLED``; no caller waits for it.
    """
    stopped = _stopped.get()
    if stopped is not None and stopped.is_set():
        raise MuxiError("CANCELLED", "the call was cancelled while its bundle was packed")


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run work that reads files in a thread, so that the event loop goes on; a cancellation stops it soon."""
    from asyncio import to_thread  # a sync program need not load it

    stopped = threading.Event()
    token = _stopped.set(stopped)
    try:
        return await to_thread(work)  # the thread gets a copy of the context
    finally:
        stopped.set()
        _stopped.reset(token)
