"""The metrics: their units and buckets, and what they are told apart by."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from muxi import FormationClient, MuxiError, ServerError
from tests.answers import Colour, Playback, answer, chat_answer, chat_events, died, failure
from tests.plugins.tracing.telemetry import Telemetry

SERVER = {"server.address": "localhost", "server.port": 8001}


def test_requests_are_measured_by_route_and_outcome(telemetry: Telemetry, colour: Colour) -> None:
    play = Playback(failure(429, retry_after="1"), answer(), answer())
    client = colour.formation(play, plugins=[telemetry.tracing()])
    colour.run(client.get_session, "sess_1", user_id="ada")
    colour.run(client.get_session, "sess_2", user_id="eve")
    known = {
        **SERVER,
        "http.request.method": "GET",
        "network.protocol.version": "1.1",
        "url.template": "/v1/sessions/{session_id}",
    }
    refused, done = telemetry.metrics["http.client.request.duration"]
    assert dict(refused.attributes) == {**known, "http.response.status_code": 429, "error.type": "429"}
    assert dict(done.attributes) == {**known, "http.response.status_code": 200}
    assert (refused.count, done.count) == (1, 2)
    assert done.explicit_bounds == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


def test_the_requests_under_way_are_counted(telemetry: Telemetry, colour: Colour) -> None:
    during: list[Any] = []

    def look(request: Any) -> Any:
        during.append(telemetry.point("http.client.active_requests").value)
        return answer()

    colour.run(colour.formation(look, plugins=[telemetry.tracing()]).get_memories, "ada")
    point = telemetry.point("http.client.active_requests")
    assert (during, point.value) == ([1], 0)
    assert dict(point.attributes) == {**SERVER, "http.request.method": "GET"}


def test_retries_are_counted_with_their_reason(telemetry: Telemetry, colour: Colour) -> None:
    play = Playback(died(), failure(503, retry_after="1"), answer(), answer())
    client = colour.formation(play, plugins=[telemetry.tracing()])
    colour.run(client.get_memories, "ada")
    colour.run(client.get_memories, "ada")
    points = telemetry.metrics["muxi.client.retries"]
    assert [(dict(point.attributes), point.value) for point in points] == [
        ({"muxi.operation": "get_memories", "error.type": "ConnectionError"}, 1),
        ({"muxi.operation": "get_memories", "error.type": "ServerError"}, 1),
    ]


def test_agents_are_measured_with_all_attempts(telemetry: Telemetry, colour: Colour) -> None:
    play = Playback(failure(429, retry_after="3"), chat_events("Hi"), chat_answer(), failure(400))
    client = colour.formation(play, plugins=[telemetry.tracing()])
    colour.collect(client.chat_stream, "hi", user_id="ada")
    colour.run(client.chat, "hi", user_id="ada")
    with pytest.raises(MuxiError):
        colour.run(client.chat, "hi", user_id="ada")
    known = {**SERVER, "gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "muxi"}
    done, failed = telemetry.metrics["gen_ai.client.operation.duration"]
    assert (dict(done.attributes), done.count, done.sum) == (known, 2, 3.0)
    assert dict(failed.attributes) == {**known, "error.type": "ValidationError"}
    assert done.explicit_bounds[:4] == (0.01, 0.02, 0.04, 0.08)
    first = telemetry.point("gen_ai.client.operation.time_to_first_chunk")
    assert (dict(first.attributes), first.count, first.sum) == (known, 1, 3.0)


def test_what_is_not_a_conversation_is_not_measured_as_one(telemetry: Telemetry, colour: Colour) -> None:
    colour.run(colour.formation(answer(), plugins=[telemetry.tracing()]).get_memories, "ada")
    assert telemetry.metrics.keys() == {"http.client.request.duration", "http.client.active_requests"}


def test_a_metric_is_the_same_over_all_clients(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        Colour().formation(answer(), plugins=[telemetry.tracing()]).get_memories("ada")
    assert telemetry.point("http.client.request.duration").count == 3
    assert caplog.records == []


def test_metrics_do_not_depend_on_sampling(telemetry: Telemetry) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    from muxi.plugins import Tracing

    play = Playback(failure(500), died(), answer())
    unsampled = Tracing(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False), telemetry.meter_provider)
    client: FormationClient = Colour().formation(play, plugins=[unsampled])
    with pytest.raises(ServerError):
        client.get_memories("ada")
    client.get_memories("ada")
    assert telemetry.spans == ()
    assert sum(point.count for point in telemetry.metrics["http.client.request.duration"]) == 3
    assert (play.header("traceparent")[0] or "").endswith(("-00", "-02"))
