"""Streams as callers hold them, in both colours: how they open and what they give."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from muxi import AsyncFormationClient, EventStream, FormationClient, hookimpl
from muxi.errors import (
    AuthenticationError,
    MuxiError,
    ServerError,
    StreamInterrupted,
    TurnFailed,
)
from muxi.transport import BufferedResponse
from tests.hello import ANSWER, COMPLETED, DONE, FRAMES, HELLO, WORLD, Diary, types
from tests.scripted import (
    HOLD,
    Script,
    ScriptedAsyncTransport,
    ScriptedTransport,
    Side,
)

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
            with pytest.raises(StreamInterrupted) as caught:
                await attempt
            assert str(caught.value) == (
                "STREAM_CLOSED: the stream is not open: it was closed, or opening it has failed or is going on "
                "elsewhere"
            )

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


def test_plugins_see_each_event_of_those_that_come_at_once(side: Side) -> None:
    class Seeing:
        def __init__(self) -> None:
            self.seen: list[object] = []

        @hookimpl
        def muxi_event_received(self, event: object) -> None:
            self.seen.append(event)

    seeing = Seeing()
    events = side.open(Script(HELLO + WORLD + COMPLETED + DONE), plugins=[seeing]).events()
    assert len(events) > 2
    assert seeing.seen == events


def test_a_stream_is_its_own_context(side: Side) -> None:
    held = side.open(Script(HELLO, DONE))
    stream: Any = held.stream
    if isinstance(stream, EventStream):
        with stream as entered:
            assert entered is stream
    held.close()


def test_the_result_of_a_stream_that_was_closed_before_it_was_open_is_an_error_with_a_code() -> None:
    async def scenario() -> str:
        client = AsyncFormationClient(
            url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(Script())
        )
        stream = client.chat_stream("hi")
        await stream.close()
        with pytest.raises(StreamInterrupted) as caught:
            await stream.result()
        return caught.value.code

    assert asyncio.run(scenario()) == "STREAM_CLOSED"
