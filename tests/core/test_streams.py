"""Streams as callers hold them, in both colours: how they open, what they give, and every way in which they end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import pickle
import threading
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from muxi import AsyncFormationClient, FormationClient, hookimpl
from muxi.call import Key, StreamCall
from muxi.clock import ManualClock
from muxi.context import Context, Outcome
from muxi.errors import (
    AuthenticationError,
    ConnectionError,
    MuxiError,
    ServerError,
    StreamInterrupted,
    TimeoutError,
    TurnFailed,
)
from muxi.transport import BufferedResponse
from tests.scripted import (
    HOLD,
    PATIENCE,
    Held,
    Script,
    ScriptedAsyncTransport,
    ScriptedTransport,
    Side,
    SyncSide,
    uncollected,
)
from tests.transports.raw_server import Peer, serving

KEEPALIVE = b": keepalive\n\n"
DONE = b'event: done\ndata: {"finished":true}\n\n'
LOST = ConnectionError("CONNECTION_LOST", "the connection broke")
PROXIED: dict[str, Any] = {"server_url": "http://localhost:7890", "formation_id": "bot"}


def token(kind: str, content: str, **more: object) -> bytes:
    return b"data: " + json.dumps({"token": {"type": kind, "content": content, **more}}).encode() + b"\n\n"


HELLO, WORLD = token("content", "Hello "), token("content", "world")
COMPLETED = token("completed", "Hello world", status="success")
ANSWER = (KEEPALIVE, HELLO, WORLD, COMPLETED, DONE)
FRAMES: StreamCall[Any] = StreamCall("GET", "/news", key=Key.CLIENT, events="frames")

#: What can be done with a stream.
NEXT, EVENTS, RESULT = methodcaller("next"), methodcaller("events"), methodcaller("result")


def TEXT(held: Held) -> list[str]:  # noqa: N802  beside the others
    return list(held.text())


class Diary:
    """A plugin that writes down what it is told."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.outcomes: list[Outcome] = []

    @hookimpl
    def muxi_call_started(self, context: Context) -> None:
        self.entries.append(f"started {context.call.operation}")

    @hookimpl
    def muxi_event_received(self, event: dict[str, Any]) -> None:
        self.entries.append(event["type"])

    @hookimpl
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        self.entries.append(f"finished {context.call.operation}")
        if context.call.operation == "chat_stream":
            self.outcomes.append(outcome)

    @property
    def ends(self) -> int:
        return self.entries.count("finished chat_stream")


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def types(held: Held) -> list[str]:
    return [event["type"] for event in held.events()]


# -- opening ---------------------------------------------------------------------------------------------------


def test_an_error_status_raises_from_the_call_itself(side: Side) -> None:
    script = Script(b'{"error": {"code": "INVALID_KEY", "message": "no"}}', status=401, content_type="application/json")
    with pytest.raises(AuthenticationError) as caught:
        side.open(script)
    assert caught.value.code == "INVALID_KEY"
    assert caught.value.call == "chat_stream (POST /chat)"
    assert script.freed == 1


@pytest.mark.parametrize("content_type", ["application/json", "text/html; charset=utf-8", ""])
def test_an_answer_that_is_no_event_stream_raises_from_the_call_itself(side: Side, content_type: str) -> None:
    script = Script(b'{"success": true, "data": {}}', content_type=content_type)
    with pytest.raises(ServerError, match="not an event stream") as caught:
        side.open(script)
    assert caught.value.code == "UNEXPECTED_ANSWER"
    assert script.freed == 1


def test_a_stream_is_open_before_its_first_event(side: Side) -> None:
    held = side.open(Script(*ANSWER, content_type="Text/Event-Stream"))
    assert not held.stream.closed
    assert held.stream.status_code == 200
    assert held.stream.headers["content-type"] == "Text/Event-Stream"
    assert repr(held.stream).endswith("EventStream chat_stream (POST /chat), open>")
    held.close()
    assert repr(held.stream).endswith("closed>")


def test_an_async_stream_that_is_never_awaited_sends_nothing() -> None:
    script = Script(*ANSWER)

    async def scenario() -> None:
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script))
        stream = client.chat_stream("hi")
        assert stream.status_code == stream.keepalives == len(stream.headers) == 0
        assert not stream.closed
        assert repr(stream) == "<AsyncEventStream not opened yet>"

    asyncio.run(scenario())
    assert script.requests == []


@pytest.mark.parametrize("awaited", [True, False])
def test_an_async_stream_opens_where_it_is_first_used_and_only_once(awaited: bool) -> None:
    script = Script(*ANSWER)

    async def scenario() -> list[str]:
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script))
        stream = client.chat_stream("hi")
        async with (await stream) if awaited else stream as entered:
            assert entered is stream
            return [event["type"] async for event in await entered]

    assert asyncio.run(scenario()) == ["text", "text", "completed", "done"]
    assert script.sent == ["POST /v1/chat"]


def test_an_async_stream_that_failed_to_open_is_not_sent_again() -> None:
    script = Script(b"{}", status=401, content_type="application/json")

    async def scenario() -> None:
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script))
        stream = client.chat_stream("hi")
        with pytest.raises(AuthenticationError):
            await stream
        for attempt in (stream.result(), anext(stream), stream.__aenter__()):
            with pytest.raises(StreamInterrupted, match="opening it has failed"):
                await attempt

    asyncio.run(scenario())
    assert len(script.requests) == 1


def test_an_async_stream_that_was_closed_unopened_sends_nothing_and_has_no_events() -> None:
    script = Script(*ANSWER)

    async def scenario() -> None:
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script))
        stream = client.chat_stream("hi")
        await stream.close()
        await stream.close()
        assert stream.closed
        assert [event async for event in stream] == []
        assert [piece async for piece in stream.text()] == []
        for attempt in (stream.result(), stream.__aenter__()):
            with pytest.raises(StreamInterrupted, match="not open"):
                await attempt

    asyncio.run(scenario())
    assert script.requests == []


def test_an_async_stream_that_is_closed_while_it_opens_frees_its_connection(diary: Diary) -> None:
    script = Script(*ANSWER)
    opening, opened = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedAsyncTransport):
        async def send(self, request: Any) -> Any:
            opening.set()
            await opened.wait()
            return await super().send(request)

    async def scenario() -> None:
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=Slow(script), plugins=[diary])
        stream = client.chat_stream("hi")
        reading = asyncio.ensure_future(anext(stream, None))
        await opening.wait()
        with pytest.raises(StreamInterrupted, match="going on elsewhere"):
            await stream
        await stream.close()
        opened.set()
        assert await reading is None
        assert stream.closed

    asyncio.run(scenario())
    assert script.sent == ["POST /v1/chat"]
    assert script.freed == 1
    assert diary.ends == 1


# -- what it gives ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [ANSWER, (b"".join(ANSWER),)], ids=["frame by frame", "in one piece"])
def test_a_stream_gives_its_events_and_then_ends(side: Side, steps: tuple[bytes, ...]) -> None:
    script = Script(*steps)
    held = side.open(script)
    assert types(held) == ["text", "text", "completed", "done"]
    assert held.events() == []
    assert held.stream.closed
    assert held.stream.keepalives == 1
    assert script.freed == 1


def test_the_loop_of_the_documentation_leaves_nothing_open(side: Side, diary: Diary) -> None:
    script = Script(*ANSWER, HOLD)
    held = side.open(script, plugins=[diary])
    printed = ""
    for event in held.each():
        if event.get("type") == "text":
            printed += event["text"]
        elif event.get("type") == "done":
            break
    assert printed == "Hello world"
    assert held.stream.closed
    assert script.freed == 1
    assert diary.entries == ["started chat_stream", "text", "text", "completed", "done", "finished chat_stream"]


def test_a_stream_gives_its_text(side: Side) -> None:
    assert list(side.open(Script(*ANSWER)).text()) == ["Hello ", "world"]


def test_text_goes_on_where_iterating_stopped(side: Side) -> None:
    held = side.open(Script(*ANSWER))
    held.next()
    assert list(held.text()) == ["world"]
    assert list(held.text()) == []


@pytest.mark.parametrize("before", range(5))
def test_a_stream_gives_its_result_however_much_of_it_was_read_before(side: Side, before: int) -> None:
    held = side.open(Script(*ANSWER))
    for _ in range(before):
        held.next()
    expected = {"role": "assistant", "content": "Hello world", "artifacts": None, "metadata": {"status": "success"}}
    assert held.result() == expected
    assert held.result() == expected
    assert held.events() == []


def test_an_answer_without_deltas_arrives_once_as_text(side: Side) -> None:
    assert list(side.open(Script(COMPLETED, DONE)).text()) == ["Hello world"]


def test_a_stream_of_another_kind_ends_without_a_terminator(side: Side) -> None:
    held = side.open(Script(b"event: log\ndata: 1\n\n", b"data: 2\n\n"), FRAMES)
    assert held.events() == [{"event": "log", "data": "1"}, {"event": "message", "data": "2"}]
    with pytest.raises(TypeError, match="has no result"):
        held.result()


def test_a_stream_that_a_plugin_answers_is_read_like_any_other(side: Side) -> None:
    class Cache:
        @hookimpl
        def muxi_intercept(self) -> BufferedResponse:
            return BufferedResponse(200, [("Content-Type", "text/event-stream")], b"".join(ANSWER))

    script = Script()
    assert list(side.open(script, plugins=[Cache()]).text()) == ["Hello ", "world"]
    assert script.requests == []


@pytest.mark.parametrize(
    ("name", "text", "outcome", "terminator"),
    [
        ("answer", "Grüße, Ada\u2028and\x85all 🍎.", "Grüße, Ada\u2028and\x85all 🍎.", b"event: done"),
        ("answer_crlf", "One two.", "One two.", b"event: done"),
        ("no_deltas", "All at once.", "All at once.", b"event: done"),
        ("discontinuity", "The apple is red.", "The apple is red.", b"event: done"),
        ("begun_anew", "I think thIt is red.", "It is red.", b"event: done"),
        ("widgets", "Work or home?", "Work or home?", b"event: done"),
        ("blocked", "", TurnFailed, b"event: done"),
        ("refused", "", TurnFailed, b'"status": "error"'),
        ("error", "Half an ans", TurnFailed, b"event: error"),
    ],
)
def test_a_stream_cut_at_any_byte_ends_in_the_whole_answer_or_in_an_error(
    name: str, text: str, outcome: str | type[MuxiError], terminator: bytes
) -> None:
    body = (Path(__file__).parents[1] / "fixtures" / "streams" / f"{name}.sse").read_bytes()
    transport = ScriptedTransport(Script())
    client = FormationClient(url="http://localhost:8001", client_key="fmc_test", transport=transport)

    def read(*pieces: bytes) -> tuple[str, str | type[MuxiError]]:
        transport.script = Script(*pieces)
        stream = client.chat_stream("hi")
        printed: list[str] = []
        try:
            printed.extend(stream.text())
            return "".join(printed), stream.result()["content"]
        except StreamInterrupted as error:
            return "".join(printed), type(error)

    for end in range(len(body) + 1):
        assert read(body[:end], body[end:]) == (text, outcome)
        printed, came = read(body[:end])
        lines = body[:end].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n\n" in lines.partition(terminator)[2]:
            assert (printed, came) == (text, outcome)
        else:
            assert text.startswith(printed)
            assert came is StreamInterrupted


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


# -- how it is left --------------------------------------------------------------------------------------------


def test_closing_frees_the_connection_once_and_ends_iteration(side: Side, diary: Diary) -> None:
    script = Script(HELLO + WORLD, COMPLETED, DONE)
    held = side.open(script, plugins=[diary])
    held.next()
    held.close()
    held.close()
    assert held.stream.closed
    assert held.events() == []
    assert list(held.text()) == []
    assert script.freed == 1
    assert diary.ends == 1
    assert diary.outcomes[0].error is None


def test_a_stream_closed_early_has_no_result_but_what_had_arrived(side: Side) -> None:
    held = side.open(Script(HELLO, WORLD))
    held.next()
    held.close()
    with pytest.raises(StreamInterrupted) as caught:
        held.result()
    assert (caught.value.code, caught.value.text) == ("STREAM_CLOSED", "Hello ")


def test_a_stream_closed_after_done_had_arrived_has_its_result(side: Side) -> None:
    held = side.open(Script(b"".join(ANSWER)))
    held.next()
    held.close()
    assert held.result()["content"] == "Hello world"


@pytest.mark.parametrize("error", [None, ZeroDivisionError()])
def test_with_closes_whatever_happens_in_it(side: Side, diary: Diary, error: BaseException | None) -> None:
    script = Script(HELLO, HOLD)
    held = side.open(script, plugins=[diary])
    if error:
        with pytest.raises(ZeroDivisionError):
            held.leave_with(error)
    else:
        held.leave_with()
    assert held.stream.closed
    assert script.freed == 1
    assert diary.ends == 1


def test_letting_go_of_a_stream_frees_its_connection_without_a_collector(side: Side, diary: Diary) -> None:
    script = Script(HELLO, HOLD)
    held = side.open(script, plugins=[diary])
    held.next()
    assert script.freed == 0
    held.drop()
    assert script.freed == 1
    assert diary.ends == 1


def test_letting_go_of_a_stream_in_the_middle_of_its_text_frees_its_connection(side: Side, diary: Diary) -> None:
    script = Script(HELLO, HOLD)
    held = side.open(script, plugins=[diary])
    pieces = held.text()
    assert next(pieces) == "Hello "
    with uncollected():
        del pieces
        held.drop()
    assert script.freed == 1
    assert diary.ends == 1


def test_a_loop_that_breaks_over_a_temporary_leaves_nothing_open(diary: Diary) -> None:
    script = Script(HELLO, HOLD)
    client = FormationClient(
        url="http://localhost", client_key="k", transport=ScriptedTransport(script), plugins=[diary]
    )
    with uncollected():
        for _ in client.chat_stream("hi"):
            break
    assert script.freed == 1
    assert diary.ends == 1


def test_an_async_loop_that_breaks_over_a_temporary_leaves_nothing_open(diary: Diary) -> None:
    script = Script(HELLO, HOLD)

    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script), plugins=[diary]
        )
        async for _ in client.chat_stream("hi"):
            break
        for _ in range(5):
            await asyncio.sleep(0)

    with uncollected():
        asyncio.run(scenario())
    assert script.freed == 1
    assert diary.ends == 1


def test_an_async_program_that_ends_with_an_open_stream_leaves_nothing_open(diary: Diary) -> None:
    script = Script(HELLO, HOLD)

    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script), plugins=[diary]
        )
        stream = await client.chat_stream("hi")
        await anext(stream)

    with uncollected():
        asyncio.run(scenario())
    assert script.freed == 1
    assert diary.ends == 1


def test_an_async_stream_dropped_after_its_loop_has_closed_is_quiet() -> None:
    script = Script(HELLO, HOLD)
    streams = []

    async def scenario() -> None:
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script))
        streams.append(await client.chat_stream("hi"))

    asyncio.run(scenario())
    streams.clear()
    gc.collect()


@pytest.mark.parametrize("torn", [None, LOST])
def test_closing_from_another_thread_ends_a_waiting_loop(diary: Diary, torn: BaseException | None) -> None:
    script = Script(HELLO, HOLD, WORLD, torn=torn)
    held = SyncSide().open(script, plugins=[diary])
    given: list[object] = []
    reader = threading.Thread(target=lambda: given.extend(held.each()))
    reader.start()
    assert script.held.wait(PATIENCE)
    held.close()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert len(given) == 1
    assert script.freed == 1
    assert diary.ends == 1
    assert diary.outcomes[0].error is None


def test_many_threads_that_close_at_once_end_the_stream_once(diary: Diary) -> None:
    held = SyncSide().open(Script(HELLO, HOLD), plugins=[diary], cancel_on_close=True)
    barrier = threading.Barrier(8)

    def close() -> None:
        barrier.wait(PATIENCE)
        held.close()

    threads = [threading.Thread(target=close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert diary.ends == 1
    assert diary.entries.count("finished cancel_request") == 1


@pytest.mark.parametrize("torn", [None, LOST])
def test_closing_from_another_task_ends_a_waiting_loop(diary: Diary, torn: BaseException | None) -> None:
    script = Script(HELLO, HOLD, WORLD, torn=torn)

    async def scenario() -> list[str]:
        client = AsyncFormationClient(
            url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script), plugins=[diary]
        )
        stream = await client.chat_stream("hi")

        async def read() -> list[str]:
            return [event["type"] async for event in stream]

        reading = asyncio.ensure_future(read())
        await script.until_held()
        await stream.close()
        return await reading

    assert asyncio.run(scenario()) == ["text"]
    assert script.freed == 1
    assert diary.ends == 1


def test_an_async_stream_cancelled_in_a_read_is_closed_and_not_taken_for_ended(diary: Diary) -> None:
    script = Script(HELLO, HOLD)

    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script), plugins=[diary]
        )
        stream = await client.chat_stream("hi")
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream))
        await script.until_held()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert stream.closed
        with pytest.raises(StreamInterrupted) as caught:
            await anext(stream)
        assert caught.value.text == "Hello "

    asyncio.run(scenario())
    assert script.freed == 1
    assert diary.ends == 1
    assert isinstance(diary.outcomes[0].error, asyncio.CancelledError)


class Server:
    """Sends one event over a real connection, and notices when the client lets go of it."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, peer: Peer) -> None:
        peer.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer.send(head, b"%x\r\n" % len(HELLO), HELLO, b"\r\n")
        peer.wait_for_end()
        self.let_go.set()


def test_closing_from_another_thread_frees_a_real_connection_at_once() -> None:
    server = Server()
    first, given = threading.Event(), []
    with serving(server) as served, FormationClient(url=served.url, client_key="k") as client:
        stream = client.chat_stream("hi")

        def read() -> None:
            for event in stream:
                given.append(event["type"])
                first.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert first.wait(PATIENCE)
        stream.close()
        assert server.let_go.wait(PATIENCE)
        reader.join(PATIENCE)
    assert not reader.is_alive()
    assert given == ["text"]


def test_a_real_connection_is_freed_when_its_stream_is_let_go_of() -> None:
    server = Server()
    with serving(server) as served, FormationClient(url=served.url, client_key="k") as client, uncollected():
        for _ in client.chat_stream("hi"):
            break
        assert server.let_go.wait(PATIENCE)


@pytest.mark.parametrize("way", ["close", "cancel", "break"])
def test_a_real_connection_of_an_async_stream_is_freed_at_once(way: str) -> None:
    server = Server()

    async def scenario(url: str) -> None:
        async with AsyncFormationClient(url=url, client_key="k") as client:
            if way == "break":
                async for _ in client.chat_stream("hi"):
                    break
            else:
                stream = await client.chat_stream("hi")
                await anext(stream)
                reading = asyncio.ensure_future(anext(stream, None))
                await asyncio.sleep(0)
                if way == "close":
                    await stream.close()
                    assert await reading is None
                else:
                    reading.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await reading
            assert await asyncio.to_thread(server.let_go.wait, PATIENCE)

    with serving(server) as served, uncollected():
        asyncio.run(scenario(served.url))


# -- cancelling the turn that is left --------------------------------------------------------------------------


def test_closing_early_behind_a_proxy_cancels_the_turn(side: Side, diary: Diary) -> None:
    script = Script(HELLO, HOLD)
    held = side.open(script, plugins=[diary], **PROXIED)
    held.next()
    held.close()
    held.close()
    chat, cancel = script.requests
    assert chat.body is not None
    request_id = json.loads(b"".join(chat.body.chunks()))["request_id"]
    assert script.sent == ["POST /api/bot/v1/chat", f"DELETE /api/bot/v1/requests/{request_id}"]
    assert cancel.headers["X-Muxi-User-ID"] == "ada"
    assert cancel.headers["X-Muxi-Client-Key"] == "fmc_test"
    assert diary.entries.index("finished chat_stream") < diary.entries.index("started cancel_request")


def test_a_chat_without_a_user_is_cancelled_as_the_user_that_the_platform_takes_it_for() -> None:
    script = Script(HELLO, HOLD)
    transport = ScriptedTransport(script)
    with FormationClient(client_key="k", transport=transport, **PROXIED).chat_stream("hi"):
        pass
    assert script.requests[1].headers["X-Muxi-User-ID"] == "0"


@pytest.mark.parametrize("deleted", [404, 500, LOST])
def test_a_cancel_that_fails_is_no_matter_and_is_not_repeated(side: Side, deleted: int | BaseException) -> None:
    script = Script(HELLO, HOLD, deleted=deleted)
    side.open(script, **PROXIED).close()
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    ("settings", "cancels"),
    [
        pytest.param({}, False, id="directly"),
        pytest.param({"cancel_on_close": True}, True, id="directly, on demand"),
        pytest.param(PROXIED, True, id="proxied"),
        pytest.param({**PROXIED, "cancel_on_close": False}, False, id="proxied, switched off"),
    ],
)
def test_whether_a_turn_is_cancelled_can_be_chosen(side: Side, settings: dict[str, Any], cancels: bool) -> None:
    script = Script(HELLO, HOLD)
    side.open(script, **settings).leave_with()
    assert len(script.requests) == 1 + cancels


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(ANSWER, id="read to its end"),
        pytest.param((b"".join(ANSWER),), id="done has arrived"),
        pytest.param((HELLO, LOST), id="broken"),
        pytest.param((HELLO + b"event: error\ndata: x\n\n",), id="failed"),
    ],
)
def test_a_turn_that_is_over_is_not_cancelled(side: Side, steps: tuple[Any, ...]) -> None:
    script = Script(*steps)
    held = side.open(script, **PROXIED)
    held.next()
    if len(steps) > 1:
        with contextlib.suppress(StreamInterrupted):
            held.events()
    held.close()
    assert len(script.requests) == 1
    assert script.freed == 1


def test_nothing_is_sent_for_a_stream_that_was_merely_let_go_of(side: Side) -> None:
    script = Script(HELLO, HOLD)
    held = side.open(script, **PROXIED)
    held.next()
    held.drop()
    assert script.freed == 1
    assert len(script.requests) == 1
