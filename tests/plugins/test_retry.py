"""When the retry plugin tries again; what may be repeated at all is tested with the exchange."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi import AsyncFormationClient, ConfigurationError, ConnectionError, ManualClock, MuxiError, RateLimitError
from muxi.plugins import Retry, RetryBudget
from muxi.plugins.retry import backoff
from muxi.transport import AsyncResponse, AsyncTransport, Request, replayed_async
from tests.answers import Colour, Playback, answer, failure, refused


class Highest(random.Random):
    """The longest wait that the jitter allows."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_waits_double_from_the_base_up_to_the_cap(colour: Colour) -> None:
    play = Playback(*(refused() for _ in range(5)), answer({}))
    retry = Retry(random_source=Highest(), base=0.2, cap=1.0)
    colour.run(colour.formation(play, plugins=[retry], max_retries=5).get_memories, "ada")
    assert play.waits == [0.2, 0.4, 0.8, 1.0, 1.0]


@given(attempt=st.integers(1, 10_000), base=st.floats(0, 100), cap=st.floats(0, 1000))
def test_no_wait_is_longer_than_the_cap_or_shorter_than_the_one_before(attempt: int, base: float, cap: float) -> None:
    wait = backoff(attempt, base=base, cap=cap)
    assert 0 <= wait <= cap
    assert wait <= backoff(attempt + 1, base=base, cap=cap)


def test_the_longest_retry_after_can_be_chosen(colour: Colour) -> None:
    play = Playback(failure(429, retry_after="11"))
    with pytest.raises(RateLimitError) as caught:
        colour.run(colour.formation(play, plugins=[Retry(max_retry_after=10)]).get_memories, "ada")
    assert (caught.value.retry_after, caught.value.attempts) == (11, 1)
    patient = Playback(failure(429, retry_after="600"), answer({}))
    colour.run(colour.formation(patient, plugins=[Retry(max_retry_after=600)]).get_memories, "ada")
    assert patient.waits == [600]


def test_a_budget_can_be_shared_by_clients(colour: Colour) -> None:
    budget = RetryBudget(capacity=10, cost=5)
    one = colour.formation(Playback(*(refused() for _ in range(3))), plugins=[Retry(budget)])
    other_play = Playback(refused())
    other = colour.formation(other_play, plugins=[Retry(budget)])
    for client in (one, other):
        with pytest.raises(MuxiError):
            colour.run(client.get_memories, "ada")
    assert len(other_play.requests) == 1, "the first client has used it up"


class Restarting(AsyncTransport):
    """Refuses connections until a time, and counts the attempts."""

    def __init__(self, clock: ManualClock, until: float) -> None:
        self.clock: ManualClock = clock
        self.until = until
        self.attempts = 0

    async def send(self, request: Request) -> AsyncResponse:
        self.attempts += 1
        await asyncio.sleep(0)
        if self.clock.monotonic() < self.until:
            raise refused()
        return replayed_async(answer({}))


async def _run_all(calls: list[Coroutine[Any, Any, Any]], clock: ManualClock) -> list[Any]:
    """Run calls side by side, the clock moving whenever all of them wait."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    while not all(task.done() for task in tasks):
        for _ in range(20):
            await asyncio.sleep(0)
        clock.advance(0.01)
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("seed", range(5))
def test_a_restart_of_a_moment_loses_no_call_that_was_never_connected(seed: int) -> None:
    async def run() -> list[Any]:
        clock = ManualClock(auto_advance=False)
        transport = Restarting(clock, until=0.3)
        retry = Retry(random_source=random.Random(seed))
        client = AsyncFormationClient(
            url="http://localhost", client_key="k", transport=transport, plugins=[retry], clock=clock
        )
        return await _run_all([client.get_memories("ada") for _ in range(64)], clock)

    assert [result for result in asyncio.run(run()) if isinstance(result, BaseException)] == []


def test_a_dead_server_is_asked_once_by_each_call_after_the_budget_is_used_up() -> None:
    async def run() -> tuple[list[int], list[Any]]:
        clock = ManualClock(auto_advance=False)
        transport = Restarting(clock, until=1e9)
        client = AsyncFormationClient(url="http://localhost", client_key="k", transport=transport, clock=clock)
        attempts, errors = [], []
        for _ in range(4):
            errors = await _run_all([client.get_memories("ada") for _ in range(64)], clock)
            attempts.append(transport.attempts)
            transport.attempts = 0
        return attempts, errors

    attempts, errors = asyncio.run(run())
    assert attempts[0] == 4 * 64
    assert sum(attempts) == 4 * 64 + (100 + 5 * 3 * 63) // 5
    assert attempts[-1] == 64
    assert all("the retry budget of the client is used up" in str(error) for error in errors)


def test_refused_connections_leave_the_tokens_of_other_failures_alone(colour: Colour) -> None:
    play = Playback(*(refused() for _ in range(4)), failure(429), answer({}))
    client = colour.formation(play, plugins=[Retry(RetryBudget(capacity=15))])
    with pytest.raises(ConnectionError):
        colour.run(client.get_memories, "ada")
    colour.run(client.get_memories, "ada")
    assert len(play.requests) == 6


def test_error_and_log_name_the_budget_where_it_was_the_reason(
    colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    client = colour.formation(Playback(*(failure(429) for _ in range(3))), plugins=[Retry(RetryBudget(capacity=5))])
    for _ in range(2):
        with pytest.raises(RateLimitError, match="not sent again because the retry budget of the client is used up"):
            colour.run(client.get_memories, "ada")
    assert caplog.text.count("the retry budget of the client is used up") == 1


def test_success_earns_the_budget_back(colour: Colour) -> None:
    budget = RetryBudget(capacity=5, cost=5, refund=5)
    play = Playback(refused(), answer({}), refused(), answer({}))
    client = colour.formation(play, plugins=[Retry(budget)])
    colour.run(client.get_memories, "ada")
    colour.run(client.get_memories, "ada")
    assert len(play.requests) == 4


@pytest.mark.parametrize(
    "make",
    [
        lambda: Retry(base=-1),
        lambda: Retry(cap=float("nan")),
        lambda: Retry(max_retry_after=-0.1),
        lambda: RetryBudget(capacity=-1),
        lambda: RetryBudget(cost=-1),
    ],
)
def test_numbers_without_sense_are_refused(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="takes a number from 0 up"):
        make()
