"""One measurement of a batch in a process of its own: ``python batch_worker.py KIND SIZE PORT SECONDS``.

KIND and SIZE: ``threads``, ``asyncio`` and ``processes`` with so many calls in flight, ``dask`` with so many worker
processes of sixteen threads, ``memory`` with so many prompts. It prints a JSON object of figures.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muxi import FormationClient, FormationConfig, batch
from muxi.transport import BufferedResponse, Request, Response, Transport, replayed

#: Threads of a worker of Dask.
DASK_THREADS = 16

_TICKS = os.sysconf("SC_CLK_TCK")


def calls() -> Iterator[Any]:
    """Endless chats."""
    return (FormationClient.chat.call(f"Question {number}", user_id="ada") for number in itertools.count())


def tree_cpu() -> float:
    """CPU seconds of this process and of all below it."""
    parents: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
            spent[int(entry.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    total, waiting = 0.0, [os.getpid()]
    while waiting:
        process = waiting.pop()
        total += spent.get(process, 0.0)
        waiting += parents.get(process, [])
    return total


class Window:
    """Counts results in a window of time after a warm-up.

    Args:
        warm_up: results before the window.
        seconds: its length.
    """

    def __init__(self, warm_up: int, seconds: float) -> None:
        self._warm_up, self._seconds = warm_up, seconds
        self._count = 0
        self._began = self._cpu = 0.0

    def note(self, result: Any) -> bool:
        """Count a result; False at the end of the window."""
        result.unwrap()
        self._count += 1
        now = time.monotonic()
        if self._count == self._warm_up:
            self._began, self._cpu = now, tree_cpu()
        return self._count < self._warm_up or now - self._began < self._seconds

    def figures(self) -> dict[str, float]:
        """Calls per second, and CPU milliseconds of a call."""
        count = self._count - self._warm_up
        cpu, seconds = tree_cpu() - self._cpu, time.monotonic() - self._began
        return {"rate": count / seconds, "cpu": cpu / count * 1000}


@contextmanager
def workers(kind: str, size: int) -> Iterator[tuple[Any, int]]:
    """What ``executor=`` takes, and the number of calls in flight."""
    if kind != "dask":
        yield kind, size
        return
    from distributed import Client, LocalCluster

    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=size,
            threads_per_worker=DASK_THREADS,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
            local_directory=folder,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor(pure=False), size * DASK_THREADS


def measure(kind: str, size: int, url: str, seconds: float) -> dict[str, float]:
    """Throughput and CPU of a batch from sync code."""
    with workers(kind, size) as (executor, concurrency):
        window = Window(2 * concurrency, seconds)
        with batch.run(calls(), FormationConfig(url=url), executor=executor, concurrency=concurrency) as results:
            for result in results:
                if not window.note(result):
                    return window.figures()
    raise RuntimeError("an endless batch has ended")


async def measure_async(size: int, url: str, seconds: float) -> dict[str, float]:
    """The same with tasks of the event loop."""
    window = Window(2 * size, seconds)
    async with batch.run_async(calls(), FormationConfig(url=url), concurrency=size) as results:
        async for result in results:
            if not window.note(result):
                return window.figures()
    raise RuntimeError("an endless batch has ended")


class Instant(Transport):
    """Answers at once, so that the memory of many prompts is measured and not the time of a server."""

    def send(self, request: Request) -> Response:
        from server import CHAT

        return replayed(BufferedResponse(200, [("Content-Type", "application/json")], CHAT.partition(b"\r\n\r\n")[2]))


def resident() -> float:
    """MiB of resident memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def measure_memory(count: int) -> dict[str, float]:
    """Growth of resident memory, from a tenth of the prompts to all of them, and while the journal is read again."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        journal = batch.Journal(Path(folder, "run.jsonl"), fsync=False)
        recipe = batch.ClientRecipe(
            lambda: FormationClient(url="http://localhost", client_key="k", transport=Instant), name="instant"
        )
        for run in ("first run", "resumed"):
            started, began = 0.0, time.monotonic()
            given = itertools.islice(calls(), count)
            for number, result in enumerate(batch.run(given, recipe, concurrency=16, journal=journal)):
                result.unwrap()
                if number == count // 10:
                    started = resident()
            found[f"{run}: growth"] = resident() - started
            found[f"{run}: seconds"] = time.monotonic() - began
        found["journal"] = Path(folder, "run.jsonl").stat().st_size / (1 << 20)
    return found


def main() -> None:
    """Run one measurement."""
    kind, size, port, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    os.environ["MUXI_CLIENT_KEY"] = "fmc_benchmark"
    url = f"http://127.0.0.1:{port}"
    if kind == "memory":
        figures = measure_memory(size)
    elif kind == "asyncio":
        figures = asyncio.run(measure_async(size, url, seconds))
    else:
        figures = measure(kind, size, url, seconds)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
