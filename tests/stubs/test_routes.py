"""A stub that no request can meet is refused when it is made, with the nearest route."""

from __future__ import annotations

import pytest

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.transport import Request
from muxi_transports.memory import (
    Answer,
    AsyncMemoryTransport,
    EmbeddedFormation,
    EmbeddedServer,
    MemoryTransport,
    Sandbox,
    StubbedWorld,
    UnusedStub,
)
from muxi_transports.memory.formation.routes import ROUTES as FORMATION_ROUTES
from muxi_transports.memory.server.routes import ROUTES as SERVER_ROUTES
from muxi_transports.memory.world import Exchange

WORLDS = [EmbeddedFormation, EmbeddedServer, Sandbox]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(
    ("method", "path", "nearest"),
    [
        ("POST", "/v1/chatt", "POST /v1/chat"),
        ("PSOT", "/v1/chat", "POST /v1/chat"),
        ("GET", "/v1/chat", "/v1/chat"),
        ("GET", "/v1/agents/{agent_id}/skils", "GET /v1/agents/{agent_id}/skills"),
        ("GET", "/rpc/formation", "GET /rpc/formations"),
        ("POST", "/api/{id}/v1/chatt", "POST /api/{formation_id}/v1/chat"),
        ("GET", "/v1/sessions/", "GET /v1/sessions"),
        ("*", "/v2/**", ""),
        ("GET", "/chat", ""),
    ],
)
def test_a_stub_without_a_route_is_refused(
    world: type[EmbeddedFormation], method: str, path: str, nearest: str
) -> None:
    for transport in (MemoryTransport(world()), AsyncMemoryTransport(world())):
        with pytest.raises(ConfigurationError, match="the platform has no route") as raised:
            transport.stub(method, path, json={})
        assert f"{method} {path}, so no request" in str(raised.value)
        assert nearest in str(raised.value).partition("the nearest is")[2]
        assert transport.stubs == ()
        transport.stub(method, path, json={}, unlisted=True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((route.method, route.path) for route in FORMATION_ROUTES),
        *((route.method, route.path) for route in SERVER_ROUTES),
        *((route.method, "/api/my-bot" + route.path) for route in FORMATION_ROUTES[:20]),
        ("*", "*"),
        ("GET", "/**"),
        ("get", "/v1/agents"),
        ("*", "/v1/**"),
        ("GET", "/v1/*/*"),
        ("DELETE", "/v1/memories/mem_1"),
        ("POST", "/mcp/my-bot/mcp"),
        ("OPTIONS", "/v1/chat"),
    ],
)
def test_every_route_of_the_platform_can_be_stubbed(method: str, path: str) -> None:
    transport = MemoryTransport(EmbeddedFormation())
    transport.stub(method, path, json={})
    assert len(transport.stubs) == 1


def test_a_world_of_ones_own_has_routes_of_its_own() -> None:
    class Own:
        @property
        def clock(self) -> Clock:
            return SystemClock()

        def respond(self, request: Request) -> Exchange:
            yield from ()
            return Answer(200)

    StubbedWorld(Own()).stub("GET", "/anything", json={})


def test_a_check_that_always_holds_is_refused() -> None:
    transport = MemoryTransport(EmbeddedFormation())
    with pytest.raises(ConfigurationError, match="no request would meet this check; the nearest is POST /v1/chat"):
        transport.assert_not_called("POST", "/v1/chatt")
    transport.assert_not_called("POST", "/v1/chatt", unlisted=True)
    transport.assert_not_called("POST", "/v1/chat")
    transport.assert_not_called()
    with pytest.raises(ConfigurationError, match=r"assert_not_called\(\) checks that there was no request"):
        transport.assert_called("POST", "/v1/chat", times=0)


def test_an_unused_stub_says_why_a_request_that_fits_was_not_for_it() -> None:
    transport = MemoryTransport(EmbeddedFormation())
    transport.send(Request("GET", "http://memory/v1/agents")).read()
    transport.stub("GET", "/v1/agents", json={})
    (early,) = transport.unused
    assert str(early).endswith("fits, but\n    it came before the stub was made")
    transport.stub("GET", "/v1/*", json={})
    transport.send(Request("GET", "http://memory/v1/agents")).read()
    (hidden,) = transport.unused
    assert str(hidden).endswith("fits, but\n    it was answered by <Stub GET /v1/*, called once>")


def test_a_stub_that_leaves_its_requests_to_the_world_is_used() -> None:
    transport = MemoryTransport(EmbeddedFormation())
    stub = transport.stub("*", "*", respond=lambda request: None)
    transport.send(Request("GET", "http://memory/v1/agents")).read()
    assert not stub.called
    transport.assert_all_used()


def test_unused_stubs_are_listed_with_the_nearest_request() -> None:
    transport = MemoryTransport(EmbeddedFormation())
    transport.assert_all_used()
    with transport.stub("GET", "/v1/agents", json={}):
        transport.send(Request("GET", "http://memory/v1/skills")).read()
    with pytest.raises(UnusedStub, match=r"GET /v1/agents was never called\n  the nearest request is <GET /v1/skills"):
        transport.assert_all_used()
    transport.forget()
    transport.assert_all_used()
