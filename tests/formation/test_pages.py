"""Walking through lists: every item once, and a word where the wire can list no more."""

from __future__ import annotations

from typing import Any

import pytest

from muxi.errors import ListTruncated
from tests.answers import Colour, Playback, answer


def days(*dates: str, suffix: str = "") -> list[dict[str, str]]:
    return [{"id": f"log-{date}{suffix}", "date": date} for date in dates]


def query(playback: Playback) -> list[str]:
    return [request.url.partition("?")[2] for request in playback.requests]


def walk(colour: Colour, function: Any, *args: Any, **kwargs: Any) -> tuple[list[Any], ListTruncated | None]:
    """All items that come, and the error after them if there is one."""
    items: list[Any] = []

    def each() -> None:
        items.extend(function(*args, **kwargs))

    async def each_async() -> None:
        async for item in function(*args, **kwargs):
            items.append(item)

    try:
        if colour.asynchronous:
            colour.run(each_async)
        else:
            for item in function(*args, **kwargs):
                items.append(item)
    except ListTruncated as error:
        return items, error
    return items, None


def test_the_messages_of_a_session(colour: Colour) -> None:
    playback = Playback(answer({"messages": [{"text": "a"}, {"text": "b"}], "count": 2, "has_more": False}))
    items, error = walk(colour, colour.formation(playback).iter_session_messages, "s", "ada")
    assert ([item["text"] for item in items], error) == (["a", "b"], None)
    assert query(playback) == ["limit=1000"]


def test_a_session_that_has_more_than_the_wire_lists_is_told_after_the_last(colour: Colour) -> None:
    messages = [{"text": str(number)} for number in range(1000)]
    playback = Playback(answer({"messages": messages, "count": 1000, "has_more": True}))
    items, error = walk(colour, colour.formation(playback).iter_session_messages, "s", "ada")
    assert len(items) == 1000
    assert error is not None
    assert error.details == {"listed": 1000}
    assert error.code == "LIST_TRUNCATED"
    assert error.call == "iter_session_messages"


def test_history_goes_on_by_its_dates_and_no_entry_comes_twice(colour: Colour) -> None:
    first = days(*(f"2026-{1 + number // 28:02}-{1 + number % 28:02}" for number in range(100)))[::-1]
    # The day that the first page ended with comes again, and a new entry has been written meanwhile.
    second = [first[-1], *days("2025-12-31", "2025-12-30")]
    playback = Playback(answer({"entries": first, "count": 100}), answer({"entries": second, "count": 3}))
    items, error = walk(
        colour, colour.formation(playback).iter_history, "ada", date_from="2025-01-01", include_sources=True
    )
    assert error is None
    assert [item["id"] for item in items] == [entry["id"] for entry in [*first, *second[1:]]]
    assert query(playback) == [
        "limit=100&date_from=2025-01-01&include_sources=true",
        "limit=100&date_from=2025-01-01&date_to=2026-01-01&include_sources=true",
    ]


def test_a_day_with_more_entries_than_the_wire_lists_is_told(colour: Colour) -> None:
    full = [entry for number in range(100) for entry in days("2026-01-01", suffix=str(number))]
    playback = Playback(answer({"entries": full, "count": 100}), answer({"entries": full, "count": 100}))
    items, error = walk(colour, colour.formation(playback).iter_history, "ada")
    assert len(items) == 100
    assert error is not None
    assert error.details == {"listed": 100, "date": "2026-01-01"}


def test_the_audit_log_since_a_time(colour: Colour) -> None:
    playback = Playback(answer({"entries": [{"action": "a"}], "total_entries": 1, "limit": 1000}))
    items, error = walk(
        colour, colour.formation(playback).iter_audit_log, since="2026-01-01T00:00:00Z", resource_type="secret"
    )
    assert (items, error) == ([{"action": "a"}], None)
    assert query(playback) == ["limit=1000&resource_type=secret&since=2026-01-01T00%3A00%3A00Z"]


def test_an_audit_log_that_fills_the_list_may_have_more(colour: Colour) -> None:
    entries = [{"action": str(number)} for number in range(1000)]
    playback = Playback(answer({"entries": entries, "total_entries": 1000, "limit": 1000}))
    items, error = walk(colour, colour.formation(playback).iter_audit_log)
    assert items == entries
    assert error is not None
    assert "narrow it down with since=" in error.message


@pytest.mark.parametrize(
    ("listed", "total", "told"),
    [(100, 100, False), (100, 101, True), pytest.param(0, 1, False, id="counted after one more was made")],
)
def test_artifacts_are_listed_as_far_as_the_wire_can(colour: Colour, listed: int, total: int, told: bool) -> None:
    artifacts = [{"id": str(number)} for number in range(listed)]
    playback = Playback(answer({"artifacts": artifacts, "count": listed, "total": total}))
    items, error = walk(colour, colour.formation(playback).iter_artifacts, "ada")
    assert items == artifacts
    assert (error is not None) is told
    assert query(playback) == ["limit=100"]


def test_no_memory_comes_twice_while_new_ones_are_stored(colour: Colour) -> None:
    def page(*ids: int) -> Any:
        return answer({"memories": [{"id": str(number)} for number in ids], "count": len(ids)})

    # Three are stored between the first page and the second, so that the last three of the first come again.
    playback = Playback(page(*range(100)), page(*range(97, 197)), page(*range(197, 200)))
    items, error = walk(colour, colour.formation(playback).iter_memories, "ada", scopes="user")
    assert [item["id"] for item in items] == [str(number) for number in range(200)]
    assert error is None
    assert query(playback) == [f"limit=100&offset={offset}&scopes=user" for offset in (0, 100, 200)]


def test_nothing_more_is_fetched_than_is_asked_for(colour: Colour) -> None:
    playback = Playback(answer({"memories": [{"id": str(number)} for number in range(100)], "count": 100}))
    memories = colour.formation(playback).iter_memories("ada")

    async def first_async() -> Any:
        item = await anext(memories)
        await memories.aclose()
        return item

    first = colour.run(first_async) if colour.asynchronous else next(memories)
    assert first["id"] == "0"
    assert len(playback.requests) == 1
