"""A stream has one reader at a time, and hands out texts that can be encoded."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from muxi import AsyncFormationClient, FormationClient, MuxiError
from muxi.streaming.chat import ChatReader
from tests.hello import COMPLETED, DONE, HELLO
from tests.scripted import HOLD, Script, ScriptedAsyncTransport, ScriptedTransport, Side

#: The error of a second reader.
REFUSED = (
    "STREAM_IN_USE: another {} is reading this stream, which has one reader at a time; read it there, or pass events "
    "on by a queue"
)


def test_a_second_thread_is_refused_and_the_first_goes_on() -> None:
    script = Script(HELLO, HOLD)
    client = FormationClient(url="http://localhost", client_key="k", transport=ScriptedTransport(script))
    stream = client.chat_stream("hi")
    assert next(stream)["type"] == "text"
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(next, stream, None)
        assert script.held.wait(10)
        with pytest.raises(MuxiError) as caught:
            next(stream)
        assert str(caught.value) == REFUSED.format("thread")
        assert not stream.closed
        stream.close()
        assert reading.result(10) is None


def test_a_second_task_is_refused_and_the_first_goes_on() -> None:
    async def scenario() -> None:
        script = Script(HELLO, HOLD)
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=ScriptedAsyncTransport(script))
        stream = await client.chat_stream("hi")
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream, None))
        await asyncio.to_thread(script.held.wait, 10)
        with pytest.raises(MuxiError) as caught:
            await anext(stream)
        assert str(caught.value) == REFUSED.format("task")
        assert not stream.closed
        await stream.close()
        assert await reading is None

    asyncio.run(scenario())


def delta(text: str) -> bytes:
    token = json.dumps({"token": {"type": "content", "content": text}})
    return f"event: message\ndata: {token}\n\n".encode()


def completed(text: str) -> bytes:
    token = json.dumps({"token": {"type": "completed", "content": text}})
    return f"event: message\ndata: {token}\n\n".encode()


@pytest.mark.parametrize(
    ("deltas", "answer", "said"),
    [
        (["a\ud83d", "\ude00b"], "a😀b", "a😀b"),
        (["\ud83d", "", "\ude00"], "😀", "😀"),
        (["\ud83d", "x"], "\ud83dx", "�x"),
        (["\ude00x"], "\ude00x", "�x"),
        (["x\ud83d"], "x\ud83d", "x�"),
        (["x\ud83d"], "x😀", "x😀"),
    ],
)
def test_halves_of_surrogate_pairs_are_joined_or_replaced(
    side: Side, deltas: list[str], answer: str, said: str
) -> None:
    held = side.open(Script(*map(delta, deltas), completed(answer), DONE))
    assert "".join(held.text()) == said
    held.result()["content"].encode()
    assert held.result()["content"] == said


def test_threads_that_take_turns_are_no_matter() -> None:
    client = FormationClient(
        url="http://localhost", client_key="k", transport=ScriptedTransport(Script(HELLO, HELLO, COMPLETED, DONE))
    )
    stream = client.chat_stream("hi")
    seen: list[Any] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: seen.append(next(stream)))
        thread.start()
        thread.join()
    assert [event["type"] for event in seen][:2] == ["text", "text"]
    assert len(seen) == 3


@pytest.mark.parametrize("content", ["0.4", "null", "[]", "{}", "true"])
def test_a_completed_event_whose_content_is_no_text_is_an_empty_answer(content: str) -> None:
    reader = ChatReader()
    reader.feed(b'data: {"token": {"type": "completed", "content": %b}}\n\nevent: done\n\n' % content.encode())
    reader.end()

    assert reader.result()["content"] == ""
