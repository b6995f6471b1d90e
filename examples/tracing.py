"""Tracing: each call and each attempt as a span of OpenTelemetry, printed as it ends, and a span of the program's own.

Takes the environment that chat.py describes, and `pip install 'muxi-client[tracing]' opentelemetry-sdk`.
"""

from __future__ import annotations

import sys

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from muxi import FormationClient, NotFoundError


def line(span: ReadableSpan) -> str:
    """A span in one line: its trace, its name, and how it ended."""
    context, known = span.get_span_context(), span.attributes or {}
    which = trace.format_trace_id(context.trace_id) if context else "no trace"
    told = {name: known[name] for name in ("http.response.status_code", "muxi.stream.events") if name in known}
    return f"{which} {span.name} {span.status.status_code.name} {told}\n"


def main() -> None:
    # A program sends its spans to a collector: BatchSpanProcessor(OTLPSpanExporter()) in place of this.
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout, formatter=line)))
    trace.set_tracer_provider(provider)

    # Nothing is said of tracing here: a client of a program that uses OpenTelemetry is traced.
    with FormationClient() as formation, trace.get_tracer("example").start_as_current_span("answer a customer"):
        formation.chat_stream("Where is my parcel?", user_id="ada").result()
        try:
            formation.get_request_status("req_of_nobody", user_id="ada")
        except NotFoundError as error:
            print(error.code)


if __name__ == "__main__":
    main()
