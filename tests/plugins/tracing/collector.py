"""A receiver of OTLP over HTTP on loopback, which keeps what a program exports."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

__all__ = ["Collector", "listen", "values_of"]


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps the bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: dict[str, list[bytes]] = {"/v1/traces": [], "/v1/metrics": []}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def resource_spans(self) -> list[ResourceSpans]:
        """The spans that have arrived, by their resources."""
        exports = [ExportTraceServiceRequest.FromString(body) for body in self.bodies["/v1/traces"]]
        return [resource for export in exports for resource in export.resource_spans]

    @property
    def spans(self) -> list[Span]:
        """The spans that have arrived, in the order of their ends."""
        found = [span for resource in self.resource_spans for scope in resource.scope_spans for span in scope.spans]
        return sorted(found, key=lambda span: span.end_time_unix_nano)

    @property
    def metrics(self) -> dict[str, Metric]:
        """The last export of each metric, by its name."""
        return {
            metric.name: metric
            for body in self.bodies["/v1/metrics"]
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


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


@contextmanager
def listen() -> Iterator[Collector]:
    """Receive on a free port of loopback."""
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def values_of(attributes: Any) -> dict[str, Any]:
    """The attributes of a span, a point or a resource as a mapping."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}
