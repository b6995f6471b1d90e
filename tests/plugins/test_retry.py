"""When the retry plugin tries again; what may be repeated at all is tested with the exchange."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi import ConfigurationError, MuxiError, RateLimitError
from muxi.plugins import Retry, RetryBudget
from muxi.plugins.retry import backoff
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
