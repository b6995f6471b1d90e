"""What was recorded once, over whatever transport, plays in clients of both colours and without what answered then."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi import (
    AsyncFormationClient,
    FormationClient,
    ManualClock,
    NotFoundError,
    SystemClock,
    TimeoutError,
)
from muxi.errors import ConfigurationError, ValidationError
from muxi.transport import BytesBody, FileBody, IterableBody, Request, Response, Timeouts
from muxi_transports.faulty import AsyncFaultyTransport, Faults, FaultyTransport, ResetAnswer
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    MemoryTransport,
    Part,
    Pause,
    Turn,
    serve,
)
from muxi_transports.recorded import (
    AsyncRecordedTransport,
    Cassette,
    CassetteError,
    Chunk,
    Exchange,
    RecordedRequest,
    RecordedResponse,
    RecordedTransport,
    Scrubber,
    UnrecordedRequest,
)
from muxi_transports.recorded.writing import HEAD, dump
from tests.answers import AsyncColour, Colour, Playback, answer, died, failure, plain, refused, timed_out


def world(clock: ManualClock | None = None) -> EmbeddedFormation:
    made = EmbeddedFormation(clock=clock or ManualClock(), seed=1)

    @made.agent("assistant")
    def assistant(turn: Turn) -> Iterator[Part]:
        yield "Let me see. "
        yield Pause(10)
        yield f"You said {turn.message!r}."

    return made


def session(colour: Colour, client: Any) -> list[Any]:
    """What a program does, and all that it learns."""
    learnt: list[Any] = [dict(colour.run(client.chat, "Hello!", user_id="ada"))]
    learnt += [dict(event) for event in colour.collect(client.chat_stream, "Hi", user_id="ada")]
    learnt.append(dict(colour.run(client.add_memory, "Likes tea", user_id="ada")))
    learnt.append(dict(colour.run(client.get_memories, "ada", limit=5)))
    with pytest.raises(NotFoundError) as raised:
        colour.run(client.get_session, "none", user_id="ada")
    return [*learnt, str(raised.value)]


@pytest.mark.parametrize("again", [Colour, AsyncColour])
def test_a_session_over_http_plays_in_both_colours(
    colour: Colour, recorded: Any, path: Path, again: type[Colour]
) -> None:
    quick = EmbeddedFormation(clock=SystemClock(), seed=1)
    with serve(quick) as served:
        recording = recorded(path)
        learnt = session(colour, colour.formation(transport=recording, url=served.url))
        colour.run(recording.close)
    other = again()
    kind = AsyncRecordedTransport if other.asynchronous else RecordedTransport
    transport = kind(path, _fails)
    playing = other.formation(transport=transport, url="http://localhost:1", validate_responses="warn")
    assert session(other, playing) == learnt
    assert transport.cassette.all_played
    other.end()


def _fails() -> Any:
    raise AssertionError("nothing is to be sent")


@pytest.mark.parametrize("speed", [0.0, 0.5, 1.0, 4.0])
def test_a_stream_comes_as_it_came(colour: Colour, path: Path, speed: float) -> None:
    clock = ManualClock()
    memory = AsyncMemoryTransport(world(clock)) if colour.asynchronous else MemoryTransport(world(clock))
    kind: Any = AsyncRecordedTransport if colour.asynchronous else RecordedTransport
    recording = colour.formation(transport=kind(path, memory), url="http://memory")

    def times(client: Any, clock: ManualClock) -> list[tuple[str, float]]:
        began = clock.monotonic()
        stream = client.chat_stream("Hi", user_id="ada")
        if not colour.asynchronous:
            return [(event["type"], round(clock.monotonic() - began, 2)) for event in stream]

        async def collected() -> list[tuple[str, float]]:
            return [(event["type"], round(clock.monotonic() - began, 2)) async for event in stream]

        return list(colour.run(collected))

    then = times(recording, clock)
    clock = ManualClock()
    playing = colour.formation(transport=kind(path, speed=speed, clock=clock), url="http://localhost")
    now = times(playing, clock)
    assert [kind for kind, _ in now] == [kind for kind, _ in then]
    assert [at for _, at in now] == [round(at / speed, 2) if speed else 0.0 for _, at in then]
    assert then[-1][1] == 10


def test_chunks_and_their_times_are_kept(path: Path) -> None:
    clock = ManualClock()
    transport = RecordedTransport(path, MemoryTransport(world(clock)))
    body = BytesBody(b'{"message":"Hi","stream":true}')
    request = Request("POST", "http://memory/v1/chat", body=body, stream=True)
    for name, value in (("X-Muxi-Client-Key", "any"), ("X-Muxi-User-ID", "ada"), ("Content-Type", "application/json")):
        request.headers[name] = value
    response = transport.send(request)
    pieces = list(response.chunks())
    response.close()
    (exchange,) = Cassette(path).exchanges
    assert exchange.response is not None
    assert [chunk.content for chunk in exchange.response.chunks] == pieces
    assert exchange.response.ended == exchange.response.chunks[-1].at == 10
    assert {chunk.at for chunk in exchange.response.chunks} > {0, 10}
    played = RecordedTransport(path).send(request)
    assert (played.status, played.headers, list(played.chunks())) == (response.status, response.headers, pieces)
    assert list(played.chunks()) == []


@pytest.mark.parametrize(
    ("timeouts", "bound", "passed"),
    [
        (Timeouts(read=4), "read", 4),
        (Timeouts(total=7), "timeout", 7),
        (Timeouts(head=2), "head", 2),
        (Timeouts(read=30, total=60), None, 20),
    ],
)
def test_bounds_of_the_request_are_kept_in_time(
    colour: Colour, recorded: Any, path: Path, timeouts: Timeouts, bound: str | None, passed: float
) -> None:
    path.parent.mkdir()
    path.write_text(
        "muxi-cassette: 1\nexchanges:\n- request: {method: GET, url: /}\n  response:\n    status: 200\n    at: 3\n"
        "    headers: {Content-Type: text/event-stream}\n    stream: [{at: 4, text: a}, {at: 20, text: b}]\n"
    )
    clock = ManualClock()
    transport = recorded(path, speed=1, clock=clock)

    def read() -> bytes:
        response = colour.run(transport.send, Request("GET", "http://localhost/", timeouts=timeouts))
        return bytes(colour.run(response.read))

    if bound is None:
        assert read() == b"ab"
    else:
        with pytest.raises(TimeoutError) as raised:
            read()
        assert raised.value.bound == bound
    # The pause before the second piece begins with the first, at 4 s.
    assert clock.monotonic() == (8 if bound == "read" else passed)


def test_a_reader_that_leaves_ends_the_pause(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(
        "muxi-cassette: 1\nexchanges:\n- request: {method: GET, url: /}\n  response:\n    status: 200\n"
        "    headers: {Content-Type: text/event-stream}\n    stream: [{text: a}, {at: 3600, text: b}]\n"
    )
    response = RecordedTransport(path, speed=1).send(Request("GET", "/"))
    pieces = response.chunks()
    assert next(pieces) == b"a"
    closer = threading.Timer(0.05, response.close)
    closer.start()
    assert list(pieces) == []
    closer.join()

    async def left() -> list[bytes]:
        response = await AsyncRecordedTransport(path, speed=1).send(Request("GET", "/"))
        pieces = response.chunks()
        assert await anext(pieces) == b"a"
        waiting = asyncio.ensure_future(_all(pieces))
        await asyncio.sleep(0)
        await response.close()
        return await waiting

    async def _all(pieces: Any) -> list[bytes]:
        return [piece async for piece in pieces]

    assert asyncio.run(left()) == []


@pytest.mark.parametrize("error", [refused(), died(), timed_out("read"), failure(503), failure(404, "NOT_FOUND")])
def test_failures_are_recorded_and_fail_again(colour: Colour, client: Any, path: Path, error: Any) -> None:
    def fail(*args: Any, **settings: Any) -> Exception:
        with pytest.raises(Exception) as raised:  # noqa: PT011  the error is compared
            colour.run(client(*args, max_retries=0, **settings).health)
        return raised.value

    first = fail(path, Playback(error))
    second = fail(path)
    assert type(second) is type(first)
    assert str(second) == str(first)
    assert getattr(second, "connected", None) is getattr(first, "connected", None)
    assert getattr(second, "bound", None) == getattr(first, "bound", None)


def test_retries_are_recorded_and_their_waits_pass_at_once(colour: Colour, client: Any, path: Path) -> None:
    steps = (failure(503, Retry_After="60"), died(), answer({"status": "healthy"}))
    colour.run(client(path, Playback(*steps)).health)
    assert len(Cassette(path).exchanges) == 3
    cassette = Cassette(path)
    assert colour.run(client(cassette).health)["status"] == "healthy"
    assert cassette.all_played


def test_a_stream_that_broke_breaks_again(colour: Colour, path: Path) -> None:
    inner: Any = MemoryTransport(world())
    kind: Any = RecordedTransport
    wrapped: Any = FaultyTransport
    if colour.asynchronous:
        inner, kind, wrapped = AsyncMemoryTransport(world()), AsyncRecordedTransport, AsyncFaultyTransport
    broken = wrapped(inner, Faults(ResetAnswer(after=300)))

    def read(transport: Any) -> tuple[list[Any], str]:
        client = colour.formation(transport=transport, url="https://memory")
        with pytest.raises(Exception) as raised:  # noqa: PT011  the error is compared
            colour.collect(client.chat_stream, "Hi", user_id="ada")
        return [], str(raised.value).partition("[")[0]

    assert read(kind(path, broken)) == read(kind(path))
    (exchange,) = Cassette(path).exchanges
    assert exchange.response is not None
    assert len(exchange.response.content) == 300
    assert exchange.response.error is not None
    assert exchange.response.error.type == "ConnectionError"


def test_a_stream_that_was_left_is_recorded_as_far_as_it_came(colour: Colour, client: Any, path: Path) -> None:
    inner = AsyncMemoryTransport(world()) if colour.asynchronous else MemoryTransport(world())

    def first_events(client: Any, count: int) -> list[str]:
        async def some() -> list[str]:
            found = []
            async with client.chat_stream("Hi", user_id="ada") as stream:
                async for event in stream:
                    found.append(event["type"])
                    if len(found) == count:
                        break
            return found

        if colour.asynchronous:
            return list(colour.run(some))
        found = []
        with client.chat_stream("Hi", user_id="ada") as stream:
            for event in stream:
                found.append(event["type"])
                if len(found) == count:
                    break
        return found

    events = first_events(client(path, inner, cancel_on_close=False), 3)
    (exchange,) = [it for it in Cassette(path).exchanges if it.request.method == "POST"]
    assert exchange.response is not None
    assert exchange.response.closed is not None
    assert exchange.response.ended is None
    assert first_events(client(path, cancel_on_close=False), 3) == events
    with pytest.raises(CassetteError, match="the reader left here"):
        first_events(client(path, cancel_on_close=False), 100)


def test_what_is_open_when_the_transport_closes_is_recorded(path: Path) -> None:
    transport = RecordedTransport(path, MemoryTransport(world()))
    response = transport.send(Request("GET", "http://memory/v1/health"))
    assert not path.exists()
    transport.close()
    (exchange,) = Cassette(path).exchanges
    assert exchange.response is not None
    assert exchange.response.closed == 0
    response.close()
    assert len(transport.cassette.recorded) == 1


def test_what_was_never_sent_is_not_recorded(colour: Colour, recorded: Any, path: Path) -> None:
    steps = (ConfigurationError("bad URL"), ValidationError("BODY", "bad body"), KeyError("a bug"))
    transport = recorded(path, Playback(*steps))
    for error in steps:
        with pytest.raises(type(error)):
            colour.run(transport.send, Request("GET", "http://localhost"))
    assert transport.cassette.exchanges == ()
    assert not path.exists()


def test_bodies_of_every_kind_are_sent_and_known_again(
    colour: Colour, recorded: Any, path: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.tar.gz"
    bundle.write_bytes(b"\x1f\x8b\xff" * 1000)
    seen: list[bytes] = []
    told: list[int] = []

    def bodies() -> list[Any]:
        return [
            FileBody(bundle, lambda sent, length: told.append(sent)),
            IterableBody(iter([b"one", b"two"])),
            IterableBody(lambda: [b"x" * 300_000]),
            BytesBody(b""),
            None,
        ]

    def echo(request: Request) -> Any:
        seen.append(b"".join(request.body.chunks()) if request.body else b"none")
        return answer({"length": len(seen[-1])})

    def send(transport: Any) -> list[bytes]:
        found = []
        for body in bodies():
            response = colour.run(transport.send, Request("PUT", "http://localhost/x", body=body))
            found.append(bytes(colour.run(response.read)))
        return found

    answers = send(recorded(path, Playback(*[echo] * 5)))
    assert [len(content) for content in seen] == [3000, 6, 300_000, 0, 4]
    assert told == [3000]
    cassette = Cassette(path)
    assert [bool(exchange.request.digest) for exchange in cassette.exchanges] == [True, False, True, False, False]
    assert [exchange.request.content for exchange in cassette.exchanges][1] == b"onetwo"
    assert send(recorded(cassette)) == answers
    assert cassette.all_played
    bundle.write_bytes(b"\xff" * 10)
    with pytest.raises(UnrecordedRequest, match=r"body: sent 'sha256:.*', recorded 'sha256:"):
        colour.run(recorded(path).send, Request("PUT", "http://localhost/x", body=bodies()[0]))


def test_binary_answers_are_kept_byte_for_byte(colour: Colour, recorded: Any, path: Path) -> None:
    content = bytes(range(256)) * 40
    request = Request("GET", "http://localhost/file")
    for inner in (Playback(plain(200, content, "image/png")), "requests"):
        transport = recorded(path, inner)
        response = colour.run(transport.send, request)
        assert colour.run(response.read) == content
    assert "base64: |\n" in path.read_text()


def test_many_threads_and_tasks_record_and_play_at_once(path: Path) -> None:
    def run_threads(client: FormationClient) -> list[str]:
        found: dict[int, str] = {}

        def chat(number: int) -> None:
            found[number] = client.chat(f"Message {number}", user_id=f"user{number}")["message"]["content"]

        threads = [threading.Thread(target=chat, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [found[number] for number in range(8)]

    # All wait on one clock, which each of them moves.
    inner = MemoryTransport(world())
    with FormationClient(
        transport=RecordedTransport(path, inner), url="http://memory", client_key="any", timeout=600
    ) as client:
        said = run_threads(client)
    assert len(set(said)) == 8
    cassette = Cassette(path)
    with FormationClient(transport=RecordedTransport(cassette), url="http://localhost", client_key="any") as client:
        assert run_threads(client) == said
    assert cassette.all_played

    async def run_tasks() -> list[str]:
        transport = AsyncRecordedTransport(path)
        async with AsyncFormationClient(transport=transport, url="http://localhost", client_key="any") as client:
            chats = (client.chat(f"Message {number}", user_id=f"user{number}") for number in range(8))
            return [chat["message"]["content"] for chat in await asyncio.gather(*chats)]

    assert asyncio.run(run_tasks()) == said


def test_exchanges_stand_in_the_order_in_which_they_were_sent(path: Path) -> None:
    transport = RecordedTransport(path, MemoryTransport(world()))
    first = transport.send(Request("GET", "http://memory/v1/one"))
    transport.send(Request("GET", "http://memory/v1/two")).read()
    assert [exchange.request.url for exchange in Cassette(path).exchanges] == ["http://memory/v1/two"]
    first.read()
    assert [exchange.request.url[-3:] for exchange in Cassette(path).exchanges] == ["one", "two"]


def test_a_cancelled_request_leaves_nothing(path: Path) -> None:
    async def cancelled() -> None:
        clock = ManualClock(auto_advance=False)
        made = EmbeddedFormation(clock=clock)
        loop, asked = asyncio.get_running_loop(), asyncio.Event()

        @made.agent("assistant")
        def slow(turn: Turn) -> Iterator[Part]:
            loop.call_soon_threadsafe(asked.set)
            yield Pause(60)
            yield "Done."

        transport = AsyncRecordedTransport(path, AsyncMemoryTransport(made))
        async with AsyncFormationClient(transport=transport, url="http://memory", client_key="any") as client:
            chat = asyncio.ensure_future(client.chat("Hi", user_id="ada"))
            await asked.wait()
            chat.cancel()
            with pytest.raises(asyncio.CancelledError):
                await chat
        assert transport.cassette.exchanges == ()

    asyncio.run(cancelled())


def test_the_wrapped_transport_is_closed_by_whom_it_belongs_to(colour: Colour, recorded: Any, path: Path) -> None:
    playback = Playback(answer(), answer())
    given = recorded(path, playback)
    colour.run(given.close)
    assert playback.closed == 0
    made: Callable[[], Any] = lambda: colour.transport(playback)  # noqa: E731
    owner = recorded(path, made)
    colour.run(colour.run(owner.send, Request("GET", "http://localhost")).read)
    colour.run(owner.close)
    assert playback.closed == 1


def test_a_file_that_cannot_be_written_frees_the_connection(colour: Colour, recorded: Any, path: Path) -> None:
    playback = Playback(answer(), answer())
    transport = recorded(path, playback)
    path.mkdir(parents=True)
    response = colour.run(transport.send, Request("GET", "http://localhost"))
    with pytest.raises(CassetteError, match="cannot be written"):
        colour.run(response.close)
    assert playback.freed == 1


def test_answers_are_written_outside_of_the_event_loop(path: Path) -> None:
    threads: list[threading.Thread] = []

    def note(text: str) -> str:
        threads.append(threading.current_thread())
        return text

    async def main() -> None:
        cassette = Cassette(path, scrub=Scrubber(functions=(note,)))
        transport = AsyncRecordedTransport(cassette, AsyncMemoryTransport, "all")
        await (await transport.send(Request("GET", "http://h/v1/health"))).read()
        left = await transport.send(Request("GET", "http://h/v1/health"))
        await left.close()
        await transport.close()

    asyncio.run(main())
    assert len(Cassette(path).exchanges) == 2
    assert threads
    assert threading.main_thread() not in threads


def test_a_large_binary_answer_takes_no_longer_than_it_takes_to_encode(path: Path) -> None:
    content = bytes(range(256)) * 16_384  # 4 MiB
    exchange = Exchange(
        RecordedRequest("GET", "http://h/"), RecordedResponse(200, chunks=(Chunk(0.0, content),), ended=0.0)
    )
    began = time.process_time()
    text = HEAD + dump(exchange)
    assert time.process_time() - began < 1  # each character looked at in Python: three seconds and more
    path.parent.mkdir()
    path.write_text(text)
    response = Cassette(path).exchanges[0].response
    assert response is not None
    assert response.content == content


def test_a_stream_may_be_dropped_while_another_exchange_is_written(path: Path) -> None:
    """As a finalizer does, in the thread that writes."""
    left: list[Response] = []

    def drop(text: str) -> str:
        while left:
            left.pop().close()
        return text

    transport = RecordedTransport(Cassette(path, scrub=Scrubber(functions=(drop,))), MemoryTransport, "all")
    dropped, read = (transport.send(Request("GET", "http://h/v1/health")) for _ in range(2))
    left.append(dropped)
    read.read()
    responses = [one.response for one in Cassette(path).exchanges]
    # A time, which is 0.0 where everything was quick.
    assert [one is not None and one.ended is not None for one in responses] == [False, True]
