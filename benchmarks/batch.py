"""The throughput of batches, and how many workers a rate and a latency need; ``make bench`` runs it, also by itself.

``python benchmarks/batch.py [threads asyncio processes dask memory]`` measures against a server that answers after
50 ms, keeps the figures in ``docs/_generated/batch.json``, and makes of them what the page on batches shows: a table, a
curve and a sheet for planning. A run of some kinds leaves the others' figures as they are; with ``--again`` the better
of two rounds is kept, which on a machine with other work is the one that was disturbed less; with ``--installed`` the
environment is taken as it is.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

from environments import ROOT, WORK, our_python, pip, variables

HERE = Path(__file__).resolve().parent
GENERATED = ROOT / "docs" / "_generated"

LATENCY = 0.05
#: Threads of a worker of Dask, as the worker of the benchmark has it.
DASK_THREADS = 16
#: What is measured: calls in flight, or worker processes.
SIZES = {
    "threads": (1, 4, 16, 64, 128, 256),
    "asyncio": (1, 4, 16, 64, 128, 256),
    "processes": (1, 2, 4, 8),
    "dask": (1, 2, 4, 8),
    "memory": (100_000,),
}
SECONDS = 3.0
#: A curve bends where it falls below this part of the ideal.
BEND = 0.8
#: Part of a core that a plan uses.
LOAD = 0.7
#: Calls in flight that a plan gives to one process of a kind.
PLANNED = {"threads": 64, "asyncio": 256, "dask": DASK_THREADS}

Figures = dict[str, dict[str, dict[str, float]]]


def batch_python() -> str:
    """The Python of the environment with this SDK, with Dask beside it."""
    python = our_python()
    pip(python, "install", "--quiet", "distributed >=2024.8")
    return python


@contextmanager
def delayed_server() -> Iterator[str]:
    """The port of a server in a process of its own, which answers after the latency."""
    command = [sys.executable, str(HERE / "batch_server.py"), str(LATENCY * 1000)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the server has no output")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate()


def measure(kinds: list[str], python: str) -> Iterator[tuple[str, int, dict[str, float]]]:
    """Yield the figures of each size of some kinds."""
    with delayed_server() as port:
        for kind in kinds:
            for size in SIZES[kind]:
                command = [python, str(HERE / "batch_worker.py"), kind, str(size), port, str(SECONDS)]
                done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE, env=variables())
                if done.returncode:
                    raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
                yield kind, size, json.loads(done.stdout.splitlines()[-1])


def in_flight(kind: str, size: int) -> int:
    """The number of calls in flight of a measurement."""
    return size * DASK_THREADS if kind == "dask" else size


def bend_of(kind: str, figures: dict[str, dict[str, float]]) -> int | None:
    """Return the first number of calls in flight at which the throughput is below the ideal; None if none is."""
    for size, found in figures.items():
        calls = in_flight(kind, int(size))
        if found["rate"] < BEND * calls / LATENCY:
            return calls
    return None


def cost_of(figures: dict[str, dict[str, float]]) -> float:
    """Return the CPU seconds of a call at the highest throughput."""
    return max(figures.values(), key=lambda found: found["rate"])["cpu"] / 1000


def plan(rate: float, latency: float, cost: float, per_process: int) -> tuple[int, int]:
    """Return the calls in flight and the processes that a rate and a latency need.

    Args:
        rate: calls per second.
        latency: seconds of a call.
        cost: CPU seconds of a call.
        per_process: calls in flight of one process.
    """
    calls = math.ceil(rate * latency)
    return calls, max(math.ceil(calls / per_process), math.ceil(rate * cost / LOAD))


def table(results: Figures) -> str:
    """The figures as Markdown."""
    lines = [
        "| where | size | in flight | calls per second | of the ideal | CPU ms per call |",
        "|---|---|---|---|---|---|",
    ]
    for kind in ("threads", "asyncio", "processes", "dask"):
        for size, found in results.get(kind, {}).items():
            calls = in_flight(kind, int(size))
            what = {"dask": f"{size} workers of {DASK_THREADS} threads", "processes": f"{size} processes"}
            share = found["rate"] * LATENCY / calls
            shown = f"{found['rate']:.0f} | {share:.0%} | {found['cpu']:.2f}"
            lines.append(f"| {kind} | {what.get(kind, f'{size} {_UNITS.get(kind)}')} | {calls} | {shown} |")
    return "\n".join(lines)


_UNITS = {"threads": "threads", "asyncio": "tasks"}


def bends(results: Figures) -> str:
    """Where each curve bends, in words."""
    lines = []
    for kind in ("threads", "asyncio", "processes", "dask"):
        if kind in results:
            at = bend_of(kind, results[kind])
            best = max(results[kind].items(), key=lambda found: found[1]["rate"])
            told = "not within what was measured" if at is None else f"at {at} calls in flight"
            lines.append(
                f"- {kind}: bends {told}; the highest throughput was {best[1]['rate']:.0f} calls per second, with "
                f"{in_flight(kind, int(best[0]))} in flight and {best[1]['cpu']:.2f} ms of CPU for each."
            )
    return "\n".join(lines)


def sheet(results: Figures) -> str:
    """Processes by rate and latency, from the measured cost of a call."""
    kinds = [kind for kind in PLANNED if kind in results]
    lines = [
        f"| calls per second | latency | in flight | {' | '.join(f'{kind}, {PLANNED[kind]} each' for kind in kinds)} |",
        "|---|---|---|" + "---|" * len(kinds),
    ]
    for rate in (10, 100, 1_000, 10_000):
        for latency in (0.05, 1.0, 10.0, 60.0):
            planned = [plan(rate, latency, cost_of(results[kind]), PLANNED[kind]) for kind in kinds]
            shown = " | ".join(f"{processes:,}" for _, processes in planned)
            lines.append(f"| {rate:,} | {latency:g} s | {planned[0][0]:,} | {shown} |")
    return "\n".join(lines)


def memory(results: Figures) -> str:
    """The memory of many prompts, in words."""
    lines = []
    for size, found in results.get("memory", {}).items():
        lines.append(
            f"{int(size):,} prompts with a journal of {found['journal']:.0f} MiB, in a process with 16 threads whose "
            f"answers come at once: resident memory {_growth(found['first run: growth'])} between the first tenth and "
            f"the end. Read again from the journal, it {_growth(found['resumed: growth'])}."
        )
    return "\n\n".join(lines)


def _growth(mebibytes: float) -> str:
    return "did not grow" if mebibytes < 0.5 else f"grew by {mebibytes:.1f} MiB"


COLOURS = {"threads": "#5b74b8", "asyncio": "#3f9a6b", "processes": "#c0564a", "dask": "#b8893b"}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 900, 420, 70, 24, 760, 370


def curve(results: Figures) -> str:
    """Throughput by calls in flight, both on logarithmic scales, with the ideal beside it."""
    points = {
        kind: [(in_flight(kind, int(size)), found["rate"]) for size, found in results[kind].items()]
        for kind in COLOURS
        if kind in results
    }
    widest = max(calls for line in points.values() for calls, _ in line)
    lowest, highest = 1 / LATENCY / 2, widest / LATENCY

    def place(calls: float, rate: float) -> str:
        x = LEFT + math.log(calls) / math.log(widest) * (RIGHT - LEFT)
        y = BOTTOM - math.log(rate / lowest) / math.log(highest / lowest) * (BOTTOM - TOP)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff" rx="8"/>',
        f'<path d="M{LEFT},{TOP} V{BOTTOM} H{RIGHT}" fill="none" stroke="#98a0b4"/>',
        f'<polyline points="{place(1, 1 / LATENCY)} {place(widest, highest)}" fill="none" stroke="#98a0b4" '
        'stroke-dasharray="4 4"/>',
    ]
    for calls in (1, 4, 16, 64, 256):
        if calls <= widest:
            x = place(calls, lowest).split(",")[0]
            parts.append(f'<text x="{x}" y="{BOTTOM + 18}" text-anchor="middle" fill="#556">{calls}</text>')
    for rate in (20, 100, 500, 1000, 2000, 5000):
        if rate <= highest:
            y = place(1, rate).split(",")[1]
            parts.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end" fill="#556">{rate}</text>')
    for number, (kind, line) in enumerate(points.items()):
        path, y = " ".join(place(*point) for point in line), TOP + 20 + number * 20
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{COLOURS[kind]}" stroke-width="2"/>',
            *(f'<circle cx="{x}" cy="{y_}" r="3" fill="{COLOURS[kind]}"/>' for x, y_ in map(_split, path.split())),
            f'<text x="{RIGHT + 16}" y="{y}" fill="{COLOURS[kind]}">{escape(kind)}</text>',
        ]
    parts += [
        f'<text x="{RIGHT + 16}" y="{TOP + 20 + len(points) * 20}" fill="#556">ideal (dashed)</text>',
        f'<text x="{(LEFT + RIGHT) // 2}" y="{HEIGHT - 12}" text-anchor="middle" fill="#223">calls in flight</text>',
        f'<text x="{LEFT}" y="{TOP - 8}" fill="#223">calls per second</text>',
        "</svg>",
        "",
    ]
    return "\n".join(parts)


def _split(point: str) -> tuple[str, str]:
    x, _, y = point.partition(",")
    return x, y


def conditions() -> str:
    """What the figures were measured on."""
    return (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()} "
        f"with {os.cpu_count()} cores, which the server and the workers share; the server answers after "
        f"{LATENCY * 1000:.0f} ms. Best of the rounds; when the last one ended, {os.getloadavg()[0]:.0f} processes "
        "wanted a core."
    )


def better(kept: dict[str, float], found: dict[str, float]) -> dict[str, float]:
    """Return the round with the higher throughput; of memory the later one."""
    return kept if kept.get("rate", 0.0) > found.get("rate", 0.0) else found


def keep(kind: str, size: int, figures: dict[str, float], *, again: bool = False) -> None:
    """Write the figures of one measurement, and what the page shows of all that there are.

    Args:
        kind: what was measured.
        size: its size.
        figures: what came of it.
        again: whether the better of this round and the kept one counts.
    """
    GENERATED.mkdir(exist_ok=True)
    path = GENERATED / "batch.json"
    results: Figures = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
    kept = results.setdefault(kind, {})
    kept[str(size)] = better(kept.get(str(size), {}), figures) if again else figures
    results[kind] = dict(sorted(kept.items(), key=lambda item: int(item[0])))
    told = {"conditions": conditions(), "latency": LATENCY, "results": results}
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    write(results, conditions())


def write(results: Figures, told: str) -> None:
    """Write what the page includes."""
    pieces = {
        "batch.md": f"{told}\n\n{table(results)}\n\n{bends(results)}\n",
        "batch-sheet.md": f"{sheet(results)}\n",
        "batch-memory.md": f"{memory(results)}\n",
        "batch.svg": curve(results),
    }
    for name, text in pieces.items():
        (GENERATED / name).write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Measure some kinds, or all."""
    kinds = [argument for argument in arguments if not argument.startswith("--")]
    if unknown := set(kinds) - set(SIZES):
        raise SystemExit(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    python = str(WORK / "ours" / "bin" / "python") if "--installed" in arguments else batch_python()
    for kind, size, figures in measure(kinds or list(SIZES), python):
        print(kind, size, figures, flush=True)
        keep(kind, size, figures, again="--again" in arguments)
    print((GENERATED / "batch.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])
