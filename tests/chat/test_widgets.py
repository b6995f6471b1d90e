"""Widgets of streams and of answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import muxi
import muxi.formation
from muxi import parse_ui_widgets
from muxi_transports.memory import EmbeddedFormation, Question, Turn

WIDGET = {"type": "action_link", "id": "ui_1", "label": "Open", "url": "https://example.com"}


def test_it_is_found_where_the_official_sdk_has_it() -> None:
    assert muxi.formation.parse_ui_widgets is muxi.parse_ui_widgets


@pytest.mark.parametrize(
    "event",
    [
        {"event": "ui", "data": json.dumps({"ui": [WIDGET]})},
        {"event": "ui", "data": json.dumps({"ui": [WIDGET]}).encode()},
        {"event": "ui", "data": {"ui": [WIDGET]}},
        {"event": "ui", "type": "ui", "data": "", "ui": [WIDGET]},
        {"message": {"role": "assistant", "content": "", "ui": [WIDGET]}, "session_id": "s"},
        {"role": "assistant", "content": "", "ui": [WIDGET]},
        {"event": "ui", "data": json.dumps({"ui": [WIDGET, "no widget"]})},
    ],
)
def test_widgets_are_found(event: dict[str, Any]) -> None:
    assert parse_ui_widgets(event) == [WIDGET]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event": "message", "data": json.dumps({"ui": [WIDGET]})},
        {"event": "message", "type": "text", "data": "", "text": "hi", "ui": [WIDGET]},
        {"event": "done", "data": '{"finished":true}'},
        {"event": "ui"},
        {"event": "ui", "data": ""},
        {"event": "ui", "data": "{"},
        {"event": "ui", "data": "[" * 100_000},
        {"event": "ui", "data": "[]"},
        {"event": "ui", "data": '{"ui": null}'},
        {"event": "ui", "data": '{"ui": {}}'},
        {"message": "a text", "status": "processing"},
        {"message": {"content": "no widgets"}},
    ],
)
def test_everything_else_has_none(event: dict[str, Any]) -> None:
    assert parse_ui_widgets(event) == []


def test_widgets_of_the_recorded_wire(wire: Path) -> None:
    folder = wire / "captures" / "formation"
    body: str = json.loads((folder / "ui_stream.json").read_text("utf-8"))["response"]["body"]
    data = body.split("event: ui\ndata: ")[1].split("\n")[0]
    (widget,) = parse_ui_widgets({"event": "ui", "data": data})
    assert [option["value"] for option in widget["options"]] == ["work", "home"]
    answer = json.loads(json.loads((folder / "ui_sync.json").read_text("utf-8"))["response"]["body"])["data"]
    (widget,) = parse_ui_widgets(answer)
    assert widget["type"] == "options"


def test_widgets_of_a_client(both: Any, formation: EmbeddedFormation) -> None:
    @formation.agent("assistant")
    def assistant(turn: Turn) -> Question:
        return Question("Which?", ("work", "home"))

    answer = both(lambda client: client.chat("repos"))
    events = both(lambda client: client.chat_stream("repos"))
    found = [widget for event in events for widget in parse_ui_widgets(event)]
    assert [widget["type"] for widget in (*found, *parse_ui_widgets(answer))] == ["options", "options"]
