"""What has been recorded: spans and metrics in memory, by providers of the test's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from muxi.plugins import Tracing


class Telemetry:
    """Providers of one test, and what has reached them."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracer_provider: TracerProvider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meter_provider: MeterProvider = MeterProvider([self._reader], shutdown_on_exit=False)

    def tracing(self, **settings: Any) -> Tracing:
        """The plugin, recording here."""
        return Tracing(self.tracer_provider, self.meter_provider, **settings)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """The spans that have ended, in that order."""
        return self._exporter.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def span(self, name: str) -> ReadableSpan:
        """The only span of that name."""
        [found] = [span for span in self.spans if span.name == name]
        return found

    def below(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """The children of a span, by when they began."""
        children = [span for span in self.spans if span.parent and span.parent.span_id == parent.context.span_id]
        return sorted(children, key=lambda span: span.start_time or 0)

    @property
    def metrics(self) -> dict[str, list[Any]]:
        """The points of each metric that has any."""
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def point(self, name: str) -> Any:
        """The only point of a metric."""
        [found] = self.metrics[name]
        assert isinstance(found, HistogramDataPoint | NumberDataPoint)
        return found

    def close(self) -> None:
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()


def attributes(span: ReadableSpan | Event) -> Mapping[str, Any]:
    return dict(span.attributes or {})


def seconds(span: ReadableSpan) -> float:
    """How long a span took."""
    assert span.start_time is not None
    assert span.end_time is not None
    return round((span.end_time - span.start_time) / 1e9, 3)


def moment(span: ReadableSpan, event: Event) -> float:
    """When something happened, in seconds from the beginning of a span."""
    assert span.start_time is not None
    return round((event.timestamp - span.start_time) / 1e9, 3)
