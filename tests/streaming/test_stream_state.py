"""Open streams in both colours: with which event they end, and what holds once they have ended."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from typing import Any

import pytest

from muxi import AsyncEventStream, AsyncFormationClient, EventStream, FormationClient
from muxi.errors import StreamInterrupted
from tests.hello import ANSWER, COMPLETED, DONE, EVENTS, FRAMES, HELLO, LOST, PROXIED, RESULT, TEXT, WORLD, Diary
from tests.scripted import (
    HOLD,
    PATIENCE,
    Script,
    ScriptedAsyncTransport,
    ScriptedTransport,
    Side,
    uncollected,
)

WHOLE = b"".join(ANSWER)

# -- where it ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("observed", [False, True], ids=["without plugins", "with a plugin"])
@pytest.mark.parametrize("steps", [ANSWER, (WHOLE,)], ids=["frame by frame", "in one piece"])
def test_a_stream_is_closed_with_its_last_event_and_not_before(
    side: Side, steps: tuple[bytes, ...], observed: bool, diary: Diary
) -> None:
    script = Script(*steps, HOLD)
    held = side.open(script, plugins=[diary] if observed else [])
    states = []
    for _ in range(4):
        held.next()
        states.append((held.stream.closed, script.freed))
    assert states == [(False, 0), (False, 0), (False, 0), (True, 1)]
    if observed:
        assert diary.entries == ["started chat_stream", "text", "text", "completed", "done", "finished chat_stream"]


def test_a_stream_without_a_terminator_is_closed_where_its_body_ends(side: Side) -> None:
    script = Script(b"data: 1\n\n")
    held = side.open(script, FRAMES)
    held.next()
    assert (held.stream.closed, script.freed) == (False, 0)
    assert held.events() == []
    assert (held.stream.closed, script.freed) == (True, 1)


# -- what holds then -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [ANSWER, (WHOLE,)], ids=["frame by frame", "in one piece"])
def test_a_closed_stream_gives_none_of_the_events_that_had_arrived(side: Side, steps: tuple[bytes, ...]) -> None:
    held = side.open(Script(*steps))
    held.next()
    held.close()
    assert held.events() == []


def test_a_stream_that_failed_raises_its_error_also_after_it_was_closed(side: Side) -> None:
    script = Script(HELLO, LOST)
    held = side.open(script)
    for use in (EVENTS, EVENTS, TEXT, RESULT):
        with pytest.raises(StreamInterrupted, match="the connection broke"):
            use(held)
        held.close()
    assert script.freed == 1


def test_plugins_are_called_once_for_a_stream_that_is_dropped_after_its_end(side: Side, diary: Diary) -> None:
    script = Script(WHOLE)
    held = side.open(script, plugins=[diary])
    held.events()
    held.drop()
    assert [outcome.left for outcome in diary.outcomes] == [False]
    assert script.freed == 1


def test_an_async_stream_that_is_dropped_after_its_end_leaves_no_task_behind() -> None:
    async def scenario() -> None:
        transport = ScriptedAsyncTransport(Script(b"data: 1\n\n"))
        stream = await AsyncFormationClient(url="http://localhost", client_key="k", transport=transport).send(FRAMES)
        assert len([event async for event in stream]) == 1
        with uncollected():
            del stream
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [EventStream, AsyncEventStream])
def test_a_stream_that_could_not_be_constructed_is_dropped_quietly(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    with uncollected(), contextlib.suppress(TypeError):
        kind()
    assert reported == []


# -- readers that are stopped ----------------------------------------------------------------------------------


def test_the_loop_of_a_reader_ends_while_another_thread_still_closes_the_connection() -> None:
    script = Script(HELLO, HOLD)
    ended = threading.Event()

    class SlowTransport(ScriptedTransport):
        """Closes a connection in two steps: the reader is woken at once."""

        def send(self, request: Any) -> Any:
            response: Any = super().send(request)
            wake = response.close

            def close() -> None:
                wake()
                if threading.current_thread() is not reader:
                    waited.append(ended.wait(PATIENCE))

            response.close = close
            return response

    waited: list[bool] = []
    stream = FormationClient(url="http://localhost", client_key="k", transport=SlowTransport(script)).chat_stream("hi")

    def read() -> None:
        for _ in stream:
            pass
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert script.held.wait(PATIENCE)
    stream.close()
    reader.join(PATIENCE)
    assert waited == [True]


def test_a_read_whose_coroutine_is_closed_awaits_nothing_more(diary: Diary) -> None:
    class Paused(ScriptedAsyncTransport):
        async def send(self, request: Any) -> Any:
            response = await super().send(request)

            async def chunks() -> Any:
                await asyncio.sleep(0)
                yield WHOLE

            vars(response)["chunks"] = chunks
            return response

    script = Script()

    async def scenario() -> AsyncEventStream[Any]:
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=Paused(script), plugins=[diary])
        return await client.chat_stream("hi")

    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(scenario())
    reading = stream.__anext__()
    reading.send(None)
    reading.close()
    assert not stream.closed
    assert (script.freed, diary.ends) == (0, 0)
    loop.run_until_complete(stream.close())
    assert (script.freed, diary.ends) == (1, 1)
    loop.close()


def test_an_interrupt_in_a_read_sends_no_cancel_and_so_ends_at_once(side: Side) -> None:
    script = Script(HELLO, KeyboardInterrupt(), WORLD, COMPLETED, DONE)
    held = side.open(script, **PROXIED)
    held.next()
    with pytest.raises(KeyboardInterrupt):
        held.next()
    held.close()
    assert script.sent == ["POST /api/bot/v1/chat"]
