"""What breaks in recording breaks no call, and is said once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import propagate
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from muxi.plugins import Tracing
from tests.answers import Colour, Playback, answer, chat_events, died
from tests.plugins.tracing.telemetry import Telemetry


class Wreck(SpanProcessor):
    """A processor that raises when a span begins, or when it ends."""

    def __init__(self, at: str) -> None:
        self._at = at

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self._at == "start":
            raise RuntimeError("no room for spans")

    def on_end(self, span: ReadableSpan) -> None:
        if self._at == "end":
            raise RuntimeError("no room for spans")


class BrokenExporter(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        raise OSError("the collector is gone")


class BrokenPropagator(TextMapPropagator):
    def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Any:
        raise RuntimeError("cannot read")

    def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
        raise RuntimeError("cannot write")

    @property
    def fields(self) -> set[str]:
        return set()


def use(colour: Colour, tracing: Any) -> Playback:
    """Two calls, one of them a stream, and each of them with more than one attempt."""
    play = Playback(died(), answer({"memories": []}), answer({"memories": []}), chat_events("Hello"))
    client = colour.formation(play, plugins=[tracing])
    assert colour.run(client.get_memories, "ada") == {"memories": []}
    assert colour.run(client.get_memories, "ada") == {"memories": []}
    assert colour.collect(client.chat_stream, "hi", user_id="ada")[-1]["type"] == "done"
    return play


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("muxi")]


SAID = ["recording failed; calls continue, and further failures are not logged"]


@pytest.mark.parametrize("at", ["start", "end"])
def test_a_processor_that_raises(
    at: str, telemetry: Telemetry, colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    spans = TracerProvider(shutdown_on_exit=False)
    spans.add_span_processor(Wreck(at))
    use(colour, Tracing(spans, telemetry.meter_provider))
    assert complaints(caplog) == SAID
    if at == "end":
        assert telemetry.metrics["http.client.active_requests"]
        assert all(point.value == 0 for point in telemetry.metrics["http.client.active_requests"])


def test_an_exporter_that_raises(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    spans = TracerProvider(shutdown_on_exit=False)
    spans.add_span_processor(SimpleSpanProcessor(BrokenExporter()))
    use(colour, Tracing(spans, MeterProvider(shutdown_on_exit=False)))
    assert complaints(caplog) == [], "OpenTelemetry says that by itself"


@pytest.fixture
def _broken_propagator() -> Iterator[None]:
    usual = propagate.get_global_textmap()
    propagate.set_global_textmap(BrokenPropagator())
    yield
    propagate.set_global_textmap(usual)


@pytest.mark.usefixtures("_broken_propagator")
def test_a_propagator_that_raises(telemetry: Telemetry, colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    play = use(colour, telemetry.tracing())
    assert complaints(caplog) == SAID
    assert play.header("traceparent") == [None] * 4
    assert len(telemetry.spans) == 7, "the spans are there all the same"


def test_metrics_that_raise(telemetry: Telemetry, colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("no such instrument")

    tracing = telemetry.tracing()
    tracing._recorder.metrics = Broken()  # type: ignore[assignment]  # that is the point
    caplog.set_level(logging.WARNING)
    use(colour, tracing)
    assert complaints(caplog) == SAID
