"""Calls a server that is gone for 0.3 s: ``python -m tests.soak.workers.restarts LANE URL SEED ROUNDS``, prints JSON.

In each round a new client with default settings, its retry budget included, makes 64 calls at once. None may fail
before it has used up its attempts.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from muxi import AsyncFormationClient, FormationClient, MuxiError
from tests.soak.plan import Plan, marker_of, plan_of
from tests.soak.workers.driving import Watch
from tests.soak.workers.lanes import transport_of

_AT_ONCE = 64
_ALLOWED = 4


class Rounds:
    """Counts what comes of calls."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def add(self, plan: Plan, result: object) -> None:
        """Add a call's result, or the error it raised."""
        if not isinstance(result, BaseException):
            self.counts["answered"] += 1
        elif isinstance(result, MuxiError) and result.attempts >= _ALLOWED:
            self.counts["out of attempts"] += 1
        else:
            self.counts["lost"] += 1
            self.wrong.append(f"call {plan.number} failed: {result!r} {result}")


def _vanish(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(f"{url}/vanish", method="POST"), timeout=10):
        pass


def drive(rounds: Rounds, url: str, lane: str, plans: list[Plan]) -> None:
    settings: dict[str, Any] = {"url": url, "client_key": "k", "transport": transport_of(lane)}
    with FormationClient(**settings) as client, ThreadPoolExecutor(_AT_ONCE) as pool:

        def call(plan: Plan) -> object:
            try:
                return client.get_memories(marker_of(plan.number))
            except Exception as error:
                return error

        _vanish(url)
        for plan, result in zip(plans, pool.map(call, plans), strict=True):
            rounds.add(plan, result)


async def drive_async(rounds: Rounds, url: str, lane: str, plans: list[Plan]) -> None:
    settings: dict[str, Any] = {"url": url, "client_key": "k", "transport": transport_of(lane)}
    async with AsyncFormationClient(**settings) as client:
        await asyncio.to_thread(_vanish, url)
        calls = [client.get_memories(marker_of(plan.number)) for plan in plans]
        for plan, result in zip(plans, await asyncio.gather(*calls, return_exceptions=True), strict=True):
            rounds.add(plan, result)
    await asyncio.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lane")
    parser.add_argument("url")
    parser.add_argument("seed", type=int)
    parser.add_argument("rounds", type=int)
    options = parser.parse_args()
    logging.getLogger("muxi").setLevel(logging.CRITICAL)
    every = (plan_of(options.seed, number) for number in itertools.count())
    memories = (plan for plan in every if plan.kind.name == "memories")
    rounds, watch = Rounds(), Watch(options.rounds)
    for _ in range(options.rounds):
        plans = [next(memories) for _ in range(_AT_ONCE)]
        if options.lane == "aiohttp":
            asyncio.run(drive_async(rounds, options.url, options.lane, plans))
        else:
            drive(rounds, options.url, options.lane, plans)
        watch.count()
    print(json.dumps({"counts": rounds.counts, "wrong": rounds.wrong, "left": watch.finish().as_dict()}))


if __name__ == "__main__":
    main()
