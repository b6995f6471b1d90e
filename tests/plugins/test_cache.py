"""The response cache: what is kept, for whom and for how long, and what makes it forget."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from muxi import ConfigurationError, ManualClock, MuxiError, hookimpl
from muxi.call import Call, Key
from muxi.plugins import CircuitBreaker, ConcurrencyLimit, RateLimit, ResponseCache
from muxi.transport import BufferedResponse, Request
from tests.answers import AsyncColour, Colour, Playback, Step, answer, chat_events, died, failure, plain, refused


def _numbered(times: int, **headers: str) -> list[Step]:
    return [answer({"number": number}, **headers) for number in range(times)]


def test_an_answer_is_given_again_until_its_time_is_over(colour: Colour) -> None:
    playback = Playback(*_numbered(2))
    cache = ResponseCache(60)
    client = colour.formation(playback, plugins=[cache])
    numbers = []
    for pause in (0, 0, 59.9, 0.2, 0):
        playback.clock.advance(pause)
        numbers.append(colour.run(client.get_memories, "ada")["number"])
    assert numbers == [0, 0, 0, 1, 1]
    assert len(playback.requests) == 2
    assert (cache.hits, cache.misses, len(cache)) == (3, 2, 1)


def test_an_answer_out_of_the_cache_says_so(colour: Colour) -> None:
    playback = Playback(*_numbered(1, age="5"))
    client = colour.formation(playback, plugins=[ResponseCache(60)])
    first = colour.run(client.with_raw_response.get_memories, "ada")
    playback.clock.advance(12)
    again = colour.run(client.with_raw_response.get_memories, "ada")
    assert first.headers.get("cache-status") is None
    assert (again.headers["Age"], again.headers["Cache-Status"]) == ("17", "muxi-client; hit; ttl=48")
    assert (again.data, again.content, again.status_code, again.attempts) == (first.data, first.content, 200, 1)


def test_what_a_caller_does_to_a_result_is_not_seen_by_the_next(colour: Colour) -> None:
    client = colour.formation(*_numbered(1), plugins=[ResponseCache()])
    colour.run(client.get_memories, "ada")["number"] = "changed"
    assert colour.run(client.get_memories, "ada")["number"] == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"client_key": "fmc_other"}),
        ({}, {"headers": {"Authorization": "Bearer other"}}),
        ({}, {"headers": {"X-Tenant": "other"}}),
        ({"url": "http://localhost:1"}, {"url": "http://localhost:2"}),
    ],
)
def test_whoever_may_not_have_it_does_not_get_it(colour: Colour, first: dict[str, Any], second: dict[str, Any]) -> None:
    playback = Playback(*_numbered(2))
    cache = ResponseCache()
    for number, settings in enumerate((first, second)):
        client = colour.formation(playback, plugins=[cache], **settings)
        assert colour.run(client.get_memories, "ada")["number"] == number


def test_users_and_queries_are_kept_apart(colour: Colour) -> None:
    playback = Playback(*_numbered(3))
    client = colour.formation(playback, plugins=[ResponseCache()])
    asked = [("ada", None), ("bob", None), ("ada", 5), ("ada", None), ("bob", None), ("ada", 5)]
    assert [colour.run(client.get_memories, user, limit=limit)["number"] for user, limit in asked] == [0, 1, 2, 0, 1, 2]


def test_a_key_that_changes_is_another_key(colour: Colour) -> None:
    keys = iter(["fmc_one", "fmc_two", "fmc_one"])
    playback = Playback(*_numbered(2))
    client = colour.formation(playback, plugins=[ResponseCache()], client_key=lambda: next(keys))
    assert [colour.run(client.get_memories, "ada")["number"] for _ in range(3)] == [0, 1, 0]


def test_no_key_is_kept(colour: Colour) -> None:
    import pickle

    cache = ResponseCache()
    client = colour.formation(*_numbered(1), plugins=[cache], client_key="fmc_hushhush")
    colour.run(client.get_memories, "ada")
    kept = pickle.dumps([(key, vars(entry)) for key, entry in cache._entries.items()])
    assert b"hushhush" not in kept


@pytest.mark.parametrize(
    "step",
    [
        failure(404),
        failure(500),
        answer({}, cache_control="no-store"),
        answer({}, cache_control="private, No-Cache"),
        answer({}, cache_control="max-age=0"),
        answer({}, cache_control="max-age=soon"),
        answer({}, cache_control="max-age=30", age="30"),
        answer({}, vary="*"),
        plain(200, b"<html>", "text/html"),
        BufferedResponse(200, [("Content-Type", "application/json")], b'{"success": false, "error": {"code": "X"}}'),
    ],
)
def test_what_is_not_kept(colour: Colour, step: Step) -> None:
    cache = ResponseCache()
    client = colour.formation(step, answer({"number": 1}), plugins=[cache])
    with suppress(MuxiError):
        colour.run(client.get_memories, "ada")
    assert len(cache) == 0
    assert colour.run(client.get_memories, "ada")["number"] == 1


def test_max_age_makes_the_time_shorter_and_never_longer(colour: Colour) -> None:
    playback = Playback(answer({"number": 0}, cache_control='max-age="10"'), *_numbered(2, cache_control="max-age=999"))
    client = colour.formation(playback, plugins=[ResponseCache(60)])
    for pause in (0, 9, 2, 59, 2):
        playback.clock.advance(pause)
        colour.run(client.get_memories, "ada")
    assert playback.times == [0, 11, 72]


def test_questions_about_now_are_asked_each_time(colour: Colour) -> None:
    client = colour.formation(*_numbered(4), plugins=[ResponseCache()])
    numbers = [colour.run(client.get_request_status, "req_1", user_id="ada")["number"] for _ in range(2)]
    numbers += [colour.run(client.health)["number"] for _ in range(2)]
    assert numbers == [0, 1, 2, 3]


def test_routes_say_what_is_kept_and_nothing_else_is(colour: Colour) -> None:
    cache = ResponseCache(routes=["/agents/{agent_id}", "/health"])
    client = colour.formation(*_numbered(9), plugins=[cache])
    asked: list[Any] = [
        (client.get_agent, "a"),
        (client.health,),
        (client.get_agents,),
    ]
    assert [colour.run(*ask)["number"] for ask in asked for _ in range(2)] == [0, 0, 1, 1, 2, 3]


def test_a_server_is_asked_each_time(colour: Colour) -> None:
    client = colour.server(*_numbered(2), plugins=[ResponseCache()])
    assert [colour.run(client.list_formations)["number"] for _ in range(2)] == [0, 1]


def test_texts_downloads_and_streams_are_not_kept(colour: Colour, tmp_path: Any) -> None:
    cache = ResponseCache(routes=["/text", "/file", "/events"])
    texts = [plain(200, b"one", "text/plain"), plain(200, b"two", "text/plain")]
    client = colour.formation(*texts, *texts, plugins=[cache])
    call: Call[str] = Call.get("/text", plain_text=True, key=Key.NONE)
    assert [colour.run(client.send, call) for _ in range(2)] == ["one", "two"]
    for name in ("one", "two"):
        colour.run(client.send, Call.get("/file", into=tmp_path / name))
        assert (tmp_path / name).read_text() == name
    assert len(cache) == 0


@pytest.mark.parametrize("step", [answer({"id": "mem"}), failure(500), died()], ids=["done", "failed", "unknown"])
def test_a_call_that_may_write_makes_it_forget_what_it_knows_of_its_user(colour: Colour, step: Step) -> None:
    client = colour.formation(*_numbered(3), step, answer({"number": 3}), plugins=[ResponseCache()], max_retries=0)
    for user in ("ada", "bob"):
        colour.run(client.get_memories, user)
    colour.run(client.get_agents)
    with suppress(MuxiError):
        colour.run(client.add_memory, "Likes tea", user_id="ada")
    numbers = [colour.run(client.get_memories, user)["number"] for user in ("ada", "bob")]
    assert [*numbers, colour.run(client.get_agents)["number"]] == [3, 1, 2]


def test_a_call_without_a_user_makes_it_forget_all_of_its_address(colour: Colour) -> None:
    cache = ResponseCache()
    client = colour.formation(*_numbered(2), answer({}), *[answer({"number": 7})] * 2, plugins=[cache])
    other = colour.formation(*_numbered(1), url="http://localhost:9", plugins=[cache])
    for user in ("ada", "bob"):
        colour.run(client.get_memories, user)
    colour.run(other.get_memories, "ada")
    colour.run(client.clear_all_buffers)
    for user in ("ada", "bob"):
        assert colour.run(client.get_memories, user)["number"] == 7
    assert colour.run(other.get_memories, "ada")["number"] == 0


def test_a_chat_makes_it_forget_until_its_end(colour: Colour) -> None:
    cache = ResponseCache()
    client = colour.formation(*_numbered(1), chat_events("Hello"), answer({"number": 7}), plugins=[cache])
    colour.run(client.get_memories, "ada")
    colour.collect(client.chat_stream, "hi", user_id="ada")
    assert colour.run(client.get_memories, "ada")["number"] == 7


def test_an_answer_that_was_on_its_way_during_a_write_is_not_kept() -> None:
    async def scenario() -> None:
        written = asyncio.Event()

        class Slow:
            @hookimpl(trylast=True)
            async def muxi_intercept(self, request: Request) -> BufferedResponse:
                if request.method == "GET" and not written.is_set():
                    await written.wait()
                    return answer({"number": "old"})
                return answer({"number": "new"})

        client = AsyncColour.formation(_Borrowed(), plugins=[ResponseCache(), Slow()])
        reading = asyncio.create_task(client.get_memories("ada"))
        await asyncio.sleep(0)
        await client.add_memory("Likes tea", user_id="ada")
        written.set()
        assert (await reading)["number"] == "old"
        assert (await client.get_memories("ada"))["number"] == "new"

    asyncio.run(scenario())


def test_a_call_may_go_past_it(colour: Colour) -> None:
    client = colour.formation(*_numbered(3), plugins=[ResponseCache()])
    anew = client.with_options(headers={"Cache-Control": "no-cache"})
    aside = client.with_options(headers={"Cache-Control": "no-store"})
    asked = [client, anew, client, aside, client]
    assert [colour.run(it.get_memories, "ada")["number"] for it in asked] == [0, 1, 1, 2, 1]


def test_clear_forgets_everything(colour: Colour) -> None:
    cache = ResponseCache()
    client = colour.formation(*_numbered(2), plugins=[cache])
    colour.run(client.get_memories, "ada")
    cache.clear()
    assert len(cache) == 0
    assert colour.run(client.get_memories, "ada")["number"] == 1


def test_it_does_not_remember_more_writers_than_it_should(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muxi.plugins.cache._MANY", 3)
    cache = ResponseCache()
    client = colour.formation(*_numbered(1), *[answer({})] * 4, answer({"number": 9}), plugins=[cache])
    colour.run(client.get_memories, "ada")
    for number in range(4):
        assert len(cache._writes) <= 3
        colour.run(client.add_memory, "Likes tea", user_id=f"user{number}")
    assert colour.run(client.get_memories, "ada")["number"] == 9


def test_the_least_used_make_room(colour: Colour) -> None:
    client = colour.formation(*_numbered(4), plugins=[ResponseCache(max_entries=2)])
    numbers = [colour.run(client.get_memories, user)["number"] for user in ("a", "b", "a", "c", "a", "b")]
    assert numbers == [0, 1, 0, 2, 0, 3]


def test_what_it_answers_costs_no_token_and_no_place_and_passes_an_open_circuit(colour: Colour) -> None:
    playback = Playback(answer({"number": 0}), refused())
    limits = [RateLimit(2, per=1000, max_wait=0), ConcurrencyLimit(1, max_wait=0), CircuitBreaker(1)]
    client = colour.formation(playback, plugins=[ResponseCache(), *limits], max_retries=0)
    colour.run(client.get_memories, "ada")
    with pytest.raises(MuxiError):
        colour.run(client.get_memories, "bob")
    for _ in range(5):
        assert colour.run(client.get_memories, "ada")["number"] == 0


def test_one_instance_is_shared_by_clients_of_both_colours() -> None:
    cache, colour, clock = ResponseCache(), AsyncColour(), ManualClock()
    sync = Colour().formation(Playback(*_numbered(1), clock=clock), plugins=[cache])
    sync.get_memories("ada")
    assert colour.run(colour.formation(Playback(clock=clock), plugins=[cache]).get_memories, "ada")["number"] == 0
    colour.end()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"ttl": 0}, "ttl= takes a number above 0"),
        ({"ttl": None}, "ttl="),
        ({"max_entries": 0}, "max_entries= takes a whole number"),
        ({"routes": "/agents"}, "routes= takes a collection"),
        ({"routes": ["get_agents"]}, r"routes= takes templates such as '/agents/\{agent_id\}', got 'get_agents'"),
        ({"routes": [5]}, "routes="),
        ({"name": ""}, "name="),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        ResponseCache(**arguments)


class _Borrowed(AsyncColour):
    """The making of async clients, for a loop of the test's own."""

    def __init__(self) -> None: ...
