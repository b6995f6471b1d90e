"""Draws a trace out of spans: makes ``docs/_static/trace.svg`` anew when it is run.

``python docs/_ext/draw_trace.py`` has a chat streamed by an embedded formation whose first answer is a 429, captures
the spans of :class:`muxi.plugins.Tracing`, and draws them. Time is simulated, so the picture is always the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, use_span

from muxi import FormationClient, ManualClock
from muxi.plugins import Tracing
from muxi.transport import BufferedResponse, Request, Response, replayed
from muxi_transports.memory import EmbeddedFormation, MemoryTransport

PICTURE = Path(__file__).parents[1] / "_static" / "trace.svg"

WIDTH, LEFT, RIGHT, TOP, ROW = 900, 290, 860, 66, 62

#: Fill and stroke by what a span is: the program's, a call's, an attempt's, one that failed.
COLOURS = {
    "program": ("#eceef3", "#98a0b4"),
    "call": ("#e6ecfb", "#5b74b8"),
    "attempt": ("#e3f3e6", "#4f9a62"),
    "failed": ("#fbe5e3", "#c0564a"),
}

#: The attributes that stand under a bar, and what is put before them.
NOTES = {
    "http.response.status_code": "status ",
    "http.request.resend_count": "resend_count ",
    "gen_ai.conversation.id": "conversation ",
    "gen_ai.response.time_to_first_chunk": "time_to_first_chunk ",
    "muxi.attempts": "attempts ",
}


class BusyAtFirst(MemoryTransport):
    """A formation that has no room for the first request."""

    def __init__(self, formation: EmbeddedFormation, clock: ManualClock) -> None:
        super().__init__(formation)
        self.way = clock
        self.busy = True

    def send(self, request: Request) -> Response:
        self.way.advance(0.15)
        if not self.busy:
            return super().send(request)
        self.busy = False
        body = {"success": False, "error": {"code": "RATE_LIMITED", "message": "busy"}}
        headers = [("Content-Type", "application/json"), ("Retry-After", "0.6")]
        return replayed(BufferedResponse(429, headers, json.dumps(body).encode()))


def capture() -> Sequence[ReadableSpan]:
    """The spans of a chat stream whose first attempt is refused."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    clock = ManualClock()

    def now() -> int:
        return int(clock.time() * 1e9)

    formation = EmbeddedFormation(clock=clock, pace=0.12, opening_pause=0.3, seed="picture")
    formation.agent("desk", lambda turn: "It is on its way and will be with you on Tuesday.")
    tracing = Tracing(provider, MeterProvider(shutdown_on_exit=False))
    client = FormationClient(
        url="http://memory", client_key="any", transport=BusyAtFirst(formation, clock), plugins=[tracing]
    )
    program = provider.get_tracer("program").start_span("answer the customer", start_time=now())
    clock.advance(0.1)
    with use_span(program):
        message = {"message": "Where is my parcel?", "agent_id": "desk", "session_id": "sess_42"}
        client.chat_stream(message, user_id="ada").result()
    clock.advance(0.1)
    program.end(now())
    client.close()
    return exporter.get_finished_spans()


def draw(spans: Sequence[ReadableSpan]) -> str:
    """The spans as an SVG: a bar each, from the top down as they are nested, over one axis of time."""
    rows = _nested(spans, None)
    begin = min(span.start_time or 0 for span in spans)
    seconds = (max(span.end_time or 0 for span in spans) - begin) / 1e9
    scale = (RIGHT - LEFT) / seconds

    def x(timestamp: int | None) -> float:
        return LEFT + ((timestamp or 0) - begin) / 1e9 * scale

    height = TOP + ROW * len(rows) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="14">',
        "  <title>The trace of a chat that is streamed, and repeated once</title>",
        f'  <rect width="{WIDTH}" height="{height}" fill="#fff" rx="8"/>',
    ]
    for step in range(int(seconds / 0.5) + 1):
        at = LEFT + step * 0.5 * scale
        parts.append(f'  <path d="M{at:.1f} 40V{height - 12}" stroke="#e4e7ef"/>')
        parts.append(
            f'  <text x="{at:.1f}" y="32" fill="#778" font-size="12" text-anchor="middle">{step * 0.5:g} s</text>'
        )
    for number, (span, depth) in enumerate(rows):
        y = TOP + number * ROW
        fill, stroke = COLOURS[_kind(span)]
        left, right = x(span.start_time), x(span.end_time)
        parts += [
            f'  <g data-span="{escape(span.name)}">',
            f'    <text x="{16 + depth * 18}" y="{y + 15}" fill="#223">{escape(span.name)}</text>',
            f'    <text x="{16 + depth * 18}" y="{y + 32}" fill="#667" font-size="11">'
            f"{span.kind.name}, {_length(span):.2f} s</text>",
            f'    <rect x="{left:.1f}" y="{y}" width="{max(right - left, 3):.1f}" height="22" rx="4" fill="{fill}" '
            f'stroke="{stroke}"/>',
        ]
        if notes := _notes(span):
            parts.append(f'    <text x="{left:.1f}" y="{y + 37}" fill="{stroke}" font-size="11">{escape(notes)}</text>')
        for event in span.events:
            at = x(event.timestamp)
            anchor = "start" if at < (LEFT + RIGHT) / 2 else "end"
            name = escape(event.name.removeprefix("muxi."))
            parts.append(
                f'    <path d="M{at:.1f} {y + 4}l6 7l-6 7l-6 -7z" fill="{stroke}"><title>{name}</title></path>'
            )
            beside = at + (10 if anchor == "start" else -10)
            place = f'x="{beside:.1f}" y="{y + 15}" text-anchor="{anchor}"'
            parts.append(f'    <text {place} fill="#223" font-size="11">{name}</text>')
        parts.append("  </g>")
    return "\n".join([*parts, "</svg>", ""])


def _nested(
    spans: Sequence[ReadableSpan], parent: ReadableSpan | None, depth: int = 0
) -> list[tuple[ReadableSpan, int]]:
    """Each span with how deep it is, parents before their children."""
    wanted = parent.context.span_id if parent else None
    rows: list[tuple[ReadableSpan, int]] = []
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        if (span.parent.span_id if span.parent else None) == wanted:
            rows += [(span, depth), *_nested(spans, span, depth + 1)]
    return rows


def _kind(span: ReadableSpan) -> str:
    scope = span.instrumentation_scope
    if scope is None or scope.name != "muxi":
        return "program"
    if "muxi.operation" in (span.attributes or {}):
        return "call"
    return "failed" if span.status.status_code is StatusCode.ERROR else "attempt"


def _length(span: ReadableSpan) -> float:
    return ((span.end_time or 0) - (span.start_time or 0)) / 1e9


def _notes(span: ReadableSpan) -> str:
    known = span.attributes or {}
    return ", ".join(
        f"{before}{value:.2f} s" if isinstance(value, float) else f"{before}{value}"
        for name, before in NOTES.items()
        if (value := known.get(name)) is not None
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(capture()), encoding="utf-8")
    sys.stdout.write(f"{PICTURE}\n")
