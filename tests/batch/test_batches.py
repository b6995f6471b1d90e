"""Batches of either colour: one result for each call, a bound on what is in flight, and a clean end."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi import ConfigurationError, FormationClient, FormationConfig, ServerConfig, ValidationError, batch, hookimpl
from muxi.batch import BatchError, BatchProgress, Journal
from muxi.batch.pace import Pace
from muxi.call import Call
from tests.answers import failure
from tests.batch.support import Caller, Formation, chats, first, text_of


@pytest.mark.parametrize("ordered", [False, True])
def test_every_call_has_one_result_with_its_position(caller: Caller, formation: Formation, ordered: bool) -> None:
    calls = chats(50)
    results = caller.collect(calls, caller.recipe(formation), concurrency=8, ordered=ordered)
    positions = [result.position for result in results]
    assert sorted(positions) == list(range(50))
    assert not ordered or positions == list(range(50))
    for result in results:
        assert text_of(result) == f"MESSAGE {result.position}"
        assert result.call is calls[result.position]
        assert (result.ok, result.attempts, result.replayed) == (True, 1, False)
    assert set(formation.work.values()) == {1}
    assert formation.most_under_way <= 8


def test_an_empty_input_has_no_results(caller: Caller, formation: Formation) -> None:
    assert caller.collect([], caller.recipe(formation)) == []


def test_results_and_errors_stand_side_by_side(caller: Caller) -> None:
    formation = Formation(lambda message: failure(403, "FORBIDDEN") if message.endswith("3") else None)
    results = caller.collect(chats(10), caller.recipe(formation), ordered=True)
    assert [result.position for result in results if not result.ok] == [3]
    error = results[3].error
    assert isinstance(error, batch.BatchError | Exception)
    assert "FORBIDDEN" in str(error)
    with pytest.raises(type(error), match="FORBIDDEN"):
        results[3].unwrap()


def test_the_input_is_not_drained_ahead(caller: Caller, formation: Formation) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[Call[Any]]:
        for number in itertools.count():
            drawn.append(number)
            yield FormationClient.chat.call(f"message {number}", user_id="ada")

    results = caller.results(endless(), caller.recipe(formation), concurrency=5)
    for taken in range(1, 40):
        next(results)
        assert len(drawn) <= taken + 5
    results.close()  # type: ignore[attr-defined]  # it is a generator


def test_one_slow_call_does_not_hold_up_all_others_in_the_order_of_the_input(formation: Formation) -> None:
    gate = threading.Event()
    waiting = Formation(lambda message: _hold(gate, message == "message 0"))
    caller = Caller("sync")
    results = caller.results(chats(20), caller.recipe(waiting), concurrency=4, ordered=True)

    def open_gate() -> None:
        _wait_for(lambda: sum(waiting.work.values()) >= 7)
        gate.set()

    opener = threading.Thread(target=open_gate)
    opener.start()
    assert next(results).position == 0
    opener.join()
    assert [result.position for result in results] == list(range(1, 20))


def _hold(until: threading.Event | threading.Barrier, held: bool = True) -> None:
    """Hold a request until others allow it to go on."""
    if held:
        until.wait(10)


def _wait_for(condition: Any) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        threading.Event().wait(0.002)


def test_an_input_that_raises_ends_the_batch_after_everything_in_flight(caller: Caller, formation: Formation) -> None:
    def calls() -> Iterator[Call[Any]]:
        yield from chats(7)
        raise KeyError("row 8 is broken")

    results: list[Any] = []
    with pytest.raises(KeyError, match="row 8 is broken"):
        results.extend(_noting(results, caller.results(calls(), caller.recipe(formation), concurrency=3)))
    assert sorted(result.position for result in results) == list(range(7))
    assert all(result.ok for result in results)


def _noting(into: list[Any], results: Iterator[Any]) -> Iterator[Any]:
    for result in results:
        into.append(result)
    return iter(())


def test_an_async_iterable_is_an_input_too(formation: Formation) -> None:
    async def calls() -> AsyncIterator[Call[Any]]:
        for call in chats(12):
            yield call

    caller = Caller("async")
    results = caller.collect(calls(), caller.recipe(formation), concurrency=3)
    assert sorted(result.position for result in results) == list(range(12))


@pytest.mark.parametrize("ending", ["waits", "raises", "ends"])
def test_an_async_iterable_is_left_early(formation: Formation, ending: str) -> None:
    async def calls() -> AsyncIterator[Call[Any]]:
        for call in chats(3):
            yield call
        if ending == "waits":
            await asyncio.Event().wait()
        if ending == "raises":
            raise KeyError("row 4 is broken")

    caller = Caller("async")
    results = caller.collect(calls(), caller.recipe(formation), most=2, concurrency=8)
    assert len(results) == 2
    assert formation.under_way == 0


def test_a_cancelled_task_cancels_what_is_in_flight(formation: Formation, path: Path) -> None:
    caller = Caller("async")

    async def iterate(begun: asyncio.Event) -> None:
        async with batch.run_async(chats(100), caller.recipe(formation), concurrency=4, journal=path) as results:
            async for _ in results:
                begun.set()
                await asyncio.Event().wait()

    async def scenario() -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(iterate(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert all("closed" in repr(client) for client in caller.made)
    assert len(caller.collect(chats(100), caller.recipe(formation), journal=path)) == 100
    assert set(formation.work.values()) == {1}


def test_what_is_no_call_is_an_error_in_its_place(caller: Caller, formation: Formation) -> None:
    calls = [*chats(1), "not a call", FormationClient.chat_stream.call("x"), *chats(1)]
    results = caller.collect(calls, caller.recipe(formation), ordered=True)
    assert [result.ok for result in results] == [True, False, False, True]
    for result, word in zip(results[1:3], ("got str", "stream"), strict=True):
        assert isinstance(result.error, ValidationError)
        assert (result.error.code, result.attempts) == ("NOT_A_CALL", 0)
        assert word in str(result.error)


def test_an_error_of_a_plugin_is_typed(caller: Caller, formation: Formation) -> None:
    class Odd:
        name = "odd"

        @hookimpl
        def muxi_prepare_request(self) -> None:
            raise ZeroDivisionError("odd")

    results = caller.collect(chats(3), caller.recipe(formation, plugins=[Odd()]))
    assert [type(result.error).__name__ for result in results] == ["PluginError"] * 3


def test_a_recipe_that_fails_is_an_error_of_each_call() -> None:
    def make() -> FormationClient:
        raise ZeroDivisionError("no vault")

    results = Caller("sync").collect(chats(3), make)
    for result in results:
        assert isinstance(result.error, BatchError)
        assert (result.error.code, "no vault" in str(result.error)) == ("CALL_RAISED", True)


def test_each_thread_has_a_client_of_its_own_which_is_closed_at_the_end(formation: Formation) -> None:
    caller = Caller("sync")
    meet = threading.Barrier(4, timeout=10)
    together = Formation(lambda message: _hold(meet))
    caller.collect(chats(8), caller.recipe(together), concurrency=4)
    assert len(caller.made) == 4
    assert all("closed" in repr(client) for client in caller.made)


def test_a_batch_left_early_sends_nothing_more_and_closes_its_clients(caller: Caller, formation: Formation) -> None:
    results = caller.collect(chats(1000), caller.recipe(formation), most=3, concurrency=4)
    assert len(results) == 3
    assert formation.requests <= 3 + 4
    assert formation.under_way == 0
    assert all("closed" in repr(client) for client in caller.made)


def test_a_batch_that_is_dropped_writes_down_what_was_in_flight(formation: Formation, path: Path) -> None:
    caller = Caller("sync")
    gate = threading.Event()
    held = Formation(lambda message: _hold(gate, message != "message 0"))
    for _ in batch.run(chats(100), caller.recipe(held), concurrency=4, journal=path):
        _wait_for(lambda: held.under_way >= 3)
        break
    # The batch is gone by now, and has not waited.
    assert held.under_way >= 3
    gate.set()
    _wait_for(lambda: all("closed" in repr(client) for client in caller.made))
    _wait_for(lambda: path.read_bytes().count(b'"done"') == path.read_bytes().count(b'"begun"'))
    again = caller.collect(chats(100), caller.recipe(held), journal=path)
    assert len(again) == 100
    assert set(held.work.values()) == {1}


def test_progress_is_called_after_each_result(caller: Caller) -> None:
    formation = Formation(lambda message: failure(403) if message.endswith("1") else None)
    seen: list[BatchProgress] = []
    caller.collect(chats(5), caller.recipe(formation), progress=seen.append, concurrency=2)
    assert [counts.done for counts in seen] == [1, 2, 3, 4, 5]
    assert (seen[-1].failed, seen[-1].total, seen[-1].in_flight, seen[-1].replayed) == (1, 5, 0, 0)
    assert seen[-1].rate > 0
    assert seen[-1].left == 0
    assert BatchProgress().left is None


def test_a_progress_that_raises_costs_no_result(
    caller: Caller, formation: Formation, caplog: pytest.LogCaptureFixture
) -> None:
    def progress(counts: BatchProgress) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "muxi"):
        assert len(caller.collect(chats(5), caller.recipe(formation), progress=progress)) == 5
    assert [record.message for record in caplog.records] == [
        "the function given as progress= failed; the batch goes on"
    ]


def test_every_keyed_call_has_a_key_of_its_own(caller: Caller, formation: Formation) -> None:
    caller.collect(chats(20), caller.recipe(formation))
    assert len(formation.keys) == 20


def test_a_key_of_the_caller_is_kept(caller: Caller, formation: Formation) -> None:
    own = FormationClient.chat.call("x", user_id="ada")
    given = Call[Any](**{**vars(own), "headers": {"x-muxi-idempotency-key": "mine"}})
    caller.collect([given], caller.recipe(formation))
    assert list(formation.keys) == ["mine"]


# -- rate and retries --------------------------------------------------------------------------------------------------


def test_the_rate_bounds_the_requests_of_any_interval() -> None:
    pace = Pace(rate=50)
    now, sent = 0.0, []
    for _ in range(100):
        now += pace.delay(now)
        pace.start(now)
        sent.append(now)
    burst = 5
    for start in range(0, 100, 7):
        for end in range(start + 1, 100):
            assert end - start + 1 <= burst + (sent[end] - sent[start]) * 50 + 1e-6


def test_retries_count_in_the_rate() -> None:
    pace = Pace(rate=1)
    pace.start(0.0)
    pace.end(4, ok=True, now=0.0)
    assert pace.delay(0.0) == pytest.approx(4.0)


def test_the_budget_is_spent_by_retries_and_refunded_by_successes() -> None:
    pace = Pace(retry_budget=2)
    pace.end(3, ok=False, now=0)
    assert not pace.retried
    for _ in range(10):
        assert not pace.retried
        pace.end(1, ok=True, now=0)
    assert pace.retried
    assert Pace().retried


def test_calls_keep_the_rate(caller: Caller, formation: Formation) -> None:
    began = time.monotonic()
    caller.collect(chats(7), caller.recipe(formation), rate=30)  # bursts of 3
    assert time.monotonic() - began >= 4 / 30


def test_a_dead_server_costs_no_more_retries_than_the_budget(caller: Caller) -> None:
    formation = Formation(lambda message: failure(503, "DOWN", **{"Retry-After": "0"}))
    results = caller.collect(chats(30), caller.recipe(formation), concurrency=1, retry_budget=6)
    assert not any(result.ok for result in results)
    assert formation.requests == 30 + 6
    assert [result.attempts for result in results] == [4, 4, *[1] * 28]


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"concurrency": 0}, "concurrency="),
        ({"concurrency": True}, "concurrency="),
        ({"executor": "clouds"}, "executor="),
        ({"executor": None}, "executor="),
        ({"rate": 0}, "rate="),
        ({"rate": float("nan")}, "rate="),
        ({"retry_budget": -1}, "retry_budget="),
        ({"total": 1.5}, "total="),
        ({"journal": 7}, "journal="),
        ({"progress": "yes"}, "progress="),
    ],
)
def test_a_wrong_setting_is_named(setting: dict[str, Any], word: str, formation: Formation) -> None:
    with pytest.raises(ConfigurationError, match=word):
        batch.run([], Caller("sync").recipe(formation), **setting)


def test_a_client_is_no_recipe() -> None:
    given: Any = FormationClient(url="http://localhost:1", client_key="k")
    with given, pytest.raises(ConfigurationError, match="each worker has a client of its own"):
        batch.run([], given)
    nothing: Any = None
    with pytest.raises(ConfigurationError, match="got NoneType"):
        batch.run([], nothing)


def test_a_recipe_of_the_other_colour_is_refused(caller: Caller, formation: Formation) -> None:
    other = Caller("async" if caller.colour == "sync" else "sync")
    recipe = other.recipe(formation)
    if caller.colour == "sync":
        assert "has to return a sync client" in str(caller.collect(chats(1), recipe)[0].error)
    else:
        with pytest.raises(ConfigurationError, match="has to return an async client"):
            caller.collect(chats(1), recipe)


def test_a_recipe_shows_no_secret() -> None:
    config = FormationConfig(url="http://localhost:1", client_key="fmc_hushhush1")
    recipe = batch.ClientRecipe(config)
    assert "hush" not in repr(recipe)
    assert "hush" not in recipe.identity
    assert batch.ClientRecipe(ServerConfig(url="http://localhost:7890")).identity == "server http://localhost:7890"
    assert batch.ClientRecipe(config, name="mine").identity == "mine"
    assert "tests.batch.support.chats" in batch.ClientRecipe(chats).identity  # type: ignore[arg-type]  # only its name counts


def test_a_configuration_is_a_recipe() -> None:
    config = FormationConfig(url="http://memory", client_key="fmc_reader1", transport="memory")
    results = first(batch.run(chats(3), config, ordered=True), 3)
    assert all(result.ok for result in results)


def test_journals_are_settings() -> None:
    assert Journal("x") == Journal("x", fsync=True)
