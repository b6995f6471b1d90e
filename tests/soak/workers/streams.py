"""Reads cut streams over one lane: ``python -m tests.soak.workers.streams LANE URL SEED COUNT`` (0: all)."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from muxi import AsyncFormationClient, ConnectionError, FormationClient, MuxiError, StreamInterrupted
from tests.soak.hostile.framings import FRAMINGS, Case, Framed, case_at, frame
from tests.soak.recorded import recorded_chats
from tests.soak.workers.driving import Watch
from tests.soak.workers.lanes import transport_of

_OPTIONS: dict[str, Any] = {"client_key": "k", "max_retries": 0, "timeout": 20.0, "idle_timeout": 20.0}

#: What a stream came to: its text and, if it was not whole, the error.
Result = tuple[str, BaseException | None]


class Checker:
    """Checks what came of each case.

    Args:
        framed: all streams in all framings.
    """

    def __init__(self, framed: dict[tuple[int, str], Framed]) -> None:
        self._framed = framed
        self.wrong: list[str] = []
        self.counts: Counter[str] = Counter()

    def check(self, case: Case, result: Result) -> None:
        """Whole only if whole, else interrupted, with what had arrived."""
        text, error = result
        framed = self._framed[case.chat, case.framing]
        arrived = framed.arrived(case.cut)
        expected, whole = framed.chat.text_at(arrived), framed.chat.is_whole_at(arrived)
        problem = ""
        if error is None:
            self.counts["whole"] += 1
            if not whole:
                problem = "passed for whole"
            elif text != framed.chat.content:
                problem = f"the whole text is {text!r}"
        elif type(error) is StreamInterrupted:
            self.counts["interrupted"] += 1
            if error.text != text:
                problem = f"partial has {error.text!r}, and {text!r} had come out"
            elif case.ending == "fin" and (whole or text != expected):
                problem = f"interrupted with {text[-60:]!r} instead of {expected[-60:]!r}, whole: {whole}"
            elif not framed.chat.content.startswith(text) and not expected.startswith(text):
                problem = f"interrupted with {text!r}, which is no beginning of the answer"
        elif isinstance(error, ConnectionError) and case.ending == "rst" and not text:
            self.counts["not begun"] += 1  # the reset destroyed the head of the answer
        elif isinstance(error, MuxiError):
            problem = f"{type(error).__name__}: {error}"
        else:
            problem = f"foreign {type(error).__module__}.{type(error).__name__}: {error}"
        if problem:
            self.wrong.append(f"{framed.chat.name} ({case}): {problem}")


def read(client: FormationClient, case: Case) -> Result:
    pieces: list[str] = []
    try:
        with client.chat_stream(str(case)) as stream:
            pieces.extend(stream.text())
    except Exception as error:
        return "".join(pieces), error
    return "".join(pieces), None


async def read_async(client: AsyncFormationClient, case: Case) -> Result:
    pieces: list[str] = []
    try:
        async with client.chat_stream(str(case)) as stream:
            async for piece in stream.text():
                pieces.append(piece)
    except Exception as error:
        return "".join(pieces), error
    return "".join(pieces), None


def cases(framed: dict[tuple[int, str], Framed], seed: int, count: int) -> Iterator[Case]:
    """So many cases, drawn from all; all of them in a row if the count is 0."""
    total = 2 * sum(len(it.wire) + 1 for it in framed.values())
    places = random.Random(seed).sample(range(total), min(count, total)) if count else range(total)
    return (case_at(framed, place) for place in places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lane")
    parser.add_argument("url")
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    logging.getLogger("muxi").setLevel(logging.CRITICAL)
    chats = recorded_chats()
    framed = {(place, framing): frame(chat, framing) for place, chat in enumerate(chats) for framing in FRAMINGS}
    checker = Checker(framed)
    drawn = cases(framed, options.seed, options.count)
    watch = Watch(options.count)
    settings = {**_OPTIONS, "url": options.url, "transport": transport_of(options.lane)}
    tasks = 0
    if options.lane == "aiohttp":

        async def drive() -> int:
            watch.watch_loop()
            async with AsyncFormationClient(**settings) as client:

                async def work() -> None:
                    for case in drawn:
                        checker.check(case, await read_async(client, case))
                        watch.count()

                await asyncio.gather(*(work() for _ in range(16)))
            await asyncio.sleep(0.1)
            return len(asyncio.all_tasks()) - 1

        tasks = asyncio.run(drive())
    else:
        with FormationClient(**settings) as client, ThreadPoolExecutor(4) as pool:

            def work(case: Case) -> None:
                checker.check(case, read(client, case))
                watch.count()

            batch: list[Case] = []
            for case in drawn:
                batch.append(case)
                if len(batch) == 1000:
                    list(pool.map(work, batch))
                    batch = []
            list(pool.map(work, batch))
    left = watch.finish(tasks).as_dict()
    print(json.dumps({"counts": checker.counts, "wrong": checker.wrong, "left": left}))


if __name__ == "__main__":
    main()
