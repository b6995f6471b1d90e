"""The parts ``cancellations``, ``interrupts`` and ``restarts``: calls that are broken off, and servers that are."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from tests.soak.processes import run_worker, serving
from tests.soak.report import Report, problems_of_left
from tests.soak.workers.lanes import lanes

__all__ = ["run_cancellations", "run_interrupts", "run_restarts"]


def run_cancellations(options: argparse.Namespace, report: Report) -> None:
    """Cancel calls at every await, and ``--cancellations`` of them under load."""
    _run("cancellations", ["aiohttp"], options.cancellations, options, report)


def run_interrupts(options: argparse.Namespace, report: Report) -> None:
    """Interrupt ``--interrupts`` calls over all sync lanes by a signal handler."""
    ours = [lane for lane in lanes() if lane != "aiohttp"]
    _run("interrupts", ours, options.interrupts, options, report)


def run_restarts(options: argparse.Namespace, report: Report) -> None:
    """Make calls with default settings at the moment in which the server is gone, on every lane."""
    ours = lanes()
    _run("restarts", ours, options.restarts * len(ours), options, report)


def _run(name: str, chosen: list[str], count: int, options: argparse.Namespace, report: Report) -> None:
    chosen = [lane for lane in chosen if not options.lane or lane in options.lane]
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    began = time.monotonic()
    for lane in chosen:
        with serving("hostile.server", options.seed, "--calm", "--faultless") as server:
            share = count // len(chosen)
            result = run_worker(f"tests.soak.workers.{name}", (lane, server.url, options.seed, share))
        counts.update(result["counts"])
        wrong += [f"{lane}: {line}" for line in result["wrong"] + problems_of_left(result["left"])]
    if chosen:
        report.add_part(name, {**counts, "wrong": len(wrong), "seconds": round(time.monotonic() - began)}, wrong)
