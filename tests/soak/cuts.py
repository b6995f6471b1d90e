"""The part ``streams``: recorded chats cut at every byte, in every framing, on every lane."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter

from tests.soak.processes import run_worker, serving
from tests.soak.report import Report, problems_of_left
from tests.soak.workers.lanes import lanes

__all__ = ["run"]


def run(options: argparse.Namespace, report: Report) -> None:
    """Cut ``--streams`` of them over all lanes, or all of them with ``SOAK=full``."""
    ours = [lane for lane in lanes() if not options.lane or lane in options.lane]
    full = os.environ.get("SOAK") == "full"
    share = 0 if full else options.streams // max(1, len(ours))
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    began = time.monotonic()
    for place, lane in enumerate(ours):
        with serving("hostile.stream_server") as server:
            arguments = (lane, server.url, options.seed + place, share)
            limit = 24 * 3600 if full else 600
            result = run_worker("tests.soak.workers.streams", arguments, limit=limit)
        counts.update(result["counts"])
        wrong += [f"{lane}: {line}" for line in result["wrong"] + problems_of_left(result["left"])]
    figures = {"cut streams": sum(counts.values()), **counts, "wrong": len(wrong)}
    report.add_part("streams", {**figures, "seconds": round(time.monotonic() - began)}, wrong)
