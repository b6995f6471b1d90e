"""Which requests a stub is for, and what a transport remembers of all of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from muxi import AsyncFormationClient, FormationClient, ManualClock, ServerClient
from muxi.errors import (
    ConfigurationError,
    ConflictError,
    MuxiError,
    NotFoundError,
)
from muxi.transport import IterableBody, Request
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    EmbeddedServer,
    MemoryTransport,
    StubbedWorld,
    UnexpectedRequest,
)
from tests.answers import Colour
from tests.stubs.conftest import NO_AGENTS


def test_the_last_stub_that_fits_answers(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    transport.stub("GET", "/v1/**", status=418)
    transport.stub("*", "/v1/agents", json=NO_AGENTS)
    transport.stub("GET", "/v1/agents", status=404, times=1)
    with pytest.raises(NotFoundError):
        colour.run(client.get_agents)
    assert colour.run(client.get_agents)["agents"] == []
    with pytest.raises(MuxiError) as caught:
        colour.run(client.get_sessions, "ada")
    assert caught.value.status_code == 418


def test_query_body_user_and_a_function_narrow_it(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    nothing = {"sessions": [], "count": 0}
    by_query = transport.stub("GET", "/v1/sessions", json=nothing, query={"limit": 3})
    by_user = transport.stub("GET", "/v1/sessions", json=nothing, user="bob")
    by_body = transport.stub("POST", "/v1/chat", status=409, body={"message": re.compile("secret")})
    by_function = transport.stub("GET", "/v1/memories", status=409, when=lambda request: request.user == "eve")
    colour.run(client.get_sessions, "ada", limit=3)
    colour.run(client.get_sessions, "bob")
    colour.run(client.get_sessions, "ada")
    colour.run(client.chat, "Hi", user_id="ada")
    colour.run(client.get_memories, "ada")
    with pytest.raises(ConflictError):
        colour.run(client.chat, "a secret", user_id="ada")
    with pytest.raises(ConflictError):
        colour.run(client.get_memories, "eve")
    for stub in (by_query, by_user, by_body, by_function):
        stub.assert_called(times=1)


def test_a_stub_ends_with_its_block(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    with transport.stub("GET", "/v1/sessions", json={"sessions": [], "count": 99}) as stub:
        assert colour.run(client.get_sessions, "ada")["count"] == 99
    assert colour.run(client.get_sessions, "ada")["count"] == 0
    assert (stub.called, len(stub.requests), transport.stubs) == (True, 1, ())
    assert transport.requests[0].stub is stub
    assert transport.requests[1].stub is None


def test_a_formations_stub_holds_behind_a_server() -> None:
    server = EmbeddedServer()
    server.add(EmbeddedFormation("my-bot", clock=server.clock))
    transport = MemoryTransport(server)
    transport.stub("GET", "/v1/agents", json=NO_AGENTS)
    client = FormationClient(server_url="http://memory", formation_id="my-bot", admin_key="any", transport=transport)
    assert client.get_agents()["agents"] == []
    assert transport.last_request.path == "/api/my-bot/v1/agents"
    transport.assert_called("GET", "/v1/agents")
    transport.assert_called("GET", "/api/{formation_id}/v1/agents")


def test_a_server_is_stubbed_in_its_own_envelope() -> None:
    transport = MemoryTransport(EmbeddedServer())
    client = ServerClient(url="http://memory", key_id="muxi_pk_x", secret_key="muxi_sk_x", transport=transport)
    transport.stub("GET", "/rpc/formations", json={"formations": [], "count": 0})
    assert client.list_formations()["formations"] == []
    transport.stub("GET", "/rpc/formations/{id}", status=404, json={"message": "No such thing"})
    with pytest.raises(NotFoundError, match="No such thing") as caught:
        client.get_formation("my-bot")
    assert caught.value.from_platform


def test_uploads_are_read_and_can_be_looked_at() -> None:
    transport = MemoryTransport(EmbeddedServer())
    transport.stub("POST", "/rpc/formations", json={})
    sent: list[int] = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"ab", b"cd"):
            sent.append(len(piece))
            yield piece

    for body in (IterableBody(pieces), IterableBody(pieces())):
        transport.send(Request("POST", "http://memory/rpc/formations", body=body)).close()
    assert sent == [2, 2, 2, 2]
    assert [request.content for request in transport.requests] == [b"abcd", None]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("GET", "v1/agents"), {}, "begins with a slash"),
        (("GET", "/v1/agents?limit=1"), {}, "write query="),
        (("GET", "/v1/a*"), {}, "whole segments"),
        (("GET", "/v1/x"), {"json": {}, "text": ""}, "one of json="),
        (("GET", "/v1/x"), {"json": None, "error": OSError}, "one of json="),
        (("GET", "/v1/x"), {"times": 0}, "times of 1 or more"),
        (("GET", "/v1/x"), {"delay": -1}, "0 or more seconds"),
        (("GET", "/v1/x"), {"status": 7}, "HTTP status"),
        (("GET", "/v1/x"), {"error": "boom"}, "takes an exception"),
        (("GET", "/v1/x"), {"error": UnicodeDecodeError}, "give an instance of UnicodeDecodeError"),
        (("GET", "/v1/x"), {"respond": {}}, "takes a function"),
    ],
)
def test_a_stub_that_has_no_sense_is_refused(arguments: tuple[str, str], options: dict[str, Any], message: str) -> None:
    transport = MemoryTransport()
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        transport.stub(*arguments, **options)
    assert transport.stubs == ()


def test_requests_are_remembered(colour: Colour, client: Any, transport: MemoryTransport, clock: ManualClock) -> None:
    clock.advance(10)
    colour.run(client.get_sessions, "ada", limit=3)
    colour.run(client.chat, "Hi", user_id="bob")
    first, last = transport.requests
    assert (first.method, first.path, first.query, first.user) == ("GET", "/v1/sessions", {"limit": "3"}, "ada")
    assert (first.json, first.content, first.status) == (None, None, 200)
    assert first.time == clock.time()
    assert isinstance(last.json, dict)
    assert (last.line, last.json["message"]) == ("POST /v1/chat", "Hi")
    assert transport.last_request is last


def test_no_secret_shows(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    transport.stub("POST", "/v1/secrets", json={})
    colour.run(client.create_secret, "TOKEN", "sesame-open")
    request = transport.last_request
    assert request.headers["X-Muxi-Admin-Key"] == "fma_test"
    assert "fma_test" not in repr(request) + repr(request.headers)
    transport.stub("POST", "/v1/chat", json={})
    colour.run(client.chat, {"message": "the key is fmc_sesame", "api_key": "sesame"}, user_id="ada")
    assert "sesame" not in repr(transport.last_request)
    with pytest.raises(AssertionError) as caught:
        transport.assert_called("POST", "/v1/chat", json={"api_key": "mine"})
    assert "sesame" not in str(caught.value)
    assert "json.api_key is '[redacted]', not '[redacted]'" in str(caught.value)
    with pytest.raises(AssertionError, match="json differs, and is secret"):
        transport.assert_called("POST", "/v1/secrets", json={"value": "x"})


def test_an_assertion_passes_by_what_is_named(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    colour.run(client.chat, {"message": "Hi", "session_id": "s"}, user_id="ada")
    found = transport.assert_called("POST", "/v1/chat", json={"message": "Hi"}, user="ada", times=1)
    assert found is transport.last_request
    transport.assert_called("post", "*", json={"request_id": mock.ANY, "session_id": re.compile("^s$")})
    transport.assert_not_called("GET", "/v1/agents")
    with pytest.raises(AssertionError, match=r"was called once, the last time by <POST /v1/chat"):
        transport.assert_not_called()


def test_a_failed_assertion_shows_the_nearest_request(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    with pytest.raises(AssertionError, match="no request has been made at all"):
        transport.assert_called("POST", "/v1/chat")
    with pytest.raises(AssertionError, match="no request has been made"):
        _ = transport.last_request
    colour.run(client.health)
    colour.run(client.chat, "Hello", user_id="ada")
    with pytest.raises(AssertionError) as caught:
        transport.assert_called("POST", "/v1/chat", json={"message": "Hi", "mesage": 1}, user="bob")
    message = str(caught.value)
    assert "the nearest request is <POST /v1/chat user='ada'" in message
    assert "the user is 'ada', not 'bob'" in message
    assert "json.message is 'Hello', not 'Hi'" in message
    assert "json.mesage is missing; there is 'message'" in message
    assert "1. <GET /v1/health → 200>" in message
    with pytest.raises(AssertionError, match="called once and not twice"):
        transport.assert_called("POST", "/v1/chat", times=2)
    with pytest.raises(AssertionError, match=r"the path is '/v1/chat', not '/v1/chats'"):
        transport.assert_called("POST", "/v1/chats")


def test_stubs_know_how_often(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    stub = transport.stub("GET", "/v1/agents", json=NO_AGENTS)
    with pytest.raises(AssertionError, match="was never called"):
        stub.assert_called()
    for _ in range(3):
        colour.run(client.get_agents)
    stub.assert_called(times=3)
    assert "3 times" in repr(stub)
    with pytest.raises(AssertionError, match="3 times and not once"):
        stub.assert_called(times=1)
    transport.forget()
    assert (transport.requests, transport.stubs) == ([], ())


def test_an_unexpected_request_is_an_error_and_shows_the_nearest_stub(
    colour: Colour, client: Any, transport: MemoryTransport
) -> None:
    transport.stub_only()
    with pytest.raises(UnexpectedRequest, match="there are no stubs"):
        colour.run(client.get_sessions, "ada")
    transport.stub("GET", "/v1/agents", json=NO_AGENTS)
    transport.stub("GET", "/v1/sessions", json={"sessions": [], "count": 0}, user="bob", times=1)
    with pytest.raises(UnexpectedRequest) as caught:
        colour.run(client.get_sessions, "ada")
    assert not isinstance(caught.value, MuxiError)
    assert "the nearest stub is GET /v1/sessions user='bob', but\n    the user is 'ada', not 'bob'" in str(caught.value)
    colour.run(client.get_sessions, "bob")
    with pytest.raises(UnexpectedRequest, match="it has been called once, as often as it was to be"):
        colour.run(client.get_sessions, "bob")
    assert len(transport.requests) == 4
    with pytest.raises(UnexpectedRequest, match="there are no stubs"):
        transport.assert_all_expected()
    transport.forget()
    transport.assert_all_expected()
    transport.stub_only(False)
    assert colour.run(client.get_sessions, "bob")["count"] == 0


def test_transports_of_one_world_share_stubs_and_requests(formation: EmbeddedFormation) -> None:
    stubbed = StubbedWorld(formation, strict=True)
    transport, other = MemoryTransport(stubbed), AsyncMemoryTransport(stubbed)
    assert transport.world is formation
    transport.stub("GET", "/v1/agents", json=NO_AGENTS)
    client = AsyncFormationClient(transport=other, url="http://memory", admin_key="fma_test")
    assert asyncio.run(_agents(client)) == []
    transport.assert_called("GET", "/v1/agents", times=1)
    assert other.strict
    assert MemoryTransport(strict=True).strict


async def _agents(client: AsyncFormationClient) -> list[Any]:
    return list((await client.get_agents())["agents"])
