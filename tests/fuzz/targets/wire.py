"""Targets: raw answers over real connections, and over some in memory, one target for each transport and lane."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

from muxi import AsyncFormationClient, FormationClient, MuxiError
from tests.fuzz.corpus import recorded_answers, recorded_streams
from tests.fuzz.registry import goes_on, target
from tests.fuzz.targets.scripted import check_error, only_errors
from tests.fuzz.targets.unwired import read_aiohttp, read_direct, read_full
from tests.soak.hostile.answers import GARBAGE, answer, gzipped, head
from tests.soak.workers.lanes import lanes, transport_of

#: Pieces of answers.
TOKENS = (
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0", b"HTTP/2", b"100 Continue\r\n\r\n", b"103 Early Hints\r\n\r\n", b"\r\n\r\n",
    b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n", b"Content-Encoding: br, gzip\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Set-Cookie: a=b\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n",
    b";ext=1", b"+5\r\n", b"0x5\r\n", b" ", b"\t", b"\x0b", b"\r", b": ", b"Location: http://[\r\n",
    b"\x1f\x8b\x08\x00", b"Proxy-Authenticate: Basic\r\n",
)  # fmt: skip


class Server:
    """Answers every request with the same bytes, and closes the connection."""

    def __init__(self) -> None:
        self.data = b""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            with sock, contextlib.suppress(OSError, ValueError):
                sock.settimeout(5)
                self._answer(sock)

    def _answer(self, sock: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            if not (piece := sock.recv(65536)):
                return
            request += piece
        start, _, body = request.partition(b"\r\n\r\n")
        lengths = [line for line in start.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        left = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
        while left > 0:
            left -= len(sock.recv(65536)) or left
        # The request has been read, so that closing does not reset the connection, and the answer is not lost.
        sock.sendall(self.data)


@cache
def _server() -> Server:
    return Server()


def wire_answers() -> Iterator[bytes]:
    """Whole answers as they go over the wire, and some that are none."""
    for status, headers, body in recorded_answers()[:40]:
        lines = [f"{name}: {value}" for name, value in headers if name.lower() != "transfer-encoding"]
        yield head(f"{status} Some", *lines) + body
    for body in recorded_streams()[:4]:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in body.split(b"\n") if part)
        yield head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"
    packed = gzipped(b'{"data": {}}' * 100)
    yield answer("200 OK", packed, "application/json", "Content-Encoding: gzip")
    yield (
        head("200 OK", "Content-Encoding: gzip", "Transfer-Encoding: chunked")
        + b"5\r\n"
        + packed[:5]
        + b"\r\n0\r\n\r\n"
    )
    yield b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer("200 OK", b"{}")
    yield from GARBAGE.values()


@cache
def _sync(lane: str) -> Any:
    return FormationClient(**_settings(lane))


def _settings(lane: str) -> dict[str, Any]:
    return {"url": _server().url, "client_key": "k", "max_retries": 0, "timeout": 5.0, "transport": transport_of(lane)}


def _run_sync(lane: str, data: bytes) -> None:
    if lane == "requests, full lane":
        read_full(data)
    else:
        read_direct(lane, data)
    if not goes_on(data):
        return
    _server().data = data
    client = _sync(lane)
    only_errors(lambda: client.get_memories("u"), lambda: client.chat_stream("hi").result())


@target("wire-requests", wire_answers, *TOKENS)
def wire_requests(data: bytes) -> None:
    _run_sync("requests", data)


if "requests, full lane" in lanes():

    @target("wire-full", wire_answers, *TOKENS)
    def wire_full(data: bytes) -> None:
        _run_sync("requests, full lane", data)


@target("wire-urllib3", wire_answers, *TOKENS)
def wire_urllib3(data: bytes) -> None:
    _run_sync("urllib3", data)


@cache
def _async() -> tuple[asyncio.AbstractEventLoop, Any]:
    return asyncio.new_event_loop(), AsyncFormationClient(**_settings("aiohttp"))


@target("wire-aiohttp", wire_answers, *TOKENS)
def wire_aiohttp(data: bytes) -> None:
    read_aiohttp(data)
    if not goes_on(data):
        return
    _server().data = data
    loop, client = _async()

    async def call() -> None:
        try:
            await client.get_memories("u")
        except MuxiError as error:
            check_error(error)
        try:
            await (await client.chat_stream("hi")).result()
        except MuxiError as error:
            check_error(error)

    loop.run_until_complete(call())
