"""Streams read in a thread, so that Ctrl-C interrupts the wait for an event and not the reading of one."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["events_of"]

#: Seconds after which a wait begins anew: on Windows one without a bound cannot be interrupted.
_WAIT = 0.2 if os.name == "nt" else None


def events_of(stream: Any) -> Iterator[Any]:
    """Yield the events of a stream as they arrive.

    A ``KeyboardInterrupt`` leaves the stream open and this iterator usable: closing the stream then cancels the turn,
    and going on reads the next event.

    Args:
        stream: the open stream of a sync client.
    """
    return _BackgroundEvents(stream)


class _BackgroundEvents(Iterator[Any]):
    def __init__(self, stream: Any) -> None:
        self._arrived: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: Any) -> None:
        try:
            for event in stream:
                self._arrived.put(event)
            self._arrived.put(StopIteration())
        except BaseException as error:
            # Raised again where the events are taken.
            self._arrived.put(error)

    def __next__(self) -> Any:
        while True:
            try:
                event = self._arrived.get(timeout=_WAIT)
            except queue.Empty:
                continue
            if isinstance(event, BaseException):
                self._arrived.put(event)  # the end stays the end
                raise event
            return event
