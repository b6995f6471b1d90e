"""Errors of streams in both colours: what they say, what they carry, and what they hide."""

from __future__ import annotations

import ipaddress
from types import TracebackType
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.errors import ConnectionError, MuxiError, ServerError, StreamInterrupted, TimeoutError, TurnFailed
from tests.hello import COMPLETED, DONE, FRAMES, HELLO, LOST, WORLD, Diary
from tests.scripted import Held, Script, Side

KEY = "hushhushhush1"
BROKEN = b'event: error\ndata: {"error": "gone", "type": "ModelError"}\n\n'


def error_of(held: Held) -> MuxiError:
    with pytest.raises(MuxiError) as caught:
        held.events()
    return caught.value


# -- texts -----------------------------------------------------------------------------------------------------


def test_an_interruption_says_what_broke_and_where_to_find_the_rest(side: Side) -> None:
    assert error_of(side.open(Script(HELLO, LOST))).message == "the connection broke; .partial has what had arrived"


def test_a_result_of_a_stream_closed_early_says_where_to_find_what_had_arrived(side: Side) -> None:
    held = side.open(Script(HELLO, WORLD))
    held.next()
    held.close()
    with pytest.raises(StreamInterrupted) as caught:
        held.result()
    assert caught.value.message == "the stream was closed before its end; .partial has what had arrived"


@pytest.mark.parametrize(
    ("bound", "code", "what"),
    [
        ("deadline", "DEADLINE", "the call has run, and its stream has not ended,"),
        ("idle_timeout", "IDLE_TIMEOUT", "nothing came, not even a keepalive,"),
        ("stall_timeout", "STALL_TIMEOUT", "no event came, at most keepalives,"),
    ],
)
def test_a_time_limit_says_what_took_too_long_and_how_to_change_it(
    side: Side, clock: ManualClock, bound: str, code: str, what: str
) -> None:
    silence = TimeoutError("READ_TIMEOUT", "nothing came", bound="read")
    settings: dict[str, Any] = {bound: 7.5}
    error = error_of(side.open(Script(HELLO, lambda: clock.advance(7.5), silence), clock=clock, **settings))
    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound, error.message) == (
        code,
        bound,
        f"{what} for more than {bound} = 7.5 s; raise it with {bound}= on the client or with_options({bound}=…), or "
        "switch it off with None",
    )


# -- which error it is -----------------------------------------------------------------------------------------


def test_silence_that_ends_before_the_deadline_breaks_the_watchdog(side: Side, clock: ManualClock) -> None:
    silence = TimeoutError("READ_TIMEOUT", "nothing came", bound="read")
    error = error_of(side.open(Script(HELLO, lambda: clock.advance(60), silence), clock=clock, deadline=61))
    assert error.code == "IDLE_TIMEOUT"


@pytest.mark.parametrize("bound", ["read", "stall"])
def test_a_time_limit_of_the_transport_stays_one_where_the_stream_has_none(side: Side, bound: str) -> None:
    error = error_of(side.open(Script(TimeoutError("READ_TIMEOUT", "nothing came", bound=bound)), FRAMES))
    assert (error.code, error.message) == ("READ_TIMEOUT", "nothing came")


def test_an_event_that_comes_after_the_stall_timeout_is_returned(side: Side, clock: ManualClock) -> None:
    held = side.open(Script(lambda: clock.advance(301), HELLO, WORLD + COMPLETED + DONE), clock=clock)
    assert held.result()["content"] == "Hello world"


def test_an_error_event_that_comes_after_the_deadline_is_raised_in_its_place(side: Side, clock: ManualClock) -> None:
    error = error_of(side.open(Script(HELLO, lambda: clock.advance(11), BROKEN), clock=clock, deadline=10))
    assert (type(error), error.code) == (TurnFailed, "ModelError")


# -- what it carries -------------------------------------------------------------------------------------------


def test_an_error_is_completed_from_the_stream(side: Side) -> None:
    error = error_of(side.open(Script(HELLO, ServerError("X", "no"))))
    assert error.call == "chat_stream (POST /chat)"
    assert error.attempts == 1
    assert error.partial["content"] == "Hello "
    assert (error.request_id or "").startswith("req_")


def test_an_error_that_knows_its_own_call_keeps_it(side: Side) -> None:
    own = ServerError("X", "no", request_id="req_own")
    own.call, own.attempts, own.partial = "relay (POST /relay)", 3, {"content": "before"}
    error = error_of(side.open(Script(HELLO, own)))
    assert error is own
    assert (error.call, error.attempts, error.request_id) == ("relay (POST /relay)", 3, "req_own")
    assert error.partial == {"content": "before"}


def test_an_error_with_nothing_behind_it_has_no_cause(side: Side) -> None:
    for error in (error_of(side.open(Script(HELLO, BROKEN))), error_of(side.open(Script(HELLO)))):
        assert error.__cause__ is None


# -- what it hides ---------------------------------------------------------------------------------------------


def test_a_key_of_the_call_is_masked_in_an_error_before_plugins_see_it(side: Side, diary: Diary) -> None:
    failure = ServerError("X", f"{KEY} was sent", details={"tried": [KEY]})
    error = error_of(side.open(Script(HELLO, failure), client_key=KEY, plugins=[diary]))
    assert error.message == "[redacted] was sent"
    assert diary.outcomes[0].error is error
    assert KEY not in repr(vars(error))


def test_a_key_of_the_call_is_masked_in_the_error_behind_an_interruption_too(side: Side, diary: Diary) -> None:
    held = side.open(Script(HELLO, ConnectionError("CONNECTION_LOST", f"{KEY} broke")), client_key=KEY, plugins=[diary])
    error = error_of(held)
    assert diary.outcomes[0].error is error
    for it in (error, error.__cause__, error.__context__):
        assert it is not None
        assert "[redacted] broke" in str(it)
        assert KEY not in f"{it!r} {it.args} {vars(it)}"


def locals_of_libraries(trace: TracebackType | None) -> list[dict[str, Any]]:
    """The locals of frames in a traceback below the reading of a stream, without those of tests."""
    found: list[dict[str, Any]] = []
    below = False
    while trace is not None:
        frame = trace.tb_frame
        if below and not frame.f_globals["__name__"].startswith("tests."):
            found.append(frame.f_locals)
        below = below or frame.f_code.co_name == "_next"
        trace = trace.tb_next
    return found


def test_no_locals_are_left_in_the_frames_below_an_error(side: Side) -> None:
    def fail_in_a_library() -> None:
        ipaddress.ip_address(KEY)

    held = side.open(Script(HELLO, fail_in_a_library))
    with pytest.raises(ValueError, match="does not appear to be") as caught:
        held.events()
    frames = [*locals_of_libraries(caught.value.__traceback__)]
    frames += locals_of_libraries(error_of(side.open(Script(HELLO, BROKEN))).__traceback__)
    assert len(frames) == 2
    assert not any(frames)
