"""Stubs over the in-memory world, and what its transports remember: for clients of both colours."""

from __future__ import annotations

import asyncio
import builtins
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import muxi
from muxi import AsyncFormationClient, FormationClient, ManualClock, ServerClient
from muxi.errors import (
    ConfigurationError,
    ConflictError,
    ConnectionError,
    MuxiError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StreamInterrupted,
    TimeoutError,
    ValidationError,
)
from muxi.transport import BufferedResponse, IterableBody, Request
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    EmbeddedServer,
    MemoryTransport,
    Pause,
    SentRequest,
    StubbedWorld,
    UnexpectedRequest,
)
from muxi_transports.memory.stubs.matching import PathPattern, differences
from tests.answers import AsyncColour, Colour

NO_AGENTS: dict[str, object] = {"agents": [], "count": 0}


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = AsyncColour() if request.param == "async" else Colour()
    yield colour
    colour.end()


@pytest.fixture
def transport(colour: Colour, formation: EmbeddedFormation) -> MemoryTransport | AsyncMemoryTransport:
    return AsyncMemoryTransport(formation) if colour.asynchronous else MemoryTransport(formation)


@pytest.fixture
def client(colour: Colour, transport: MemoryTransport) -> Any:
    return colour.formation(transport=transport, url="http://memory", client_key="fmc_test", admin_key="fma_test")


# -- what a stub answers -----------------------------------------------------------------------------------------


def test_data_is_wrapped_as_the_wire_wraps_it(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    transport.stub("GET", "/v1/agents", json=NO_AGENTS)
    raw = colour.run(client.with_raw_response.get_agents)
    assert raw.data == NO_AGENTS
    assert raw.headers["content-type"] == "application/json"
    assert str(muxi.meta(raw.data).request_id).startswith("req_stub")
    assert colour.run(client.chat, "Hi", user_id="ada")["message"]["content"] == "You said: Hi"


def test_an_envelope_stays_as_it_is(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    envelope = {"success": True, "error": None, "data": NO_AGENTS, "request": {"id": "req_mine"}}
    transport.stub("GET", "/v1/agents", json=envelope)
    agents = colour.run(client.get_agents)
    assert agents["agents"] == []
    assert agents["request_id"] == "req_mine"


def test_raw_json_is_sent_as_it_is(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    transport.stub("GET", "/v1/agents", json={"error": "nonsense"}, status=502, raw=True)
    with pytest.raises(ServerError) as caught:
        colour.run(client.get_agents)
    assert caught.value.answer is not None
    assert caught.value.answer.body == b'{"error": "nonsense"}'


def test_the_health_of_a_formation_has_no_envelope(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    transport.stub("GET", "/v1/health", json={"status": "tired"})
    assert colour.run(client.health) == {"status": "tired"}


@pytest.mark.parametrize(
    ("status", "data", "kind", "code"),
    [
        (404, {"code": "AGENT_NOT_FOUND", "message": "Who?", "hint": 1}, NotFoundError, "AGENT_NOT_FOUND"),
        (422, {}, ValidationError, "INVALID_PARAMS"),
        (500, {}, ServerError, "INTERNAL_ERROR"),
    ],
)
def test_errors_have_the_wires_envelope(
    colour: Colour,
    client: Any,
    transport: MemoryTransport,
    status: int,
    data: dict[str, object],
    kind: type[MuxiError],
    code: str,
) -> None:
    transport.stub("GET", "/v1/agents/{agent_id}", status=status, json=data)
    with pytest.raises(kind) as caught:
        colour.run(client.get_agent, "ada")
    assert (caught.value.code, caught.value.from_platform) == (code, True)
    assert caught.value.details == {name: value for name, value in data.items() if name == "hint"}
    assert len(transport.requests) == 1


def test_texts_and_bytes_come_from_something_in_between(
    colour: Colour, client: Any, transport: MemoryTransport
) -> None:
    transport.stub("GET", "/v1/agents", text="<html>", status=500, headers={"Content-Type": "text/html"})
    with pytest.raises(ServerError) as caught:
        colour.run(client.get_agents)
    assert not caught.value.from_platform
    assert (caught.value.attempts, len(transport.requests)) == (4, 4)


@pytest.mark.parametrize("user", ["ada", None])
def test_texts_make_a_whole_chat(
    colour: Colour, client: Any, transport: MemoryTransport, clock: ManualClock, user: str | None
) -> None:
    transport.stub("POST", "/v1/chat", events=["Hel", Pause(5), "lo"])
    events = colour.collect(client.chat_stream, "Hi", user_id=user)
    assert [event["text"] for event in events if event["type"] == "text"] == ["Hel", "lo"]
    assert [event["type"] for event in events][-2:] == ["completed", "done"]
    assert clock.monotonic() == 5


def test_frames_are_the_tests_own(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    token = {"token": {"type": "content", "content": "Hi"}}
    transport.stub(
        "POST", "/v1/chat", events=[token, b": keepalive\n\n", {"event": "done", "data": {"finished": True}}]
    )
    events = colour.collect(client.chat_stream, "Hi", user_id="ada")
    assert [event["type"] for event in events] == ["text", "done"]


@pytest.mark.parametrize("error", [ConnectionError("CONNECTION_LOST", "gone"), OSError, ConnectionResetError])
def test_an_exception_breaks_the_stream(
    colour: Colour, client: Any, transport: MemoryTransport, error: Exception | type[Exception]
) -> None:
    transport.stub("POST", "/v1/chat", events=["Hel", error])
    expected = OSError if error is OSError else StreamInterrupted
    with pytest.raises(expected):
        colour.collect(client.chat_stream, "Hi", user_id="ada")


@pytest.mark.parametrize(
    ("error", "kind", "connected", "attempts"),
    [
        (ConnectionResetError, ConnectionError, True, 4),
        (ConnectionRefusedError("no"), ConnectionError, False, 4),
        (builtins.TimeoutError, TimeoutError, True, 4),
        (TimeoutError, TimeoutError, True, 4),
        (RateLimitError("slow down"), RateLimitError, None, 1),
    ],
    ids=["reset", "refused", "builtin timeout", "timeout", "instance"],
)
def test_errors_are_the_sdks_where_there_is_one(
    colour: Colour,
    client: Any,
    transport: MemoryTransport,
    error: Exception | type[Exception],
    kind: type[MuxiError],
    connected: bool | None,
    attempts: int,
) -> None:
    transport.stub("GET", "/v1/agents", error=error)
    with pytest.raises(kind) as caught:
        colour.run(client.get_agents)
    assert getattr(caught.value, "connected", None) is connected
    assert len(transport.requests) == attempts
    assert caught.value is not error


def test_any_other_exception_is_raised_as_it_is(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    transport.stub("GET", "/v1/agents", error=ZeroDivisionError("really"))
    with pytest.raises(ZeroDivisionError, match="really"):
        colour.run(client.get_agents)
    assert len(transport.requests) == 1


def test_a_function_sees_the_request(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    seen: list[SentRequest] = []

    def respond(request: SentRequest) -> dict[str, object] | None:
        seen.append(request)
        return {"id": request.params["agent_id"]} if request.params["agent_id"] != "nobody" else None

    transport.stub("GET", "/v1/agents/{agent_id}", json={"id": "whoever"})
    transport.stub("GET", "/v1/agents/{agent_id}", respond=respond)
    assert colour.run(client.get_agent, "a b")["id"] == "a b"
    assert colour.run(client.get_agent, "nobody")["id"] == "whoever"
    assert [request.path for request in seen] == ["/v1/agents/a b", "/v1/agents/nobody"]
    assert [len(stub.requests) for stub in transport.stubs] == [1, 1]


@pytest.mark.parametrize(
    "made", ["text", b"bytes", BufferedResponse(200, [], b"whole")], ids=["text", "bytes", "whole"]
)
def test_what_a_function_may_return(colour: Colour, client: Any, transport: MemoryTransport, made: Any) -> None:
    transport.stub("GET", "/v1/agents", respond=lambda request: made)
    with pytest.raises(MuxiError) as caught:  # none of it is JSON
        colour.run(client.get_agents)
    assert caught.value.answer is not None
    assert caught.value.answer.body in (b"text", b"bytes", b"whole")


def test_a_function_that_returns_something_else_is_told_so(
    colour: Colour, client: Any, transport: MemoryTransport
) -> None:
    bad: Any = lambda request: 7  # noqa: E731
    transport.stub("GET", "/v1/agents", respond=bad)
    with pytest.raises(ConfigurationError, match="returned int; return a mapping"):
        colour.run(client.get_agents)
    assert len(transport.stubbed.ledger.incidents.assertions) == 1
    transport.forget()


def test_data_that_json_cannot_say_is_refused(transport: MemoryTransport) -> None:
    for bad in ({"when": object()}, {1, 2}, {"x": b"bytes"}):
        with pytest.raises(ConfigurationError, match=r"json= takes what JSON can say: .* is not JSON serializable"):
            transport.stub("GET", "/v1/agents", json=bad)
    assert transport.stubs == ()


@pytest.mark.parametrize(
    "options",
    [
        {"events": "Hello"},
        {"events": b"Hello"},
        {"events": iter(["Hel", "lo"])},
        {"events": ["Hel", 7]},
        {"status": "404"},
        {"times": "2"},
        {"delay": "5"},
        {"user": 7},
        {"query": ["limit"]},
    ],
    ids=["a text", "bytes", "an iterator", "an item", "status", "times", "delay", "user", "query"],
)
def test_a_wrong_argument_is_told_by_name(transport: MemoryTransport, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(options))}= takes"):
        transport.stub("POST", "/v1/chat", **options)
    assert transport.stubs == ()


def test_values_of_a_query_are_those_of_the_wire(colour: Colour, client: Any, transport: MemoryTransport) -> None:
    stub = transport.stub("GET", "/v1/memories", query={"all": True, "limit": 5, "least": 0.5}, json={})
    query = {"all": True, "limit": 5, "least": 0.5}
    colour.run(client.request, "GET", "/memories", query=query, user_id="ada")
    assert stub.called
    transport.assert_called("GET", "/v1/memories", query=query)


def test_async_functions_are_refused(transport: MemoryTransport) -> None:
    async def function(request: object) -> Any: ...

    bad: Any = function
    for options in ({"respond": bad}, {"when": bad}):
        with pytest.raises(ConfigurationError, match=r"(respond|when)= is async; .* give a plain function"):
            transport.stub("GET", "/v1/agents", **options)


def test_why_a_function_of_a_stub_failed_is_in_the_log(
    colour: Colour, client: Any, transport: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    bad: Any = lambda request: int("nothing")  # noqa: E731
    for options, place in (({"when": bad}, "when="), ({"respond": bad}, "respond=")):
        transport.forget()
        transport.stub("GET", "/v1/agents", **options)
        with pytest.raises(ValueError, match="nothing"):
            colour.run(client.get_agents)
        assert f"{place} of the stub for GET /v1/agents" in caplog.text
    assert not transport.stubbed.ledger.incidents.assertions


def test_a_delay_passes_on_the_clock_and_counts(
    colour: Colour, client: Any, transport: MemoryTransport, clock: ManualClock
) -> None:
    transport.stub("GET", "/v1/agents", json=NO_AGENTS, delay=20)
    assert colour.run(client.get_agents)["agents"] == []
    assert clock.monotonic() == 20
    with pytest.raises(TimeoutError):
        colour.run(client.with_options(timeout=10, max_retries=0).get_agents)
    assert clock.monotonic() == 30


# -- which requests it is for -----------------------------------------------------------------------------------


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


# -- what was asked ------------------------------------------------------------------------------------------------


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


# -- nothing but stubs ---------------------------------------------------------------------------------------------


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


# -- shared stubs --------------------------------------------------------------------------------------------------


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


# -- decisions -----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_everything_is_like_itself(value: object) -> None:
    assert list(differences(value, value, "json")) == []


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.data())
def test_a_part_of_an_object_is_enough(value: dict[str, object], data: st.DataObject) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(value)))) if value else set()
    assert list(differences({name: value[name] for name in names}, value, "json")) == []


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        (True, 1, "json is 1, not True"),
        (1, True, "json is True, not 1"),
        ([1], [1, 2], "json has 2 items, not 1"),
        ([1], {}, "json is {}, not a list"),
        ({"a": {"b": 1}}, {"a": []}, "json.a is [], not an object"),
        ({"api_key": "x"}, {"api_key": "sesame"}, "json.api_key is '[redacted]', not '[redacted]'"),
        (re.compile("x+"), "y", "json is 'y', which has no match of 'x+'"),
    ],
)
def test_differences_in_words(expected: object, actual: object, said: str) -> None:
    assert list(differences(expected, actual, "json")) == [said]


@pytest.mark.parametrize(
    ("pattern", "path", "params"),
    [
        ("/v1/agents", "v1/agents", {}),
        ("/v1/agents", "v1/agents/x", None),
        ("/v1/{kind}/{name}", "v1/agents/x", {"kind": "agents", "name": "x"}),
        ("/v1/*/x", "v1/agents/x", {}),
        ("/**/{name}", "v1/agents/x", {"name": "x"}),
        ("/v1/**", "v1", {}),
        ("*", "anything/at/all", {}),
        ("/v1/chat", "api/bot/v1/chat", {}),
        ("/v1/chat", "draft/bot/v1/chat", {}),
        ("/rpc/x", "api/bot/rpc/x", None),
    ],
)
def test_paths(pattern: str, path: str, params: dict[str, str] | None) -> None:
    assert PathPattern(pattern).match(path.split("/")) == params
