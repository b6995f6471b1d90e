"""Pools and connections of urllib3 for the direct lane: bounded in time, over TCP, TLS or a Unix socket."""

from __future__ import annotations

import queue
import select
import socket
import time
from typing import Any, cast

import urllib3
import urllib3.util.connection
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ClosedPoolError, ConnectTimeoutError, NameResolutionError, NewConnectionError

from muxi.errors import ConfigurationError
from muxi_transports.http.attempt import Attempt
from muxi_transports.http1 import AnswerReader
from muxi_transports.pooled.connecting import Target, open_connection, open_unix
from muxi_transports.pooled.lease import ConnectionLease
from muxi_transports.pooled.tools import is_genuine
from muxi_transports.pooled.wire import Wire, bound, has_arrived, interrupt, receive, release, shut_down, watch

__all__ = [
    "Connection",
    "DirectLease",
    "IdleStack",
    "Pool",
    "SecureConnection",
    "SecurePool",
    "UnixConnection",
    "connect_tcp",
    "connect_unix",
    "refuse_fork",
    "watch_handshake",
]


def refuse_fork() -> None:
    """Refuse a urllib3 that cannot read streams as they arrive, nor close them.

    Raises:
        ConfigurationError: with what to install.
    """
    if hasattr(urllib3.HTTPResponse, "read1") and hasattr(urllib3.HTTPResponse, "shutdown"):
        return
    raise ConfigurationError(
        "the installed urllib3 cannot read a stream as it arrives. It is too old, or the fork "
        "urllib3-future (it comes with niquests) has replaced it. Install the real one: "
        "pip uninstall -y urllib3-future && pip install --force-reinstall 'urllib3>=2.3,<3'"
    )


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


class Connection(HTTPConnection):
    """A connection whose making is bounded as a whole; requests are written by the direct lane itself."""

    #: On ``time.monotonic()``, since it was last used.
    idle_since: float = 0.0
    #: The attempt that the connection is made for.
    attempt: Attempt | None = None
    _poll: Any = None  # Any: select.poll, which has no public type

    @property
    def wire(self) -> Wire:
        """The socket."""
        return cast(Wire, self.sock)

    @property
    def time_to_connect(self) -> float | None:
        return self.attempt.time_to_connect if self.attempt is not None else self.timeout

    def _new_conn(self) -> socket.socket:
        return connect_tcp(self, self.time_to_connect, self.attempt)

    def _tunnel(self) -> None:
        """Have the proxy connect to the origin (RFC 9110, section 9.3.6).

        http.client would wait for each line of the answer as long as for the connection.
        """
        attempt, wire = self.attempt, self.wire
        assert attempt is not None  # noqa: S101  told to the type checker; pools set it before they connect
        tunnel = cast(Any, self)  # http.client keeps what set_tunnel() was given in these attributes
        host = tunnel._tunnel_host.decode("ascii") if isinstance(tunnel._tunnel_host, bytes) else tunnel._tunnel_host
        named = f"[{host.strip('[]')}]" if ":" in host else host
        headers = "".join(f"{name}: {value}\r\n" for name, value in (tunnel._tunnel_headers or {}).items())
        if "host:" not in headers.lower():
            headers = f"Host: {named}:{tunnel._tunnel_port}\r\n{headers}"
        bound(wire, attempt)
        wire.sendall(f"CONNECT {named}:{tunnel._tunnel_port} HTTP/1.1\r\n{headers}\r\n".encode("latin-1"))
        reader = AnswerReader("HEAD")  # as with HEAD, nothing follows the head
        while reader.head is None:
            data = receive(wire, attempt)
            if not data:
                reader.eof()
            reader.feed(data)
        if not 200 <= reader.head.status < 300:
            self.close()
            raise OSError(f"Tunnel connection failed: {reader.head.status} {reader.head.reason}")
        bound(wire, attempt)

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
        super().close()


class SecureConnection(Connection, HTTPSConnection):
    """The same over TLS."""


class UnixConnection(Connection):
    """A connection to a Unix socket."""

    def __init__(self, *args: Any, socket_path: str, **options: Any) -> None:  # Any: urllib3's own, handed on
        super().__init__(*args, **options)
        #: Where the socket is.
        self.path: str = socket_path

    def _new_conn(self) -> socket.socket:
        return connect_unix(self, self.time_to_connect, self.attempt)


def connect_unix(connection: UnixConnection, seconds: float | None, attempt: Attempt | None = None) -> socket.socket:
    """As :func:`connect_tcp`, to a Unix socket."""
    try:
        return open_unix(connection.path, seconds)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"connecting to {connection.path} timed out") from error
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error


def connect_tcp(connection: HTTPConnection, seconds: float | None, attempt: Attempt | None = None) -> socket.socket:
    """A new socket for a connection of urllib3, with the errors that urllib3 has.

    Args:
        connection: whose host, port and options are taken.
        seconds: the longest time for the lookup and all addresses of the host together.
        attempt: what the connection is for.
    """
    target = Target(
        connection._dns_host,
        connection.port or 0,
        connection.source_address,
        tuple(connection.socket_options or ()),
        urllib3.util.connection.allowed_gai_family(),
    )
    try:
        if is_genuine(socket.socket, "socket") and is_genuine(
            urllib3.util.connection.create_connection, "urllib3.util.connection"
        ):
            sock = open_connection(target, seconds, attempt)
            watch_handshake(connection, sock, attempt)
            return sock
        # A mock in the place of sockets knows the functions that urllib3 calls, and programs replace this one.
        return urllib3.util.connection.create_connection(
            (target.host, target.port), seconds, target.source_address, connection.socket_options
        )
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"connecting to {connection.host} timed out") from error
    except OSError as error:
        raise NewConnectionError(connection, f"Failed to establish a new connection: {error}") from error


def watch_handshake(connection: HTTPConnection, sock: socket.socket, attempt: Attempt | None) -> None:
    """Let other threads end the handshake of TLS that follows on a new socket, if one does."""
    if attempt is not None and isinstance(connection, HTTPSConnection):
        watch(sock, attempt)


class DirectLease(ConnectionLease):
    """The claim of an answer on a connection of the direct lane.

    Args:
        attempt: what is sent over the connection.
        live: the leases of the transport that have not ended.
        connection: it may have to be connected first.
        pool: where the connection comes from.
    """

    def __init__(self, attempt: Attempt, live: set[ConnectionLease], connection: Connection, pool: Pool) -> None:
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


class Pool(HTTPConnectionPool):
    """The connections to one origin."""

    ConnectionCls: Any = Connection  # its declared type is a protocol that urllib3's own does not match
    QueueCls: Any = IdleStack
    #: Seconds that an idle connection is kept; None is without bound.
    keep_alive: float | None = None

    def take(self, attempt: Attempt, live: set[ConnectionLease], *, is_tunnelled: bool) -> DirectLease:
        """A connection that is free, or a new one, connected.

        Raises:
            builtins.TimeoutError: none became free, or connecting took too long.
            OSError: no connection could be made; also urllib3's own exceptions.
        """
        connection = self._take_idle(attempt)
        lease = DirectLease(attempt, live, connection, self)
        try:
            if connection.sock is None:
                self._connect(connection, attempt, is_tunnelled=is_tunnelled)
                lease.check_open()
        except BaseException:
            lease.close()
            raise
        return lease

    def give_back(self, connection: Connection | None) -> None:
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

    def close(self) -> None:
        """Close the idle connections, and end all waits for one."""
        idle = cast("IdleStack | None", self.pool)
        super().close()
        if idle is not None:
            idle.wake_waiters()

    def _take_idle(self, attempt: Attempt) -> Connection:
        idle = self.pool
        connection: Connection | None = None
        try:
            if idle is None:
                raise ClosedPoolError(self, "the transport was closed")
            connection = cast(
                "Connection | None", idle.get(self.block, attempt.time_to_connect if self.block else None)
            )
        except queue.Empty:
            if self.pool is None:
                raise ClosedPoolError(self, "the transport was closed") from None
            if self.block:
                attempt.queued = True
                raise TimeoutError("no connection became free") from None
        if connection is None:
            connection = cast(Connection, self._new_conn())
        elif connection.sock is not None and not self._is_usable(connection):
            connection.close()
        return connection

    def _is_usable(self, connection: Connection) -> bool:
        if self.keep_alive is not None and time.monotonic() - connection.idle_since > self.keep_alive:
            return False
        return connection.is_connected

    def _connect(self, connection: Connection, attempt: Attempt, *, is_tunnelled: bool) -> None:
        attempt.begin_connecting()
        connection.attempt = attempt
        try:
            connection.timeout = attempt.time_to_connect
            if is_tunnelled:
                self._prepare_proxy(cast(Any, connection))
            self._validate_conn(cast(Any, connection))
            if connection.sock is None:
                connection.connect()
        finally:
            connection.attempt = None
            release(attempt)


class SecurePool(Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls: Any = SecureConnection


class UnixPool(Pool):
    """The same over a Unix socket.

    Args:
        socket_path: where the socket is.
    """

    ConnectionCls: Any = UnixConnection

    def __init__(self, socket_path: str, **options: Any) -> None:  # Any: urllib3's own, handed on
        super().__init__("localhost", socket_path=socket_path, **options)
