"""Pools and connections of urllib3, for what the direct lane cannot reach by itself: over TLS and through proxies."""

from __future__ import annotations

import socket
from typing import Any, cast

import urllib3  # noqa: F401  whole, before its parts: another thread may be half through importing it
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from muxi_transports.http.attempt import Attempt
from muxi_transports.http1 import AnswerReader
from muxi_transports.pooled.connecting import Target, open_unix
from muxi_transports.pooled.idle import DirectConnection, DirectPool, IdleStack
from muxi_transports.pooled.plain import connect
from muxi_transports.pooled.tools import is_genuine
from muxi_transports.pooled.wire import bound, receive, release, watch

__all__ = [
    "Connection",
    "Pool",
    "SecureConnection",
    "SecurePool",
    "UnixConnection",
    "connect_tcp",
    "connect_unix",
    "watch_handshake",
]


class Connection(DirectConnection, HTTPConnection):
    """A connection whose making is bounded as a whole; requests are written by the direct lane itself."""

    #: The attempt that the connection is made for.
    attempt: Attempt | None = None

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

    def close(self) -> None:
        """Close the socket."""
        self._poll = None
        HTTPConnection.close(self)


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
        connection._dns_host, connection.port or 0, connection.source_address, tuple(connection.socket_options or ())
    )
    try:
        sock = connect(target, seconds, attempt)
        if is_genuine(socket.socket, "socket"):  # of a mock in the place of sockets no descriptor is known
            watch_handshake(connection, sock, attempt)
        return sock
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


class Pool(DirectPool, HTTPConnectionPool):
    """The connections to one origin."""

    ConnectionCls: Any = Connection  # its declared type is a protocol that urllib3's own does not match
    QueueCls: Any = IdleStack

    def close(self) -> None:
        """Close the idle connections, and end all waits for one."""
        idle = cast("IdleStack | None", self.pool)
        HTTPConnectionPool.close(self)
        if idle is not None:
            idle.wake_waiters()

    def _make(self) -> DirectConnection:
        return cast(Connection, self._new_conn())

    def _connect(self, connection: Connection, attempt: Attempt, *, is_tunnelled: bool) -> None:
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
