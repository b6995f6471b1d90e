"""An ASGI application in front of an embedded world, so that it can be served over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import TypeAlias, cast

from muxi.transport import BytesBody, Headers, Request
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.transport import as_stream
from muxi_transports.memory.world import Answer, AnswerStream, Exchange, Idle, Pause, World

__all__ = ["WorldApp"]

AsgiMessage: TypeAlias = MutableMapping[str, object]
AsgiReceive: TypeAlias = Callable[[], Awaitable[AsgiMessage]]
AsgiSend: TypeAlias = Callable[[AsgiMessage], Awaitable[None]]


class _WorldClientLeft(Exception):
    """The client has left, or the application is being closed."""


@check_arguments()
class WorldApp:
    """Serves a world to any ASGI server. Streams go out piece by piece as they are made.

    A client that leaves closes its stream, which cancels the turn behind it. The world's own steps run in
    the event loop: an agent function that blocks, blocks everybody.

    Args:
        world: an :class:`~muxi_transports.memory.EmbeddedFormation` or
            :class:`~muxi_transports.memory.EmbeddedServer`.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._visits: set[asyncio.Event] = set()
        self._closing = False

    def close(self) -> None:
        """End all answers that are still being made; to be called in the event loop."""
        self._closing = True
        for left in self._visits:
            left.set()

    async def __call__(self, scope: AsgiMessage, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer one connection (ASGI 3)."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        content = await _content(receive)
        if scope["type"] != "http" or content is None:
            return
        left = asyncio.Event()
        listener = asyncio.ensure_future(_listen(receive, left))
        self._visits.add(left)
        try:
            await self._visit(_request(scope, content), left, send)
        finally:
            self._visits.discard(left)
            listener.cancel()

    async def _visit(self, request: Request, left: asyncio.Event, send: AsgiSend) -> None:
        exchange = self.world.respond(request)
        try:
            answer = await self._answer(exchange, left)
        except _WorldClientLeft:
            if not self._closing:
                return
            answer = Answer(503, [("content-length", "0")])
        finally:
            exchange.close()
        headers = [(name.lower().encode(), value.encode("utf-8", "surrogateescape")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if isinstance(answer.body, bytes):
            await send({"type": "http.response.body", "body": answer.body})
            return
        stream = as_stream(request, answer)
        try:
            with suppress(_WorldClientLeft):
                await self._stream(stream, left, send)
        finally:
            stream.close()
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, exchange: Exchange, left: asyncio.Event) -> Answer:
        while True:
            try:
                pause = next(exchange)
            except StopIteration as end:
                return cast(Answer, end.value)
            await self._wait(pause, left)

    async def _stream(self, stream: AnswerStream, left: asyncio.Event, send: AsgiSend) -> None:
        for piece in stream:
            if isinstance(piece, Pause | Idle):
                await self._wait(piece, left)
            elif piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                # Lets the loop notice a client that has left, where the stream itself never waits.
                await asyncio.sleep(0)
            if left.is_set():
                raise _WorldClientLeft

    async def _wait(self, wait: Pause | Idle, left: asyncio.Event) -> None:
        """Wait on the world's clock, or for something to happen, but not beyond the client's patience."""
        sleeper = asyncio.ensure_future(
            self._sleep(wait.seconds) if isinstance(wait, Pause) else wait.signal.wait_async()
        )
        leaving = asyncio.ensure_future(left.wait())
        try:
            await asyncio.wait({sleeper, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            leaving.cancel()
        if left.is_set():
            raise _WorldClientLeft

    async def _sleep(self, seconds: float) -> None:
        await self.world.clock.sleep_async(seconds)


async def _listen(receive: AsgiReceive, left: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    left.set()


async def _content(receive: AsgiReceive) -> bytes | None:
    """The body of a request; None where the client left while sending it."""
    content = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        content += cast(bytes, message.get("body", b""))
        if not message.get("more_body"):
            return bytes(content)


def _request(scope: AsgiMessage, content: bytes) -> Request:
    pairs = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
    # Header values are text that was sent as UTF-8; the rest of what bytes can be survives the way back.
    headers = Headers((name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in pairs)
    path = cast(bytes, scope.get("raw_path") or str(scope["path"]).encode()).decode("latin-1")
    query = cast(bytes, scope.get("query_string", b"")).decode("latin-1")
    host = headers.get("Host") or "localhost"
    url = f"{scope.get('scheme', 'http')}://{host}{path}" + (f"?{query}" if query else "")
    return Request(str(scope["method"]), url, headers, BytesBody(content) if content else None, stream=True)


async def _lifespan(receive: AsgiReceive, send: AsgiSend) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
