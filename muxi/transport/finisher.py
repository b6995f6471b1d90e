"""The thread that finishes what a finalizer may not do: whatever takes a lock, or runs code of others.

A collector runs finalizers anywhere, in a thread that may hold any lock. So a finalizer of the SDK drops a socket,
appends to a deque, schedules a callback of an event loop, or hands work to this thread, and does nothing else.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

from muxi.forks import renew_after_fork

__all__ = ["finish_later", "start_finisher"]

Work = Callable[[], object]

#: Its put() may be called while another put() is interrupted, in the same thread.
_queue: SimpleQueue[Work] = SimpleQueue()
_thread: threading.Thread | None = None
_lock = threading.Lock()
renew_after_fork(sys.modules[__name__], "_lock")


def start_finisher() -> None:
    """Start the thread, unless it runs. For constructors: a finalizer must not start a thread."""
    global _thread
    if _thread is not None:
        return
    with _lock:
        if _thread is None:
            thread = threading.Thread(target=_run, args=(_queue,), name="muxi-finisher", daemon=True)
            thread.start()
            _thread = thread


def finish_later(work: Work) -> None:
    """Have the thread do some work. For finalizers: takes no lock.

    Args:
        work: must not refer to the object that is being finalized.
    """
    _queue.put(work)


def _run(queue: SimpleQueue[Work]) -> None:
    while True:
        work = queue.get()
        try:
            work()
        except Exception:
            logging.getLogger("muxi").warning("something that was dropped could not be finished", exc_info=True)
        del work  # the thread keeps nothing alive while it waits


def _forget() -> None:
    """Forget the thread, which the child of a fork does not have, and the queue that it may have held."""
    global _queue, _thread
    _queue, _thread = SimpleQueue(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
