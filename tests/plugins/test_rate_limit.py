"""The rate limit: how many requests go in a time, in which order, and what happens to those that cannot wait."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muxi import ConfigurationError, FormationClient, ManualClock, RateLimitError
from muxi.plugins import RateLimit
from muxi.plugins.rate_limit import _Bucket
from tests.answers import AsyncColour, Colour, Playback, answer, failure


def test_requests_wait_for_their_tokens(colour: Colour) -> None:
    playback = Playback(*[answer({})] * 5)
    client = colour.formation(playback, plugins=[RateLimit(2, burst=1)])
    for _ in range(5):
        colour.run(client.get_memories, "ada")
    assert playback.waits == [0.5, 0.5, 0.5, 0.5]


def test_after_a_pause_a_burst_goes_at_once(colour: Colour) -> None:
    playback = Playback(*[answer({})] * 7)
    client = colour.formation(playback, plugins=[RateLimit(60, per=60, burst=3)])
    for _ in range(4):
        colour.run(client.get_memories, "ada")
    playback.clock.advance(100)
    for _ in range(3):
        colour.run(client.get_memories, "ada")
    assert playback.waits == [0, 0, 1, 100, 0, 0]


def test_a_repetition_takes_a_token_too(colour: Colour) -> None:
    playback = Playback(failure(429, retry_after="1"), answer({}))
    colour.run(colour.formation(playback, plugins=[RateLimit(1, per=10)]).get_memories, "ada")
    assert playback.waits == [10.0]


def test_who_would_wait_too_long_is_refused_at_once_and_nothing_is_sent(colour: Colour) -> None:
    playback = Playback(answer({}), answer({}))
    client = colour.formation(playback, plugins=[RateLimit(1, per=10, max_wait=9)])
    colour.run(client.get_memories, "ada")
    with pytest.raises(RateLimitError, match=r"would wait 10 s, and max_wait = 9 s does not") as caught:
        colour.run(client.get_memories, "ada")
    error = caught.value
    assert (error.code, error.status_code, error.retry_after) == ("LOCAL_RATE_LIMIT", 0, 10.0)
    assert (error.answer, error.from_platform, error.attempts) == (None, False, 1)
    assert len(playback.requests) == 1
    playback.clock.advance(2)
    colour.run(client.get_memories, "ada")
    assert playback.times == [0, 10.0]  # the one who was refused took nothing


def test_a_deadline_that_the_wait_would_pass_refuses(colour: Colour) -> None:
    playback = Playback(answer({}), answer({}))
    client = colour.formation(playback, plugins=[RateLimit(1, per=10)], deadline=5)
    colour.run(client.get_memories, "ada")
    with pytest.raises(RateLimitError, match="the call's deadline = 5 s"):
        colour.run(client.get_memories, "ada")
    assert len(playback.requests) == 1


def test_the_wait_is_taken_off_the_bounds_of_the_request(colour: Colour) -> None:
    playback = Playback(answer({}), answer({}))
    client = colour.formation(playback, plugins=[RateLimit(1, per=4)], deadline=10)
    colour.run(client.get_memories, "ada")
    colour.run(client.get_memories, "ada")
    assert [request.timeouts.total for request in playback.requests] == [10, 6]
    assert playback.request.timeouts.connect == 6


def test_each_user_may_have_a_bucket(colour: Colour) -> None:
    playback = Playback(*[answer({})] * 4)
    limit = RateLimit(1, per=10, key=lambda context: context.call.user_id)
    client = colour.formation(playback, plugins=[limit])
    for user in ("ada", "bob", "ada", "cy"):
        colour.run(client.get_memories, user)
    assert playback.waits == [0, 10, 0]


def test_buckets_that_are_full_again_are_let_go_of(colour: Colour) -> None:
    playback = Playback(*[answer({})] * 2500)
    limit = RateLimit(100, key=lambda context: context.call.user_id)
    client = colour.formation(playback, plugins=[limit])
    for number in range(2500):
        playback.clock.advance(1)
        colour.run(client.get_memories, f"user{number}")
    assert len(limit._buckets) <= 1000


def test_one_instance_is_shared_by_clients_of_both_colours() -> None:
    clock = ManualClock()
    limit = RateLimit(1)
    one, two = Playback(answer({}), answer({}), clock=clock), Playback(answer({}), clock=clock)
    colour = AsyncColour()
    Colour().formation(one, plugins=[limit]).get_memories("ada")
    colour.run(colour.formation(two, plugins=[limit]).get_memories, "ada")
    Colour().formation(one, plugins=[limit]).get_memories("ada")
    assert (one.times, two.times) == ([0, 2], [1])
    colour.end()


def test_two_limits_on_one_client_need_names_of_their_own(colour: Colour) -> None:
    playback = Playback(*[answer({})] * 3)
    plugins = [RateLimit(1, per=3, burst=2), RateLimit(1, per=1, name="per-second")]
    client = colour.formation(playback, plugins=plugins)
    for _ in range(3):
        colour.run(client.get_memories, "ada")
    assert playback.waits == [1, 2]


def test_tasks_go_in_the_order_they_came() -> None:
    async def scenario() -> None:
        clock = ManualClock(auto_advance=False)
        playback = Playback(*[answer({})] * 4, clock=clock)
        client = AsyncColour.formation(_Borrowed(), playback, plugins=[RateLimit(1)])
        tasks = [asyncio.create_task(client.get_memories(f"user{number}")) for number in range(4)]
        for _ in range(4):
            for _ in range(10):
                await asyncio.sleep(0)
            clock.advance(1)
        await asyncio.gather(*tasks)
        assert playback.header("X-Muxi-User-ID") == [f"user{number}" for number in range(4)]
        assert playback.times == [0, 1, 2, 3]

    asyncio.run(scenario())


def test_a_task_that_is_cancelled_gives_its_turn_to_the_next() -> None:
    async def scenario() -> None:
        clock = ManualClock(auto_advance=False)
        playback = Playback(*[answer({})] * 3, clock=clock)
        client = AsyncColour.formation(_Borrowed(), playback, plugins=[RateLimit(1)])
        await client.get_memories("first")
        leaves, stays = [asyncio.create_task(client.get_memories(name)) for name in ("leaves", "stays")]
        await asyncio.sleep(0)
        leaves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaves
        comes = asyncio.create_task(client.get_memories("comes"))
        for _ in range(2):
            for _ in range(10):
                await asyncio.sleep(0)
            clock.advance(1)
        await asyncio.gather(stays, comes)
        assert playback.header("X-Muxi-User-ID") == ["first", "comes", "stays"]
        assert playback.times == [0, 1, 2]

    asyncio.run(scenario())


def test_threads_share_the_rate() -> None:
    playback = Playback(*[answer({})] * 20)
    client: FormationClient = Colour().formation(playback, plugins=[RateLimit(1)])
    threads = [threading.Thread(target=client.get_memories, args=("ada",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each sleeper moves the clock by its own wait, so the clock goes faster than the tokens, and never slower.
    assert len(playback.requests) == 20
    assert playback.clock.monotonic() >= 19


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"rate": 0}, "rate= takes a number above 0"),
        ({"rate": "10"}, "rate="),
        ({"rate": True}, "rate="),
        ({"rate": math.nan}, "rate="),
        ({"rate": math.inf}, "rate="),
        ({"rate": 1, "per": -1}, "per="),
        ({"rate": 1, "burst": 0}, "burst= takes a whole number from 1 up"),
        ({"rate": 1, "burst": 1.5}, "burst="),
        ({"rate": 1, "max_wait": -1}, "max_wait= takes a number from 0 up"),
        ({"rate": 1, "key": "user"}, "key= takes a function"),
        ({"rate": 1, "name": ""}, "name="),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        RateLimit(**arguments)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=40),
)
def test_there_are_never_more_than_burst_and_rate_allow(burst: int, steps: list[tuple[int, bool]]) -> None:
    interval = 4.0
    bucket = _Bucket(interval, (burst - 1) * interval)
    now, sent = 0.0, []
    for pause, leaves in steps:
        now += pause
        slot = bucket.first(now)
        bucket.take(slot, now)
        if leaves and slot > now:
            bucket.given_back.append(slot)
        else:
            sent.append(max(slot, now))
    sent.sort()
    for first, start in enumerate(sent):
        for last in range(first, len(sent)):
            assert last - first + 1 <= burst + (sent[last] - start) / interval + 1e-9


class _Borrowed(AsyncColour):
    """The making of async clients, for a loop of the test's own."""

    def __init__(self) -> None: ...
