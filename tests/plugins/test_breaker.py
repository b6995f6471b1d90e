"""The circuit breaker: what opens it, what it does meanwhile, and how it closes."""

from __future__ import annotations

import asyncio
import builtins
import gc
import pickle
from typing import Any

import pytest

import muxi
from muxi import AsyncFormationClient, ConfigurationError, ManualClock, ServerError, hookimpl
from muxi.plugins import CircuitBreaker, CircuitOpen, RateLimit
from tests.answers import AsyncColour, Colour, Playback, Step, answer, died, failure, flat, refused, timed_out
from tests.hello import HELLO
from tests.plugins.gate import AsyncGate, until
from tests.scripted import HOLD, Script, Side

ADDRESS = "http://localhost:8001/v1"
DOWN: list[Step] = [
    refused(),
    died(),
    timed_out("connect"),
    timed_out("read"),
    failure(502),
    failure(503),
    flat(504, "a", "b"),
]


def _down(colour: Colour, client: Any, times: int) -> None:
    for _ in range(times):
        with pytest.raises(muxi.MuxiError):
            colour.run(client.get_memories, "ada")


@pytest.mark.parametrize("step", DOWN, ids=str)
def test_what_says_that_the_platform_is_down_opens_it(colour: Colour, step: Step) -> None:
    breaker = CircuitBreaker(2)
    client = colour.formation(step, step, plugins=[breaker], max_retries=0)
    _down(colour, client, 1)
    assert breaker.state == "closed"
    _down(colour, client, 1)
    assert breaker.states == {ADDRESS: "open"}
    with pytest.raises(
        CircuitOpen, match=r"failed 2 times in a row, so nothing is sent to it; the next trial is in 30"
    ):
        colour.run(client.get_memories, "ada")


@pytest.mark.parametrize("step", [failure(400), failure(401), failure(404), failure(429), failure(500)], ids=str)
def test_an_answer_that_is_an_error_shows_that_it_is_up(colour: Colour, step: Step) -> None:
    breaker = CircuitBreaker(2)
    client = colour.formation(refused(), step, refused(), step, step, plugins=[breaker], max_retries=0)
    _down(colour, client, 5)
    assert breaker.state == "closed"


def test_the_callers_own_deadline_says_nothing_of_the_platform(colour: Colour) -> None:
    breaker = CircuitBreaker(1)
    playback = Playback()

    def too_late(_: Any) -> Any:
        playback.clock.advance(5)
        raise timed_out()

    playback.steps = [too_late]
    _down(colour, colour.formation(playback, plugins=[breaker], deadline=5), 1)
    assert breaker.state == "closed"


def test_a_turn_that_failed_is_an_answer(colour: Colour) -> None:
    breaker = CircuitBreaker(1)
    message = {"role": "assistant", "content": "no", "metadata": {"status": "error", "error_code": "LLM"}}
    client = colour.formation(answer({"message": message}), plugins=[breaker])
    with pytest.raises(muxi.TurnFailed):
        colour.run(client.chat, "hi", user_id="ada")
    assert breaker.state == "closed"


def test_while_it_is_open_nothing_is_sent_and_nothing_repeated(colour: Colour) -> None:
    playback = Playback(refused())
    client = colour.formation(playback, plugins=[CircuitBreaker(1, 30)])
    # Its own error, and not the refusal of the repetition it might have had.
    with pytest.raises(muxi.ConnectionError, match="nobody listens") as first:
        colour.run(client.get_memories, "ada")
    assert first.value.attempts == 1
    playback.clock.advance(10)
    with pytest.raises(CircuitOpen, match="the next trial is in 20 s") as caught:
        colour.run(client.get_memories, "ada")
    error = caught.value
    assert (error.code, error.retry_after, error.connected, error.attempts) == ("CIRCUIT_OPEN", 20, False, 1)
    assert error.details == {"address": ADDRESS}
    assert isinstance(error, builtins.ConnectionError)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert (type(again), again.retry_after, str(again)) == (CircuitOpen, 20, str(error))
    assert len(playback.requests) == 1


def test_each_attempt_counts(colour: Colour) -> None:
    playback = Playback(failure(502), failure(502), failure(502))
    breaker = CircuitBreaker(3)
    with pytest.raises(ServerError) as caught:
        colour.run(colour.formation(playback, plugins=[breaker], max_retries=9).get_memories, "ada")
    assert (caught.value.status_code, caught.value.attempts, breaker.state) == (502, 3, "open")


def test_after_a_while_one_call_tries_and_its_success_closes_it(colour: Colour) -> None:
    changes: list[tuple[str, str, str]] = []
    playback = Playback(refused(), answer({}), answer({}))
    breaker = CircuitBreaker(1, 30, on_change=lambda *change: changes.append(change))
    client = colour.formation(playback, plugins=[breaker], max_retries=0)
    _down(colour, client, 1)
    playback.clock.advance(30)
    colour.run(client.get_memories, "ada")
    colour.run(client.get_memories, "ada")
    assert changes == [
        (ADDRESS, "closed", "open"),
        (ADDRESS, "open", "half-open"),
        (ADDRESS, "half-open", "closed"),
    ]


def test_where_the_trial_fails_it_is_open_for_as_long_again(colour: Colour) -> None:
    playback = Playback(refused(), refused(), refused(), failure(404))
    breaker = CircuitBreaker(2, 30)
    client = colour.formation(playback, plugins=[breaker], max_retries=0)
    _down(colour, client, 2)
    playback.clock.advance(30)
    _down(colour, client, 1)
    playback.clock.advance(29)
    with pytest.raises(CircuitOpen, match="in 1 s"):
        colour.run(client.get_memories, "ada")
    playback.clock.advance(1)
    _down(colour, client, 1)
    assert breaker.state == "closed"
    assert len(playback.requests) == 4


def test_only_one_tries_and_what_was_under_way_before_has_no_say() -> None:
    async def scenario() -> None:
        clock, gate, breaker = ManualClock(), AsyncGate(), CircuitBreaker(1, 30)
        settings: dict[str, Any] = {"url": "http://localhost:8001", "client_key": "k", "clock": clock, "max_retries": 0}
        good = AsyncFormationClient(transport=gate, plugins=[breaker], **settings)
        bad = AsyncColour.formation(_Borrowed(), refused(), plugins=[breaker], clock=clock, max_retries=0)
        before = asyncio.create_task(good.get_memories("before"))
        await until(lambda: gate.inside == 1)
        with pytest.raises(muxi.ConnectionError):
            await bad.get_memories("ada")
        clock.advance(30)
        trial = asyncio.create_task(good.get_memories("trial"))
        await until(lambda: gate.inside == 2)
        assert breaker.state == "half-open"
        with pytest.raises(CircuitOpen, match="another call is the trial just now") as caught:
            await good.get_memories("other")
        assert caught.value.retry_after is None
        gate.open()
        await before
        assert breaker.state == "half-open"
        gate.open()
        await trial
        assert breaker.state == "closed"

    asyncio.run(scenario())


@pytest.mark.parametrize("abandon", [False, True])
def test_a_trial_that_is_given_up_leaves_room_for_another(abandon: bool) -> None:
    async def scenario() -> None:
        clock, gate, breaker = ManualClock(), AsyncGate(), CircuitBreaker(1, 30)
        settings: dict[str, Any] = {"url": "http://localhost:8001", "client_key": "k", "clock": clock, "max_retries": 0}
        client = AsyncFormationClient(transport=gate, plugins=[breaker], **settings)
        with pytest.raises(muxi.ConnectionError):
            await AsyncColour.formation(
                _Borrowed(), refused(), plugins=[breaker], clock=clock, max_retries=0
            ).get_memories("ada")
        clock.advance(30)
        if abandon:
            coroutine = client.get_memories("trial")
            coroutine.send(None)
            coroutine.close()
            del coroutine
            gc.collect()
        else:
            task = asyncio.create_task(client.get_memories("trial"))
            await until(lambda: gate.inside == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert breaker.state == "half-open"
        gate.open()
        await client.get_memories("next")
        assert breaker.state == "closed"

    asyncio.run(scenario())


def test_a_trial_that_another_plugin_refuses_decides_nothing(colour: Colour) -> None:
    playback = Playback(answer({}), refused(), answer({}))
    breaker = CircuitBreaker(1, 1)
    client = colour.formation(playback, plugins=[breaker, RateLimit(1, per=100, burst=2, max_wait=0)], max_retries=0)
    colour.run(client.get_memories, "ada")
    _down(colour, client, 1)
    playback.clock.advance(1)
    with pytest.raises((muxi.RateLimitError, CircuitOpen)):
        colour.run(client.get_memories, "ada")
    playback.clock.advance(100)
    colour.run(client.get_memories, "ada")
    assert breaker.state == "closed"


def test_the_head_of_a_stream_closes_it(side: Side) -> None:
    clock, breaker = ManualClock(), CircuitBreaker(1, 30)
    with pytest.raises(ServerError):
        side.open(Script(b"", status=503, content_type="text/plain"), plugins=[breaker], clock=clock, max_retries=0)
    assert breaker.state == "open"
    clock.advance(30)
    held = side.open(Script(HELLO, HOLD), plugins=[breaker], clock=clock)
    assert breaker.state == "closed"
    held.close()


def test_each_address_has_a_circuit_of_its_own(colour: Colour) -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(1)
    settings: dict[str, Any] = {"server_url": "http://localhost:7890", "plugins": [breaker], "max_retries": 0}
    one = colour.formation(Playback(failure(502), clock=clock), formation_id="one", **settings)
    two = colour.formation(Playback(answer({}), clock=clock), formation_id="two", **settings)
    _down(colour, one, 1)
    colour.run(two.get_memories, "ada")
    base = "http://localhost:7890/api"
    assert breaker.states == {f"{base}/one/v1": "open", f"{base}/two/v1": "closed"}
    assert breaker.state == "open"


def test_a_listener_that_raises_is_logged_and_breaks_nothing(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    def raises(*_: str) -> None:
        raise LookupError("no")

    client = colour.formation(refused(), plugins=[CircuitBreaker(1, on_change=raises)], max_retries=0)
    with pytest.raises(muxi.ConnectionError, match="nobody listens"):
        colour.run(client.get_memories, "ada")
    assert "the on_change of the plugin 'muxi.breaker' failed" in caplog.text
    assert f"the circuit of {ADDRESS} is open (was closed)" in caplog.text


def test_what_a_plugin_answers_in_front_of_it_is_not_counted(colour: Colour) -> None:
    class Stub:
        @hookimpl(tryfirst=True)
        def muxi_intercept(self) -> Any:
            return failure(503)

    breaker = CircuitBreaker(1)
    _down(colour, colour.formation(plugins=[breaker, Stub()], max_retries=0), 2)
    assert breaker.states == {}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"failures": 0}, "failures= takes a whole number from 1 up"),
        ({"failures": 1.5}, "failures="),
        ({"recovery": 0}, "recovery= takes a number above 0"),
        ({"recovery": "30"}, "recovery="),
        ({"on_change": "print"}, "on_change= takes a function"),
        ({"name": " "}, "name="),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        CircuitBreaker(**arguments)


class _Borrowed(AsyncColour):
    """The making of async clients, for a loop of the test's own."""

    def __init__(self) -> None: ...
