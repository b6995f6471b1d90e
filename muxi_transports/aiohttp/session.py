"""Sessions of aiohttp, one for each way out: TCP and HTTP proxies, a Unix socket, a SOCKS proxy."""

from __future__ import annotations

import asyncio
import socket
import weakref
from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp.client_exceptions import UnixClientConnectorError

from muxi.errors import ConfigurationError, MissingExtraError
from muxi_transports.aiohttp.body import is_quick
from muxi_transports.aiohttp.carriage import carrying
from muxi_transports.aiohttp.lookup import make_resolver
from muxi_transports.aiohttp.protocol import CheckedProtocol, check_answers
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.proxies import Proxy
from muxi_transports.http.settings import HttpSettings, Way
from muxi_transports.http.wire import PIECE

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from typing_extensions import Buffer

__all__ = ["open_session"]

# A line of a head may be as long as http.client lets it be.
_LINE = 64 * 1024

#: Seconds.
_TEN_YEARS = 10 * 365 * 24 * 3600.0


def open_session(way: Way, settings: HttpSettings) -> aiohttp.ClientSession:
    """A session whose connections go that way.

    Raises:
        ConfigurationError: the proxy is of no use, or SOCKS support is not installed.
    """
    trace = aiohttp.TraceConfig()
    trace.on_connection_queued_start.append(_note_queued)
    trace.on_connection_queued_end.append(_note_free)
    trace.on_connection_create_start.append(_refuse_repetition)
    trace.on_connection_create_end.append(_note_connected)
    trace.on_connection_reuseconn.append(_refuse_repetition)
    trace.on_connection_reuseconn.append(_note_connected)
    connector = _connector(way, settings)
    check_answers(connector, asyncio.get_running_loop())
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        # With trust_env aiohttp would read .netrc too; the environment's proxies are looked up here.
        trust_env=False,
        # Nothing that the request does not have: no Accept, and no Content-Type by the kind of the body.
        skip_auto_headers=("Accept", "Content-Type"),
        # Done by us, who notice where the end is missing.
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=PIECE,
        max_line_size=_LINE,
        max_field_size=_LINE,
        trace_configs=[trace],
        request_class=_Request,
    )
    # aiohttp sends an idempotent request again by itself if a kept connection breaks. Whether a request may be
    # repeated is not for a library to guess (a PUT need not be safe). There is no public switch; where this
    # one is missing, _refuse_repetition does the same at the cost of a connection.
    session._retry_connection = False
    return session


def _connector(way: Way, settings: HttpSettings) -> aiohttp.BaseConnector:
    # aiohttp keeps as many connections as were at work; a bound on them is a bound on both.
    bounds: dict[str, Any] = {"limit": 0, "limit_per_host": settings.pool_size if settings.pool_block else 0}
    if settings.keep_alive == 0:
        bounds["force_close"] = True
    else:
        # Not every aiohttp takes None for "for ever".
        bounds["keepalive_timeout"] = _TEN_YEARS if settings.keep_alive is None else settings.keep_alive
    if way.origin.socket is not None:
        return _UnixConnector(way.origin.socket, **bounds)
    if way.proxy is not None and way.proxy.is_socks:
        return _socks_connector(way.proxy, settings, bounds)
    return TCPConnector(
        **bounds,
        resolver=make_resolver(),
        local_addr=settings.source_address,
        socket_factory=_socket_factory(settings.socket_options),
    )


def _socks_connector(proxy: Proxy, settings: HttpSettings, bounds: dict[str, Any]) -> aiohttp.BaseConnector:
    try:
        from muxi_transports.aiohttp.socks import SocksConnector
    except ImportError as error:
        raise MissingExtraError(
            f"the proxy {proxy.where} is a SOCKS proxy, which needs aiohttp-socks: pip install 'muxi-client[socks]'"
        ) from error
    if settings.source_address is not None:
        raise ConfigurationError("source_address= is not to be had together with a SOCKS proxy on async clients")
    return SocksConnector(proxy, settings.socket_options, bounds)


class TCPConnector(aiohttp.TCPConnector):
    """Connects to a host and a port, and leaves it to its transport to warn that it was not closed.

    It has the name of its base, because monitors name their spans after the class.
    """

    def __del__(self, *_: object) -> None:
        """Do nothing: aiohttp would warn of it where the collector comes to it before its transport."""


class _UnixConnector(aiohttp.UnixConnector):
    """Connects to a Unix socket by a socket of our own kind."""

    def __del__(self, *_: object) -> None:
        """As of a connector for TCP."""

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        if not hasattr(self, "_factory"):
            return await super()._create_connection(req, traces, timeout)
        sock = _PatientSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        factory = cast("Callable[[], ResponseHandler]", self._factory)
        try:
            await loop.sock_connect(sock, self.path)
            _, protocol = await loop.create_unix_connection(factory, sock=sock)
        except OSError as error:
            sock.close()
            raise UnixClientConnectorError(self.path, req.connection_key, error) from error
        except BaseException:
            sock.close()
            raise
        return protocol


class _Request(aiohttp.ClientRequest):
    """A request that notes which connection carries it."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if isinstance(conn.protocol, CheckedProtocol):
            conn.protocol.claim = weakref.ref(conn)
        carriage = carrying.get(None)
        if carriage is None or self.method == "CONNECT":
            return await super().send(conn)
        carriage.add(conn.protocol)
        response = await super().send(conn)
        if is_quick(carriage.attempt):
            carriage.await_head()
        return response


class _PatientSocket(socket.socket):
    """A socket that leaves it to its reader to find that the connection broke.

    A server that refuses an upload answers, and resets the connection under the rest of it. The loop gives a
    connection up with the first write that fails, and the answer, which has arrived, would never be read.
    """

    __slots__ = ()

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        try:
            return super().send(data, flags)
        except (BrokenPipeError, ConnectionResetError):
            return memoryview(data).nbytes

    def sendmsg(self, buffers: Iterable[Buffer], /, *rest: Any) -> int:  # Python 3.12 and later write with it
        pieces = list(buffers)
        try:
            return super().sendmsg(pieces, *rest)
        except (BrokenPipeError, ConnectionResetError):
            return sum(memoryview(piece).nbytes for piece in pieces)


def _socket_factory(options: list[tuple[int, int, int]]) -> Any:  # Any: aiohttp names the type only where it checks
    def open_socket(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol = address[:3]
        sock = _PatientSocket(family, kind, protocol)
        for option in options:
            sock.setsockopt(*option)
        return sock

    return open_socket


async def _refuse_repetition(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    attempt: Attempt = context.trace_request_ctx
    if attempt.connected:
        raise aiohttp.ServerDisconnectedError


async def _note_connected(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    attempt: Attempt = context.trace_request_ctx
    attempt.connected = True


async def _note_queued(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    attempt: Attempt = context.trace_request_ctx
    attempt.queued = True


async def _note_free(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    attempt: Attempt = context.trace_request_ctx
    attempt.queued = False
