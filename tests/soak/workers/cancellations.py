"""Cancels async calls: ``python -m tests.soak.workers.cancellations LANE URL SEED COUNT``, prints JSON.

First at every await of each kind of call, over a new connection and over a kept one; then ``COUNT`` calls at random
moments, many at once. After each the next call over the same client has to get its own answer.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import random
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any

from tests.soak.plan import KINDS, Plan, plan_of
from tests.soak.workers.calls import AsyncCaller
from tests.soak.workers.driving import Watch, outcome_of_text
from tests.soak.workers.lanes import transport_of

#: Calls under way at once.
_LOAD = 64
#: Seconds after which a call that does not end is stuck.
_STUCK = 20.0


class CancelledAt:
    """Runs a coroutine and cancels its task at one of its awaits.

    Args:
        work: the coroutine.
        place: the await, counted from 0.
    """

    def __init__(self, work: Coroutine[Any, Any, str], place: int) -> None:
        self._work = work
        self._place = place
        #: How many awaits there were up to the end.
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, str]:
        task = asyncio.current_task()
        steps = self._work.__await__()
        send: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited = steps.send(send) if error is None else steps.throw(error)
            except StopIteration as stop:
                return str(stop.value)
            if self.awaits == self._place and task is not None:
                task.cancel()
            self.awaits += 1
            try:
                send, error = (yield waited), None
            except BaseException as raised:  # the cancellation, which belongs to the work
                error = raised


class Canceller:
    """Cancels calls, and checks the ones after them.

    Args:
        caller: makes the calls.
        plans: an endless row of calls.
    """

    def __init__(self, caller: AsyncCaller, plans: Iterator[Plan]) -> None:
        self._caller = caller
        self._plans = plans
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def check_next(self, after: str) -> None:
        """Make a call, which has to get its own answer."""
        plan = next(self._plans)
        began = time.monotonic()
        try:
            text = await asyncio.wait_for(self._caller.call(plan), _STUCK)
        except Exception as error:
            self.wrong.append(f"after {after}: {plan.kind.name} {plan.number} failed with {error!r}")
            return
        self._check_text(plan, text, began, f"after {after}")
        self.counts["calls afterwards"] += 1

    def _check_text(self, plan: Plan, text: str, began: float, where: str) -> None:
        outcome = outcome_of_text(plan, text, began, time.monotonic())
        if outcome.what != "own":
            self.wrong.append(f"{where}: {plan.kind.name} {plan.number} got {outcome.what}: {outcome.error}")

    async def cancel_at(self, plan: Plan, place: int) -> bool:
        """Cancel a call at one of its awaits.

        Returns:
            whether it has so many.
        """
        stepped = CancelledAt(self._caller.call(plan), place)

        async def run() -> str:
            return await stepped

        where = f"{plan.kind.name} cancelled at its await {place}"
        await self._settle(asyncio.create_task(run()), plan, where)
        await self.check_next(where)
        return stepped.awaits > place

    async def cancel_after(self, plan: Plan, seconds: float) -> None:
        """Cancel a call after that time."""
        task = asyncio.create_task(self._caller.call(plan))
        await asyncio.sleep(seconds)
        task.cancel()
        where = f"{plan.kind.name} cancelled after {seconds * 1000:.1f} ms"
        await self._settle(task, plan, where)
        await self.check_next(where)

    async def _settle(self, task: asyncio.Task[str], plan: Plan, where: str) -> None:
        began = time.monotonic()
        _, pending = await asyncio.wait([task], timeout=_STUCK)
        if pending:
            self.wrong.append(f"{where} is stuck")
        elif task.cancelled():
            self.counts["cancelled"] += 1
        elif error := task.exception():
            self.wrong.append(f"{where} raised {error!r}")
        else:
            self.counts["done before"] += 1
            self._check_text(plan, task.result(), began, where)


async def _run(url: str, lane: str, seed: int, count: int, folder: Path, watch: Watch) -> tuple[Canceller, int]:
    draw = random.Random(seed)
    plans = (plan_of(seed, number) for number in itertools.count())
    watch.watch_loop()
    async with AsyncCaller(url, folder, transport_of(lane)) as caller:
        canceller = Canceller(caller, plans)
        for kind in KINDS:
            of_kind = (plan for plan in plans if plan.kind is kind)
            for kept in (False, True):
                for place in itertools.count():
                    if not kept:
                        await caller.drop_connections()
                    if not await canceller.cancel_at(next(of_kind), place):
                        break
        canceller.counts["at every await"] = canceller.counts.pop("cancelled")
        watch.start_over(count)
        left = iter(range(count))

        async def work() -> None:
            for _ in left:
                await canceller.cancel_after(next(plans), draw.uniform(0, 0.02))
                watch.count()

        await asyncio.gather(*(work() for _ in range(_LOAD)))
    await asyncio.sleep(0.1)
    return canceller, len(asyncio.all_tasks()) - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lane")
    parser.add_argument("url")
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    logging.getLogger("muxi").setLevel(logging.CRITICAL)
    watch = Watch(options.count)
    with tempfile.TemporaryDirectory() as name:
        work = _run(options.url, options.lane, options.seed, options.count, Path(name), watch)
        canceller, tasks = asyncio.run(work)
    left = watch.finish(tasks).as_dict()
    print(json.dumps({"counts": canceller.counts, "wrong": canceller.wrong, "left": left}))


if __name__ == "__main__":
    main()
