"""Each fault is what the same thing is on a real network, and the client deals with it as it does there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from muxi import ConnectionError, MuxiError, RateLimitError, ServerError, StreamInterrupted, TimeoutError
from muxi.clock import ManualClock
from muxi.errors import ConfigurationError
from muxi.plugins.retry import MAX_RETRY_AFTER
from muxi.transport import BytesBody, Request, Timeouts
from muxi_transports.faulty import (
    BadTls,
    Cut,
    CutBetweenEvents,
    Duplicate,
    Fault,
    Faults,
    Refuse,
    ResetAnswer,
    ResetRequest,
    SlowBytes,
    Stall,
    Status,
    Unreachable,
    WrongContentType,
)
from muxi_transports.faulty.faults import Ended
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Turn
from tests.answers import Colour


def memories(world: EmbeddedFormation) -> int:
    """How often the formation has been told something, whoever was told of it."""
    return len(world.memories.listed("ada"))


@pytest.fixture
def failing(colour: Colour, client: Any, faults: Faults) -> Callable[..., MuxiError]:
    """Call a method once, with a fault in its way, and return the error."""

    def call(fault: Fault, method: str = "health", *args: Any, timeout: float = 30, **kwargs: Any) -> MuxiError:
        faults.script(fault)
        with pytest.raises(MuxiError) as raised:
            colour.run(getattr(client.with_options(max_retries=0, timeout=timeout), method), *args, **kwargs)
        return raised.value

    return call


@pytest.mark.parametrize(
    ("fault", "code", "connected"),
    [
        (Refuse(), "CONNECTION_REFUSED", False),
        (BadTls(), "TLS_ERROR", False),
        (ResetRequest(), "CONNECTION_LOST", True),
        (ResetRequest(after=5), "CONNECTION_LOST", True),
        (ResetAnswer(), "CONNECTION_LOST", True),
        (ResetAnswer(after=10), "CONNECTION_LOST", True),
    ],
)
def test_connections_that_fail(failing: Any, fault: Fault, code: str, connected: bool) -> None:
    error = failing(fault, "add_memory", "Likes tea", user_id="ada")
    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == (code, connected)
    assert "memory" in error.message
    assert "add_memory (POST /memories)" in str(error)


@pytest.mark.parametrize(
    ("fault", "stored"),
    [
        (Refuse(), 0),
        (BadTls(), 0),
        (ResetRequest(), 0),
        (ResetAnswer(), 1),
        (ResetAnswer(after=1), 1),
        (Duplicate(), 2),
    ],
)
def test_whether_the_platform_has_acted(
    colour: Colour, client: Any, faults: Faults, world: EmbeddedFormation, fault: Fault, stored: int
) -> None:
    faults.script(fault)
    try:
        colour.run(client.with_options(max_retries=0).add_memory, "Likes tea", user_id="ada")
    except MuxiError:
        assert fault != Duplicate()
    assert memories(world) == stored


def test_a_certificate_that_is_not_trusted_is_no_better_a_second_later(
    colour: Colour, client: Any, faults: Faults
) -> None:
    faults.on("*", BadTls())
    with pytest.raises(ConnectionError) as raised:
        colour.run(client.get_memories, "ada")
    assert (raised.value.attempts, raised.value.permanent) == (1, True)


@pytest.mark.parametrize(
    ("fault", "stored"), [(Refuse(), 1), (Unreachable(), 1), (Status(503, retry_after=1), 1), (Status(429), 1)]
)
def test_what_has_surely_not_arrived_is_sent_again(
    colour: Colour, client: Any, faults: Faults, world: EmbeddedFormation, fault: Fault, stored: int
) -> None:
    faults.script(fault, fault)
    colour.run(client.add_memory, "Likes tea", user_id="ada")
    assert memories(world) == stored
    assert len(faults.struck) == 2


def test_what_may_have_arrived_is_not_sent_again(colour: Colour, client: Any, faults: Faults) -> None:
    faults.on("POST /v1/memories", ResetAnswer())
    with pytest.raises(ConnectionError):
        colour.run(client.add_memory, "Likes tea", user_id="ada")
    assert len(faults.struck) == 1


def test_a_repeated_chat_is_answered_once(
    colour: Colour, client: Any, faults: Faults, world: EmbeddedFormation
) -> None:
    turns: list[str] = []

    @world.agent("assistant")
    def assistant(turn: Turn) -> str:
        turns.append(turn.message)
        return "Hello."

    faults.on("POST /v1/chat", ResetAnswer(), times=1)
    assert colour.run(client.chat, "Hi", user_id="ada")["message"]["content"] == "Hello."
    assert turns == ["Hi"], "the idempotency key holds the two attempts together"


def test_nobody_answers_the_connection(failing: Any, clock: ManualClock) -> None:
    error = failing(Unreachable(), "health")
    assert isinstance(error, TimeoutError)
    assert (error.bound, error.connected, clock.monotonic()) == ("connect", False, 10)


def test_without_a_bound_the_system_gives_up(colour: Colour, wrap: Any, world: EmbeddedFormation) -> None:
    transport = wrap(world, Faults(Unreachable()))
    with pytest.raises(ConnectionError, match="CONNECTION_FAILED"):
        colour.run(transport.send, Request("GET", "http://memory/v1/health"))


@pytest.mark.parametrize("after", [0, 7])
def test_a_stall_breaks_the_bound_of_the_attempt(failing: Any, clock: ManualClock, after: int) -> None:
    error = failing(Stall(1000, after=after), "health", timeout=3)
    assert isinstance(error, TimeoutError)
    assert error.bound in ("read", "timeout")
    assert clock.monotonic() == 3


def test_a_stall_that_is_short_enough_is_only_a_wait(
    colour: Colour, client: Any, faults: Faults, clock: ManualClock
) -> None:
    faults.script(Stall(5), Stall(5, after=3))
    for _ in range(2):
        assert colour.run(client.health)["status"]
    assert clock.monotonic() == 10


def test_a_stream_that_stalls_wakes_the_watchdog(
    colour: Colour, client: Any, faults: Faults, clock: ManualClock
) -> None:
    faults.on("POST /v1/chat", Stall(1000, after=60))
    with pytest.raises(TimeoutError) as raised:
        colour.collect(client.chat_stream, "Hi", user_id="ada")
    assert raised.value.bound == "idle_timeout"
    assert clock.monotonic() == 60


def test_slow_bytes_arrive_one_by_one(colour: Colour, client: Any, faults: Faults, clock: ManualClock) -> None:
    faults.script(SlowBytes(per_second=10, piece=5))
    events = colour.collect(client.chat_stream, "Hi", user_id="ada")
    assert events[-1]["type"] == "done"
    assert clock.monotonic() > 10
    faults.script(SlowBytes(per_second=1))
    with pytest.raises(TimeoutError):
        colour.run(client.with_options(timeout=20, max_retries=0).health)


@pytest.mark.parametrize("after", [0, 1, 50, 200])
def test_a_stream_cut_anywhere_is_never_a_whole_answer(colour: Colour, client: Any, faults: Faults, after: int) -> None:
    faults.script(Cut(after=after))
    with pytest.raises(StreamInterrupted):
        colour.collect(client.chat_stream, "Hi there", user_id="ada")


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_stream_cut_between_events(colour: Colour, client: Any, faults: Faults, after: int) -> None:
    whole = colour.collect(client.chat_stream, "Hi there you", user_id="ada")
    faults.script(CutBetweenEvents(after=after))
    seen: list[Any] = []

    def read() -> None:
        for event in client.chat_stream("Hi there you", user_id="ada"):
            seen.append(event)

    async def read_async() -> None:
        async for event in client.chat_stream("Hi there you", user_id="ada"):
            seen.append(event)

    with pytest.raises(StreamInterrupted):
        colour.run(read_async if colour.asynchronous else read)
    assert [event["text"] for event in seen] == [event.get("text") for event in whole[:after]]


def test_an_answer_that_is_cut_is_no_answer(failing: Any) -> None:
    assert failing(Cut(after=20), "health").code == "UNEXPECTED_ANSWER"


def test_something_else_answers(failing: Any, colour: Colour, client: Any, faults: Faults) -> None:
    error = failing(WrongContentType(content=b"<html>Sign in</html>"), "health")
    assert isinstance(error, ServerError)
    assert "text/html" in error.message
    faults.script(WrongContentType("text/plain"))
    with pytest.raises(ServerError, match="not an event stream"):
        colour.collect(client.with_options(max_retries=0).chat_stream, "Hi", user_id="ada")


def test_storms(colour: Colour, client: Any, faults: Faults, clock: ManualClock) -> None:
    faults.on("/v1/health", Status(503, retry_after=4), times=2)
    faults.on("/v1/health", Status(429, retry_after=5, as_date=True), times=1)
    assert colour.run(client.health)["status"]
    assert clock.monotonic() == pytest.approx(13, abs=1)
    faults.on("/v1/health", Status(429, retry_after=MAX_RETRY_AFTER + 1))
    with pytest.raises(RateLimitError) as raised:
        colour.run(client.health)
    assert raised.value.retry_after == MAX_RETRY_AFTER + 1


def test_a_clock_that_is_wrong_is_put_right(colour: Colour, wrap: Any, clock: ManualClock) -> None:
    world = EmbeddedServer(key_id="muxi_pk_test", secret_key="muxi_sk_test", clock=clock)
    client = colour.server(
        transport=wrap(world, Faults(skew=3600)), url="http://memory", key_id="muxi_pk_test", secret_key="muxi_sk_test"
    )
    raw = colour.run(client.with_raw_response.list_formations)
    assert (raw.status_code, raw.attempts) == (200, 2)


@pytest.mark.parametrize("piece", range(1, 12))
def test_events_are_counted_however_they_arrive(piece: int) -> None:
    stream = b": keepalive\n\ndata: 1\n\n: keepalive\n\nevent: x\ndata: 2\n\ndata: 3\n\n"
    shaper = CutBetweenEvents(after=2).shaper(Request("GET", "http://x"))
    shaped = (it for start in range(0, len(stream), piece) for it in shaper.feed(stream[start : start + piece]))
    seen = b""
    with suppress(Ended):
        for it in shaped:
            assert isinstance(it, bytes)
            seen += it
    assert next(shaped, None) is None, "it has ended before the last piece"
    assert seen == b": keepalive\n\ndata: 1\n\n: keepalive\n\nevent: x\ndata: 2\n\n"


def test_the_body_of_a_request_goes_out_until_the_reset() -> None:
    request = Request("POST", "http://h/x", body=BytesBody(b"12345678"), timeouts=Timeouts())
    with pytest.raises(ConnectionError, match="after 3 bytes"):
        list(ResetRequest(after=3).before(request))
    with pytest.raises(ConnectionError, match="after 8 bytes"):
        list(ResetRequest(after=100).before(request))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cut(after=-1),
        lambda: ResetAnswer(-1),
        lambda: ResetRequest(-1),
        lambda: CutBetweenEvents(-1),
        lambda: Stall(-1),
        lambda: SlowBytes(0),
        lambda: SlowBytes(1, piece=0),
        lambda: Status(200),
    ],
)
def test_faults_that_have_no_sense(make: Any) -> None:
    with pytest.raises(ConfigurationError):
        make()
