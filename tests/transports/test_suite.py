"""Every shipped transport passes the suite that third parties run."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from urllib.parse import urlsplit

from muxi.clock import Clock, SystemClock
from muxi.testing import transport_suite
from muxi.testing.transport_suite import Handler, Received
from muxi.transport import AsyncTransport, Request, Transport
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.memory import Answer, AsyncMemoryTransport, MemoryTransport, Pause
from muxi_transports.requests import RequestsTransport

_CUT = {"a-truncated-packed-body-never-ends-silently": "the libraries take any end of a gzip for its end"}

_INTERIM = {"interim-answers-are-passed-over": "http.client passes over 100 only, and takes a 103 for the answer"}


class TestRequests(transport_suite.TransportSuite):
    skips = _INTERIM | _CUT

    def make_transport(self) -> Transport:
        return RequestsTransport()


class TestAiohttp(transport_suite.AsyncTransportSuite):
    skips = _CUT

    def make_transport(self) -> AsyncTransport:
        return AiohttpTransport()


class HandlerWorld:
    """A world that a handler of the suite stands for."""

    def __init__(self, handler: Handler) -> None:
        self.clock: Clock = SystemClock()
        self._handler = handler

    def respond(self, request: Request) -> Generator[Pause, None, Answer]:
        yield Pause(0)
        parts = urlsplit(request.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        body = b"" if request.body is None else b"".join(request.body.chunks())
        reply = self._handler(Received(request.method, target, list(request.headers.items()), body))
        content = reply.body if isinstance(reply.body, bytes) else _stream(reply.body)
        return Answer(reply.status, list(reply.headers), b"" if reply.status in (204, 304) else content)


def _stream(pieces: Iterable[bytes]) -> Generator[bytes | Pause, None, None]:
    try:
        yield from pieces
    finally:
        if isinstance(pieces, Iterator) and hasattr(pieces, "close"):
            pieces.close()


_MEMORY = {
    "a-body-is-held-to-its-length": "a body is handed over as it is, and no length is declared",
    "compressed-bodies-are-unpacked": "a world compresses nothing",
    "the-wait-for-the-head-is-bounded": "a world says how long it waits, and never blocks",
    "silence-in-the-body-is-bounded": "likewise",
    "everything-together-is-bounded": "likewise",
}

_IN_THE_LOOP = {"many-streams-are-open-at-once": "the steps of a world run in the event loop and may not block"}


class TestMemory(transport_suite.InProcessSuite):
    skips = _MEMORY

    def make_transport(self, handler: Handler) -> Transport:
        return MemoryTransport(HandlerWorld(handler))


class TestAsyncMemory(transport_suite.AsyncInProcessSuite):
    skips = _MEMORY | _IN_THE_LOOP

    def make_transport(self, handler: Handler) -> AsyncTransport:
        return AsyncMemoryTransport(HandlerWorld(handler))
