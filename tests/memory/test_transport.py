"""The two in-memory transports: bounds, closing, laziness, and the world they have of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from muxi.clock import ManualClock, SystemClock
from muxi.errors import ConfigurationError, TimeoutError
from muxi.transport import BytesBody, Headers, Request, Timeouts
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    MemoryTransport,
    Part,
    Pause,
    Silence,
    Turn,
)

Build = Callable[..., Request]


def slow(turn: Turn) -> Iterator[Part]:
    yield "a "
    yield Pause(50)
    yield "b"


@pytest.fixture
def chat(build: Build) -> Request:
    return build("POST", "/v1/chat", {"message": "x"})


def test_chunks_are_made_as_they_are_read(formation: EmbeddedFormation, chat: Request) -> None:
    made: list[str] = []

    def assistant(turn: Turn) -> Iterator[str]:
        for word in ("a ", "b "):
            made.append(word)
            yield word

    formation.agent("assistant", assistant)
    chunks = MemoryTransport(formation).send(chat).chunks()
    assert made == []
    while b'"content":"a "' not in next(chunks):
        pass
    assert made == ["a "]


def test_the_transport_shares_the_clock_of_its_world(formation: EmbeddedFormation, clock: ManualClock) -> None:
    assert MemoryTransport(formation).clock is clock
    assert AsyncMemoryTransport(formation).clock is clock
    assert isinstance(MemoryTransport().clock, SystemClock)
    assert MemoryTransport(clock=clock).clock is clock
    with pytest.raises(ConfigurationError, match="brings its own clock"):
        MemoryTransport(formation, clock=ManualClock())


@pytest.mark.parametrize(
    ("timeouts", "bound", "code", "seconds"),
    [
        (Timeouts(read=7), "read", "READ_TIMEOUT", 7),
        (Timeouts(total=9), "timeout", "TIMEOUT", 9),
        (Timeouts(read=20, total=9), "timeout", "TIMEOUT", 9),
        (Timeouts(read=7, total=9), "read", "READ_TIMEOUT", 7),
    ],
)
@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("stream", [True, False])
def test_patience_ends_when_the_clock_says_so(
    formation: EmbeddedFormation,
    clock: ManualClock,
    build: Build,
    timeouts: Timeouts,
    bound: str,
    code: str,
    seconds: float,
    colour: str,
    stream: bool,
) -> None:
    def assistant(turn: Turn) -> Iterator[Part]:
        yield Pause(50)

    formation.agent("assistant", assistant)
    request = build("POST", "/v1/chat", {"message": "x", "stream": stream})
    # A stream sends a keepalive each second; only a bound below that is a silence.
    request.timeouts = Timeouts(read=0.5, total=9) if stream and bound == "read" else timeouts
    wanted = 0.5 if stream and bound == "read" else seconds

    async def read_async() -> bytes:
        return await (await AsyncMemoryTransport(formation).send(request)).read()

    def read() -> bytes:
        return asyncio.run(read_async()) if colour == "async" else MemoryTransport(formation).send(request).read()

    with pytest.raises(TimeoutError) as caught:
        read()
    assert (caught.value.bound, caught.value.code) == (bound, code)
    assert caught.value.connected
    assert clock.monotonic() == pytest.approx(wanted)


def test_patience_for_the_head_is_one_of_its_own(
    formation: EmbeddedFormation, clock: ManualClock, build: Build
) -> None:
    late: list[Part] = [Pause(50), "late"]
    formation.agent("assistant", lambda turn: late)
    whole, streamed = (build("POST", "/v1/chat", {"message": "x", "stream": stream}) for stream in (False, True))
    whole.timeouts = streamed.timeouts = Timeouts(read=60, head=7)
    with pytest.raises(TimeoutError) as caught:
        MemoryTransport(formation).send(whole)
    assert (caught.value.bound, caught.value.code) == ("head", "READ_TIMEOUT")
    assert clock.monotonic() == pytest.approx(7)
    assert b"late" in MemoryTransport(formation).send(streamed).read()


def test_a_stream_that_times_out_cancels_its_turn(formation: EmbeddedFormation, chat: Request) -> None:
    formation.agent("assistant", slow)
    chat.timeouts = Timeouts(total=5)
    with pytest.raises(TimeoutError):
        MemoryTransport(formation).send(chat).read()
    assert [tracked.status for tracked in formation.tracker.listed()] == ["cancelled"]


def test_another_thread_ends_the_reader(chat: Request) -> None:
    """On the machine's clock a close cuts a wait of minutes short."""
    formation = EmbeddedFormation(clock=SystemClock())
    formation.agent("assistant", lambda turn: Silence())
    response = MemoryTransport(formation).send(chat)
    thinking = threading.Event()
    read: list[bytes] = []

    def reader() -> None:
        for chunk in response.chunks():
            read.append(chunk)
            if b"process_sync_start" in chunk:
                thinking.set()

    thread = threading.Thread(target=reader)
    thread.start()
    assert thinking.wait(10)
    response.close()
    thread.join(10)
    assert not thread.is_alive()
    assert [tracked.status for tracked in formation.tracker.listed()] == ["cancelled"]


def test_a_close_waits_for_nobody(formation: EmbeddedFormation, chat: Request) -> None:
    """While an agent is at work the close returns at once; the reader ends when the agent is done."""
    working, go_on = threading.Event(), threading.Event()

    def assistant(turn: Turn) -> Iterator[str]:
        working.set()
        assert go_on.wait(10)
        yield "too late"

    formation.agent("assistant", assistant)
    response = MemoryTransport(formation).send(chat)
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.extend(response.chunks()))
    thread.start()
    assert working.wait(10)
    response.close()
    go_on.set()
    thread.join(10)
    assert b"too late" not in b"".join(read)
    assert [tracked.status for tracked in formation.tracker.listed()] == ["cancelled"]


def test_another_task_ends_the_reader(chat: Request) -> None:
    async def run() -> bytes:
        formation = EmbeddedFormation(clock=ManualClock(auto_advance=False))
        formation.agent("assistant", slow)
        response = await AsyncMemoryTransport(formation).send(chat)
        waiting = asyncio.Event()
        read: list[bytes] = []

        async def reader() -> None:
            async for chunk in response.chunks():
                read.append(chunk)
                if b'"content":"a "' in chunk:
                    waiting.set()

        task = asyncio.create_task(reader())
        await waiting.wait()
        await asyncio.sleep(0)
        await response.close()
        await task
        assert [tracked.status for tracked in formation.tracker.listed()] == ["cancelled"]
        return b"".join(read)

    assert b"completed" not in asyncio.run(run())


def test_a_cancelled_reader_is_cancelled(chat: Request) -> None:
    async def run() -> None:
        formation = EmbeddedFormation(clock=ManualClock(auto_advance=False))
        formation.agent("assistant", slow)
        response = await AsyncMemoryTransport(formation).send(chat)
        task = asyncio.create_task(response.read())
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [tracked.status for tracked in formation.tracker.listed()] == ["cancelled"]

    asyncio.run(run())


def test_the_async_transport_lets_others_run_between_chunks(formation: EmbeddedFormation, chat: Request) -> None:
    async def run() -> int:
        turns = 0
        running = True

        async def bystander() -> None:
            nonlocal turns
            while running:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(bystander())
        response = await AsyncMemoryTransport(formation).send(chat)
        count = 0
        async for _ in response.chunks():
            count += 1
        running = False
        await task
        assert count > 5
        return turns - count

    assert asyncio.run(run()) >= 0


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://anywhere.test/v1/health"),
        ("GET", "http://memory/api/any-id/v1/health"),
        ("GET", "http://memory/draft/any-id/v1/health"),
        ("GET", "http://memory/ping"),
        ("GET", "http://memory/health"),
    ],
)
def test_a_transport_without_a_world_answers_however_addressed(method: str, url: str) -> None:
    assert MemoryTransport().send(Request(method, url)).status == 200

    async def run() -> int:
        return (await AsyncMemoryTransport().send(Request(method, url))).status

    assert asyncio.run(run()) == 200


def test_the_formations_of_a_sandbox_are_told_apart_and_remember() -> None:
    transport = MemoryTransport()
    headers = Headers({"X-Muxi-Client-Key": "any", "X-Muxi-User-ID": "alice", "Content-Type": "application/json"})

    def count(formation_id: str) -> bytes:
        return transport.send(Request("GET", f"http://m/api/{formation_id}/v1/sessions", headers)).read()

    body = BytesBody(b'{"message": "hi", "stream": false}')
    assert transport.send(Request("POST", "http://m/api/one/v1/chat", headers, body)).status == 200
    assert b'"count":1' in count("one")
    assert b'"count":0' in count("two")


def test_many_threads_share_a_world(formation: EmbeddedFormation, build: Build) -> None:
    transport = MemoryTransport(formation)

    def chat(number: int) -> None:
        for turn in range(10):
            body = {"message": f"{number}-{turn}", "session_id": f"s{number}"}
            assert transport.send(build("POST", "/v1/chat", body)).read().endswith(b'{"finished":true}\n\n')

    threads = [threading.Thread(target=chat, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert formation.buffer.total_sessions == 8
    assert formation.buffer.total_messages == 8 * 10 * 2
    assert len(formation.tracker.listed()) == 80
