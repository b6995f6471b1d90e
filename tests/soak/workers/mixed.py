"""Makes mixed calls over one lane: ``python -m tests.soak.workers.mixed LANE URL SEED FIRST CALLS`` prints JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import tempfile
from dataclasses import astuple
from pathlib import Path
from typing import Any

from tests.soak.judge import Outcome
from tests.soak.plan import Plan, plan_of
from tests.soak.workers.driving import Watch, drive_tasks, drive_threads
from tests.soak.workers.lanes import OFFICIAL, transport_of

THREADS = 32
TASKS = 256


def plans_of(lane: str, seed: int, first: int, calls: int) -> list[Plan]:
    """The plans of a lane. The official SDK has no downloads."""
    plans = [plan_of(seed, number) for number in range(first, first + calls)]
    return [plan for plan in plans if lane != OFFICIAL or plan.kind.name != "download"]


def drive_sync(plans: list[Plan], lane: str, url: str, folder: Path) -> dict[str, Any]:
    if lane == OFFICIAL:
        from tests.soak.workers.official import OfficialCaller as Caller
        from tests.soak.workers.official import failure_of
    else:
        from tests.soak.workers.calls import SyncCaller as Caller  # type: ignore[assignment]  # of the same form
        from tests.soak.workers.calls import failure_of
    watch = Watch(len(plans))
    with Caller(url, folder, *([] if lane == OFFICIAL else [transport_of(lane)])) as caller:
        outcomes = drive_threads(plans, caller.call, failure_of, THREADS, watch.count)
    return report(outcomes, watch)


def drive_async(plans: list[Plan], lane: str, url: str, folder: Path) -> dict[str, Any]:
    from tests.soak.workers.calls import AsyncCaller, failure_of

    watch = Watch(len(plans))

    async def drive() -> tuple[list[Outcome], int]:
        watch.watch_loop()
        async with AsyncCaller(url, folder, transport_of(lane)) as caller:
            outcomes = await drive_tasks(plans, caller.call, failure_of, TASKS, watch.count)
        await asyncio.sleep(0.1)  # a closed connection is gone in one of the loop's next rounds
        return outcomes, len(asyncio.all_tasks()) - 1

    outcomes, tasks = asyncio.run(drive())
    return report(outcomes, watch, tasks)


def report(outcomes: list[Outcome], watch: Watch, tasks: int = 0) -> dict[str, Any]:
    return {"outcomes": [astuple(outcome) for outcome in outcomes], "left": watch.finish(tasks).as_dict()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lane")
    parser.add_argument("url")
    parser.add_argument("seed", type=int)
    parser.add_argument("first", type=int)
    parser.add_argument("calls", type=int)
    options = parser.parse_args()
    logging.getLogger("muxi").setLevel(logging.CRITICAL)
    plans = plans_of(options.lane, options.seed, options.first, options.calls)
    with tempfile.TemporaryDirectory() as name:
        if options.lane == "aiohttp":
            result = drive_async(plans, options.lane, options.url, Path(name))
        else:
            result = drive_sync(plans, options.lane, options.url, Path(name))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
