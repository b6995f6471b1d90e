"""Connections and pools of urllib3 that carry orders: bounded in time, over TCP, TLS or a Unix socket."""

from __future__ import annotations

import errno
import socket
import time
from typing import TYPE_CHECKING, Any, cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, EmptyPoolError, NewConnectionError

from muxi.errors import ConfigurationError
from muxi.transport import BytesBody, Request
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import sendable_headers
from muxi_transports.pooled.answer import Answer, Wire, bound
from muxi_transports.pooled.http1 import framing_of, request_head

if TYPE_CHECKING:
    from muxi_transports.pooled.routes import Route

__all__ = ["Connection", "Order", "Pool", "SecurePool", "UnixPool", "refuse_fork"]

# How much of a body in memory is written at a time: each piece has the time of one read to get off.
_WRITE = 256 * 1024
# What a write meets where the server has answered before the request was out, and closed: the answer can be read.
_ANSWERED_EARLY = frozenset({errno.EPIPE, errno.ECONNRESET, getattr(errno, "EPROTOTYPE", errno.EPIPE)})


def refuse_fork() -> None:
    """Refuse what only calls itself urllib3: streams cannot be read as they arrive with it, nor closed.

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


class Order:
    """A request with all that a connection has to know. It goes where the headers go, which are handed on unchanged.

    Args:
        request: what is sent.
        route: how its origin is reached.
        target: the request target, sent exactly as it is.
    """

    __slots__ = ("attempt", "head", "method", "route")

    def __init__(self, request: Request, route: Route, target: str) -> None:
        body = request.body
        headers = sendable_headers(request.headers, body, route.authorization)
        framing = framing_of(request.method, body)
        if framing is not None:
            headers.setdefault(*framing)
        if route.proxy_authorization is not None:
            headers.setdefault("Proxy-Authorization", route.proxy_authorization)
        self.method = request.method
        self.route = route
        self.attempt = Attempt(request, route.where, route.proxy, route.trust)
        self.head: bytes = request_head(request.method, route.prefix + target, route.host_header, headers)

    def __contains__(self, name: object) -> bool:
        """As headers it is complete: nobody needs to add one."""
        return True


class Connection(HTTPConnection):
    """A connection that carries orders. It does nothing of its own with a request that is not one."""

    #: Since when it has been idle, by ``time.monotonic``.
    idle_since: float = 0.0

    @property
    def wire(self) -> Wire:
        """The socket."""
        return cast(Wire, self.sock)

    def carry(self, order: Order, pool: Pool) -> Answer:
        """Send a request and read the head of the answer."""
        attempt = order.attempt
        attempt.connected = True
        try:
            self._send(order.head, attempt)
            sent = True
        except OSError as error:
            if attempt.body_error is not None or error.errno not in _ANSWERED_EARLY:
                raise
            sent = False
        attempt.await_head()
        return Answer(self, pool, attempt, order.method, sent=sent)

    def _send(self, head: bytes, attempt: Attempt) -> None:
        body = attempt.body
        if body is None:
            self._write(head, attempt)
        elif isinstance(body, BytesBody) and len(body.content) <= _WRITE:
            self._write(head + body.content, attempt)  # one packet instead of two
        else:
            self._write(head, attempt)
            pieces = [body.content] if isinstance(body, BytesBody) else attempt.pieces()
            for piece in pieces:
                self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if body.length is None else piece, attempt)
            if body.length is None:
                self._write(b"0\r\n\r\n", attempt)

    def _write(self, data: bytes, attempt: Attempt) -> None:
        wire = self.wire
        if len(data) <= _WRITE:
            bound(wire, attempt)
            wire.sendall(data)
            return
        view = memoryview(data)
        for at in range(0, len(view), _WRITE):
            bound(wire, attempt)
            wire.sendall(view[at : at + _WRITE])


class _SecureConnection(Connection, HTTPSConnection):
    pass


class _UnixConnection(Connection):
    """A connection to a Unix socket."""

    def __init__(self, *args: Any, socket_path: str, **options: Any) -> None:  # Any: urllib3's own, handed on
        super().__init__(*args, **options)
        self._path = socket_path

    def _new_conn(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self._path)
        except OSError as error:
            sock.close()
            if isinstance(error, TimeoutError):
                raise ConnectTimeoutError(self, f"connecting to {self._path} timed out") from error
            raise NewConnectionError(self, str(error)) from error
        return sock


class Pool(HTTPConnectionPool):
    """The connections to one origin."""

    ConnectionCls: Any = Connection  # its declared type is a protocol that urllib3's own does not match
    #: Seconds that an idle connection is kept; None is without bound.
    keep_alive: float | None = None

    def urlopen(
        self, method: str, url: str, body: Any = None, headers: Any = None, *rest: Any, **options: Any
    ) -> Any:  # Any: the signature of urllib3; an order comes in the place of the headers, and an Answer comes back
        """Carry an order; what requests calls with it."""
        if isinstance(headers, Order):
            return self.carry(headers)
        return super().urlopen(method, url, body, headers, *rest, **options)

    def carry(self, order: Order) -> Answer:
        """Send a request over a connection that is free, or a new one, and read the head of the answer."""
        connection = self._free_connection(order.attempt)
        try:
            if connection.sock is None:
                self._connect(connection, order)
            return connection.carry(order, self)
        except BaseException:
            connection.close()
            self._put_conn(connection)
            raise

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        connection.idle_since = time.monotonic()
        self._put_conn(connection)

    def _free_connection(self, attempt: Attempt) -> Connection:
        try:
            connection = cast(Connection, self._get_conn(attempt.time_to_connect if self.block else None))
        except EmptyPoolError as error:
            attempt.queued = True
            raise TimeoutError("no connection became free") from error
        if (
            connection.sock is not None
            and self.keep_alive is not None
            and time.monotonic() - connection.idle_since > self.keep_alive
        ):
            connection.close()
        return connection

    def _connect(self, connection: Connection, order: Order) -> None:
        connection.timeout = order.attempt.time_to_connect
        if order.route.is_tunnelled:
            self._prepare_proxy(cast(Any, connection))
        self._validate_conn(cast(Any, connection))
        if connection.sock is None:
            connection.connect()

    def _put_conn(self, conn: Any) -> None:
        # With more connections at work than are kept, urllib3 warns of each that is too many.
        kept = self.pool  # another thread may be closing the pool
        if conn is not None and kept is not None and not self.block and kept.full():
            conn.close()
            return
        super()._put_conn(conn)


class SecurePool(Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls: Any = _SecureConnection


class UnixPool(Pool):
    """The same over a Unix socket.

    Args:
        socket_path: where the socket is.
    """

    ConnectionCls: Any = _UnixConnection

    def __init__(self, socket_path: str, **options: Any) -> None:  # Any: urllib3's own, handed on
        super().__init__("localhost", socket_path=socket_path, **options)
