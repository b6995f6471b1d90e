"""The page about tracing says what is recorded, all of it, and nothing else; its picture is of a real trace."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from opentelemetry.trace import SpanKind

from muxi import MuxiError
from muxi.call import Call, Key
from tests.answers import Colour, Playback, answer, chat_events, died, failure, plain
from tests.hello import PROXIED
from tests.plugins.tracing.telemetry import Telemetry, attributes

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def everything(telemetry: Telemetry) -> Telemetry:
    """What is left by calls of every kind."""

    def client(*steps: Any, **settings: Any) -> Any:
        return Colour().formation(*steps, plugins=[telemetry.tracing(capture_content=True)], **settings)

    client(Playback(failure(429, retry_after="1"), chat_events("Hi"))).chat_stream(
        {"message": "hi", "agent_id": "desk", "session_id": "sess_1"}, user_id="ada"
    ).result()
    client(answer(), **PROXIED).health()
    client(plain(307, location="/elsewhere"), answer()).health()
    own: Call[Any] = Call("PURGE", "/things", key=Key.ADMIN)
    with pytest.raises(MuxiError):
        client(died()).send(own)
    with pytest.raises(MuxiError):
        client(failure(400)).chat("hi", user_id="ada")
    return telemetry


def section(heading: str) -> list[list[str]]:
    """The rows of the tables under a heading."""
    text = (DOCS / "plugins" / "tracing.md").read_text(encoding="utf-8")
    body = re.split(r"^#+ ", text.split(f"### {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line.strip("|").split("|") for line in body.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def names(cells: Iterable[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`([a-z0-9_.]+\.[a-z0-9_.]+)`", cell)}


@pytest.mark.parametrize(("heading", "above"), [("The span of a call", False), ("The span of an attempt", True)])
def test_the_attributes_on_the_page_are_those_recorded(everything: Telemetry, heading: str, above: bool) -> None:
    recorded = {name for span in everything.spans if (span.parent is not None) is above for name in attributes(span)}
    assert names(row[0] for row in section(heading) if len(row) == 3) == recorded


def test_the_spans_have_the_kinds_of_the_conventions(everything: Telemetry) -> None:
    for span in everything.spans:
        inner = span.parent is None and not span.name.startswith("invoke_agent")
        assert span.kind is (SpanKind.INTERNAL if inner else SpanKind.CLIENT), span.name


def test_the_events_on_the_page_are_those_recorded(everything: Telemetry) -> None:
    told = {row[0].strip("`"): names(row[1:]) for row in section("The span of an attempt") if len(row) == 2}
    assert told == {event.name: set(attributes(event)) for span in everything.spans for event in span.events}


def test_the_metrics_on_the_page_are_those_recorded(everything: Telemetry) -> None:
    told = {row[0].strip("`"): names(row[2:]) for row in section("Metrics")}
    recorded = {
        name: {attribute for point in points for attribute in point.attributes}
        for name, points in everything.metrics.items()
    }
    assert told == recorded


# -- the picture -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    """The script that draws it."""
    spec = importlib.util.spec_from_file_location("draw_trace", DOCS / "_ext" / "draw_trace.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_the_one_that_the_script_draws(drawing: ModuleType) -> None:
    draw: Callable[[Any], str] = drawing.draw
    again = "run `python docs/_ext/draw_trace.py` and look at what has changed"
    assert (DOCS / "_static" / "trace.svg").read_text(encoding="utf-8") == draw(drawing.capture()), again


def test_the_picture_has_the_spans_of_a_chat_that_was_repeated() -> None:
    picture = ElementTree.parse(DOCS / "_static" / "trace.svg").getroot()  # noqa: S314  our own file
    groups = [group for group in picture.iter("{http://www.w3.org/2000/svg}g") if "data-span" in group.attrib]
    assert [group.attrib["data-span"] for group in groups] == [
        "answer the customer",
        "invoke_agent desk",
        "POST /v1/chat",
        "POST /v1/chat",
    ]
    texts = [[text.text for text in group.iter("{http://www.w3.org/2000/svg}text")] for group in groups]
    assert "status 429" in texts[2]
    assert {"status 200, resend_count 1", "stream.first_event", "stream.end"} <= set(texts[3])
