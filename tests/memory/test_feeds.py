"""Streams of what happens: what comes, what does not, and how they end."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from muxi import AsyncFormationClient, FormationClient, ManualClock
from muxi.errors import TimeoutError
from muxi.transport import BufferedResponse, Request, Response, Timeouts
from muxi_transports.memory import AsyncMemoryTransport, Defect, EmbeddedFormation, MemoryTransport
from tests.memory.conftest import ADMIN, CLIENT

Build = Callable[..., Request]


@contextmanager
def opened(formation: EmbeddedFormation, request: Request) -> Iterator[Response]:
    response = MemoryTransport(formation).send(request)
    yield response
    response.close()


def ended(formation: EmbeddedFormation, response: Response) -> bytes:
    formation.end_feeds()
    return b"".join(response.chunks())


def types(content: bytes) -> list[str]:
    blocks = content.decode().split("\n\n")[:-1]
    return [json.loads(block.partition("data: ")[2])["type"] for block in blocks]


def test_a_chat_is_told_step_by_step(formation: EmbeddedFormation, build: Build) -> None:
    transport = MemoryTransport(formation)
    with opened(formation, build("GET", "/v1/events")) as events:
        transport.send(build("POST", "/v1/chat", {"message": "hi", "stream": False})).read()
        transport.send(build("POST", "/v1/chat", {"message": "hi", "stream": False}, user="bob")).read()
        assert types(ended(formation, events)) == ["chat.message", "agent.selected", "chat.completed"]


def test_an_admin_sees_everybodys(formation: EmbeddedFormation, build: Build) -> None:
    with opened(formation, build("GET", "/v1/events", user=None, key="admin")) as events:
        for user in ("ada", "bob"):
            formation.emit_event("task.done", user_id=user)
        assert types(ended(formation, events)) == ["task.done"] * 2


def test_nothing_is_told_of_before(formation: EmbeddedFormation, build: Build) -> None:
    formation.emit_event("task.done", user_id="alice")
    with opened(formation, build("GET", "/v1/events")) as events:
        assert ended(formation, events) == b""


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ("level=WARNING", ["second"]),
        ("level=debug", ["first", "second", "third"]),
        ("level=loud", ["first", "second", "third"]),
        ("event_type=chat.*", ["first"]),
        ("event_type=chat.[a-z]*", []),
        ("user_id=ada&level=info", ["first", "third"]),
        ("agent_id=researcher", ["third"]),
        ("request_id=r2", ["third"]),
        ("session_id=nope", []),
    ],
)
def test_the_log_is_filtered(formation: EmbeddedFormation, build: Build, query: str, messages: list[str]) -> None:
    with opened(formation, build("GET", f"/v1/logs?{query}", key="admin")) as logs:
        formation.emit_event("chat.message", "first", user_id="ada", session_id="s")
        formation.log("second", level="error")
        formation.emit_event("agent.done", "third", user_id="ada", request_id="r2", agent_id="researcher")
        content = ended(formation, logs).decode()
    assert [json.loads(block.partition("data: ")[2])["message"] for block in content.split("\n\n")[:-1]] == messages


def test_a_runtime_that_tells_nothing(clock: ManualClock, build: Build) -> None:
    formation = EmbeddedFormation(client_key=CLIENT, admin_key=ADMIN, clock=clock, imitate={"silent_feeds"})
    with opened(formation, build("GET", "/v1/events")) as events:
        MemoryTransport(formation).send(build("POST", "/v1/chat", {"message": "hi", "stream": False})).read()
        formation.emit_event("task.done", user_id="alice")
        assert types(ended(formation, events)) == ["task.done"], "what the author emits still comes"


def test_frames_that_no_parser_understands_are_understood_by_the_client(clock: ManualClock) -> None:
    formation = EmbeddedFormation(clock=clock, imitate={Defect.ESCAPED_EVENT_FRAMES})
    client = FormationClient(transport=MemoryTransport(formation), url="http://memory", client_key="any")
    with client, client.stream_events("ada") as events:
        formation.emit_event("chat.message", "one", user_id="ada")
        formation.emit_event("chat.message", "two", user_id="ada")
        formation.end_feeds()
        assert [event["message"] for event in events] == ["one", "two"]


def test_a_stream_that_is_closed_listens_no_more(formation: EmbeddedFormation, build: Build) -> None:
    with opened(formation, build("GET", "/v1/events")):
        assert formation.feeds.count == 1
    assert formation.feeds.count == 0


def test_another_thread_is_waited_for_in_earnest(formation: EmbeddedFormation, build: Build) -> None:
    with opened(formation, build("GET", "/v1/events")) as events:
        timer = threading.Timer(0.02, lambda: formation.emit_event("task.done", user_id="alice"))
        timer.start()
        assert types(next(iter(events.chunks()))) == ["task.done"]
        timer.join()


def test_a_close_from_another_thread_ends_the_wait(formation: EmbeddedFormation, build: Build) -> None:
    with opened(formation, build("GET", "/v1/events")) as events:
        timer = threading.Timer(0.02, events.close)
        timer.start()
        assert list(events.chunks()) == []
        timer.join()
    assert formation.feeds.count == 0


def test_a_bound_on_silence_is_kept_on_the_worlds_clock(
    formation: EmbeddedFormation, clock: ManualClock, build: Build
) -> None:
    request = build("GET", "/v1/events")
    request.timeouts = Timeouts(read=60)
    before = clock.time()
    with opened(formation, request) as events, pytest.raises(TimeoutError, match="60 s"):
        next(iter(events.chunks()))
    assert clock.time() - before == 60


def test_the_same_bound_in_a_loop(formation: EmbeddedFormation, clock: ManualClock, build: Build) -> None:
    async def run() -> None:
        request = build("GET", "/v1/events")
        request.timeouts = Timeouts(read=60)
        response = await AsyncMemoryTransport(formation).send(request)
        with pytest.raises(TimeoutError, match="60 s"):
            await anext(aiter(response.chunks()))

    before = clock.time()
    asyncio.run(run())
    assert clock.time() - before == 60


def test_tasks_of_one_loop_wait_for_each_other(formation: EmbeddedFormation) -> None:
    async def run() -> list[Any]:
        async with AsyncFormationClient(
            transport=AsyncMemoryTransport(formation), url="http://memory", client_key=CLIENT
        ) as client:

            async def listen() -> list[Any]:
                async with await client.stream_events("ada") as events:
                    ready.set()
                    return [(await anext(events))["type"] for _ in range(3)]

            ready = asyncio.Event()
            listener = asyncio.create_task(listen())
            await ready.wait()
            await client.chat("hi", user_id="ada")
            return await listener

    assert asyncio.run(run()) == ["chat.message", "agent.selected", "chat.completed"]


def test_a_request_stream_that_is_broken(clock: ManualClock, build: Build) -> None:
    formation = EmbeddedFormation(client_key=CLIENT, clock=clock, imitate={Defect.BROKEN_REQUEST_EVENTS})
    response: Any = MemoryTransport(formation).send(build("GET", "/v1/events/s/r"))
    assert isinstance(response, Response | BufferedResponse)
    assert response.status == 500
