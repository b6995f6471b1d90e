"""What arrives at a collector: spans and metrics over OTLP, as a program with the usual exporter sends them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from muxi.plugins import Tracing
from tests.answers import Colour, Playback, chat_events, failure


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps the bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: dict[str, list[bytes]] = {"/v1/traces": [], "/v1/metrics": []}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.headers["Content-Type"] == "application/x-protobuf"
        self.server.bodies[self.path].append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base calls it
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


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


def told(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


def test_a_collector_gets_the_spans_and_the_metrics(collector: Collector, colour: Colour) -> None:
    with exporting(collector) as tracing:
        client = colour.formation(Playback(failure(429, retry_after="1"), chat_events("Hello")), plugins=[tracing])
        colour.collect(client.chat_stream, {"message": "hi", "agent_id": "desk"}, user_id="ada")

    spans: dict[int, Span] = {}
    for body in collector.bodies["/v1/traces"]:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            assert told(resource.resource.attributes)["service.name"] == "support-desk"
            for scope in resource.scope_spans:
                assert scope.scope.name == "muxi"
                for span in scope.spans:
                    spans[len(spans)] = span
    refused, streamed, whole = sorted(spans.values(), key=lambda span: span.end_time_unix_nano)
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

    metrics = {
        metric.name: metric
        for body in collector.bodies["/v1/metrics"]
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
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
