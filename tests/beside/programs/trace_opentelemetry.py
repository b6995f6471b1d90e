"""Beside OpenTelemetry's instrumentations of requests, urllib3 and aiohttp."""

from typing import Any

from driving import staged
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()

INSTRUMENTORS: dict[str, Any] = {
    "requests": RequestsInstrumentor,
    "urllib3": URLLib3Instrumentor,
    "aiohttp": AioHttpClientInstrumentor,
}


def observe() -> list[tuple[str, str, str]]:
    """Scope, name and status code of the spans that were finished since."""
    spans = exporter.get_finished_spans()
    exporter.clear()
    found = []
    for span in spans:
        attributes = dict(span.attributes or {})
        status = attributes.get("http.status_code", attributes.get("http.response.status_code", ""))
        scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
        found.append((scope.removeprefix("opentelemetry.instrumentation."), span.name, str(status)))
    return found


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))

with staged() as stage:
    stage.call_before()
    trace.set_tracer_provider(provider)
    instrumentors = [INSTRUMENTORS[library]() for library in stage.options["libraries"]]
    for instrumentor in instrumentors:
        instrumentor.instrument()
    stage.call("during", observe)
    for instrumentor in instrumentors:
        instrumentor.uninstrument()
    stage.call("after", observe)
