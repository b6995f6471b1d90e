"""Ctrl-C, held back for the moments in which half a step would leave calls that nothing knows of."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["holding_interrupts"]


@contextmanager
def holding_interrupts() -> Iterator[None]:
    """Hold SIGINT back until the block has ended, and handle it then as it would have been.

    Only the main thread of a program handles signals; in others this does nothing. The block must not wait.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    try:
        signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    except ValueError:  # of a subinterpreter, which handles none
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            handler(*held[0])
