"""The spans of calls and of their attempts, attribute by attribute."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.trace import SpanKind, StatusCode

import muxi
from muxi import AsyncFormationClient, Context, MuxiError, hookimpl
from muxi.call import Call, Key
from muxi.plugins import Redaction, mask_emails_and_numbers
from muxi.transport import BufferedResponse, Request
from tests.answers import (
    AsyncPlaybackTransport,
    Colour,
    Playback,
    answer,
    chat_answer,
    died,
    failure,
    plain,
    refused,
)
from tests.plugins.tracing.telemetry import Telemetry, attributes, seconds


def call(telemetry: Telemetry, colour: Colour, *steps: Any, **settings: Any) -> Any:
    """A formation client that is traced."""
    tracing = telemetry.tracing(**settings.pop("tracing", {}))
    return colour.formation(*steps, plugins=[*settings.pop("plugins", ()), tracing], **settings)


def test_a_call_has_a_span_and_its_attempt_one_below(telemetry: Telemetry, colour: Colour) -> None:
    client = call(telemetry, colour, answer({"memories": []}))
    colour.run(client.get_memories, "ada", limit=5)
    attempt, whole = telemetry.spans
    assert (whole.name, whole.kind, whole.parent) == ("muxi.get_memories", SpanKind.INTERNAL, None)
    assert attributes(whole) == {
        "muxi.operation": "get_memories",
        "server.address": "localhost",
        "server.port": 8001,
        "muxi.attempts": 1,
        "muxi.request.id": "req_wire",
    }
    assert whole.status.status_code is StatusCode.UNSET
    assert (attempt.name, attempt.kind) == ("GET /v1/memories", SpanKind.CLIENT)
    assert telemetry.below(whole) == [attempt]
    assert attributes(attempt) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "server.address": "localhost",
        "server.port": 8001,
        "url.full": "http://localhost:8001/v1/memories?limit=5",
        "url.template": "/v1/memories",
    }
    assert attempt.status.status_code is StatusCode.UNSET
    scope = attempt.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == ("muxi", muxi.__version__)
    assert (scope.schema_url or "").startswith("https://opentelemetry.io/schemas/1.")


def test_the_span_is_below_whatever_is_current(telemetry: Telemetry, colour: Colour) -> None:
    client = call(telemetry, colour, answer(), answer())
    tracer = telemetry.tracer_provider.get_tracer("program")
    with tracer.start_as_current_span("request"):
        colour.run(client.get_memories, "ada")
        colour.run(client.health)
    request = telemetry.span("request")
    assert [span.name for span in telemetry.below(request)] == ["muxi.get_memories", "muxi.health"]


def test_routes_are_named_without_ids(telemetry: Telemetry, colour: Colour) -> None:
    proxied = {"server_url": "https://muxi.example:8443/behind", "formation_id": "my-bot"}
    colour.run(call(telemetry, colour, answer(), **proxied).get_session, "sess_1", user_id="ada")
    attempt, whole = telemetry.spans
    assert attempt.name == "GET /behind/api/{formation_id}/v1/sessions/{session_id}"
    told = attributes(attempt)
    assert told["url.template"] == "/behind/api/{formation_id}/v1/sessions/{session_id}"
    assert told["url.full"] == "https://muxi.example:8443/behind/api/my-bot/v1/sessions/sess_1"
    assert (told["server.address"], told["server.port"]) == ("muxi.example", 8443)
    assert attributes(whole)["muxi.formation.id"] == "my-bot"


def test_a_server_client_is_traced_too(telemetry: Telemetry, colour: Colour) -> None:
    client = colour.server(answer({"formations": []}), plugins=[telemetry.tracing()])
    colour.run(client.list_formations)
    assert telemetry.names == ["GET /rpc/formations", "muxi.list_formations"]


def test_retries_are_counted_from_the_second_attempt_on(telemetry: Telemetry, colour: Colour) -> None:
    play = Playback(refused(), failure(429, retry_after="2"), chat_answer())
    colour.run(call(telemetry, colour, play).chat, "hi", user_id="ada")
    whole = telemetry.span("invoke_agent")
    first, second, third = telemetry.below(whole)
    assert [attributes(span).get("http.request.resend_count") for span in (first, second, third)] == [None, 1, 2]
    assert attributes(whole)["muxi.attempts"] == 3
    assert whole.status.status_code is StatusCode.UNSET
    # No answer at all: the class of the error, and its code.
    assert (attributes(first)["error.type"], first.status.status_code) == ("ConnectionError", StatusCode.ERROR)
    assert first.status.description == "CONNECTION_REFUSED"
    assert "http.response.status_code" not in attributes(first)
    assert "network.protocol.version" not in attributes(first)
    # An error status: the status as text, and no description that says it again.
    assert attributes(second)["error.type"] == "429"
    assert attributes(second)["http.response.status_code"] == 429
    assert (second.status.status_code, second.status.description) == (StatusCode.ERROR, None)
    assert "error.type" not in attributes(third)
    # The waiting is the call's and not an attempt's.
    assert sum(play.waits) >= 2
    assert seconds(whole) == pytest.approx(sum(play.waits), abs=0.01)
    assert [seconds(span) for span in (first, second, third)] == [0, 0, 0]


def test_a_call_that_fails_says_so_and_repeats_no_words(telemetry: Telemetry, colour: Colour) -> None:
    client = call(telemetry, colour, failure(404, "MEMORY_NOT_FOUND", "no such memory of Ada Lovelace"))
    with pytest.raises(muxi.NotFoundError):
        colour.run(client.delete_memory, memory_id="mem_1", user_id="ada")
    attempt, whole = telemetry.spans
    assert (attributes(whole)["error.type"], attributes(whole)["muxi.error.code"]) == (
        "NotFoundError",
        "MEMORY_NOT_FOUND",
    )
    assert (whole.status.status_code, whole.status.description) == (StatusCode.ERROR, "MEMORY_NOT_FOUND")
    assert attributes(attempt)["error.type"] == "404"
    assert "Lovelace" not in "".join(span.to_json() for span in telemetry.spans)


def test_an_answer_that_cannot_be_read_fails_the_call_and_not_the_attempt(telemetry: Telemetry, colour: Colour) -> None:
    client = call(telemetry, colour, plain(200, b"<html>"))
    with pytest.raises(muxi.ServerError):
        colour.run(client.get_memories, "ada")
    attempt, whole = telemetry.spans
    assert attempt.status.status_code is StatusCode.UNSET
    assert attributes(whole)["muxi.error.code"] == "UNEXPECTED_ANSWER"


def test_a_redirect_is_a_request_of_its_own(telemetry: Telemetry, colour: Colour) -> None:
    client = call(telemetry, colour, plain(307, location="/v2/elsewhere"), answer())
    colour.run(client.get_memories, "ada")
    whole = telemetry.span("muxi.get_memories")
    first, second = telemetry.below(whole)
    assert attributes(first)["http.response.status_code"] == 307
    assert first.status.status_code is StatusCode.UNSET
    assert second.name == "GET", "the route is not known where a redirect leads"
    assert attributes(second)["url.full"] == "http://localhost:8001/v2/elsewhere"
    assert attributes(second)["http.request.resend_count"] == 1
    assert "url.template" not in attributes(second)
    assert attributes(whole)["muxi.attempts"] == 1


def test_what_a_plugin_answers_is_not_sent_and_has_no_attempt(telemetry: Telemetry, colour: Colour) -> None:
    class Cache:
        @hookimpl
        def muxi_intercept(self) -> BufferedResponse:
            return answer({"memories": []})

    colour.run(call(telemetry, colour, plugins=[Cache()]).get_memories, "ada")
    assert telemetry.names == ["muxi.get_memories"]


def test_a_call_of_the_users_own_is_named_by_its_route(telemetry: Telemetry, colour: Colour) -> None:
    own: Call[Any] = Call("PURGE", "/things/{thing}", params={"thing": "t1"}, key=Key.ADMIN)
    colour.run(call(telemetry, colour, answer()).send, own)
    attempt, whole = telemetry.spans
    assert (attempt.name, whole.name) == ("HTTP /v1/things/{thing}", "muxi.call")
    assert attributes(whole)["muxi.operation"] == "PURGE /things/{thing}"
    assert attributes(attempt)["http.request.method"] == "_OTHER"
    assert attributes(attempt)["http.request.method_original"] == "PURGE"


def test_no_secret_is_in_a_span(telemetry: Telemetry, colour: Colour) -> None:
    class Elsewhere:
        @hookimpl
        def muxi_prepare_request(self, request: Request) -> None:
            request.url = "http://root:hushhush4@localhost:81/v1/memories?api_key=hushhush5&limit=1"

    tracing = {"capture_content": True}
    client = call(telemetry, colour, answer(), chat_answer(), plugins=[Elsewhere()], tracing=tracing)
    colour.run(client.get_memories, "ada")
    colour.run(client.chat, "my key is fmc_hushhush6", user_id="ada")
    text = "".join(span.to_json() for span in telemetry.spans)
    assert "hushhush" not in text
    assert attributes(telemetry.span("GET"))["url.full"] == (
        "http://REDACTED:REDACTED@localhost:81/v1/memories?api_key=REDACTED&limit=1"
    )


# -- conversations ---------------------------------------------------------------------------------------------


def test_a_chat_is_an_invocation_of_agents(telemetry: Telemetry, colour: Colour) -> None:
    client = call(telemetry, colour, chat_answer("It rains."))
    message = {"message": "Weather?", "agent_id": "weather", "session_id": "sess_1", "request_id": "req_mine"}
    colour.run(client.chat, message, user_id="ada")
    whole = telemetry.span("invoke_agent weather")
    assert attributes(whole) == {
        "gen_ai.agent.id": "weather",
        "gen_ai.conversation.id": "sess_1",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "muxi",
        "muxi.attempts": 1,
        "muxi.operation": "chat",
        "muxi.request.id": "req_wire",
        "server.address": "localhost",
        "server.port": 8001,
    }
    text = "".join(span.to_json() for span in telemetry.spans)
    assert "Weather?" not in text
    assert "It rains." not in text
    assert '"ada"' not in text


def test_the_session_is_learned_from_the_answer(telemetry: Telemetry, colour: Colour) -> None:
    metadata = {"session_id": "sess_new", "agent_used": "researcher"}
    data = {"message": {"role": "assistant", "content": "Yes.", "metadata": metadata}, "session_id": None}
    colour.run(call(telemetry, colour, answer(data)).chat, "Well?", user_id="ada")
    told = attributes(telemetry.span("invoke_agent"))
    assert (told["gen_ai.conversation.id"], told["gen_ai.agent.id"]) == ("sess_new", "researcher")


def test_contents_are_recorded_on_request(telemetry: Telemetry, colour: Colour) -> None:
    client = call(telemetry, colour, chat_answer("Fine."), tracing={"capture_content": True})
    file = {"filename": "face.png", "content": "aGVsbG8=", "content_type": "image/png"}
    colour.run(client.chat, "How are you?", user_id="ada", files=[file])
    told = attributes(telemetry.span("invoke_agent"))
    assert json.loads(told["gen_ai.input.messages"]) == [
        {
            "role": "user",
            "parts": [{"type": "text", "content": "How are you?"}, {"type": "file", "name": "face.png"}],
        }
    ]
    assert json.loads(told["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Fine."}], "finish_reason": "stop"}
    ]
    assert "aGVsbG8=" not in json.dumps(dict(told))


@pytest.mark.parametrize("first", [True, False], ids=["redaction first", "tracing first"])
def test_what_a_redaction_takes_out_is_in_no_span(telemetry: Telemetry, colour: Colour, first: bool) -> None:
    plugins = [Redaction(mask_emails_and_numbers), telemetry.tracing(capture_content=True)]
    client = colour.formation(refused(), chat_answer("Fine."), plugins=plugins if first else plugins[::-1])
    colour.run(client.chat, "Write to ada@example.com", user_id="ada")
    told = attributes(telemetry.span("invoke_agent"))
    assert "Write to [email]" in told["gen_ai.input.messages"]
    assert "ada@example.com" not in json.dumps([dict(span.attributes or {}) for span in telemetry.spans])


def test_a_trigger_is_an_invocation_too(telemetry: Telemetry, colour: Colour) -> None:
    steps = answer({"status": "completed", "content": "Sorted."})
    client = call(telemetry, colour, steps, tracing={"capture_content": True})
    colour.run(client.fire_trigger, "new-mail", {"from": "eve"}, session_id="sess_2")
    told = attributes(telemetry.span("invoke_agent"))
    assert (told["muxi.operation"], told["gen_ai.conversation.id"]) == ("fire_trigger", "sess_2")
    assert json.loads(told["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": '{"from": "eve"}'}]
    assert json.loads(told["gen_ai.output.messages"])[0]["parts"][0]["content"] == "Sorted."


@pytest.mark.parametrize(
    ("value", "captured"), [("true", True), ("SPAN_ONLY", True), ("EVENT_ONLY", False), ("", False)]
)
def test_contents_can_be_asked_for_in_the_environment(
    value: str, captured: bool, telemetry: Telemetry, colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    colour.run(call(telemetry, colour, chat_answer()).chat, "hi", user_id="ada")
    assert ("gen_ai.input.messages" in attributes(telemetry.span("invoke_agent"))) is captured


# -- what is current, and what is sent along -------------------------------------------------------------------


class Spy:
    """Notes which span is current in each hook."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def note(self, where: str) -> None:
        self.seen[where] = getattr(trace.get_current_span(), "name", "none")

    @hookimpl
    def muxi_call_started(self) -> None:
        self.note("started")

    @hookimpl
    def muxi_prepare_request(self) -> None:
        self.note("prepare")

    @hookimpl
    def muxi_response_received(self) -> None:
        self.note("response")

    @hookimpl
    def muxi_attempt_failed(self) -> None:
        self.note("failed")

    @hookimpl
    def muxi_retry_delay(self) -> float:
        self.note("delay")
        return 1.0

    @hookimpl
    def muxi_call_finished(self) -> None:
        self.note("finished")


def test_other_plugins_run_within_the_call_and_sending_within_the_attempt(telemetry: Telemetry, colour: Colour) -> None:
    spy = Spy()

    def send(request: Request) -> BufferedResponse:
        spy.note("send")
        return answer()

    client = call(telemetry, colour, died(), send, plugins=[spy])

    async def see() -> None:
        spy.note("afterwards")

    async def both() -> None:
        await client.get_memories("ada")
        await see()

    if colour.asynchronous:
        colour.run(both)
    else:
        colour.run(client.get_memories, "ada")
        spy.note("afterwards")
    within = "muxi.get_memories"
    assert spy.seen == {
        "started": within,
        "prepare": within,
        "send": "GET /v1/memories",
        "failed": within,
        "delay": within,
        "response": within,
        "finished": within,
        "afterwards": "none",
    }


def test_each_attempt_carries_a_traceparent_of_its_own(telemetry: Telemetry, colour: Colour) -> None:
    play = Playback(died(), answer())
    token = context.attach(baggage.set_baggage("tenant", "acme"))
    try:
        colour.run(call(telemetry, colour, play).get_memories, "ada")
    finally:
        context.detach(token)
    attempts = [span for span in telemetry.spans if span.kind is SpanKind.CLIENT]
    assert play.header("traceparent") == [
        f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"
        for span in attempts
    ]
    assert play.header("baggage") == ["tenant=acme", "tenant=acme"]


def test_propagation_can_be_switched_off(telemetry: Telemetry, colour: Colour) -> None:
    play = Playback(answer())
    colour.run(call(telemetry, colour, play, tracing={"propagate": False}).get_memories, "ada")
    assert play.header("traceparent") == [None]
    assert len(telemetry.spans) == 2


def test_a_program_that_wants_silence_gets_it(telemetry: Telemetry, colour: Colour) -> None:
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    client = call(telemetry, colour, answer(), answer())
    with suppress_instrumentation():
        colour.run(client.get_memories, "ada")
    assert telemetry.names == []
    colour.run(client.get_memories, "ada")
    assert len(telemetry.names) == 2


def test_concurrent_calls_keep_their_own(telemetry: Telemetry) -> None:
    play = Playback(*(answer() for _ in range(20)))

    async def one(client: AsyncFormationClient, number: int) -> None:
        tracer = telemetry.tracer_provider.get_tracer("program")
        with tracer.start_as_current_span(f"task {number}"):
            await client.get_memories(str(number))

    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://localhost:1",
            client_key="k",
            transport=AsyncPlaybackTransport(play),
            plugins=[telemetry.tracing()],
        )
        async with client:
            await asyncio.gather(*(one(client, number) for number in range(20)))
            assert context.get_current() == {}

    asyncio.run(scenario())
    for number in range(20):
        [whole] = telemetry.below(telemetry.span(f"task {number}"))
        [attempt] = telemetry.below(whole)
        assert attempt.name == "GET /v1/memories"


def test_a_cancelled_call_ends_its_spans(telemetry: Telemetry) -> None:
    sent = asyncio.Event()

    class Never(AsyncPlaybackTransport):
        async def send(self, request: Request) -> Any:
            sent.set()
            await asyncio.Event().wait()

    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://localhost:1", client_key="k", transport=Never(Playback()), plugins=[telemetry.tracing()]
        )

        async def calls() -> None:
            before = context.get_current()
            try:
                await client.get_memories("ada")
            finally:
                assert context.get_current() is before

        task = asyncio.create_task(calls())
        await sent.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    attempt, whole = telemetry.spans
    for span in (attempt, whole):
        assert (attributes(span)["error.type"], span.status.status_code) == ("CancelledError", StatusCode.ERROR)
    assert telemetry.point("http.client.active_requests").value == 0


def test_the_pages_of_an_iteration_are_a_call_each(telemetry: Telemetry, colour: Colour) -> None:
    full = answer({"memories": [{"id": f"mem_{number}"} for number in range(100)]})
    client = call(telemetry, colour, full, answer({"memories": [{"id": "mem_last"}]}))
    assert len(colour.collect(client.iter_memories, "ada")) == 101
    assert telemetry.names.count("muxi.get_memories") == 2


def test_an_error_of_a_plugin_ends_the_spans(telemetry: Telemetry, colour: Colour) -> None:
    class Refuses:
        @hookimpl
        def muxi_prepare_request(self, context: Context) -> None:
            raise MuxiError("BUDGET_SPENT", "no more today")

    with pytest.raises(MuxiError, match="BUDGET_SPENT"):
        colour.run(call(telemetry, colour, plugins=[Refuses()]).get_memories, "ada")
    [whole] = telemetry.spans
    assert attributes(whole)["muxi.error.code"] == "BUDGET_SPENT"
