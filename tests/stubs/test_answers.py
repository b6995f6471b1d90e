"""What a stub answers, for clients of both colours, and the answers that it refuses to give."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

import muxi
from muxi import ManualClock
from muxi.errors import (
    ConfigurationError,
    ConnectionError,
    MuxiError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StreamInterrupted,
    TimeoutError,
    ValidationError,
)
from muxi.transport import BufferedResponse
from muxi_transports.memory import (
    MemoryTransport,
    Pause,
    SentRequest,
)
from tests.answers import Colour
from tests.stubs.conftest import NO_AGENTS


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
    def bad(request: SentRequest) -> Any:
        return 7

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
    def bad(request: SentRequest) -> Any:
        return int("nothing")

    cases: list[tuple[dict[str, Any], str]] = [({"when": bad}, "when="), ({"respond": bad}, "respond=")]
    for options, place in cases:
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
