"""What arrives at a collector: spans and metrics over OTLP, as a program with the usual exporter sends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from muxi.plugins import Tracing
from tests.answers import Colour, Playback, chat_events, failure
from tests.plugins.tracing.collector import Collector, listen
from tests.plugins.tracing.collector import values_of as told


@pytest.fixture
def collector() -> Iterator[Collector]:
    with listen() as server:
        yield server


@contextmanager
def exporting(collector: Collector) -> Iterator[Tracing]:
    """The plugin over the exporters of a program; leaving sends what there is."""
    resource = Resource({"service.name": "support-desk"})
    spans = TracerProvider(resource=resource, shutdown_on_exit=False)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{collector.url}/v1/traces")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{collector.url}/v1/metrics"))
    metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    yield Tracing(spans, metrics)
    spans.shutdown()
    metrics.shutdown()


def test_a_collector_gets_the_spans_and_the_metrics(collector: Collector, colour: Colour) -> None:
    with exporting(collector) as tracing:
        client = colour.formation(Playback(failure(429, retry_after="1"), chat_events("Hello")), plugins=[tracing])
        colour.collect(client.chat_stream, {"message": "hi", "agent_id": "desk"}, user_id="ada")

    for resource in collector.resource_spans:
        assert told(resource.resource.attributes)["service.name"] == "support-desk"
        assert {scope.scope.name for scope in resource.scope_spans} == {"muxi"}
    refused, streamed, whole = collector.spans
    assert (whole.name, whole.kind) == ("invoke_agent desk", Span.SPAN_KIND_CLIENT)
    assert (refused.name, refused.kind) == ("POST /v1/chat", Span.SPAN_KIND_CLIENT)
    assert refused.status.code == Status.STATUS_CODE_ERROR
    assert refused.parent_span_id == streamed.parent_span_id == whole.span_id
    assert refused.trace_id == whole.trace_id
    assert told(refused.attributes)["http.response.status_code"] == 429
    assert told(streamed.attributes)["http.request.resend_count"] == 1
    assert [event.name for event in streamed.events] == ["muxi.stream.first_event", "muxi.stream.end"]
    assert told(whole.attributes)["gen_ai.response.time_to_first_chunk"] == 1.0
    assert told(whole.attributes)["gen_ai.request.stream"] is True

    metrics = collector.metrics
    assert sorted(metrics) == [
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "http.client.active_requests",
        "http.client.request.duration",
        "muxi.client.retries",
    ]
    requests = metrics["http.client.request.duration"]
    assert requests.unit == "s"
    assert sorted(told(point.attributes)["http.response.status_code"] for point in requests.histogram.data_points) == [
        200,
        429,
    ]
    [retries] = metrics["muxi.client.retries"].sum.data_points
    assert retries.as_int == 1
    assert told(retries.attributes)["error.type"] == "RateLimitError"
