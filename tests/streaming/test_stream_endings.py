"""Streams in both colours: every way in which a caller can leave one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import pytest

from muxi import AsyncFormationClient, Context, FormationClient, hookimpl
from muxi.client.runner import CANCEL_TIMEOUT
from muxi.errors import (
    StreamInterrupted,
)
from tests.hello import ANSWER, COMPLETED, DONE, HELLO, LOST, PROXIED, WORLD, Diary
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


@pytest.mark.parametrize(
    ("end", "left"), [(methodcaller("close"), True), (methodcaller("drop"), True), (methodcaller("events"), False)]
)
def test_plugins_are_told_of_a_stream_that_was_left(
    end: Callable[[Held], object], left: bool, side: Side, diary: Diary
) -> None:
    held = side.open(Script(HELLO, WORLD, COMPLETED, DONE), plugins=[diary])
    held.next()
    end(held)
    [outcome] = diary.outcomes
    assert (outcome.left, outcome.error) == (left, None)


def test_a_stream_that_breaks_was_not_left(side: Side, diary: Diary) -> None:
    with pytest.raises(StreamInterrupted):
        side.open(Script(HELLO, LOST), plugins=[diary]).events()
    assert diary.outcomes[-1].left is False


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
    assert (script.freed, diary.ends) == (1, 0)
    client.close()
    assert diary.ends == 1


def test_the_next_call_tells_plugins_of_a_stream_that_was_dropped(diary: Diary) -> None:
    script = Script(HELLO, HOLD)
    client = FormationClient(
        url="http://localhost", client_key="k", transport=ScriptedTransport(script), plugins=[diary]
    )
    stream = client.chat_stream("hi")
    next(stream)
    with uncollected():
        del stream
    assert diary.ends == 0
    with client.with_options(timeout=1).chat_stream("hi"):
        assert [outcome.left for outcome in diary.outcomes] == [True]
    assert diary.ends == 2


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


def test_a_plugin_that_waits_knows_how_little_time_a_cancel_has(side: Side) -> None:
    deadlines: list[float | None] = []

    class Asks:
        @hookimpl
        def muxi_intercept(self, context: Context) -> None:
            deadlines.append(context.options.deadline)

    side.open(Script(HELLO, HOLD), plugins=[Asks()], **PROXIED).close()
    assert deadlines == [None, CANCEL_TIMEOUT]
