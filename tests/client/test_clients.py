"""Clients: shared between threads, bound to a loop, closed once, and what they refuse."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from muxi import AsyncFormationClient, ConfigurationError, FormationClient, hookimpl, meta
from muxi.call import Call, Key
from muxi.clock import ManualClock, SystemClock
from muxi.formation import AsyncRawFormationClient, RawFormationClient
from muxi.operations.chat import ChatOperations
from muxi.streaming.call import StreamCall
from muxi.transport import BufferedResponse, Request
from tests.answers import (
    CLIENT_KEY,
    AsyncPlaybackTransport,
    Colour,
    Playback,
    PlaybackTransport,
    answer,
    chat_answer,
    chat_events,
    refused,
)


class Counts:
    def __init__(self) -> None:
        self.created = 0
        self.closed = 0

    @hookimpl
    def muxi_client_created(self) -> None:
        self.created += 1

    @hookimpl
    def muxi_client_closed(self, client: Any) -> None:
        self.closed += 1
        assert client._core.transport, "the transport still works"


def test_a_client_is_created_and_closed_once(colour: Colour) -> None:
    counts, play = Counts(), Playback()
    client = colour.formation(plugins=[counts], transport=lambda: colour.transport(play))
    for _ in range(3):
        colour.run(client.close)
        colour.run(client.with_options(timeout=1).close)
    assert (counts.created, counts.closed, play.closed) == (1, 1, 1)


def test_threads_that_close_at_once_close_once() -> None:
    counts, play = Counts(), Playback()
    client = Colour().formation(plugins=[counts], transport=lambda: PlaybackTransport(play))
    barrier = threading.Barrier(8)

    def close() -> None:
        barrier.wait()
        client.close()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(close) for _ in range(8)]:
            done.result()
    assert (counts.closed, play.closed) == (1, 1)


def test_a_transport_is_closed_also_where_a_plugin_ends_the_program(colour: Colour) -> None:
    class Off:
        @hookimpl
        def muxi_client_closed(self) -> None:
            raise SystemExit

    play = Playback()
    client = colour.formation(plugins=[Off()], transport=lambda: colour.transport(play))
    with pytest.raises(SystemExit):
        colour.run(client.close)
    assert play.closed == 1


def test_a_closed_client_says_so(colour: Colour) -> None:
    client = colour.formation()
    colour.run(client.close)
    with pytest.raises(ConfigurationError, match="this client has been closed"):
        colour.run(client.get_memories, "ada")
    with pytest.raises(ConfigurationError, match="this client has been closed"):
        colour.run(client.with_options(timeout=1).with_raw_response.chat, "x")
    with pytest.raises(ConfigurationError, match="this client has been closed"):
        colour.collect(client.iter_memories, "ada")
    assert "closed" in repr(client)


def test_a_client_that_was_never_used_closes_without_making_a_transport(colour: Colour) -> None:
    made: list[str] = []

    class Registers:
        @hookimpl
        def muxi_register_transports(self, registry: Any) -> None:
            registry.register("mine", lambda: made.append("sync"), lambda: made.append("async"))

    colour.run(colour.formation(plugins=[Registers()], transport="mine").close)
    assert made == []


def test_with_closes_it() -> None:
    counts = Counts()
    with Colour().formation(plugins=[counts]) as client:
        assert counts.closed == 0
    assert counts.closed == 1

    async def scenario() -> None:
        transport = AsyncPlaybackTransport(Playback())
        async with AsyncFormationClient(url="http://localhost:1", transport=transport, plugins=[counts]):
            assert counts.closed == 1

    asyncio.run(scenario())
    assert counts.closed == 2
    assert "closed" in repr(client)


def test_aclose_is_another_name_of_close() -> None:
    async def scenario() -> None:
        client = AsyncFormationClient(url="http://localhost:1", transport=AsyncPlaybackTransport(Playback()))
        await client.aclose()
        assert "closed" in repr(client)

    asyncio.run(scenario())


def test_a_transport_given_as_an_instance_stays_open(colour: Colour) -> None:
    play = Playback(answer({}))
    client = colour.formation(play)
    colour.run(client.get_memories, "ada")
    colour.run(client.close)
    assert play.closed == 0


def test_a_client_is_shared_between_threads() -> None:
    lock = threading.Lock()

    def echo(request: Request) -> BufferedResponse:
        with lock:
            return answer({"user": request.headers["X-Muxi-User-ID"]})

    play = Playback(*([echo] * 200))
    with Colour().formation(play) as client, ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda number: client.get_memories(f"u{number}"), range(200)))
    assert [result["user"] for result in results] == [f"u{number}" for number in range(200)]


def test_threads_that_come_first_at_once_share_one_transport() -> None:
    made: list[PlaybackTransport] = []
    play = Playback(*([answer({})] * 8))
    barrier = threading.Barrier(8)

    class Registers:
        @hookimpl
        def muxi_register_transports(self, registry: Any) -> None:
            def make() -> PlaybackTransport:
                made.append(PlaybackTransport(play))
                return made[-1]

            registry.register("mine", make)

    client = Colour().formation(plugins=[Registers()], transport="mine")

    def call(_: int) -> None:
        barrier.wait()
        client.get_memories("ada")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert len(made) == 1


def test_an_async_client_belongs_to_the_loop_that_first_used_it() -> None:
    client = AsyncFormationClient(
        url="http://localhost:1",
        client_key=CLIENT_KEY,
        transport=AsyncPlaybackTransport(Playback(answer({}), answer({}))),
    )

    async def use() -> None:
        await client.get_memories("ada")
        await client.get_memories("ada")

    async def walk() -> None:
        async for _ in client.iter_memories("ada"):
            pass

    async def chat() -> None:
        await client.chat_stream("x")

    asyncio.run(use())
    for again in (use, walk, chat, client.close):
        with pytest.raises(ConfigurationError, match="belongs to the event loop that first used it"):
            asyncio.run(again())


def test_a_client_does_not_pickle_and_says_what_does(colour: Colour) -> None:
    client = colour.formation()
    for thing in (client, client.with_options(timeout=1), client.with_raw_response):
        with pytest.raises(TypeError, match=r"does not pickle: .* Send a call instead .* one client per worker"):
            pickle.dumps(thing)
        with pytest.raises(TypeError, match="does not pickle"):
            copy.copy(thing)


# Options


def test_options_make_another_client_that_shares_everything_else(colour: Colour) -> None:
    play = Playback(answer({}), answer({}))
    client = colour.formation(play, headers={"X-A": "1", "X-B": "1"})
    headers = {"X-B": "2"}
    other = client.with_options(headers=headers, timeout=3)
    headers["X-B"] = "changed later"
    assert type(other) is type(client)
    assert other._core is client._core
    colour.run(other.get_memories, "ada")
    assert (play.request.headers["X-A"], play.request.headers["X-B"]) == ("1", "2")
    assert play.request.timeouts.total == 3
    colour.run(client.get_memories, "ada")
    assert (play.request.headers["X-B"], play.request.timeouts.total) == ("1", 30)


def test_options_add_up(colour: Colour) -> None:
    play = Playback(answer({}))
    client = colour.formation(play).with_options(timeout=3).with_options(headers={"X-A": "1"})
    colour.run(client.with_options(headers={"X-B": "2"}).get_memories, "ada")
    assert (play.request.headers["X-A"], play.request.headers["X-B"]) == ("1", "2")
    assert play.request.timeouts.total == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [({"timeot": 3}, "no option timeot"), ({"timeout": 0}, "timeout="), ({"max_retries": -1}, "max")],
)
def test_options_without_sense_are_refused(colour: Colour, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        colour.formation().with_options(**options)


def test_headers_of_a_configuration_are_copied() -> None:
    play = Playback(answer({}))
    headers = {"X-A": "1"}
    client = Colour().formation(play, headers=headers)
    headers["X-A"] = "changed later"
    client.get_memories("ada")
    assert play.request.headers["X-A"] == "1"


# Raw responses


def test_a_raw_response_has_the_answer_beside_the_data(colour: Colour) -> None:
    play = Playback(refused(), answer({"a": 1}, x_extra="yes"))
    raw = colour.run(colour.formation(play).with_raw_response.get_memories, "ada")
    assert raw.data == {"a": 1}
    assert (raw.status_code, raw.headers["x-extra"], raw.attempts) == (200, "yes", 2)
    assert raw.elapsed == pytest.approx(play.clock.monotonic())
    assert raw.request_id == meta(raw.data).request_id == "req_wire"
    assert b"req_wire" in raw.content


def test_a_raw_stream_is_open_and_has_no_content(colour: Colour) -> None:
    raw = colour.run(colour.formation(chat_events("Hi")).with_raw_response.chat_stream, "x")
    assert (raw.status_code, raw.content) == (200, b"")
    assert raw.request_id.startswith("req_")
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert colour.run(raw.data.result)["content"] == "Hi"


def test_options_and_raw_responses_go_together(colour: Colour) -> None:
    play = Playback(answer({}), answer({}))
    client = colour.formation(play)
    one = client.with_options(timeout=3).with_raw_response
    two = client.with_raw_response.with_options(timeout=3)
    assert type(one) is type(two) is (AsyncRawFormationClient if colour.asynchronous else RawFormationClient)
    for raw in (one, two):
        assert colour.run(raw.get_memories, "ada").status_code == 200
        assert play.request.timeouts.total == 3


def test_items_of_pages_are_the_same_with_raw_responses(colour: Colour) -> None:
    client = colour.formation(answer({"memories": [{"id": "1"}], "count": 1}))
    assert colour.collect(client.with_raw_response.iter_memories, "ada") == [{"id": "1"}]


def test_a_procedure_that_makes_no_call_has_no_answer_to_show() -> None:
    from muxi.client.runner import raw_response

    with pytest.raises(TypeError, match="no call was made"):
        raw_response(None)


# Calls as values


def test_a_call_that_was_made_as_a_value_is_sent(colour: Colour) -> None:
    call = FormationClient.get_memories.call("ada", limit=3)
    assert colour.run(colour.formation(answer({"count": 0})).send, call) == {"count": 0}
    stream_call = FormationClient.chat_stream.call("x")
    stream = colour.run(colour.formation(chat_events("Hi")).send, stream_call)
    assert colour.run(stream.result)["content"] == "Hi"


def test_a_call_to_a_route_that_the_sdk_does_not_know(colour: Colour) -> None:
    play = Playback(answer({"a": 1}))
    call: Call[dict[str, Any]] = Call.post("/new/{thing}", params={"thing": "x y"}, body={"b": 2}, key=Key.ADMIN)
    assert colour.run(colour.formation(play).send, call) == {"a": 1}
    assert play.request.url == "http://localhost:8001/v1/new/x%20y"
    assert play.body() == {"b": 2}


def test_a_stream_of_a_kind_that_nobody_reads_is_refused_before_it_is_sent(colour: Colour) -> None:
    play = Playback()
    call: StreamCall[Any] = StreamCall("GET", "/x", events="smoke", key=Key.NONE)
    with pytest.raises(ConfigurationError, match="smoke"):
        colour.run(colour.formation(play).send, call)


# Clocks


def test_the_transports_clock_is_the_clients_unless_it_has_its_own(colour: Colour) -> None:
    play = Playback()
    assert colour.formation(play).clock is play.clock
    mine = ManualClock()
    assert colour.formation(play, clock=mine).clock is mine
    assert isinstance(colour.formation(transport="requests").clock, SystemClock)


# Subclasses


def test_a_subclass_can_override_a_method_and_call_the_one_above(colour: Colour) -> None:
    base: Any = AsyncFormationClient if colour.asynchronous else FormationClient

    def chat(self: Any, payload: Any, **options: Any) -> Any:
        return base.chat(self, f"{payload}!", **options)

    mine = type("Mine", (base,), {"chat": chat})
    play = Playback(chat_answer())
    colour.run(mine(url="http://localhost:1", client_key="k", transport=colour.transport(play)).chat, "Hello")
    assert play.body()["message"] == "Hello!"


def test_a_mixin_before_the_client_wins(colour: Colour) -> None:
    from muxi.client.endpoints import operation

    base: Any = AsyncFormationClient if colour.asynchronous else FormationClient

    class Mixin:
        @operation
        def health(self) -> Call[dict[str, Any]]:
            return Call.get("/other", key=Key.NONE)

    play = Playback(answer({}))
    mine = type("Mine", (Mixin, base), {})
    colour.run(mine(url="http://localhost:1", transport=colour.transport(play)).health)
    assert play.request.path == "/v1/other"


def test_the_operations_themselves_are_of_no_colour() -> None:
    assert ChatOperations.chat.call("x") == FormationClient.chat.call("x")
