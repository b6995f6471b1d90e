"""The summary of a trace: calls put together from their lines, totals, and a selection that is bounded."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.tracefile.calls import COLUMNS, FIRST_EVENTS, LAST_EVENTS, MAX_ATTEMPTS, MAX_DETAILS, CallTrace
from muxi.tracefile.reading import LineTally
from muxi.tracefile.summary import SelectionLimits, TraceSummary
from muxi.tracefile.totals import Quantiles
from tests.tracefile.examples import Lines, shop_trace


def _summary(*calls: Lines, limits: SelectionLimits | None = None) -> TraceSummary:
    summary = TraceSummary(limits)
    for call in calls:
        summary.add_all(call.lines)
    summary.finish()
    return summary


def _row(summary: TraceSummary, number: int = 0) -> dict[str, Any]:
    return dict(zip(COLUMNS, summary.selection()[number].row, strict=True))


def _finished(call: str, start: float = 0.0, seconds: float = 1.0, outcome: str = "ok") -> Lines:
    lines = Lines(call, start).add("started", 0, operation="chat", route="/chat", user="ada")
    return lines.add("finished", seconds, outcome=outcome, status=200, attempts=1)


def test_a_call_is_put_together_from_its_lines() -> None:
    lines = Lines("c1", 1000.0)
    lines.add("started", 0, operation="chat_stream", method="POST", route="/chat", user="ada", session="s", request="r")
    lines.add("attempt", 0.1, attempt=1, headers=[["A", "b"]], size=5, body="{}")
    lines.add("head", 0.3, attempt=1, status=503, headers=[])
    lines.add("failed", 0.3, attempt=1, error="ServerError", code="BUSY", message="no", retry_after=2)
    lines.add("wait", 0.3, attempt=1, delay=2.0, why="it was refused")
    lines.add("attempt", 2.3, attempt=2, headers=[])
    lines.add("head", 2.4, attempt=2, status=200, headers=[])
    lines.add("event", 2.5, n=1, type="text", size=2, text="He")
    lines.add("event", 3.5, n=2, type="text", size=3, text="llo")
    lines.add("finished", 3.6, outcome="ok", status=200, attempts=2, rest={"text": "!"})
    summary = _summary(lines)
    row = _row(summary)
    assert (row["operation"], row["user"], row["session"], row["request"]) == ("chat_stream", "ada", "s", "r")
    assert (row["start"], row["seconds"], row["status"], row["outcome"]) == (1000.0, 3.6, 200, "ok")
    assert (row["attempts"], row["events"], row["first"], row["streamed"]) == (2, 2, 2.5, 1.0)
    details = json.loads(summary.selection()[0].details)
    assert [attempt.get("wait") for attempt in details["attempts"]] == [
        {"at": 0.3, "delay": 2.0, "why": "it was refused"},
        None,
    ]
    assert details["events"] == [[2.5, "text", 2, "He", None], [3.5, "text", 3, "llo", None]]
    assert details["end"]["rest"] == {"text": "!"}


def test_a_call_without_an_end_is_unfinished_and_one_without_a_beginning_has_gaps() -> None:
    summary = _summary(Lines("c1", 0).add("started", 0, operation="chat"), Lines("c2", 5).add("head", 1, status=200))
    assert [_row(summary, number)["outcome"] for number in (0, 1)] == ["unfinished", "unfinished"]
    assert (_row(summary, 1)["operation"], _row(summary, 1)["status"]) == ("unknown", 200)
    assert summary.totals.describe()["all"]["unfinished"] == 2


def test_the_totals_are_those_of_all_calls() -> None:
    summary = TraceSummary(SelectionLimits(newest=10, slowest=5, failed=5))
    lines = list(shop_trace(500))
    summary.add_all(lines)
    summary.finish()
    ends = [line for line in lines if line["event"] == "finished"]
    names = {line["call"]: line["operation"] for line in lines if line["event"] == "started"}
    totals = summary.totals.describe()
    assert totals["all"]["calls"] == 500
    assert totals["all"]["failed"] == sum(end["outcome"] == "failed" for end in ends)
    assert totals["all"]["retries"] == sum(end["attempts"] - 1 for end in ends)
    assert {name: found["calls"] for name, found in totals["operations"].items()} == Counter(names.values())
    assert len(summary.selection()) <= 20


@given(st.lists(st.floats(1e-5, 1e4), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_exact_to_one_percent(values: list[float], share: float) -> None:
    quantiles = Quantiles()
    for value in values:
        quantiles.add(value)
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert quantiles.value(share) == pytest.approx(exact, rel=0.0101)


def test_a_quantile_of_nothing_is_none_and_zero_is_zero() -> None:
    assert Quantiles().value(0.5) is None
    zero = Quantiles()
    zero.add(0.0)
    assert zero.value(0.5) == 0.0


def test_the_selection_has_the_newest_and_of_the_older_ones_the_slowest_and_the_failed() -> None:
    calls = [_finished(f"c{number:03}", number, seconds=0.1) for number in range(100)]
    calls[3] = _finished("slow", 3, seconds=90.0)
    calls[5] = _finished("bad", 5, outcome="failed")
    summary = _summary(*calls, limits=SelectionLimits(newest=10, slowest=1, failed=1))
    ids = [kept.row[0] for kept in summary.selection()]
    assert ids == ["slow", "bad", *(f"c{number:03}" for number in range(90, 100))]


def test_details_are_bounded_in_bytes_and_large_ones_give_way() -> None:
    calls = [_finished(f"c{number}", number) for number in range(50)]
    one = len(_summary(calls[0]).selection()[0].details)
    summary = _summary(*calls, limits=SelectionLimits(newest_bytes=10 * one + 5, slowest=2, failed=0))
    assert len(summary.selection()) == 12
    large = _finished("large", 0)
    large.lines.insert(1, Lines("large", 0).add("attempt", 0, attempt=1, headers=[], body="x" * 900).lines[0])
    limits = SelectionLimits(newest=1, older_bytes=500)
    assert [kept.row[0] for kept in _summary(large, calls[1], limits=limits).selection()] == ["c1"]


def test_calls_that_never_end_are_bounded() -> None:
    summary = TraceSummary(SelectionLimits(running=3))
    for number in range(10):
        summary.add(Lines(f"c{number}", number).add("started", 0, operation="chat").lines[0])
    assert len(summary._running) == 3
    assert summary.totals.calls == 7


def test_one_call_is_bounded_whatever_its_lines() -> None:
    call = CallTrace("c", 0.0)
    lines = Lines("c", 0.0).add("started", 0, operation="chat")
    for number in range(200):
        lines.add("attempt", number, attempt=number + 1, headers=[["a", "b"]] * 500, body="x" * 30_000)
    for number in range(5000):
        lines.add("event", 200 + number, n=number, type="text", text="x" * 30_000)
    for line in lines.lines:
        call.add(line)
    details = json.loads(call.details())
    assert (call.attempts, call.events) == (200, 5000)
    assert (len(details["attempts"]), details["attempts"][-1]["n"]) == (MAX_ATTEMPTS, 200)
    assert len(details["events"]) == FIRST_EVENTS + LAST_EVENTS
    assert (details["omitted"], details["reduced"]) == (5000 - FIRST_EVENTS - LAST_EVENTS, True)
    assert len(call.details()) <= MAX_DETAILS


HOSTILE: list[Any] = [
    None, True, -1, 1e300, "", "x" * 5000, "\ud800", "<script>", [], {}, [["a"]], [[1, 2]], [["a", "b", "c"]], {"a": 1},
]  # fmt: skip


def test_values_of_any_type_make_a_page_that_parses() -> None:
    names = [
        "operation",
        "method",
        "user",
        "attempt",
        "status",
        "headers",
        "size",
        "body",
        "delay",
        "why",
        "type",
        "text",
        "data",
        "outcome",
        "attempts",
        "rest",
        "retry_after",
        "message",
        "code",
        "redirect",
        "pid",
    ]
    source = random.Random(3)
    summary = TraceSummary()
    for number in range(400):
        for event in ("started", "attempt", "head", "failed", "wait", "event", "nonsense", "finished"):
            fields = {name: source.choice(HOSTILE) for name in names}
            pid = fields.pop("pid")
            summary.add({**Lines(f"c{number}", 0).add(event, source.random()).lines[0], **fields, "pid": pid})
    summary.finish()
    assert len(summary.selection()) == 400
    for kept in summary.selection():
        assert "\n" not in kept.details
        json.loads(kept.details)
        json.dumps(kept.row, allow_nan=False).encode()
    json.dumps(summary.describe(LineTally()), allow_nan=False)


def test_changes_are_those_since_the_last_time() -> None:
    summary = TraceSummary()
    first = _finished("c1")
    summary.add(first.lines[0])
    summary.follow()
    assert summary.take_changes() == []
    summary.add(first.lines[1])
    summary.add(_finished("c2").lines[0])
    assert [(kept.row[0], kept.row[10]) for kept in summary.take_changes()] == [("c1", "ok"), ("c2", "unfinished")]
    assert summary.take_changes() == []
