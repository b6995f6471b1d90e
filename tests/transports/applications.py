"""One scripted application in two forms, WSGI and ASGI, and every in-process transport to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.validate import validator

from muxi.testing.transport_suite.facade import FacadeTransport, Loop
from muxi.transport import Transport
from muxi_transports.asgi import AsgiTransport, SyncAsgiTransport
from muxi_transports.wsgi import WsgiTransport

FORMS = ["wsgi", "wsgi here", "asgi", "asgi sync"]


@dataclass
class Seen:
    """A request as the application saw it."""

    method: str
    path: str
    raw: str
    query: str
    host: str
    scheme: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Application:
    """Answers what a test tells it to. ``pieces`` makes the body, and may block; it is closed in the end.

    Args:
        read_body: whether it reads the request's body before it answers.
    """

    pieces: Callable[[], Iterator[bytes]] = lambda: iter([b"ok"])
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    read_body: bool = True
    #: What it waits for before it begins to answer.
    before: threading.Event | None = None
    seen: list[Seen] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def made(self) -> Iterator[bytes]:
        try:
            yield from self.pieces()
        finally:
            self.closed.set()

    # -- WSGI --------------------------------------------------------------------------------------------------

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        body = b""
        if self.read_body:
            while piece := environ["wsgi.input"].read(1000):
                body += piece
        names = {key: key[5:] if key.startswith("HTTP_") else key for key in environ if key.isupper()}
        self.seen.append(
            Seen(
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"].encode("latin-1").decode(),
                environ["REQUEST_URI"],
                environ["QUERY_STRING"],
                environ["HTTP_HOST"],
                environ["wsgi.url_scheme"],
                {
                    name.lower().replace("_", "-"): str(environ[key]).encode("latin-1").decode()
                    for key, name in names.items()
                },
                body,
            )
        )
        if self.before is not None:
            self.before.wait(10)
        start_response(f"{self.status} Whatever", [("Content-Type", "text/plain"), *self.headers])
        return self.made()

    # -- ASGI --------------------------------------------------------------------------------------------------

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        body, more = b"", self.read_body
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        raw = scope["raw_path"].decode() + (f"?{query}" if query else "")
        self.seen.append(
            Seen(scope["method"], scope["path"], raw, query, headers["host"], scope["scheme"], headers, body)
        )
        if self.before is not None:
            await asyncio.to_thread(self.before.wait, 10)
        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": pairs})
        pieces = self.made()
        leaving = asyncio.ensure_future(_left(receive)) if self.read_body else None
        try:
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            if leaving is not None:
                leaving.cancel()
            pieces.close()  # type: ignore[attr-defined]  # it is a generator


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def reach(form: str, app: Application, loops: list[Loop], **options: Any) -> Transport:
    """A transport to the application, of the given form, with a sync face."""
    if form == "asgi sync":
        return SyncAsgiTransport(app.asgi, **options)
    if form == "asgi":
        loops.append(Loop(20))
        return FacadeTransport(AsgiTransport(app.asgi, **options), loops[-1])
    return WsgiTransport(validator(app.wsgi), same_thread=form == "wsgi here", **options)
