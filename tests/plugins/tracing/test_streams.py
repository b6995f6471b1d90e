"""The spans of streams: they last as long as the stream, and say how it ended."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import context
from opentelemetry.trace import StatusCode

from muxi import AsyncFormationClient, FormationClient, ManualClock, hookimpl
from muxi.errors import MuxiError, StreamInterrupted, TurnFailed
from muxi.transport import BufferedResponse, Request, Response
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport
from tests.answers import Colour, Playback, PlaybackTransport, chat_events, failure, plain
from tests.hello import ANSWER, COMPLETED, DONE, HELLO, LOST, PROXIED, WORLD, token
from tests.plugins.tracing.telemetry import Telemetry, attributes, moment, seconds
from tests.scripted import HOLD, Script, ScriptedAsyncTransport, Side

AGENT, ATTEMPT = "invoke_agent", "POST /v1/chat"


def world(clock: ManualClock) -> EmbeddedFormation:
    """A formation that takes its time: two keepalives a second apart, then a delta every quarter of a second."""
    return EmbeddedFormation(clock=clock, pace=0.25, opening_pause=1.0)


def test_the_spans_last_until_the_stream_ends(telemetry: Telemetry, colour: Colour) -> None:
    clock = ManualClock()
    formation = world(clock)
    transport = (AsyncMemoryTransport if colour.asynchronous else MemoryTransport)(formation)
    client = colour.formation(transport=transport, plugins=[telemetry.tracing()])
    events = colour.collect(client.chat_stream, "One two three", user_id="ada")
    whole, attempt = telemetry.span(AGENT), telemetry.span(ATTEMPT)
    assert telemetry.below(whole) == [attempt]
    assert seconds(whole) == seconds(attempt) == clock.monotonic() > 1.0
    told = attributes(whole)
    assert told["gen_ai.request.stream"] is True
    assert told["muxi.stream.events"] == len(events)
    assert told["muxi.stream.end"] == "complete"
    assert told["gen_ai.conversation.id"].startswith("sess_")
    assert told["gen_ai.agent.id"] == "assistant"
    assert told["gen_ai.response.time_to_first_chunk"] == told["muxi.stream.time_to_first_event"] == 1.0
    first, end = attempt.events
    assert (first.name, moment(attempt, first)) == ("muxi.stream.first_event", 1.0)
    assert (end.name, moment(attempt, end)) == ("muxi.stream.end", seconds(attempt))
    assert attributes(end) == {"muxi.stream.events": len(events), "muxi.stream.end": "complete"}
    assert whole.status.status_code is attempt.status.status_code is StatusCode.UNSET
    points = telemetry.metrics
    assert points["gen_ai.client.operation.time_to_first_chunk"][0].sum == 1.0
    assert points["http.client.request.duration"][0].sum == clock.monotonic()


def test_while_a_stream_is_open_nothing_of_it_is_current(telemetry: Telemetry, side: Side) -> None:
    held = side.open(Script(*ANSWER), plugins=[telemetry.tracing()])
    held.next()
    assert telemetry.spans == ()
    assert telemetry.point("http.client.active_requests").value == 1
    held.events()
    assert telemetry.names == [ATTEMPT, AGENT]
    assert telemetry.point("http.client.active_requests").value == 0


def test_the_callers_loop_has_the_callers_context(telemetry: Telemetry) -> None:
    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://x.localhost",
            client_key="k",
            transport=ScriptedAsyncTransport(Script(*ANSWER)),
            plugins=[telemetry.tracing()],
        )
        tracer = telemetry.tracer_provider.get_tracer("program")
        with tracer.start_as_current_span("request"):
            before = context.get_current()
            async for _ in client.chat_stream("hi", user_id="ada"):
                assert context.get_current() is before
            assert context.get_current() is before
        await client.close()

    asyncio.run(scenario())
    assert [span.name for span in telemetry.below(telemetry.span("request"))] == [AGENT]


def test_a_stream_can_end_in_another_task(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://x.localhost",
            client_key="k",
            transport=ScriptedAsyncTransport(Script(*ANSWER)),
            plugins=[telemetry.tracing()],
        )
        stream = await client.chat_stream("hi", user_id="ada")
        await asyncio.create_task(stream.result())
        await client.close()

    asyncio.run(scenario())
    assert telemetry.names == [ATTEMPT, AGENT]
    assert caplog.records == []


def test_a_stream_that_is_closed_early_is_no_error(telemetry: Telemetry, side: Side) -> None:
    held = side.open(Script(HELLO, HOLD, WORLD), plugins=[telemetry.tracing(capture_content=True)])
    held.next()
    held.close()
    attempt, whole = telemetry.spans
    assert attributes(whole)["muxi.stream.end"] == "left"
    assert attributes(whole)["muxi.stream.events"] == 1
    assert json.loads(attributes(whole)["gen_ai.output.messages"])[0]["finish_reason"] == "cancelled"
    assert [event.name for event in attempt.events] == ["muxi.stream.first_event", "muxi.stream.end"]
    assert whole.status.status_code is attempt.status.status_code is StatusCode.UNSET


def test_a_stream_that_is_let_go_of_ends_its_spans(telemetry: Telemetry, side: Side) -> None:
    held = side.open(Script(HELLO, HOLD), plugins=[telemetry.tracing()])
    held.next()
    held.drop()
    gc.collect()
    assert attributes(telemetry.span(AGENT))["muxi.stream.end"] == "left"
    assert telemetry.point("http.client.active_requests").value == 0


def test_a_stream_that_breaks_fails_the_attempt_too(telemetry: Telemetry, side: Side) -> None:
    held = side.open(Script(HELLO, LOST), plugins=[telemetry.tracing()])
    with pytest.raises(StreamInterrupted):
        held.events()
    attempt, whole = telemetry.spans
    for span in (attempt, whole):
        assert (attributes(span)["error.type"], span.status.status_code) == ("StreamInterrupted", StatusCode.ERROR)
        assert span.status.description == "STREAM_INTERRUPTED"
    assert attributes(attempt)["http.response.status_code"] == 200
    assert attributes(whole)["muxi.stream.end"] == "error"
    [point] = telemetry.metrics["http.client.request.duration"]
    assert point.attributes["error.type"] == "StreamInterrupted"


def test_a_turn_that_fails_fails_the_call_and_not_the_request(telemetry: Telemetry, side: Side) -> None:
    steps = (HELLO, token("completed", "the secret plan failed", status="error"), DONE)
    with pytest.raises(TurnFailed):
        side.open(Script(*steps), plugins=[telemetry.tracing()]).events()
    attempt, whole = telemetry.spans
    assert attempt.status.status_code is StatusCode.UNSET
    assert (whole.status.status_code, whole.status.description) == (StatusCode.ERROR, "TURN_FAILED")
    assert "secret plan" not in "".join(span.to_json() for span in telemetry.spans)


def test_an_error_before_the_stream_is_an_attempt_of_its_own(telemetry: Telemetry, colour: Colour) -> None:
    play = Playback(failure(429, retry_after="1"), chat_events("Hello"))
    colour.collect(colour.formation(play, plugins=[telemetry.tracing()]).chat_stream, "hi", user_id="ada")
    whole = telemetry.span(AGENT)
    first, second = telemetry.below(whole)
    assert (seconds(first), attributes(first)["http.response.status_code"]) == (0, 429)
    assert first.events == ()
    assert attributes(second)["http.request.resend_count"] == 1
    assert attributes(whole)["muxi.stream.time_to_first_event"] == 1.0


def test_an_answer_that_is_no_stream_leaves_nothing_behind(telemetry: Telemetry, colour: Colour) -> None:
    client = colour.formation(plain(200, b"<html>"), plugins=[telemetry.tracing()])
    with pytest.raises(MuxiError, match="not an event stream"):
        colour.collect(client.chat_stream, "hi", user_id="ada")
    attempt, whole = telemetry.spans
    assert attempt.status.status_code is StatusCode.UNSET
    assert attributes(whole)["muxi.error.code"] == "UNEXPECTED_ANSWER"


def test_a_stream_that_a_plugin_answers_leaves_nothing_current(telemetry: Telemetry, side: Side) -> None:
    class Canned:
        @hookimpl
        def muxi_intercept(self) -> BufferedResponse:
            return chat_events("Hello")

    held = side.open(Script(), plugins=[Canned(), telemetry.tracing()])
    held.next()
    assert context.get_current() == {}
    held.events()
    assert telemetry.names == [AGENT]


def test_a_stream_that_a_plugin_puts_in_place_of_an_answer_is_recorded(telemetry: Telemetry, side: Side) -> None:
    class Instead:
        @hookimpl(tryfirst=True)
        def muxi_response_received(self) -> BufferedResponse:
            return chat_events("Hello")

    held = side.open(Script(*ANSWER), plugins=[telemetry.tracing(), Instead()])
    held.next()
    assert context.get_current() == {}
    held.events()
    assert telemetry.names == [ATTEMPT, AGENT]


def test_a_task_that_is_cancelled_in_its_loop_ends_the_spans(telemetry: Telemetry) -> None:
    script = Script(HELLO, HOLD)

    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://x.localhost",
            client_key="k",
            transport=ScriptedAsyncTransport(script),
            plugins=[telemetry.tracing()],
        )

        async def read() -> None:
            async for _ in client.chat_stream("hi", user_id="ada"):
                pass

        task = asyncio.create_task(read())
        await script.until_held()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.close()

    asyncio.run(scenario())
    for span in telemetry.spans:
        assert attributes(span)["error.type"] == "CancelledError"
    assert telemetry.names == [ATTEMPT, AGENT]


def test_the_cancel_of_a_turn_that_was_left_is_a_call_of_its_own(telemetry: Telemetry, side: Side) -> None:
    held = side.open(Script(HELLO, HOLD), plugins=[telemetry.tracing()], **PROXIED)
    held.next()
    held.close()
    assert telemetry.names[-2:] == ["DELETE /api/{formation_id}/v1/requests/{request_id}", "muxi.cancel_request"]


def test_contents_of_a_stream_are_recorded_on_request(telemetry: Telemetry, side: Side) -> None:
    held = side.open(Script(HELLO, WORLD, COMPLETED, DONE), plugins=[telemetry.tracing(capture_content=True)])
    held.events()
    [message] = json.loads(attributes(telemetry.span(AGENT))["gen_ai.output.messages"])
    assert message == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "Hello world"}],
        "finish_reason": "stop",
    }


def test_a_download_lasts_until_the_file_is_there(telemetry: Telemetry, tmp_path: Path) -> None:
    clock = ManualClock()

    class Slow(PlaybackTransport):
        def send(self, request: Request) -> Response:
            response = super().send(request)
            clock.advance(1.0)
            read = response.chunks

            def chunks() -> Iterator[bytes]:
                for chunk in read():
                    clock.advance(4.0)
                    yield chunk

            response.chunks = chunks  # type: ignore[method-assign]  # the same, and it takes its time
            return response

    transport = Slow(Playback(plain(200, b"content", "application/pdf"), clock=clock))
    client = Colour().formation(transport=transport, plugins=[telemetry.tracing()])
    client.download_artifact("art_1", tmp_path / "file", user_id="ada")
    whole = telemetry.span("muxi.download_artifact")
    [attempt] = telemetry.below(whole)
    assert attempt.name == "GET /v1/artifacts/{artifact_id}/content"
    assert seconds(attempt) == seconds(whole) == 5.0


def test_a_client_over_real_time_takes_real_time(telemetry: Telemetry) -> None:
    with FormationClient(
        url="http://memory", client_key="any", transport="memory", plugins=[telemetry.tracing()]
    ) as client:
        client.chat_stream("hi", user_id="ada").result()
    attempt, whole = telemetry.spans
    assert whole.start_time is not None
    assert attempt.start_time is not None
    assert attempt.end_time is not None
    assert whole.end_time is not None
    assert whole.start_time <= attempt.start_time <= attempt.end_time <= whole.end_time
