"""Pools of the direct lane: connections that are kept for the next request, whatever they are made of."""

from __future__ import annotations

import queue
import select
import socket
import time
from abc import abstractmethod
from typing import Any, cast

from muxi_transports.http.attempt import Attempt
from muxi_transports.pooled.lease import ConnectionLease
from muxi_transports.pooled.wire import Wire, has_arrived, interrupt, shut_down

__all__ = ["DirectConnection", "DirectLease", "DirectPool", "IdleStack"]


class IdleStack:
    """The idle connections of a pool, the last one first. Finalizers may put into it: it has no lock of its own.

    It takes the place of the queue that urllib3 makes for each pool, with the same methods.

    Args:
        maxsize: how many connections are kept.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self.maxsize = maxsize
        self._items: list[Any] = []  # Any: connections, and None for those that are to be made
        # SimpleQueue.put() may be called while the same thread is in put() or get().
        self._tokens: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._closed = False

    def put(self, item: Any, block: bool = True) -> None:
        """Add a connection.

        Raises:
            queue.Full: there are ``maxsize`` already.
        """
        if self.full():
            raise queue.Full
        self._items.append(item)
        self._tokens.put(None)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the connection that was put last.

        Raises:
            queue.Empty: there is none, or none came in time.
        """
        self._tokens.get(block, timeout)
        if self._closed:
            self._tokens.put(None)  # for the next one that waits
            raise queue.Empty
        return self._items.pop()

    def wake_waiters(self) -> None:
        """Have all that wait for a connection fail, now and later."""
        self._closed = True
        self._tokens.put(None)

    def full(self) -> bool:
        """Return whether no more are kept."""
        return 0 < self.maxsize <= len(self._items)

    def qsize(self) -> int:
        """Return the number of idle connections."""
        return len(self._items)


class DirectConnection:
    """A connection of the direct lane, which writes its requests and reads its answers itself."""

    #: None as long as it is not connected. Any: a socket, or TLS inside TLS, which has fewer methods.
    sock: Any = None
    #: On ``time.monotonic()``, since it was last used.
    idle_since: float = 0.0
    _poll: Any = None  # Any: select.poll, which has no public type

    @property
    def wire(self) -> Wire:
        """The socket."""
        return cast(Wire, self.sock)

    @property
    def is_connected(self) -> bool:
        """True if it is open and nothing has arrived since its last answer."""
        sock = self.sock
        if sock is None:
            return False
        if not isinstance(sock, socket.socket) or not hasattr(select, "poll"):
            return not has_arrived(sock)
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(sock, select.POLLIN)
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close the socket."""
        self._poll = None
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.close()


class DirectLease(ConnectionLease):
    """The claim of an answer on a connection of the direct lane.

    Args:
        attempt: what is sent over the connection.
        live: the leases of the transport that have not ended.
        connection: it may have to be connected first.
        pool: where the connection comes from.
    """

    def __init__(
        self, attempt: Attempt, live: set[ConnectionLease], connection: DirectConnection, pool: DirectPool
    ) -> None:
        self.connection = connection
        self._pool = pool
        super().__init__(attempt, live)

    @property
    def wire(self) -> Wire:
        """The socket."""
        return self.connection.wire

    def _wake(self) -> None:
        interrupt(self.attempt)
        shut_down(self.connection.sock)

    def _dispose(self) -> None:
        self.connection.close()
        self._pool.give_back(None)

    def _keep(self) -> None:
        connection = self.connection
        connection.idle_since = time.monotonic()
        self._pool.give_back(connection)


class DirectPool:
    """The connections to one origin."""

    #: The idle connections; None once the pool is closed. Any: urllib3 declares another class for the same attribute.
    pool: Any
    #: Whether no more connections are made than are kept.
    block: bool
    #: Seconds that an idle connection is kept; None is without bound.
    keep_alive: float | None = None

    def take(self, attempt: Attempt, live: set[ConnectionLease], *, is_tunnelled: bool) -> DirectLease:
        """A connection that is free, or a new one, connected.

        Raises:
            builtins.TimeoutError: none became free, or connecting took too long.
            OSError: no connection could be made; also the exceptions of urllib3.
        """
        connection = self._take_idle(attempt)
        lease = DirectLease(attempt, live, connection, self)
        try:
            if connection.sock is None:
                attempt.begin_connecting()
                self._connect(connection, attempt, is_tunnelled=is_tunnelled)
                lease.check_open()
        except BaseException:
            lease.close()
            raise
        return lease

    def give_back(self, connection: DirectConnection | None) -> None:
        """Keep a connection for the next request, or with None the place of one that was closed."""
        kept = self.pool
        try:
            if kept is not None:  # else the pool has been closed
                kept.put(connection, block=False)
                return
        except queue.Full:
            pass
        if connection is not None:
            connection.close()

    @abstractmethod
    def close(self) -> None:
        """Close the idle connections, and end all waits for one."""

    @abstractmethod
    def _make(self) -> DirectConnection:
        """A connection that is not connected."""

    @abstractmethod
    def _connect(self, connection: Any, attempt: Attempt, *, is_tunnelled: bool) -> None:  # Any: of the pool's class
        """Connect a connection."""

    def _take_idle(self, attempt: Attempt) -> DirectConnection:
        idle = cast("IdleStack | None", self.pool)
        connection: DirectConnection | None = None
        try:
            if idle is None:
                raise OSError("the transport was closed")
            connection = idle.get(self.block, attempt.time_to_connect if self.block else None)
        except queue.Empty:
            if self.pool is None:
                raise OSError("the transport was closed") from None
            if self.block:
                attempt.queued = True
                raise TimeoutError("no connection became free") from None
        if connection is None:
            connection = self._make()
        elif connection.sock is not None and not self._is_usable(connection):
            connection.close()
        return connection

    def _is_usable(self, connection: DirectConnection) -> bool:
        if self.keep_alive is not None and time.monotonic() - connection.idle_since > self.keep_alive:
            return False
        return connection.is_connected
