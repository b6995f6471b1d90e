"""The claim of an answer on its connection: one end, whoever brings it about, and a connection given back once."""

from __future__ import annotations

import enum
import threading
from abc import ABC, abstractmethod

from muxi.transport.once import Once
from muxi_transports.http.attempt import Attempt

__all__ = ["ConnectionLease"]


class _Turn(enum.Enum):
    """The state of a connection's one reader: idle, reading, ended."""

    #: The next reader.
    IDLE = enum.auto()
    #: The thread that reads; another one may only wake it.
    READING = enum.auto()
    #: No reader is admitted any more.
    ENDED = enum.auto()


class ConnectionLease(ABC):
    """The claim of one answer on one connection, from before the request is sent.

    It ends once: the connection is given back when the body has been read, or closed. A thread that reads is woken by
    another that ends the lease, and closes the connection itself, so that no two threads use a socket at once.

    Args:
        attempt: what is sent over the connection.
        live: the leases of the transport that have not ended; this one keeps itself in it.
    """

    def __init__(self, attempt: Attempt, live: set[ConnectionLease]) -> None:
        self.attempt = attempt
        self._live = live
        self._lock = threading.Lock()
        # The request counts as reading: the thread that sends it waits for the head of its answer.
        self._turn = _Turn.READING
        self._disposal = Once()
        live.add(self)

    @abstractmethod
    def _wake(self) -> None:
        """End the wait of the thread that reads."""

    @abstractmethod
    def _dispose(self) -> None:
        """Close the connection."""

    def _keep(self) -> None:  # noqa: B027  a library may keep its connections by itself
        """Give the connection back to its pool."""

    @property
    def _has_ended(self) -> bool:
        return self._turn is _Turn.ENDED

    def _mark_ended(self) -> None:
        self._turn = _Turn.ENDED

    def check_open(self) -> None:
        """Raise an ``OSError`` if another thread has ended the lease."""
        if self._has_ended:
            raise OSError("the transport was closed")

    def begin_reading(self) -> bool:
        """Return whether the calling thread may read."""
        with self._lock:
            if self._turn is _Turn.ENDED:
                return False
            self._turn = _Turn.READING
            return True

    def pause(self) -> None:
        """Note that the calling thread reads no more for now. Ended meanwhile, the connection is closed."""
        with self._lock:
            if self._turn is _Turn.READING:
                self._turn = _Turn.IDLE
                return
        self.close()

    def end(self, by: str) -> None:
        """End the lease from any thread, and note for the reader who did it.

        Args:
            by: ``caller`` or ``transport``.
        """
        with self._lock:
            if self._turn is _Turn.ENDED:
                return
            self.attempt.ended_by = by
            reading, self._turn = self._turn is _Turn.READING, _Turn.ENDED
            if reading:
                self._wake()
        if not reading:
            self.close()

    def close(self) -> None:
        """Close the connection. Only for the thread that reads, and for finalizers: no lock is taken."""
        self._turn = _Turn.ENDED
        if self._disposal.claim():
            self._live.discard(self)
            self._dispose()

    def abandon(self) -> None:
        """Close the connection from a finalizer, in which no lock may be taken."""
        self.close()

    def give_back(self) -> None:
        """Let the connection serve another request; closed instead where another thread has ended the lease."""
        with self._lock:
            ended, self._turn = self._turn is _Turn.ENDED, _Turn.ENDED
        if ended:
            self.close()
        elif self._disposal.claim():
            self._live.discard(self)
            self._keep()
