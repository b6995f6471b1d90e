"""Pauses within the bounds of a request, in both colours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from muxi import ManualClock, SystemClock
from muxi.errors import ConnectionError, TimeoutError
from muxi.transport import Timeouts
from muxi_transports.around import KeepPause, Patience, Pause, Waiter

Do = Callable[[KeepPause], object]


@pytest.fixture(params=["sync", "async"])
def do(request: pytest.FixtureRequest) -> Do:
    return KeepPause.do if request.param == "sync" else lambda step: asyncio.run(step.do_async())


def test_a_pause_passes_on_the_clock(do: Do) -> None:
    clock = ManualClock()
    do(Waiter(Timeouts(read=3), clock).keep(Pause(2.5)))
    assert clock.monotonic() == 2.5


@pytest.mark.parametrize(
    ("timeouts", "bound", "seconds"),
    [
        (Timeouts(read=3), "read", 3),
        (Timeouts(read=3, head=2), "head", 2),
        (Timeouts(read=30, total=4), "timeout", 4),
        (Timeouts(read=3, total=4), "read", 3),
    ],
)
def test_a_bound_ends_a_pause(do: Do, timeouts: Timeouts, bound: str, seconds: float) -> None:
    clock = ManualClock()
    with pytest.raises(TimeoutError) as caught:
        do(Waiter(timeouts, clock).keep(Pause(10)))
    assert (caught.value.bound, clock.monotonic()) == (bound, seconds)


def test_bounds_of_silence_add_up_and_begin_anew_with_each_arrival() -> None:
    patience = Patience(Timeouts(read=3), ManualClock())
    assert patience.wait(2).error is None
    assert patience.wait(2).seconds == 1
    patience.heard()
    assert patience.wait(2).error is None


@pytest.mark.parametrize("interrupted", ["before", "meanwhile"])
def test_an_interrupt_ends_a_pause_of_the_machine(do: Do, interrupted: str) -> None:
    step = Waiter(Timeouts(), SystemClock()).keep(Pause(60))
    if interrupted == "before":
        step.interrupt()
        with pytest.raises(ConnectionError, match="closed"):
            do(step)
        return
    if do is not KeepPause.do:

        async def main() -> None:
            task = asyncio.ensure_future(step.do_async())
            await asyncio.sleep(0)
            step.interrupt()
            with pytest.raises(ConnectionError, match="closed"):
                await task

        asyncio.run(main())
        return
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(do, step)
        step.interrupt()
        with pytest.raises(ConnectionError, match="closed"):
            waiting.result(10)
