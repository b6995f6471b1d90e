"""The async transport: aiohttp, held to the contract of transports."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from muxi.errors import ConfigurationError, MuxiError
from muxi.transport import AsyncResponse, AsyncTransport, BytesBody, Request
from muxi_transports._attempt import Attempt, invalid_request
from muxi_transports._wire import (
    PIECE,
    parse_origin,
    proxy_address,
    proxy_for,
    received_headers,
    sendable_headers,
    split_url,
    tls_context,
)

try:
    import aiohttp
    import yarl
    from aiohttp import http_exceptions
except ImportError as _missing:
    raise ConfigurationError(
        f"async clients need aiohttp, which cannot be imported ({_missing}): pip install 'muxi-client[async]'"
    ) from _missing

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from typing_extensions import Buffer

__all__ = ["AiohttpTransport"]

# What means an answer that is no HTTP.
_INVALID = (http_exceptions.HttpProcessingError, aiohttp.ClientResponseError)
# A line of a head may be as long as http.client lets it be.
_LINE = 64 * 1024
# aiohttp warns about bytes that it would have to write at one go; beyond this they go piece by piece.
_LARGE = 512 * 1024


class AiohttpTransport(AsyncTransport):
    """Sends over aiohttp, from one event loop, over as many connections as there are requests.

    Proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificate authorities (REQUESTS_CA_BUNDLE,
    CURL_CA_BUNDLE) of the environment are looked up once per host; ``.netrc`` is never read, cookies are not kept.

    Args:
        verify: whether TLS certificates are verified, or the path of the authorities to trust instead.
        cert: a client certificate: the path of a file with certificate and key, or of one for each.
        proxies: proxy URLs (http or https) by ``scheme://host``, by scheme, or for ``all``; they go before the
            environment's.
        trust_env: whether the environment is asked at all.
    """

    def __init__(
        self,
        *,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        trust_env: bool = True,
    ) -> None:
        self._verify = verify
        self._cert = cert
        self._proxies = dict(proxies or {})
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._routes: dict[str, _Route] = {}
        self._open: weakref.WeakSet[AiohttpResponse] = weakref.WeakSet()

    async def send(self, request: Request) -> AsyncResponse:
        """Send and return with the head of the answer; see :meth:`muxi.transport.AsyncTransport.send`.

        Raises:
            ConnectionError: ``CONNECTION_REFUSED``, ``DNS_ERROR``, ``TLS_ERROR``, ``PROXY_ERROR`` or
                ``CONNECTION_FAILED`` where no connection was made, else ``CONNECTION_LOST`` or ``INVALID_RESPONSE``.
            TimeoutError: ``CONNECT_TIMEOUT``, ``READ_TIMEOUT`` or ``TIMEOUT``.
            ConfigurationError: the URL or the proxy is not one, or this transport belongs to another loop.
        """
        base, target = split_url(request.url)
        route = self._routes.get(base) or self._open_route(base)
        session = self._session_here()
        attempt = Attempt(request, route.where)
        attempt.proxy = route.proxy_where
        times = request.timeouts
        attempt.await_head()
        with translated(attempt), _dropped_on_failure():
            received = await session.request(
                request.method,
                yarl.URL(route.base + target, encoded=True),
                headers=sendable_headers(request.headers, request.body, route.authorization),
                data=_data(attempt),
                allow_redirects=False,
                proxy=route.proxy,
                ssl=route.context if route.context is not None else True,
                timeout=aiohttp.ClientTimeout(
                    total=times.total, connect=times.connect, sock_connect=None, sock_read=attempt.longest_silence
                ),
                trace_request_ctx=attempt,
            )
        answer = AiohttpResponse(received, attempt)
        self._open.add(answer)
        return answer

    async def close(self) -> None:
        """Free all connections, those at work too, and wait until they are closed."""
        session, self._session = self._session, None
        self._loop = None
        self._routes = {}
        for answer in list(self._open):
            answer.end("transport")
        if session is not None:
            await session.close()
            # A closed connection lets go of its socket in the loop's next round.
            await asyncio.sleep(0)

    def _session_here(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None:
            self._loop = loop
            self._session = _open_session()
        elif loop is not self._loop:
            raise ConfigurationError(
                "this async transport belongs to the event loop that first used it, and this is another one; "
                "make one per loop, or close() it there before using it here"
            )
        return self._session

    def _open_route(self, base: str) -> _Route:
        origin = parse_origin(base)
        proxy = proxy_for(origin, self._proxies, self._trust_env)
        if proxy is not None and not proxy.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"the async transport knows http and https proxies only, not {proxy.partition(':')[0]}://…"
            )
        context = None
        if origin.scheme == "https" or (proxy or "").startswith("https:"):
            context = tls_context(self._verify, self._cert, self._trust_env)
        route = self._routes[base] = _Route(
            # aiohttp would make an Authorization header of its own out of a user in the URL.
            base=f"{origin.scheme}://{base.rpartition('//')[2].rpartition('@')[2]}",
            where=origin.where,
            proxy=proxy,
            proxy_where=None if proxy is None else proxy_address(proxy),
            authorization=origin.authorization,
            context=context,
        )
        return route


class _Route(NamedTuple):
    """How an origin is reached: looked up once, used for every request to it."""

    base: str
    where: str
    proxy: str | None
    proxy_where: str | None
    authorization: str | None
    context: ssl.SSLContext | None


def _open_session() -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(_refuse_repetition)
    trace.on_connection_create_end.append(_note_connected)
    trace.on_connection_reuseconn.append(_refuse_repetition)
    trace.on_connection_reuseconn.append(_note_connected)
    session = aiohttp.ClientSession(
        connector=_connector(),
        cookie_jar=aiohttp.DummyCookieJar(),
        # With trust_env aiohttp would read .netrc too; the environment's proxies are looked up here.
        trust_env=False,
        # Nothing that the request does not have: no Accept, and no Content-Type by the kind of the body.
        skip_auto_headers=("Accept", "Content-Type"),
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


# The connections that carry the request which this task is sending.
_carriers: ContextVar[list[asyncio.Transport]] = ContextVar("_carriers")


class _Request(aiohttp.ClientRequest):
    """A request that tells which connection carries it."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if conn.transport is not None:
            _carriers.get([]).append(conn.transport)
        return await super().send(conn)


@contextmanager
def _dropped_on_failure() -> Iterator[None]:
    """Drop the connection of a request that fails: merely closed, it would wait until the peer has read the rest."""
    carriers: list[asyncio.Transport] = []
    token = _carriers.set(carriers)
    try:
        yield
    except BaseException:
        for transport in carriers:
            transport.abort()
        raise
    finally:
        _carriers.reset(token)


def _connector() -> aiohttp.TCPConnector:
    try:
        return aiohttp.TCPConnector(limit=0, socket_factory=_open_socket)
    except TypeError:  # before aiohttp 3.12 there was no such choice
        return aiohttp.TCPConnector(limit=0)


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


def _open_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = address[:3]
    return _PatientSocket(family, kind, protocol)


async def _refuse_repetition(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    attempt: Attempt = context.trace_request_ctx
    if attempt.connected:
        raise aiohttp.ServerDisconnectedError


async def _note_connected(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    attempt: Attempt = context.trace_request_ctx
    attempt.connected = True


def _data(attempt: Attempt) -> bytes | AsyncIterator[bytes] | None:
    body = attempt.body
    if body is None:
        return None
    if isinstance(body, BytesBody):
        return body.content if len(body.content) <= _LARGE else _slices(body.content)
    return _pieces_from_thread(attempt)


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]


async def _pieces_from_thread(attempt: Attempt) -> AsyncIterator[bytes]:
    """A body from a disk, or from whatever else it waits for, without the loop waiting along."""
    pieces = attempt.pieces()
    try:
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece
    finally:
        # Cancelled in the middle of a read, the thread still has it; it is closed when the thread lets go.
        with suppress(ValueError):
            pieces.close()


class AiohttpResponse(AsyncResponse):
    """An answer that aiohttp received.

    Args:
        received: the answer with its body unread.
        attempt: the bounds to keep.
    """

    def __init__(self, received: aiohttp.ClientResponse, attempt: Attempt) -> None:
        version = received.version
        super().__init__(
            received.status,
            received_headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in received.raw_headers),
            reason=received.reason or "",
            http_version="1.1" if version is None else f"{version.major}.{version.minor}",
        )
        self._received = received
        self._attempt = attempt
        attempt.headless = False
        if attempt.timeouts.head is not None:
            _bound_silence(received, attempt.timeouts.read)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; see :meth:`muxi.transport.AsyncResponse.chunks`."""
        attempt, content = self._attempt, self._received.content
        while not self._is_ended():
            try:
                with translated(attempt):
                    data = await content.readany()
            except MuxiError:
                if self._is_ended():
                    break
                self.end("failure")
                # aiohttp prefers an error to what had arrived before it.
                if left := _unread(content):
                    yield left
                raise
            except BaseException:
                self.end("caller")
                raise
            if not data:
                break
            yield data
        if attempt.ended_by == "transport":
            raise attempt.failed("the transport was closed")

    async def close(self) -> None:
        """Free the connection at once; see :meth:`muxi.transport.AsyncResponse.close`."""
        if self._attempt.ended_by is None:
            self.end("caller")
            # The loop closes the socket in its next round.
            await asyncio.sleep(0)

    def _is_ended(self) -> bool:
        return self._attempt.ended_by is not None

    def end(self, by: str) -> None:
        """Let go of the connection, and note for the reader who did it."""
        if self._attempt.ended_by is None:
            self._attempt.ended_by = by
            connection = self._received.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()  # close() alone would wait until the peer has read a body on its way
            self._received.close()


def _bound_silence(received: aiohttp.ClientResponse, seconds: float | None) -> None:
    """Let the connection keep another bound from here on than it did for the head."""
    protocol = received.connection.protocol if received.connection is not None else None
    if protocol is not None:  # else the body is here already
        protocol.read_timeout = seconds
        protocol.start_timeout()


def _unread(content: aiohttp.StreamReader) -> bytes:
    """What has arrived and will not be handed over any more, for there is no public way to it after an error."""
    buffered: Iterable[bytes] = getattr(content, "_buffer", ())
    return b"".join(buffered)[getattr(content, "_buffer_offset", 0) :]


@contextmanager
def translated(attempt: Attempt) -> Iterator[None]:
    """Every exception of aiohttp, ssl and the socket as an error of :mod:`muxi.errors`."""
    try:
        yield
    except MuxiError:
        raise
    except (aiohttp.ClientError, http_exceptions.HttpProcessingError, OSError, asyncio.TimeoutError) as error:
        raise _failure_of(error, attempt) from error
    except ValueError as error:
        raise attempt.body_error or invalid_request(error) from error


def _failure_of(error: BaseException, attempt: Attempt) -> BaseException:
    if attempt.body_error is not None:
        return attempt.body_error
    if isinstance(error, aiohttp.InvalidURL):
        return invalid_request(error)
    if isinstance(error, asyncio.TimeoutError):
        return attempt.timed_out()
    if isinstance(error, aiohttp.ClientConnectorError):
        attempt.connected = False
    found = [_as_builtin(cause) for cause in _causes(error)]
    return attempt.failed_by(found, invalid=any(isinstance(cause, _INVALID) for cause in found))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions behind an exception, outermost first."""
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        if isinstance(behind, aiohttp.ClientConnectorCertificateError):
            behind = behind.certificate_error
        elif isinstance(behind, aiohttp.ClientConnectorError):
            behind = behind.os_error
        else:
            behind = behind.__cause__


def _as_builtin(error: BaseException) -> BaseException:
    """An exception of aiohttp as the one of Python that means the same, where there is one."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return OSError(f"Tunnel connection failed: {error.status} {error.message}")
    if isinstance(error, http_exceptions.PayloadEncodingError) and "Not enough data" in str(error):
        return http.client.IncompleteRead(b"")
    if isinstance(error, aiohttp.ClientConnectorError) and type(error).__name__ == "ClientConnectorDNSError":
        return socket.gaierror(str(error.os_error))  # whatever resolver it came from; aiohttp 3.10 has no such class
    return error
