"""The transports over connections that are bytes in memory: everything but the socket is as it is over a network."""

from __future__ import annotations

import asyncio
import io
import time
import zlib
from functools import cache, partial
from typing import Any

from urllib3.connection import HTTPConnection

from muxi import MuxiError
from muxi.transport import BytesBody, Headers, Request, Response, Timeouts
from muxi_transports.pooled.pool import Connection, IdleStack
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.fuzz.targets.scripted import check_error

__all__ = ["read_aiohttp", "read_direct", "read_full"]

_URL = "http://localhost/v1/memories?user_id=u"
_TIMES = Timeouts(connect=5.0, read=60.0, total=60.0)
_STREAM_TIMES = Timeouts(connect=5.0, read=60.0, head=60.0, stall=60.0)


def _request(data: bytes) -> Request:
    """A plain request, one with a body, or one for a stream, by the input."""
    kind = zlib.crc32(data) % 3
    if kind == 0:
        return Request("GET", _URL, timeouts=_TIMES)
    headers = Headers({"Content-Type": "application/json"})
    times = _STREAM_TIMES if kind == 2 else _TIMES
    return Request("POST", _URL, headers, BytesBody(b"{}"), times, stream=kind == 2)


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


def read_direct(kind: str, data: bytes) -> None:
    """Send a request over the direct lane of a transport, and read these bytes as its answer."""
    connection = Connection("localhost")
    connection.idle_since = time.monotonic()
    _read_over(kind, connection, data)


def read_full(data: bytes) -> None:
    """Send a request through requests and urllib3, and read these bytes as its answer."""
    _read_over("requests, full lane", _KeptConnection("localhost"), data)


def _read_over(kind: str, connection: HTTPConnection, data: bytes) -> None:
    connection.sock = _Socket(data)  # type: ignore[assignment]  # what of it is used
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
        connector._create_connection = partial(self._connect, connector)

    async def _connect(self, connector: Any, *arguments: object) -> object:
        protocol = connector._factory()
        protocol.connection_made(_Pipe(protocol, self._data, self._loop))
        return protocol

    def read(self, data: bytes) -> None:
        """Send a request, and read these bytes as its answer."""
        self._data = data
        self._loop.run_until_complete(self._send(_request(data)))

    async def _send(self, request: Request) -> None:
        try:
            response = await self._transport.send(request)
            async for _ in response.chunks():
                pass
            await response.close()
        except MuxiError as error:
            check_error(error)


@cache
def _aiohttp() -> _AiohttpReader:
    return _AiohttpReader()


def read_aiohttp(data: bytes) -> None:
    """Send a request over aiohttp, and read these bytes as its answer."""
    _aiohttp().read(data)
