"""A stream over a fork: the child gets a typed error and ends nothing, and the parent loses nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from muxi import AsyncFormationClient, ConnectionError, FormationClient
from tests.hello import ANSWER, HELLO, PROXIED, Diary
from tests.scripted import HOLD, Script, ScriptedAsyncTransport, ScriptedTransport, Side, SyncSide

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

#: The error of a child that reads a stream of its parent.
FORKED = (
    "CONNECTION_LOST: this process was forked while the stream was open, and the parent goes on reading it; make the "
    "call again in this process"
)


def in_child(work: Callable[[], object]) -> None:
    """Do some work in a child; a failure there is one here."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_child_reads_no_stream_of_its_parent_and_ends_none(diary: Diary) -> None:
    script = Script(*ANSWER)
    # Behind a server, closing a chat early also sends a cancel.
    client = FormationClient(
        **PROXIED, client_key="k", transport=ScriptedTransport(script), plugins=[diary], cancel_on_close=True
    )
    stream = client.chat_stream("Hello", user_id="ada")
    first = next(stream)

    def read_and_close() -> None:
        for _ in range(2):
            with pytest.raises(ConnectionError, match=r"CONNECTION_LOST.*forked while the stream was open"):
                next(stream)
        entries = list(diary.entries)
        with stream:
            pass
        assert stream.closed
        assert diary.entries == entries, "no hook is called for what the parent goes on with"
        assert script.sent == ["POST /api/bot/v1/chat"], "the turn is not cancelled"
        # The child's own calls are its own.
        assert client.chat_stream("Hello", user_id="ada").result()["content"] == "Hello world"

    in_child(read_and_close)
    assert first.get("text", "") + "".join(stream.text()) == "Hello world"


def test_a_child_reads_no_async_stream_of_its_parent(diary: Diary) -> None:
    async def scenario() -> str:
        client = AsyncFormationClient(
            **PROXIED, client_key="k", transport=ScriptedAsyncTransport(script), plugins=[diary], cancel_on_close=True
        )
        stream = await client.chat_stream("Hello", user_id="ada")
        first = await anext(stream)

        def read_and_close() -> None:
            # A coroutine that does not wait for anything ends at its first step: the loop is the parent's.
            reading: Any = anext(stream)
            with pytest.raises(ConnectionError, match=r"CONNECTION_LOST.*forked while the stream was open"):
                reading.send(None)
            with pytest.raises(StopIteration):
                stream.close().send(None)
            assert stream.closed
            assert script.sent == ["POST /api/bot/v1/chat"]

        in_child(read_and_close)
        return first.get("text", "") + "".join([piece async for piece in stream.text()])

    script = Script(*ANSWER)
    assert asyncio.run(scenario()) == "Hello world"


def test_a_child_that_closes_a_stream_of_its_parent_calls_no_hook_and_sends_no_cancel(
    side: Side, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(HELLO, HOLD)
    held = side.open(script, plugins=[diary], cancel_on_close=True)
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)  # as it is in a child, but seen from here
    for _ in range(2):
        with pytest.raises(ConnectionError) as caught:
            held.next()
        assert str(caught.value) == FORKED
    held.close()
    assert held.stream.closed
    # A sync client closes its copy of the connection; a loop of asyncio is the parent's too, and is not touched.
    assert script.freed == (1 if isinstance(side, SyncSide) else 0)
    held.drop()
    assert diary.entries == ["started chat_stream"]
    assert script.sent == ["POST /v1/chat"]
