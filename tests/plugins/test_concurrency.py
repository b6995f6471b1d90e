"""The limit of concurrency: how many calls are at work at once, and that no place is ever lost."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import suppress
from typing import Any

import pytest

from muxi import (
    AsyncFormationClient,
    ConfigurationError,
    Context,
    FormationClient,
    ManualClock,
    RateLimitError,
    hookimpl,
)
from muxi.plugins import ConcurrencyLimit
from tests.answers import AsyncColour, Colour, Playback, answer, chat_events, failure, refused
from tests.hello import HELLO
from tests.plugins.gate import PATIENCE, AsyncGate, Gate, until
from tests.scripted import HOLD, Script, Side, SyncSide

URL: dict[str, Any] = {"url": "http://localhost:8001", "client_key": "fmc_test"}


def test_threads_go_in_one_by_one_in_the_order_they_came() -> None:
    gate, limit = Gate(), ConcurrencyLimit(1)
    client = FormationClient(transport=gate, plugins=[limit], **URL)
    threads = []
    for number in range(4):
        thread = threading.Thread(target=client.get_memories, args=(f"user{number}",))
        thread.start()
        threads.append(thread)
        gate.until(lambda: gate.inside == 1)
        _until(lambda: limit.waiting == number)  # noqa: B023  called before the next round
    assert (limit.at_work, limit.waiting) == (1, 3)
    gate.open(4)
    for thread in threads:
        thread.join(PATIENCE)
    assert gate.most == 1
    assert gate.users == [f"user{number}" for number in range(4)]
    assert (limit.at_work, limit.waiting) == (0, 0)


def test_tasks_go_in_so_many_at_once() -> None:
    async def scenario() -> None:
        gate, limit = AsyncGate(), ConcurrencyLimit(3)
        client = AsyncFormationClient(transport=gate, plugins=[limit], **URL)
        tasks = [asyncio.create_task(client.get_memories(f"user{number}")) for number in range(10)]
        await until(lambda: gate.inside == 3 and limit.waiting == 7)
        gate.open(10)
        await asyncio.gather(*tasks)
        assert gate.most == 3
        assert gate.users == [f"user{number}" for number in range(10)]
        assert (limit.at_work, limit.waiting) == (0, 0)

    asyncio.run(scenario())


def test_a_thread_and_a_loop_share_the_places() -> None:
    limit, gate = ConcurrencyLimit(1), Gate()
    client = FormationClient(transport=gate, plugins=[limit], **URL)
    thread = threading.Thread(target=client.get_memories, args=("thread",))
    thread.start()
    gate.until(lambda: gate.inside == 1)

    async def scenario() -> None:
        other = AsyncGate()
        other.open()
        task = asyncio.create_task(AsyncFormationClient(transport=other, plugins=[limit], **URL).get_memories("task"))
        await until(lambda: limit.waiting == 1)
        assert other.users == []
        gate.open()
        await asyncio.wait_for(task, PATIENCE)
        assert other.users == ["task"]

    asyncio.run(scenario())
    thread.join(PATIENCE)
    assert limit.at_work == 0


def test_a_place_comes_back_after_every_kind_of_end(colour: Colour) -> None:
    class Raises:
        @hookimpl
        def muxi_prepare_request(self, context: Context) -> None:
            if context.call.user_id == "raises":
                raise LookupError("no")

        @hookimpl
        def muxi_call_finished(self) -> None:
            raise LookupError("never mind")

    limit = ConcurrencyLimit(1, max_wait=0)
    playback = Playback(
        answer({}), failure(404), refused(), refused(), answer({}), answer({"broken": 1}), KeyError("x")
    )
    client = colour.formation(playback, plugins=[Raises(), limit], max_retries=1)
    for user in ("ada", "bob", "cy", "raises", "dan", "eve", "fay"):
        with suppress(Exception):
            colour.run(client.get_memories, user)
        assert limit.at_work == 0


def test_a_call_keeps_its_place_while_it_waits_to_be_repeated(colour: Colour) -> None:
    limit = ConcurrencyLimit(1)
    seen: list[int] = []

    def step(request: Any) -> Any:
        seen.append(limit.at_work)
        return answer({}) if len(seen) == 3 else failure(429, retry_after="1")

    colour.run(colour.formation(step, step, step, plugins=[limit]).get_memories, "ada")
    assert (seen, limit.at_work) == ([1, 1, 1], 0)


def test_a_stream_keeps_its_place_until_it_has_been_read(side: Side) -> None:
    limit = ConcurrencyLimit(1)
    held = side.open(Script(chat_events("Hello").content), plugins=[limit])
    assert limit.at_work == 1
    assert len(held.events()) > 1
    assert limit.at_work == 0


@pytest.mark.parametrize("end", ["close", "leave_with", "drop"])
def test_a_stream_that_is_left_gives_its_place_back(side: Side, end: str) -> None:
    limit = ConcurrencyLimit(1)
    held = side.open(Script(HELLO, HOLD), plugins=[limit])
    held.next()
    assert limit.at_work == 1
    getattr(held, end)()
    assert limit.at_work == 0


def test_a_cancelled_task_gives_its_place_to_the_next_wherever_it_was() -> None:
    async def scenario() -> None:
        gate, limit = AsyncGate(), ConcurrencyLimit(1)
        client = AsyncFormationClient(transport=gate, plugins=[limit], **URL)
        inside, waits, last = [asyncio.create_task(client.get_memories(name)) for name in ("inside", "waits", "last")]
        await until(lambda: limit.waiting == 2)
        waits.cancel()
        inside.cancel()
        await asyncio.gather(inside, waits, return_exceptions=True)
        gate.open()
        await asyncio.wait_for(last, PATIENCE)
        assert gate.users == ["inside", "last"]
        assert (limit.at_work, limit.waiting) == (0, 0)

    asyncio.run(scenario())


def test_a_task_cancelled_at_the_moment_it_gets_a_place_passes_it_on() -> None:
    async def scenario() -> None:
        gate, limit = AsyncGate(), ConcurrencyLimit(1)
        client = AsyncFormationClient(transport=gate, plugins=[limit], **URL)
        first, second, third = [asyncio.create_task(client.get_memories(name)) for name in "abc"]
        await until(lambda: limit.waiting == 2)
        gate.open()
        await first
        # The place is the second's by now, and it has not run yet.
        assert limit.waiting == 1
        second.cancel()
        gate.open()
        await asyncio.wait_for(third, PATIENCE)
        assert gate.users == ["a", "c"]
        assert limit.at_work == 0

    asyncio.run(scenario())


def test_a_coroutine_that_is_never_finished_gives_its_place_back() -> None:
    limit = ConcurrencyLimit(1)

    async def scenario() -> None:
        client = AsyncFormationClient(transport=AsyncGate(), plugins=[limit], **URL)
        abandoned = client.get_memories("ada")
        abandoned.send(None)
        assert limit.at_work == 1
        abandoned.close()
        del abandoned
        gc.collect()
        assert limit.at_work == 0

    asyncio.run(scenario())


def test_those_whose_loop_is_gone_are_not_waited_for() -> None:
    limit, gate = ConcurrencyLimit(1), Gate()
    thread = threading.Thread(
        target=FormationClient(transport=gate, plugins=[limit], **URL).get_memories, args=("first",)
    )
    thread.start()
    gate.until(lambda: gate.inside == 1)
    loop = asyncio.new_event_loop()

    async def wait_in_line() -> None:
        client = AsyncFormationClient(transport=AsyncGate(), plugins=[limit], **URL)
        task = asyncio.create_task(client.get_memories("gone"))
        await until(lambda: limit.waiting == 1)
        tasks.append(task)

    tasks: list[asyncio.Task[Any]] = []
    loop.run_until_complete(wait_in_line())
    loop.close()
    gate.open(2)
    thread.join(PATIENCE)
    FormationClient(transport=gate, plugins=[limit], **URL).get_memories("second")
    assert gate.users == ["first", "second"]
    assert limit.at_work == 0
    tasks[0]._log_destroy_pending = False  # type: ignore[attr-defined]  # that it is pending is the point


def test_who_waits_longer_than_max_wait_is_refused(side: Side) -> None:
    clock = ManualClock()
    limit = ConcurrencyLimit(1, max_wait=0)
    held = side.open(Script(HELLO, HOLD), plugins=[limit], clock=clock)
    refused = Script(HELLO)
    with pytest.raises(RateLimitError, match="limit of 1 calls at once was reached for longer than max_wait = 0") as it:
        side.open(refused, plugins=[limit], clock=clock)
    assert (it.value.code, it.value.status_code, it.value.retry_after) == ("LOCAL_CONCURRENCY_LIMIT", 0, None)
    assert (it.value.answer, it.value.attempts, refused.requests) == (None, 1, [])
    held.close()
    side.open(Script(HELLO, HOLD), plugins=[limit]).close()
    assert (limit.at_work, limit.waiting) == (0, 0)


@pytest.mark.parametrize(
    ("settings", "complaint"), [({}, "max_wait = 5 s"), ({"deadline": 3.0}, "the call's deadline = 3 s")]
)
def test_the_wait_goes_by_the_clock_of_the_client(settings: dict[str, Any], complaint: str) -> None:
    async def scenario() -> None:
        clock, gate, limit = ManualClock(auto_advance=False), AsyncGate(), ConcurrencyLimit(1, max_wait=5)
        client = AsyncFormationClient(transport=gate, plugins=[limit], clock=clock, **URL, **settings)
        first = asyncio.create_task(client.with_options(deadline=None).get_memories("first"))
        late = asyncio.create_task(client.get_memories("late"))
        await until(lambda: limit.waiting == 1)
        clock.advance(2)
        for _ in range(50):  # rounds of the loop, in which it would be refused
            await asyncio.sleep(0)
        assert not late.done()
        clock.advance(3)
        with pytest.raises(RateLimitError, match=complaint):
            await asyncio.wait_for(late, PATIENCE)
        gate.open()
        await first
        assert gate.users == ["first"]

    asyncio.run(scenario())


def test_a_thread_waits_by_the_clock_of_the_client_too() -> None:
    clock, gate, limit = ManualClock(auto_advance=False), Gate(), ConcurrencyLimit(1, max_wait=5)
    client = FormationClient(transport=gate, plugins=[limit], clock=clock, **URL)
    errors: list[Exception] = []

    def late() -> None:
        try:
            client.get_memories("late")
        except RateLimitError as error:
            errors.append(error)

    first = threading.Thread(target=client.get_memories, args=("first",))
    first.start()
    gate.until(lambda: gate.inside == 1)
    second = threading.Thread(target=late)
    second.start()
    _until(lambda: limit.waiting == 1)
    clock.advance(5)
    second.join(PATIENCE)
    gate.open()
    first.join(PATIENCE)
    assert [error.code for error in errors if isinstance(error, RateLimitError)] == ["LOCAL_CONCURRENCY_LIMIT"]
    assert gate.users == ["first"]


def test_leaving_a_chat_that_is_then_cancelled_needs_no_place_of_its_own() -> None:
    limit = ConcurrencyLimit(1, max_wait=0)
    script = Script(HELLO, HOLD)
    held = SyncSide().open(script, plugins=[limit], cancel_on_close=True)
    held.next()
    held.close()
    assert [line.split("/")[0] for line in script.sent] == ["POST ", "DELETE "]
    assert limit.at_work == 0


def test_many_threads_and_no_place_is_lost() -> None:
    limit = ConcurrencyLimit(3)
    most = 0

    def step(request: Any) -> Any:
        nonlocal most
        most = max(most, limit.at_work)
        return answer({}) if request.headers["X-Muxi-User-ID"] != "7" else failure(500)

    playback = Playback(*[step] * 400)
    client = Colour().formation(playback, plugins=[limit])

    def work() -> None:
        for number in range(20):
            with suppress(Exception):
                client.get_memories(str(number))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert most <= 3
    assert (len(playback.requests), limit.at_work, limit.waiting) == (400, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"limit": 0}, "limit= takes a whole number from 1 up"),
        ({"limit": 2.5}, "limit="),
        ({"limit": True}, "limit="),
        ({"limit": 1, "max_wait": -1}, "max_wait= takes a number from 0 up"),
        ({"limit": 1, "name": 5}, "name="),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        ConcurrencyLimit(**arguments)


def test_one_instance_serves_one_async_client_after_another() -> None:
    limit = ConcurrencyLimit(1)
    for _ in range(2):
        colour = AsyncColour()
        colour.run(colour.formation(answer({}), plugins=[limit]).get_memories, "ada")
        colour.end()
    assert limit.at_work == 0


def _until(condition: Any) -> None:
    """Wait for another thread, a little at a time."""
    looked = threading.Event()
    for _ in range(2000):
        if condition():
            return
        looked.wait(0.005)
    raise AssertionError("it never came to that")
