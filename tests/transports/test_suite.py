"""Every shipped transport passes the suite that third parties run."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from muxi.clock import Clock, SystemClock
from muxi.testing import transport_suite
from muxi.testing.transport_suite import Handler, Received, asgi_application, wsgi_application
from muxi.transport import AsyncTransport, Request, Response, Transport
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.asgi import AsgiTransport, SyncAsgiTransport
from muxi_transports.failover import FailoverTransport
from muxi_transports.faulty import AsyncFaultyTransport, Fault, Faults, FaultyTransport
from muxi_transports.http.wire import split_url
from muxi_transports.memory import Answer, AsyncMemoryTransport, MemoryTransport, Pause
from muxi_transports.recorded import AsyncRecordedTransport, RecordedTransport
from muxi_transports.requests import RequestsTransport
from muxi_transports.routing import AsyncRoutingTransport, RoutingTransport
from muxi_transports.urllib3 import Urllib3Transport
from muxi_transports.wsgi import WsgiTransport


class TestRequests(transport_suite.TransportSuite):
    def make_transport(self) -> Transport:
        return RequestsTransport()


class TestUrllib3(transport_suite.TransportSuite):
    def make_transport(self) -> Transport:
        return Urllib3Transport()


class TestRequestsFull(transport_suite.TransportSuite):
    """By the full lane."""

    def make_transport(self) -> Transport:
        return RequestsTransport(direct=False)


class TestUrllib3Full(transport_suite.TransportSuite):
    """By the full lane."""

    def make_transport(self) -> Transport:
        return Urllib3Transport(direct=False)


class TestRequestsAdapters(transport_suite.TransportSuite):
    """By adapters of the user's."""

    def make_transport(self) -> Transport:
        return RequestsTransport(adapters={"http://": HTTPAdapter(), "https://": HTTPAdapter()})


_SESSION = {
    "no-header-is-invented": "a session adds its own headers",
    "cookies-are-not-kept": "a session keeps cookies",
    "netrc-is-not-read": "a session reads it, unless its trust_env is off",
    "closing-the-transport-leaves-no-connection": "a session is closed by whoever made it",
}


class TestRequestsSession(transport_suite.TransportSuite):
    """By a session of the user's. ``docs/transports/http.md`` names what stays a session's own."""

    skips = _SESSION

    def make_transport(self) -> Transport:
        return RequestsTransport(session=requests.Session())


class TestAiohttp(transport_suite.AsyncTransportSuite):
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


_PEP_3333 = {"the-head-is-handed-over-before-the-body": "a WSGI server sends the head with the first piece (PEP 3333)"}


class TestWsgi(transport_suite.InProcessSuite):
    skips = _PEP_3333

    def make_transport(self, handler: Handler) -> Transport:
        return WsgiTransport(wsgi_application(handler))


class TestAsgi(transport_suite.AsyncInProcessSuite):
    def make_transport(self, handler: Handler) -> AsyncTransport:
        return AsgiTransport(asgi_application(handler))


class TestSyncAsgi(transport_suite.InProcessSuite):
    def make_transport(self, handler: Handler) -> Transport:
        return SyncAsgiTransport(asgi_application(handler))


class TestRouting(transport_suite.TransportSuite):
    def make_transport(self) -> Transport:
        return RoutingTransport({"*": "requests"})


class TestAsyncRouting(transport_suite.AsyncTransportSuite):
    def make_transport(self) -> AsyncTransport:
        return AsyncRoutingTransport({"*": "aiohttp"})


def _harmless() -> Faults:
    """A fault for every request that changes nothing: each body goes through the steps of the wrapping transport."""
    faults = Faults()
    faults.on("*", Fault())
    return faults


class TestFaulty(transport_suite.TransportSuite):
    """Where nothing goes wrong."""

    def make_transport(self) -> Transport:
        return FaultyTransport("requests", _harmless())


class TestAsyncFaulty(transport_suite.AsyncTransportSuite):
    def make_transport(self) -> AsyncTransport:
        return AsyncFaultyTransport("aiohttp", _harmless())


class Everywhere(Transport):
    """A failover transport for each origin, with that one address; the servers of the suite come one by one."""

    def __init__(self) -> None:
        self._inner = RequestsTransport()
        self._failovers: dict[str, FailoverTransport] = {}

    def send(self, request: Request) -> Response:
        origin, _ = split_url(request.url)
        if origin not in self._failovers:
            self._failovers[origin] = FailoverTransport({origin: self._inner})
        return self._failovers[origin].send(request)

    def close(self) -> None:
        self._inner.close()


class TestFailover(transport_suite.TransportSuite):
    def make_transport(self) -> Transport:
        return Everywhere()


_RECORDED = {
    "bodies-are-sent-while-they-are-made": "a body is read before it is sent, to be known again",
    "sending-is-bounded": "likewise: one without an end is never sent",
    "uploads-take-little-memory": "likewise",
    "downloads-take-little-memory": "what is heard is kept until it is written down",
}


class TestRecorded(transport_suite.TransportSuite):
    """While it records."""

    skips = _RECORDED

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "cassette.yaml"

    def make_transport(self) -> Transport:
        return RecordedTransport(self.path, "requests", mode="all")


class TestAsyncRecorded(transport_suite.AsyncTransportSuite):
    skips = _RECORDED

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "cassette.yaml"

    def make_transport(self) -> AsyncTransport:
        return AsyncRecordedTransport(self.path, "aiohttp", mode="all")
