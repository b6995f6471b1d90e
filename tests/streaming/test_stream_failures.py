"""Streams in both colours: how they fail, and how long they may take."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.errors import (
    ConnectionError,
    StreamInterrupted,
    TimeoutError,
    TurnFailed,
)
from tests.hello import (
    ANSWER,
    COMPLETED,
    DONE,
    EVENTS,
    FRAMES,
    HELLO,
    KEEPALIVE,
    LOST,
    NEXT,
    RESULT,
    TEXT,
    WORLD,
    Diary,
    token,
    types,
)
from tests.scripted import (
    Held,
    Script,
    Side,
)

# -- how it fails ----------------------------------------------------------------------------------------------


def test_events_that_came_with_an_error_are_given_before_it_is_raised(side: Side, diary: Diary) -> None:
    script = Script(HELLO + b'event: error\ndata: {"error": "gone", "type": "ModelError"}\n\n' + WORLD)
    held = side.open(script, plugins=[diary])
    assert held.next()["text"] == "Hello "
    for _ in range(2):
        with pytest.raises(TurnFailed, match="ModelError: gone"):
            held.next()
    with pytest.raises(TurnFailed, match="ModelError: gone"):
        held.result()
    assert script.freed == 1
    assert diary.ends == 1
    assert isinstance(diary.outcomes[0].error, TurnFailed)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((), id="an empty body"),
        pytest.param((KEEPALIVE,), id="keepalives only"),
        pytest.param((HELLO, b'data: {"tok'), id="in the middle of an event"),
        pytest.param((HELLO, COMPLETED), id="after completed"),
        pytest.param((HELLO, COMPLETED, b"event: done\n"), id="in the middle of done"),
        pytest.param((HELLO, LOST), id="the connection broke"),
    ],
)
@pytest.mark.parametrize("use", [EVENTS, TEXT, RESULT], ids=["loop", "text", "result"])
def test_an_end_without_done_is_an_interruption_and_never_silent(
    side: Side, steps: tuple[Any, ...], use: Callable[[Held], object], diary: Diary
) -> None:
    script = Script(*steps)
    held = side.open(script, plugins=[diary])
    for attempt in (use, use, RESULT, EVENTS):
        with pytest.raises(StreamInterrupted) as caught:
            attempt(held)
        assert caught.value.code == "STREAM_INTERRUPTED"
    assert held.stream.closed
    assert script.freed == 1
    assert diary.ends == 1
    assert type(diary.outcomes[0].error) is StreamInterrupted


def test_an_interruption_says_which_call_it_was_and_what_had_arrived_and_survives_pickle(side: Side) -> None:
    held = side.open(Script(HELLO, token("content", "wor", request_id="req_7", session_id="s"), LOST))
    with pytest.raises(StreamInterrupted) as caught:
        held.result()
    error = caught.value
    assert error.__cause__ is LOST
    for it in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301  our own
        assert it.call == "chat_stream (POST /chat)"
        assert it.request_id == "req_7"
        assert it.text == it.partial["content"] == "Hello wor"
        assert it.partial["metadata"] == {"session_id": "s", "request_id": "req_7"}
        assert it.attempts == 1
        assert "the connection broke" in str(it)
        assert ".partial" in str(it)


@pytest.mark.parametrize("steps", [(), (HELLO,)], ids=["before the first event", "in mid-stream"])
def test_a_secret_in_a_url_that_a_transports_error_quotes_is_masked_wherever_it_stands(
    side: Side, steps: tuple[bytes, ...]
) -> None:
    url = "https://proxy.example/formation?token=s3cret-of-the-proxy&region=eu"
    behind = ConnectionError("CONNECTION_LOST", f"{url} is gone")
    lost = ConnectionError("CONNECTION_LOST", f"GET {url} broke", details={"url": url, "tried": [url]})
    lost.__cause__ = behind
    held = side.open(Script(*steps, lost))
    with pytest.raises(StreamInterrupted, match=r"token=\[redacted\]&region=eu broke") as caught:
        held.events()
    error: BaseException | None = caught.value
    levels = 0
    while error is not None:
        assert "s3cret" not in f"{error} {error!r} {error.args} {vars(error)}"
        error, levels = error.__cause__, levels + 1
    assert levels == 3
    assert "s3cret" not in str(pickle.loads(pickle.dumps(caught.value)).details)  # noqa: S301  our own


def test_a_url_in_the_text_of_an_agent_stays_as_it_is(side: Side) -> None:
    held = side.open(Script(token("content", "see https://x.example/?token=example-token"), LOST))
    with pytest.raises(StreamInterrupted) as caught:
        held.result()
    assert caught.value.text == "see https://x.example/?token=example-token"


def test_the_request_id_that_was_sent_is_known_before_the_first_event(side: Side) -> None:
    script = Script()
    held = side.open(script)
    with pytest.raises(StreamInterrupted) as caught:
        held.result()
    body = script.requests[0].body
    assert body is not None
    assert caught.value.request_id == json.loads(b"".join(body.chunks()))["request_id"]


def test_a_broken_stream_of_another_kind_is_an_interruption_too(side: Side) -> None:
    held = side.open(Script(b"data: 1\n\n", LOST), FRAMES)
    assert held.next()["data"] == "1"
    with pytest.raises(StreamInterrupted) as caught:
        held.next()
    assert caught.value.partial == {}


@pytest.mark.parametrize("use", [TEXT, RESULT], ids=["text", "result"])
def test_done_without_completed_is_no_answer(side: Side, use: Callable[[Held], object]) -> None:
    blocked = (token("thinking", "Checking"), DONE)
    assert types(side.open(Script(*blocked))) == ["thinking", "done"]
    held = side.open(Script(*blocked))
    with pytest.raises(TurnFailed, match="Checking") as caught:
        use(held)
    assert caught.value.code == "NOT_COMPLETED"
    assert caught.value.call == "chat_stream (POST /chat)"


def test_an_interrupt_ends_the_stream_and_what_is_left_is_not_taken_for_the_answer(side: Side, diary: Diary) -> None:
    script = Script(HELLO, KeyboardInterrupt(), WORLD, COMPLETED, DONE)
    held = side.open(script, plugins=[diary])
    held.next()
    with pytest.raises(KeyboardInterrupt):
        held.next()
    assert script.freed == 1
    assert diary.ends == 1
    for attempt in (NEXT, EVENTS, RESULT):
        with pytest.raises(StreamInterrupted, match="closed before its end") as caught:
            attempt(held)
        assert caught.value.text == "Hello "


# -- how long it may take --------------------------------------------------------------------------------------


def silence(clock: ManualClock, seconds: float, bound: str = "read") -> tuple[Callable[[], None], TimeoutError]:
    """What a transport does in a silence that is too long."""
    return lambda: clock.advance(seconds), TimeoutError("READ_TIMEOUT", "nothing came", bound=bound)


def timed_out(held: Held) -> TimeoutError:
    with pytest.raises(TimeoutError) as caught:
        held.result()
    with pytest.raises(TimeoutError) as again:
        held.next()
    assert again.value is caught.value
    return caught.value


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({}, 60),
        ({"idle_timeout": None}, 300),
        ({"stall_timeout": 20}, 20),
        ({"idle_timeout": None, "stall_timeout": None}, None),
    ],
)
def test_silence_on_a_chat_is_bounded_by_the_shorter_watchdog(side: Side, settings: Any, read: float | None) -> None:
    script = Script(*ANSWER)
    side.open(script, **settings).close()
    assert script.requests[0].timeouts.read == read
    assert script.requests[0].timeouts.total is None


def test_other_streams_may_be_silent_for_hours(side: Side) -> None:
    script = Script()
    side.open(script, FRAMES).close()
    assert script.requests[0].timeouts.read is None


def test_silence_breaks_idle_timeout(side: Side, clock: ManualClock, diary: Diary) -> None:
    script = Script(HELLO, *silence(clock, 60))
    error = timed_out(side.open(script, clock=clock, plugins=[diary]))
    assert (error.code, error.bound, error.partial["content"]) == ("IDLE_TIMEOUT", "idle_timeout", "Hello ")
    assert error.call == "chat_stream (POST /chat)"
    assert "idle_timeout = 60 s; raise it with idle_timeout=" in error.message
    assert script.freed == 1
    assert diary.ends == 1


def test_silence_breaks_stall_timeout_where_that_is_shorter(side: Side, clock: ManualClock) -> None:
    error = timed_out(side.open(Script(HELLO, *silence(clock, 20)), clock=clock, stall_timeout=20))
    assert (error.code, error.bound) == ("STALL_TIMEOUT", "stall_timeout")
    assert "stall_timeout = 20 s; raise it with stall_timeout=" in error.message


def keepalives(clock: ManualClock, seconds: int) -> list[Any]:
    """One keepalive in each second."""
    return [lambda: clock.advance(1), KEEPALIVE] * seconds


def test_keepalives_without_an_event_break_stall_timeout(side: Side, clock: ManualClock) -> None:
    held = side.open(Script(HELLO, *keepalives(clock, 400)), clock=clock)
    error = timed_out(held)
    assert (error.code, error.bound, error.partial["content"]) == ("STALL_TIMEOUT", "stall_timeout", "Hello ")
    assert held.stream.keepalives == 301


def test_an_event_in_time_sets_the_watchdog_back(side: Side, clock: ManualClock) -> None:
    steps = [*keepalives(clock, 290), HELLO, *keepalives(clock, 290), WORLD, *keepalives(clock, 290), COMPLETED, DONE]
    assert side.open(Script(*steps), clock=clock).result()["content"] == "Hello world"


def test_watchdogs_can_be_switched_off(side: Side, clock: ManualClock) -> None:
    steps = [*keepalives(clock, 1000), COMPLETED, DONE]
    assert side.open(Script(*steps), clock=clock, stall_timeout=None).result()["content"] == "Hello world"


def test_a_caller_who_takes_long_over_an_event_does_not_stall_the_stream(side: Side, clock: ManualClock) -> None:
    held = side.open(Script(HELLO, KEEPALIVE, WORLD + COMPLETED + DONE), clock=clock)
    clock.advance(1000)
    held.next()
    clock.advance(1000)
    assert held.result()["content"] == "Hello world"


def test_a_deadline_bounds_the_whole_stream(side: Side, clock: ManualClock) -> None:
    script = Script(lambda: clock.advance(9), HELLO, lambda: clock.advance(1), WORLD, COMPLETED, DONE)
    held = side.open(script, clock=clock, deadline=10)
    assert script.requests[0].timeouts.total == 10
    assert [held.next()["text"], held.next()["text"]] == ["Hello ", "world"]
    error = timed_out(held)
    assert (error.code, error.bound, error.partial["content"]) == ("DEADLINE", "deadline", "Hello world")
    assert "deadline = 10 s; raise it with deadline=" in error.message


@pytest.mark.parametrize("bound", ["read", "timeout"])
def test_a_deadline_bounds_silence(side: Side, clock: ManualClock, bound: str) -> None:
    error = timed_out(side.open(Script(HELLO, *silence(clock, 10, bound)), clock=clock, deadline=10))
    assert (error.code, error.bound) == ("DEADLINE", "deadline")


def test_an_answer_that_is_whole_when_the_deadline_passes_is_an_answer(side: Side, clock: ManualClock) -> None:
    script = Script(HELLO, lambda: clock.advance(11), WORLD + COMPLETED + DONE)
    assert side.open(script, clock=clock, deadline=10).result()["content"] == "Hello world"


def test_a_transports_bound_on_the_whole_answer_is_the_deadline_also_a_moment_before(
    side: Side, clock: ManualClock
) -> None:
    error = timed_out(side.open(Script(HELLO, *silence(clock, 9, "timeout")), clock=clock, deadline=10))
    assert (error.code, error.bound) == ("DEADLINE", "deadline")


@pytest.mark.parametrize("bound", ["read", "stall"])
def test_a_transports_bound_on_silence_is_the_shortest_of_the_streams(
    side: Side, clock: ManualClock, bound: str
) -> None:
    error = timed_out(side.open(Script(HELLO, *silence(clock, 60, bound)), clock=clock))
    assert (error.code, error.bound) == ("IDLE_TIMEOUT", "idle_timeout")


def test_any_other_bound_of_a_transport_stays_what_it_is(side: Side, clock: ManualClock) -> None:
    error = timed_out(side.open(Script(HELLO, *silence(clock, 1, "write")), clock=clock))
    assert (error.code, error.bound) == ("READ_TIMEOUT", "write")
