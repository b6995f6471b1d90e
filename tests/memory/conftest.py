"""One embedded formation, reached in three ways: in memory, in memory by an event loop, and over loopback."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from muxi.clock import Clock, ManualClock
from muxi.transport import BufferedResponse, BytesBody, Headers, Request
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport, Served, World, serve
from muxi_transports.memory.world import Exchange

CLIENT, ADMIN = "fmc_test", "fma_test"

Send = Callable[[World, Request], BufferedResponse]


class Stage:
    """A world that is whatever stands on it, so that one port serves all tests."""

    def __init__(self) -> None:
        self.world: World = EmbeddedFormation()

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def respond(self, request: Request) -> Exchange:
        return self.world.respond(request)


@pytest.fixture
def formation(clock: ManualClock) -> EmbeddedFormation:
    return EmbeddedFormation(client_key=CLIENT, admin_key=ADMIN, clock=clock, seed=1)


@pytest.fixture(scope="session")
def served_stage() -> Iterator[tuple[Stage, Served]]:
    stage = Stage()
    with serve(stage) as served:
        yield stage, served


@pytest.fixture(params=["sync", "async", "http"])
def send(request: pytest.FixtureRequest) -> Send:
    """Send a request to a world and read the whole answer; each test with it runs on every front."""
    if request.param == "sync":
        return _send_sync
    if request.param == "async":
        return _send_async
    stage: Stage
    stage, served = request.getfixturevalue("served_stage")

    def send_http(world: World, request: Request) -> BufferedResponse:
        stage.world = world
        return _send_http(served, request)

    return send_http


def _send_sync(world: World, request: Request) -> BufferedResponse:
    response = MemoryTransport(world).send(request)
    return BufferedResponse(response.status, response.headers, response.read(), reason=response.reason)


def _send_async(world: World, request: Request) -> BufferedResponse:
    async def run() -> BufferedResponse:
        response = await AsyncMemoryTransport(world).send(request)
        return BufferedResponse(response.status, response.headers, await response.read(), reason=response.reason)

    return asyncio.run(run())


def _send_http(served: Served, request: Request) -> BufferedResponse:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    try:
        connection.putrequest(request.method, request.url.removeprefix("http://memory"), skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value.encode())
        content = b"".join(request.body.chunks()) if request.body else b""
        if request.body:
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content or None)
        response = connection.getresponse()
        return BufferedResponse(response.status, response.getheaders(), response.read(), reason=response.reason)
    finally:
        connection.close()


def _build(
    method: str,
    path: str,
    body: object = None,
    *,
    user: str | None = "alice",
    key: str = "client",
    headers: Mapping[str, str] | None = None,
) -> Request:
    sent = Headers()
    if key:
        sent[f"X-Muxi-{key.title()}-Key"] = {"client": CLIENT, "admin": ADMIN}[key]
    if user is not None:
        sent["X-Muxi-User-ID"] = user
    if body is not None:
        sent["Content-Type"] = "application/json"
    for name, value in (headers or {}).items():
        sent[name] = value
    content = None if body is None else BytesBody(body if isinstance(body, bytes) else json.dumps(body).encode())
    return Request(method, f"http://memory{path}", sent, content)


@pytest.fixture
def build() -> Callable[..., Request]:
    """Make a request: ``build(method, path, body, user=, key=, headers=)``."""
    return _build


@pytest.fixture
def call(formation: EmbeddedFormation, send: Send) -> Callable[..., BufferedResponse]:
    """Ask the formation, on every front: as ``build``."""
    return lambda *args, **options: send(formation, _build(*args, **options))


@pytest.fixture
def ask(formation: EmbeddedFormation) -> Callable[..., BufferedResponse]:
    """Ask the formation in memory, for what does not differ between the fronts: as ``build``."""
    return lambda *args, **options: _send_sync(formation, _build(*args, **options))
