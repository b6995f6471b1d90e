"""A handler as a WSGI or an ASGI application, for transports that call one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import Any, cast

from muxi.testing.transport_suite.handlers import Handler, Received, Reply

__all__ = ["AsgiApplication", "WsgiApplication", "asgi_application", "wsgi_application"]

AsgiMessage = MutableMapping[str, Any]  # Any: what the ASGI specification puts into each message
#: Called with the environment and with what begins the answer.
WsgiApplication = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]
AsgiApplication = Callable[
    [AsgiMessage, Callable[[], Awaitable[AsgiMessage]], Callable[[AsgiMessage], Awaitable[None]]], Awaitable[None]
]


def wsgi_application(handler: Handler) -> WsgiApplication:
    """An application that gives every request to a handler (PEP 3333)."""

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        target = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if environ.get("QUERY_STRING"):
            target += f"?{environ['QUERY_STRING']}"
        headers = [
            (name.removeprefix("HTTP_").replace("_", "-").title(), str(value).encode("latin-1").decode())
            for name, value in environ.items()
            if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
        ]
        body = b"".join(iter(lambda: environ["wsgi.input"].read(65536), b""))
        reply = handler(Received(environ["REQUEST_METHOD"], target, headers, body))
        start_response(
            f"{reply.status} {reply.reason or HTTPStatus(reply.status).phrase}",
            [(name, value.encode().decode("latin-1")) for name, value in _headers(reply)],
        )
        return [reply.body] if isinstance(reply.body, bytes) else reply.body

    return application


def asgi_application(handler: Handler) -> AsgiApplication:
    """An application that gives every request to a handler (ASGI 3); what blocks runs in a thread."""
    # Python's own pool has a few threads only, and handlers wait for each other.
    threads = ThreadPoolExecutor(64, "asgi-handler")

    async def application(
        scope: AsgiMessage,
        receive: Callable[[], Awaitable[AsgiMessage]],
        send: Callable[[AsgiMessage], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        target = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        if scope.get("query_string"):
            target += "?" + scope["query_string"].decode("latin-1")
        headers = [(name.decode("latin-1"), value.decode()) for name, value in scope["headers"]]
        received = Received(scope["method"], target, headers, body)
        reply = await asyncio.get_running_loop().run_in_executor(threads, handler, received)
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [(name.lower().encode(), value.encode()) for name, value in _headers(reply)],
            }
        )
        left = asyncio.ensure_future(_await_disconnect(receive))
        try:
            if isinstance(reply.body, bytes):
                await send({"type": "http.response.body", "body": reply.body})
            else:
                await _send_pieces(iter(reply.body), send, left, threads)
        finally:
            left.cancel()

    return application


async def _send_pieces(
    pieces: Iterator[bytes],
    send: Callable[[AsgiMessage], Awaitable[None]],
    left: asyncio.Future[None],
    threads: ThreadPoolExecutor,
) -> None:
    try:
        while not left.done():
            making = asyncio.get_running_loop().run_in_executor(threads, next, pieces, None)
            both: set[asyncio.Future[Any]] = {making, left}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                making.cancel()
                return
            piece = making.result()
            if piece is None:
                await send({"type": "http.response.body", "body": b""})
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            with suppress(ValueError):  # a thread is still making a piece of it; it ends with that thread
                cast("Callable[[], None]", close)()


async def _await_disconnect(receive: Callable[[], Awaitable[AsgiMessage]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(reply: Reply) -> list[tuple[str, str]]:
    if isinstance(reply.body, bytes) and reply.status not in (204, 304):
        return [*reply.headers, ("Content-Length", str(len(reply.body)))]
    return list(reply.headers)
