"""Clocks: real, and for tests."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from muxi import ManualClock, SystemClock


def test_the_systems_clock_is_the_systems() -> None:
    clock = SystemClock()
    assert abs(clock.time() - time.time()) < 5
    assert clock.monotonic() <= clock.monotonic()
    clock.sleep(0)
    asyncio.run(clock.sleep_async(0))
    assert repr(clock) == "SystemClock()"


def test_a_manual_clock_moves_by_its_sleepers() -> None:
    clock = ManualClock(100)
    clock.sleep(5)
    asyncio.run(clock.sleep_async(7))
    clock.sleep(-3)
    assert (clock.time(), clock.monotonic()) == (112, 12)
    assert repr(clock) == "ManualClock(112.0)"


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="moved back"):
        ManualClock().advance(-1)


def test_a_thread_sleeps_until_somebody_moves_the_clock() -> None:
    clock = ManualClock(auto_advance=False)
    woken: list[float] = []

    def sleeper() -> None:
        clock.sleep(5)
        woken.append(clock.monotonic())

    thread = threading.Thread(target=sleeper)
    thread.start()
    clock.advance(4)
    assert woken == []
    # The thread may have begun to sleep before or after that; in both cases this is late enough.
    clock.advance(5)
    thread.join(10)
    assert woken == [9]


def test_tasks_wake_in_the_order_of_their_hours() -> None:
    async def scenario() -> list[float]:
        clock = ManualClock(auto_advance=False)
        woken: list[float] = []

        async def sleeper(seconds: float) -> None:
            await clock.sleep_async(seconds)
            woken.append(seconds)

        tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2, 1, 0)]
        await asyncio.sleep(0)
        clock.advance(1)
        await asyncio.sleep(0.0)
        await asyncio.gather(*tasks[3:4])
        assert woken == [0, 1, 1]
        tasks[2].cancel()
        clock.advance(2)
        await asyncio.gather(*tasks, return_exceptions=True)
        return woken

    assert asyncio.run(scenario()) == [0, 1, 1, 3]


def test_a_clock_outlives_the_loop_of_its_sleepers() -> None:
    clock = ManualClock(auto_advance=False)

    async def scenario() -> None:
        task = asyncio.create_task(clock.sleep_async(5))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(scenario())
    clock.advance(10)
    assert clock.monotonic() == 10


def test_what_is_to_be_called_later_is_called_at_its_time() -> None:
    clock = ManualClock(100)
    called: list[tuple[str, float]] = []
    clock.call_later(20, lambda: called.append(("second", clock.time())))
    clock.call_later(10, lambda: called.append(("first", clock.time())))
    cancel = clock.call_later(15, lambda: called.append(("never", clock.time())))
    cancel()
    cancel()
    clock.advance(9)
    assert called == []
    clock.sleep(50)
    assert called == [("first", 110), ("second", 120)]
    assert clock.time() == 159


def test_what_is_called_may_move_the_clock_and_ask_for_more() -> None:
    clock = ManualClock(0)
    called: list[float] = []

    def ring() -> None:
        called.append(clock.time())
        if len(called) < 4:
            clock.call_later(10, ring)
        if len(called) == 2:
            clock.advance(100)

    clock.call_later(0, ring)
    clock.advance(0)
    assert called == [0]
    clock.advance(15)
    assert called == [0, 10, 20, 30]
    assert clock.time() == 110
