"""Pools of the full lane: urllib3's own, gone through from ``urlopen`` to the socket, with every wait bounded.

Nothing of urllib3 and http.client is left out, so that tools which replace parts of them see each request. What is
added stands below those parts: the exact request target, header text as UTF-8, bounds for each read and write, the
check of answers, and a claim by which another thread can end the request.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any, cast

import urllib3  # noqa: F401  whole, before its parts: another thread may be half through importing it
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ClosedPoolError, EmptyPoolError
from urllib3.poolmanager import pool_classes_by_scheme
from urllib3.util import SKIP_HEADER

from muxi_transports.http.attempt import Attempt
from muxi_transports.http.polling import wait_for
from muxi_transports.http.settings import HttpSettings, Way
from muxi_transports.pooled.checked import CheckedAnswer, CheckedSocket
from muxi_transports.pooled.idle import IdleStack
from muxi_transports.pooled.lease import ConnectionLease
from muxi_transports.pooled.pool import UnixConnection, connect_tcp, connect_unix
from muxi_transports.pooled.routes import PoolClasses, open_pool, refuse_fork, socks_missing
from muxi_transports.pooled.sending import read_early
from muxi_transports.pooled.tools import is_genuine
from muxi_transports.pooled.wire import bound, interrupt, release, shut_down

__all__ = [
    "BoundPool",
    "FullLease",
    "abandoned",
    "carrying",
    "open_full_pool",
    "put_down",
    "socket_of",
    "take_up",
    "watch_body",
]

#: How much of a body is written at a time, in bytes: as much as any socket takes that can be written to.
_WRITE = 16 * 1024

#: Makes the socket of a connection, within seconds, for an attempt.
_Connect = Callable[[Any, "float | None", Attempt], socket.socket]

#: The claim of the request that this context is sending.
carrying: ContextVar[FullLease] = ContextVar("carrying")

#: Connections of the user's pools that finalizers left, as functions that give them back.
abandoned: deque[Callable[[], Any]] = deque()


class FullLease(ConnectionLease):
    """The claim of an answer on a connection of the full lane, which the library takes and keeps by itself.

    Args:
        attempt: what is sent.
        live: the leases of the transport that have not ended.
        target: the request target, with what stands before it for a forwarding proxy.
        method: of the request.
        foreign: whether the connection belongs to a session or an adapter of the user's.
    """

    def __init__(
        self, attempt: Attempt, live: set[ConnectionLease], target: str, method: str, *, foreign: bool = False
    ) -> None:
        self.target = target
        self.method = method
        self.foreign = foreign
        #: Whether a finalizer ends it, in which no lock may be taken.
        self.is_abandoned: bool = False
        #: The connection, as soon as the pool has chosen it; None where the library's connections are not ours.
        self.connection: Any = None  # Any: whatever class the pool's connections have
        #: The answer as http.client reads it.
        self.checked: CheckedAnswer | None = None
        #: The beginning of the answer, where it came before the request was out.
        self.early: bytes | None = None
        #: The answer as urllib3 has it.
        self.raw: Any = None  # Any: of a session or adapter it may be anything
        super().__init__(attempt, live)

    def returned(self) -> bool:
        """Note that the pool has the connection again; False where it must not be used any more."""
        # An end is for good. A finalizer that closes the answer comes here too, and may take no lock.
        ended = self._has_ended
        if not ended:
            with self._lock:
                ended = self._has_ended
                self._mark_ended()
        if self._disposal.claim():
            self._live.discard(self)
        return not ended and self._is_reusable

    def abandon(self) -> None:
        """Close the connection from a finalizer."""
        self.is_abandoned = True
        self.close()

    def set_aside(self) -> bool:
        """Note that the connection goes back before the answer is known, because the library sends more for it.

        Returns:
            Whether the connection may be used again.
        """
        reusable = self._is_reusable
        self.connection = self.checked = self.early = None
        return reusable and not self._has_ended

    @property
    def _is_reusable(self) -> bool:
        return self.early is None and (self.checked is None or self.checked.reusable)

    def _wake(self) -> None:
        interrupt(self.attempt)
        sock = getattr(self.connection, "sock", None) or socket_of(self.raw)
        if sock is None and self.checked is not None:
            sock = self.checked.socket
        if sock is not None:
            shut_down(sock)
        elif self.raw is not None and hasattr(self.raw, "shutdown"):
            _quietly(self.raw.shutdown)

    def _dispose(self) -> None:
        if self.early is not None and self.connection is not None:
            _quietly(self.connection.close)  # a part of the request is missing
        if self.raw is None:
            if self.connection is not None:
                _quietly(self.connection.close)
            return
        for name in ("close", "release_conn"):
            method = _quietly(lambda name=name: getattr(self.raw, name, None))  # type: ignore[misc]  # bound
            if method is None:
                continue
            if self.is_abandoned and name == "release_conn" and self.foreign:
                abandoned.append(method)  # the user's pool has a lock
            else:
                _quietly(method)


def socket_of(raw: Any) -> socket.socket | None:
    """The socket behind an answer of urllib3, as far as urllib3 tells."""
    sock = getattr(getattr(raw, "connection", None), "sock", None)
    if sock is None:  # with "Connection: close" only the answer still has it
        sock = getattr(getattr(raw, "_sock_shutdown", None), "__self__", None)
    return sock if isinstance(sock, socket.socket) else None


def _quietly(method: Callable[[], Any]) -> Any:
    """Call something that closes. It may be of any class and raise anything; the answer has ended in any case."""
    with suppress(Exception):
        return method()
    return None


class BoundPool(HTTPConnectionPool):
    """A pool of urllib3 whose waits are bounded by the attempt that a request belongs to."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        lease = carrying.get(None)
        if timeout is None and lease is not None and self.block:
            timeout = lease.attempt.time_to_connect
            lease.attempt.queued = True
        try:
            connection: Any = super()._get_conn(timeout)
        except EmptyPoolError:
            if self.pool is None:
                raise ClosedPoolError(self, "the transport was closed") from None
            raise
        if lease is not None:
            lease.attempt.queued = False
            lease.attempt.begin_connecting()
        return connection

    def _prepare_proxy(self, conn: Any) -> None:
        lease = carrying.get(None)
        if lease is None:
            super()._prepare_proxy(conn)
            return
        take_up(conn, lease)
        try:
            super()._prepare_proxy(conn)
        finally:
            release(lease.attempt)

    def _validate_conn(self, conn: Any) -> None:
        lease = carrying.get(None)
        try:
            super()._validate_conn(conn)
        finally:
            if lease is not None:
                release(lease.attempt)
        if lease is not None and getattr(conn, "sock", None) is not None:
            lease.attempt.connected = True


class _FullPool(BoundPool):
    """A pool of urllib3 that adds what stands below the parts that tools replace."""

    QueueCls: Any = IdleStack
    #: Seconds that an idle connection is kept; None is without bound.
    keep_alive: float | None = None

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        idle_since = getattr(connection, "idle_since", None)
        if idle_since is not None and self.keep_alive is not None and time.monotonic() - idle_since > self.keep_alive:
            connection.close()
        return connection

    def close(self) -> None:
        """Close the idle connections, and end all waits for one."""
        idle: Any = self.pool
        super().close()
        if idle is not None:
            idle.wake_waiters()

    def _put_conn(self, conn: Any) -> None:
        lease = getattr(conn, "lease", None)
        if lease is not None:
            conn.lease, conn.idle_since = None, time.monotonic()
            if not lease.returned():
                conn.close()
        kept = self.pool
        # With more connections at work than are kept, urllib3 would warn of each that is too many.
        if conn is not None and kept is not None and not self.block and kept.full():
            conn.close()
            return
        super()._put_conn(conn)

    def _make_request(  # type: ignore[override]  # the rest is handed on as it comes
        self, conn: Any, method: str, url: str, body: Any = None, headers: Any = None, **options: Any
    ) -> Any:  # Any: the signature of urllib3
        lease = carrying.get(None)
        if lease is not None and take_up(conn, lease):
            url = lease.target
            body = watch_body(conn, lease, body)
            headers = _sendable(headers or {})
            if conn.sock is not None:
                bound(conn.sock, lease.attempt)
        return super()._make_request(conn, method, url, body=body, headers=headers, **options)


class _FullUnixPool(_FullPool):
    ConnectionCls: Any = UnixConnection

    def __init__(self, socket_path: str, **options: Any) -> None:  # Any: urllib3's own, handed on
        super().__init__("localhost", socket_path=socket_path, **options)


def take_up(conn: Any, lease: FullLease) -> bool:
    """Bind a connection to the request that it carries. False for the stand-ins of recorders, which are left alone.

    Raises:
        OSError: the transport was closed meanwhile.
    """
    lease.check_open()
    lease.connection, lease.checked, lease.early = conn, None, None
    if not isinstance(conn, HTTPConnection):
        return False
    lease.attempt.observe()
    if lease.attempt.proxy is None:
        _name_proxy(conn, lease.attempt)
    conn.lease = lease  # type: ignore[attr-defined]  # read where the connection goes back to its pool
    conn.response_class = partial(_answer_on, conn, lease)  # type: ignore[assignment]  # it is called as a class is
    if not _is_known(type(conn)._new_conn):
        return True  # a class of the user's, which connects in its own way
    connect: _Connect = connect_tcp
    if isinstance(conn, UnixConnection):
        connect = connect_unix
    elif hasattr(conn, "_socks_options"):
        connect = _find_socks()
    conn._new_conn = partial(_connect_socket, lease, connect, conn)  # type: ignore[method-assign]
    return True


def _find_socks() -> _Connect:
    try:
        from muxi_transports.pooled.socks import connect_by_socks
    except ImportError as error:
        raise socks_missing("the proxy of the session") from error
    return connect_by_socks


def _name_proxy(conn: HTTPConnection, attempt: Attempt) -> None:
    """Tell the attempt which proxy a session goes through."""
    options: Any = getattr(conn, "_socks_options", None)
    if options is not None:
        attempt.proxy = f"{options['proxy_host']}:{options['proxy_port']}"
    elif conn.proxy is not None:
        attempt.proxy = f"{conn.proxy.host}:{conn.proxy.port}"


def put_down(conn: Any) -> FullLease | None:
    """Undo :func:`take_up`; return the claim that the connection was bound to."""
    if not isinstance(conn, HTTPConnection):
        return None
    kept = vars(conn)
    kept.pop("response_class", None)
    kept.pop("_new_conn", None)
    lease: FullLease | None = kept.pop("lease", None)
    return lease


@lru_cache(maxsize=32)
def _is_known(new_conn: Any) -> bool:
    """Return whether a connection is made as urllib3 or this package makes one."""
    if new_conn is UnixConnection._new_conn:
        return True
    return is_genuine(new_conn, "urllib3.connection") or is_genuine(new_conn, "urllib3.contrib.socks")


def _connect_socket(lease: FullLease, connect: _Connect, conn: Any) -> socket.socket:
    """A new socket, whose making is bounded as a whole."""
    sock = connect(conn, lease.attempt.time_to_connect, lease.attempt)
    try:
        lease.check_open()
    except OSError:
        sock.close()
        raise
    if not isinstance(conn, HTTPSConnection) and not conn.proxy_is_tunneling:
        lease.attempt.connected = True  # nothing else comes before the request
    return sock


def _answer_on(
    conn: Any, lease: FullLease, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None
) -> http.client.HTTPResponse:
    """The answer on a connection, checked before http.client reads it; also that of a proxy to CONNECT."""
    if lease.attempt.connected:
        lease.attempt.await_head()
        checked = lease.checked = CheckedAnswer(sock, lease.attempt, method or "GET", lease.early or b"")
    else:
        # Nothing follows the head of an answer to CONNECT, as with HEAD.
        checked = CheckedAnswer(sock, lease.attempt, "HEAD")
    answer: Any = CheckedSocket(checked)
    return http.client.HTTPResponse(answer, debuglevel, method=method)


def _sendable(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Headers as they go out: text as UTF-8, and none that the request does not have."""
    sendable = {
        name: value.encode() if isinstance(value, str) and not value.isascii() else value
        for name, value in headers.items()
    }
    if not any(name.lower() == "user-agent" for name in sendable):
        sendable["User-Agent"] = SKIP_HEADER
    return sendable


def watch_body(conn: Any, lease: FullLease, body: Any) -> Any:
    """A body that stops when the answer comes before its end; a small one, and a file, as it is."""
    if body is None or isinstance(body, str) or hasattr(body, "read"):
        return body
    if isinstance(body, bytes) and len(body) <= 4 * _WRITE:
        return body
    pieces = iter((body,)) if isinstance(body, bytes) else iter(body)
    return _pieces_until_answered(conn, lease, pieces)


def _pieces_until_answered(conn: Any, lease: FullLease, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        view = memoryview(piece)
        for at in range(0, len(view), _WRITE):
            sock = conn.sock
            if isinstance(sock, socket.socket):
                _wait_to_write(sock, lease)
            if sock is not None:
                bound(sock, lease.attempt)
            yield bytes(view[at : at + _WRITE])


def _wait_to_write(sock: socket.socket, lease: FullLease) -> None:
    """Wait until a socket can be written to.

    Raises:
        BrokenPipeError: the answer came first. urllib3 goes on to read it.
    """
    while wait_for(sock, lease.attempt.next_wait(), write=True):
        if not wait_for(sock, 0, write=False):
            return
        sock.settimeout(0)
        lease.early = read_early(sock)  # of TLS it may be nothing but tickets
        if lease.early is not None:
            raise BrokenPipeError("the server has answered")
    raise TimeoutError("timed out")


_made: dict[type[HTTPConnectionPool], type[HTTPConnectionPool]] = {}


def _full(kind: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """A class of pools with what the full lane adds; made once for each class."""
    return _made.get(kind) or _made.setdefault(kind, type(kind.__name__, (_FullPool, kind), {}))


def _socks_pools() -> dict[str, type[HTTPConnectionPool]]:
    from muxi_transports.pooled.socks import LIBRARY_POOLS

    return {scheme: _full(kind) for scheme, kind in LIBRARY_POOLS.items()}


def open_full_pool(way: Way, settings: HttpSettings) -> HTTPConnectionPool:
    """A pool of the full lane, made of the classes that urllib3 has now.

    Args:
        way: how the origin is reached.
        settings: the options of the transport.

    Raises:
        ConfigurationError: the proxy cannot be used, or SOCKS support is not installed, or urllib3 is not the real one.
    """
    pool: Any
    if way.origin.socket is not None:
        refuse_fork()
        pool = _FullUnixPool(way.origin.socket, maxsize=settings.pool_size, block=settings.pool_block)
    else:
        plain = {scheme: _full(kind) for scheme, kind in pool_classes_by_scheme.items()}
        pool = open_pool(way, settings, PoolClasses(plain, _socks_pools))
    pool.keep_alive = settings.keep_alive
    return cast(HTTPConnectionPool, pool)
