"""The speed budget of the SDK, measured: CPU time against the official SDK's, interleaved, medians.

``make bench`` runs it. The official SDK is installed from the package index into an environment of its own
(``.venv-official``); without it the ratios are left out and the absolute figures stay.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKER = HERE / "worker.py"
IMPORT = "from muxi import FormationClient"


@contextmanager
def canned_server() -> Iterator[str]:
    """The port of a server of canned answers in a process of its own."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None:
            raise RuntimeError("the server has no output")
        yield process.stdout.readline().strip()
        process.communicate()


def official_python(root: Path) -> str | None:
    """The interpreter of an environment with the official SDK; None where it cannot be installed."""
    python = root / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(root)], check=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", "muxi"], check=False)
        if done.returncode:
            return None
    return str(python)


def worker(python: str, *arguments: str) -> float:
    """What one run of the worker prints."""
    done = subprocess.run(
        [python, str(WORKER), *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE,
        env=environment_of(python),
    )
    return float(done.stdout)


def environment_of(python: str) -> dict[str, str]:
    """The environment; a path to this SDK must not lead the official one's interpreter to it."""
    if python == sys.executable:
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def process_cpu(python: str, arguments: list[str]) -> float:
    """CPU milliseconds of a whole process, start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, *arguments], check=True, cwd=HERE, stdout=subprocess.DEVNULL, env=environment_of(python))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


class Report:
    """Lines of a table, printed as they are known."""

    def __init__(self, official: str | None, rounds: int) -> None:
        self._official = official
        self._rounds = rounds
        print(f"{'what':44} {'ours':>10} {'official':>10} {'ratio':>6} {'budget':>7}")

    def compare(
        self,
        what: str,
        unit: str,
        budget: float,
        measure_ours: Callable[[], float],
        measure_theirs: Callable[[], float],
    ) -> None:
        """Measure both in turn, several times over, and print the medians."""
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(self._rounds):
            ours.append(measure_ours())
            if self._official:
                theirs.append(measure_theirs())
        mine = statistics.median(ours)
        line = f"{what + ' [' + unit + ']':44} {mine:10.1f}"
        if theirs:
            other = statistics.median(theirs)
            line += f" {other:10.1f} {mine / other:6.2f} {budget:7.2f}"
        print(line, flush=True)

    def single(self, what: str, value: str) -> None:
        """A figure without a counterpart."""
        print(f"{what:44} {value}", flush=True)


def pipeline(calls: int = 3000) -> float:
    """CPU microseconds of a call through everything but a network: the memory transport."""
    from muxi import FormationClient
    from muxi_transports.memory import EmbeddedFormation, MemoryTransport

    client = FormationClient(url="http://memory", client_key="k", transport=MemoryTransport(EmbeddedFormation()))
    for _ in range(50):
        client.health()
    start = time.process_time()
    for _ in range(calls):
        client.health()
    return (time.process_time() - start) / calls * 1e6


async def concurrent_streams(port: str, count: int = 1000) -> tuple[int, float]:
    """How many of that many streams at once gave their whole answer, and in how many seconds."""
    from muxi import AsyncFormationClient

    expected = "".join(f"{number} " for number in range(20))
    async with AsyncFormationClient(base_url=f"http://127.0.0.1:{port}/v1", client_key="k") as client:

        async def one() -> bool:
            stream = await client.chat_stream({"message": "slow"})
            return (await stream.result())["content"] == expected

        start = time.perf_counter()
        whole = await asyncio.gather(*(one() for _ in range(count)))
        return sum(whole), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each pair is measured")
    parser.add_argument(
        "--official", default=str(HERE.parent / ".venv-official"), help="environment of the official SDK"
    )
    options = parser.parse_args()
    os.environ.pop("MUXI_TRANSPORT", None)
    # An installed package is compiled; one in a checkout must be allowed to be, or its imports look slow.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    ours, theirs = sys.executable, official_python(Path(options.official))
    report = Report(theirs, options.rounds)
    other = theirs or ours
    with canned_server() as port:
        for what, name, transport, budget in (
            ("chat", "unary chat", "requests", 0.75),
            ("chat", "the same, urllib3", "urllib3", 0.55),
            ("memories", "page of ten memories", "requests", 0.75),
            ("memories", "the same, urllib3", "urllib3", 0.55),
            ("stream", "chat stream, per event", "requests", 0.70),
            ("stream", "the same, urllib3", "urllib3", 0.70),
        ):
            report.compare(
                name,
                "CPU µs",
                budget,
                partial(worker, ours, what, port, transport),
                partial(worker, other, what, port),
            )
        report.compare(
            "import of the client, process included",
            "CPU ms",
            0.5,
            partial(process_cpu, ours, ["-c", IMPORT]),
            partial(process_cpu, other, ["-c", IMPORT]),
        )
        report.compare(
            "process start to first answer",
            "CPU ms",
            1.0,
            partial(process_cpu, ours, [str(WORKER), "first", port]),
            partial(process_cpu, other, [str(WORKER), "first", port]),
        )
        report.single("pipeline alone (memory transport)", f"{pipeline():.0f} CPU µs per call, embedded world included")
        report.single("1 GiB bundle upload, growth of memory", f"{worker(ours, 'upload', port):.1f} MiB (budget 16)")
        whole, seconds = asyncio.run(concurrent_streams(port))
        report.single("1,000 concurrent streams, one client", f"{whole} whole answers in {seconds:.1f} s")


if __name__ == "__main__":
    main()
