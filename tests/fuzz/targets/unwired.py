"""The transports over connections that are bytes in memory: everything but the socket is as it is over a network."""

from __future__ import annotations

import asyncio
import io
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from urllib3.connection import HTTPConnection

from muxi import MuxiError
from muxi.transport import BytesBody, Headers, Request, Response, Timeouts
from muxi_transports.http.attempt import Attempt
from muxi_transports.pooled.answer import exchange
from muxi_transports.pooled.failures import translated
from muxi_transports.pooled.foreign import FullResponse
from muxi_transports.pooled.full import FullLease, take_up
from muxi_transports.pooled.pool import Connection, DirectLease, IdleStack, Pool
from muxi_transports.pooled.response import DirectResponse
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.fuzz.registry import is_drawn
from tests.fuzz.targets.scripted import check_error

__all__ = ["read_aiohttp", "read_direct", "read_full"]

_URL = "http://localhost/v1/memories?user_id=u"
_TIMES = Timeouts(connect=5.0, read=60.0, total=60.0)
_STREAM_TIMES = Timeouts(connect=5.0, read=60.0, head=60.0, stall=60.0)


_JSON = Headers({"Content-Type": "application/json"})
_REQUESTS = (
    Request("GET", _URL, timeouts=_TIMES),
    Request("POST", _URL, _JSON, BytesBody(b"{}"), _TIMES),
    Request("POST", _URL, _JSON, BytesBody(b"{}"), _STREAM_TIMES, stream=True),
)


def _request(data: bytes) -> Request:
    """A plain request, one with a body, or one for a stream, by the input."""
    return _REQUESTS[zlib.crc32(data) % len(_REQUESTS)]


def _read(response: Response) -> None:
    for _ in response.chunks():
        pass
    response.close()


class _Socket:
    """A socket whose peer has sent this, in two pieces, and closes."""

    def __init__(self, data: bytes) -> None:
        at = zlib.adler32(data) % (len(data) + 1)
        self._pieces = [data[at:], data[:at]]
        self._timeout: float | None = None

    def recv(self, size: int) -> bytes:
        while self._pieces:
            piece = self._pieces.pop()
            if len(piece) > size:
                self._pieces.append(piece[size:])
            if piece:
                return piece[:size]
        return b""

    def sendall(self, data: bytes | memoryview) -> None:
        pass

    def gettimeout(self) -> float | None:
        return self._timeout

    def settimeout(self, value: float | None) -> None:
        self._timeout = value

    def makefile(self, mode: str, buffering: int) -> io.BytesIO:
        """A file that keeps a socket open; it is not read from."""
        return io.BytesIO()

    def close(self) -> None:
        self._pieces.clear()


class _KeptConnection(HTTPConnection):
    """A connection of the library's that is open."""

    @property
    def is_connected(self) -> bool:
        return self.sock is not None


@cache
def _transport(kind: str) -> RequestsTransport | Urllib3Transport:
    if kind == "urllib3":
        return Urllib3Transport(trust_env=False)
    return RequestsTransport(trust_env=False, direct=kind != "requests, full lane")


def _idle_of(kind: str) -> IdleStack:
    """The idle connections of a transport's lane: none, so that a request takes the one that is put there."""
    transport = _transport(kind)
    transport._reason_against_direct(_URL)  # drops the pools if a module was imported since the last request
    origin = transport._state.origins.get("http://localhost") or transport._find_origin("http://localhost")
    if kind == "requests, full lane":
        pool: Any = origin.full or origin.open_full()
    else:
        pool = origin.direct or origin.open_direct()
    if pool.pool.maxsize != 2:
        pool.pool = IdleStack(2)
    idle: IdleStack = pool.pool
    return idle


#: One of so many inputs of a long run goes through all of a transport; the others begin behind the request.
_WHOLE = 20


def read_direct(kind: str, data: bytes) -> None:
    """Read these bytes as an answer on the direct lane of a transport; of some inputs the request is sent too."""
    connection = Connection("localhost")
    connection.idle_since = time.monotonic()
    if is_drawn(data, _WHOLE):
        return _read_over(kind, connection, data)
    connection.sock = _Socket(data)
    request = _request(data)
    attempt = Attempt(request, "localhost:80")
    lease = DirectLease(attempt, set(), connection, _POOL)
    with _checked():
        _read(DirectResponse(translated(partial(exchange, lease, b"", request.method), attempt)))
    return None


def read_full(data: bytes) -> None:
    """Read these bytes as an answer of http.client and urllib3; of some inputs requests sends the request too."""
    connection = _KeptConnection("localhost")
    if is_drawn(data, _WHOLE):
        return _read_over("requests, full lane", connection, data)
    connection.sock = _Socket(data)
    request = _request(data)
    lease = FullLease(Attempt(request, "localhost:80"), set(), "/", request.method)

    def receive() -> FullResponse:
        take_up(connection, lease)
        lease.attempt.connected = True
        connection.request(request.method, "/", preload_content=False, decode_content=False)
        lease.raw = raw = connection.getresponse()
        return FullResponse(lease, raw.status, raw.reason or "", raw.headers)

    with _checked():
        try:
            response = translated(receive, lease.attempt)
        except BaseException:
            lease.close()
            raise
        _read(response)
    return None


@contextmanager
def _checked() -> Iterator[None]:
    try:
        yield
    except MuxiError as error:
        check_error(error)


class _NoPool(Pool):
    """A pool that keeps nothing."""

    def give_back(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.close()


_POOL = _NoPool("localhost")


def _read_over(kind: str, connection: HTTPConnection, data: bytes) -> None:
    connection.sock = _Socket(data)
    idle = _idle_of(kind)
    idle.put(connection)
    try:
        _read(_transport(kind).send(_request(data)))
    except MuxiError as error:
        if error.code == "CONNECTION_REFUSED":
            raise AssertionError("the request went over another connection") from error
        check_error(error)
    while idle.qsize():
        idle.get(block=False)


class _Pipe(asyncio.Transport):
    """The transport of a connection whose peer answers every request with these bytes, and closes."""

    def __init__(self, protocol: asyncio.Protocol, data: bytes, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._protocol = protocol
        self._data = data
        self._loop = loop
        self._is_closing = self._has_answered = False

    def write(self, data: object) -> None:
        if not self._has_answered:
            self._has_answered = True
            self._loop.call_soon(self._answer)

    def writelines(self, list_of_data: object) -> None:
        self.write(list_of_data)

    def _answer(self) -> None:
        at = zlib.adler32(self._data) % (len(self._data) + 1)
        for piece in (self._data[:at], self._data[at:]):
            if piece and not self._is_closing:
                self._protocol.data_received(piece)
        if not self._is_closing:
            self._protocol.eof_received()
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class _Key:
    """The origin of a connection of aiohttp."""

    is_ssl = False


class _Sent:
    """The writer of a request that is out."""

    output_size = 0


_KEY: Any = _Key()
_SENT: Any = _Sent()


class _AiohttpReader:
    """A transport over aiohttp whose connections are made in memory."""

    def __init__(self) -> None:
        from muxi_transports.aiohttp import AiohttpTransport

        self._data = b""
        self._loop = asyncio.new_event_loop()
        self._transport = AiohttpTransport(trust_env=False)
        self._loop.run_until_complete(self._prepare())

    async def _prepare(self) -> None:
        transport = self._transport
        transport._claim_loop()
        connector: Any = transport._open_route("http://localhost").session.connector
        self._connector = connector
        connector._force_close = True
        connector._create_connection = partial(self._connect, connector)

    async def _connect(self, connector: Any, *arguments: object) -> object:
        protocol = connector._factory()
        protocol.connection_made(_Pipe(protocol, self._data, self._loop))
        return protocol

    def read(self, data: bytes) -> None:
        """Read these bytes as an answer; of some inputs the request is sent too."""
        self._data = data
        request = _request(data)
        self._loop.run_until_complete(self._send(request) if is_drawn(data, _WHOLE) else self._read(request))

    async def _read(self, request: Request) -> None:
        from aiohttp.client_reqrep import ClientResponse
        from aiohttp.connector import Connection as AiohttpConnection
        from yarl import URL

        from muxi_transports.aiohttp.carriage import Carriage
        from muxi_transports.aiohttp.failures import failure_of
        from muxi_transports.aiohttp.response import AiohttpResponse

        carriage = Carriage(Attempt(request, "localhost:80"))
        connector: Any = self._connector
        protocol: Any = await self._connect(connector)
        protocol.set_response_params(
            read_until_eof=True, auto_decompress=False, read_timeout=60.0, max_line_size=65536, max_field_size=65536
        )
        carriage.attempt.connected = True
        carriage.add(protocol)
        nothing: Any = None
        received = ClientResponse(
            request.method,
            URL(_URL),
            writer=None,
            continue100=None,
            timer=nothing,
            request_info=nothing,
            traces=[],
            loop=self._loop,
            session=nothing,
            stream_writer=_SENT,
        )
        protocol.transport.write(b"")
        with _checked():
            failure: BaseException
            try:
                await received.start(AiohttpConnection(connector, _KEY, protocol, self._loop))
            except Exception as error:
                carriage.abort()
                received.close()
                failure = failure_of(error, carriage.attempt, carriage.fault)
            else:
                response = AiohttpResponse(received, carriage)
                async for _ in response.chunks():
                    pass
                await response.close()
                return
            raise failure

    async def _send(self, request: Request) -> None:
        with _checked():
            response = await self._transport.send(request)
            async for _ in response.chunks():
                pass
            await response.close()


@cache
def _aiohttp() -> _AiohttpReader:
    return _AiohttpReader()


def read_aiohttp(data: bytes) -> None:
    """Send a request over aiohttp, and read these bytes as its answer."""
    _aiohttp().read(data)
