"""The page of a trace that is being written: new calls appear, and those that run go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from muxi.cli.trace.live import LiveServer
from tests.tracefile.examples import Lines

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Writer:
    """Appends lines to the trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, *lines: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def chat(number: int) -> list[dict[str, Any]]:
    lines = Lines(f"call{number:04}", 1000.0 + number).add("started", 0, operation="chat_stream", user="ada")
    lines.add("attempt", 0, attempt=1, headers=[]).add("head", 0.1, attempt=1, status=200, headers=[])
    lines.add("event", 0.2, n=1, type="text", size=6, text="Hello ").add("event", 0.3, n=2, type="text", text="you")
    return lines.add("finished", 0.4, outcome="ok", status=200, attempts=1).lines


@pytest.fixture
def trace(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "live.jsonl")


@pytest.fixture
def server(trace: Writer) -> Iterator[LiveServer]:
    trace.add(*chat(0))
    with LiveServer(str(trace.path)) as server:
        yield server


def test_calls_appear_as_they_are_made_and_change_as_they_go_on(page: Page, trace: Writer, server: LiveServer) -> None:
    page.goto(server.url)
    page.get_by_text("1 calls", exact=True).wait_for()
    page.locator("#live.live").wait_for()
    lines = chat(1)
    trace.add(*lines[:4])
    page.get_by_text("2 calls", exact=True).wait_for()
    page.locator("#rows .row.unfinished").click()
    page.locator("#detail .text", has_text="Hello").wait_for()
    trace.add(*lines[4:])
    page.locator("#detail .text", has_text="Hello you").wait_for()
    page.locator("#rows .row.unfinished").wait_for(state="detached")
    assert page.locator("#rows .row.ok").count() == 2
    page.click("#tab-totals")
    assert page.locator("#totals-table tfoot td").first.inner_text() == "2"
    trace.add(*chat(2))
    page.locator("#totals-table tfoot td", has_text="3").first.wait_for()


def test_filters_hold_for_new_calls_and_the_list_stays_at_its_end(
    page: Page, trace: Writer, server: LiveServer
) -> None:
    page.goto(server.url)
    trace.add(*(line for number in range(1, 100) for line in chat(number)))
    page.get_by_text("100 calls", exact=True).wait_for()
    page.focus("#calls")
    page.keyboard.press("End")
    trace.add(*(line for number in range(100, 120) for line in chat(number)))
    page.locator("#row-119").wait_for()
    page.fill("[name=user]", "nobody-here")
    page.get_by_text("0 of 120 calls", exact=True).wait_for()
    trace.add(*chat(120))
    page.get_by_text("0 of 121 calls", exact=True).wait_for()


def test_the_page_says_when_the_command_has_been_stopped_and_keeps_the_calls(page: Page, trace: Writer) -> None:
    trace.add(*chat(0))
    server = LiveServer(str(trace.path))
    page.goto(server.url)
    page.locator("#live.live").wait_for()
    server.close()
    page.locator("#live:is(.lost, .ended)").wait_for()
    assert page.locator("#rows .row").count() == 1
