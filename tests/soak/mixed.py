"""The part ``calls``: mixed calls against the hostile server, lane by lane."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

from tests.soak.judge import Ledger, Outcome, Verdict, judge
from tests.soak.plan import plan_of
from tests.soak.processes import run_worker, serving
from tests.soak.report import Report
from tests.soak.workers.lanes import OFFICIAL, lanes

__all__ = ["Judged", "judge_lane", "run"]

#: Attempts that a call may have: the first, and three retries, as both SDKs are told.
_ALLOWED = 4


class Judged:
    """The verdicts on all calls of a lane."""

    def __init__(self, seed: int, outcomes: list[Outcome], ledger: Ledger) -> None:
        self.counts: Counter[Verdict] = Counter()
        #: For each verdict a few of the calls, with what happened to them.
        self.examples: list[str] = []
        self.calls = len(outcomes)
        self.failed = sum(outcome.what in ("error", "foreign") for outcome in outcomes)
        for outcome in outcomes:
            plan = plan_of(seed, outcome.number)
            verdicts = judge(plan, outcome, ledger, _ALLOWED)
            for verdict in verdicts:
                self.counts[verdict] += 1
                if self.counts[verdict] <= 5:
                    seen = ledger.seen.get(outcome.number, [])
                    faults = ", ".join(it.fault for it in seen)
                    self.examples.append(
                        f"{verdict.value}: call {outcome.number} ({plan.kind.name}), server did [{faults}]: "
                        f"{outcome.what} {outcome.error[:300]}"
                    )


def judge_lane(seed: int, result: dict[str, Any], ledger: Any) -> Judged:
    """Judge what a worker and a server have reported."""
    return Judged(seed, [Outcome(*it) for it in result["outcomes"]], Ledger.from_json(ledger))


def run(options: argparse.Namespace, report: Report) -> None:
    """Run all lanes, the official SDK last."""
    ours = [lane for lane in lanes() if not options.lane or lane in options.lane]
    share = options.calls // max(1, len(ours))
    for place, lane in enumerate([*ours, *([OFFICIAL] if options.python else [])]):
        began = time.monotonic()
        with serving("hostile.server", options.seed) as server:
            python = {"python": options.python} if lane == OFFICIAL else {}
            arguments = (lane, server.url, options.seed, place * share, share)
            result = run_worker("tests.soak.workers.mixed", arguments, **python)
            judged = judge_lane(options.seed, result, server.ask("ledger"))
        report.add_lane(lane, judged, result["left"], time.monotonic() - began, ours=lane != OFFICIAL)
