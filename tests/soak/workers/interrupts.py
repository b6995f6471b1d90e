"""Interrupts sync calls: ``python -m tests.soak.workers.interrupts LANE URL SEED COUNT``, prints JSON.

A signal handler raises an exception in the main thread at a random moment of a call, as the handler of Ctrl-C does,
while other threads make calls through the same client. After each the next call has to get its own answer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from muxi import MuxiError
from tests.soak.plan import Plan, plan_of
from tests.soak.workers.calls import SyncCaller
from tests.soak.workers.driving import Watch, outcome_of_text
from tests.soak.workers.lanes import transport_of

#: Threads that make calls meanwhile.
_OTHERS = 4
#: The longest time until the signal, in seconds; a call takes some milliseconds.
_LATEST = 0.012


class Interrupted(BaseException):
    """What the signal handler raises."""


class Interrupter:
    """Makes calls that a signal interrupts, and the calls after them.

    Args:
        caller: makes the calls.
        seed: the seed of the run.
    """

    def __init__(self, caller: SyncCaller, seed: int) -> None:
        self._caller = caller
        self._plans = (plan_of(seed, number) for number in itertools.count())
        self._lock = threading.Lock()
        self._draw = random.Random(seed)
        self._is_armed = False
        self._has_ended = threading.Event()
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self, count: int, watch: Watch) -> None:
        """Interrupt that many calls."""
        # What is imported at first use is imported now: an interrupt of an import can leave Python's own locks held.
        for plan in itertools.islice(self._plans, 100):
            self._check(plan, "before all")
        signal.signal(signal.SIGALRM, self._interrupt)
        others = [threading.Thread(target=self._make_calls) for _ in range(_OTHERS)]
        for thread in others:
            thread.start()
        for _ in range(count):
            self._interrupt_one()
            self._check(self._next(), "after an interrupt")
            watch.count()
        self._has_ended.set()
        for thread in others:
            thread.join()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._is_armed:
            self._is_armed = False
            raise Interrupted

    def _interrupt_one(self) -> None:
        plan = self._next()
        began = time.monotonic()
        try:
            self._is_armed = True
            signal.setitimer(signal.ITIMER_REAL, self._draw.uniform(0.00005, _LATEST))
            text = self._caller.call(plan)
            self._is_armed = False
        except Interrupted:
            self.counts["interrupted"] += 1
        except MuxiError as error:
            self.wrong.append(f"an interrupt of {plan.kind.name} came out as {error!r}")
        except Exception as error:
            self.wrong.append(f"an interrupt of {plan.kind.name} came out as the foreign {error!r}")
        else:
            self.counts["done before"] += 1
            self._check_text(plan, text, began, "before its interrupt")
        finally:
            self._is_armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _make_calls(self) -> None:
        while not self._has_ended.is_set():
            self._check(self._next(), "beside interrupts")

    def _check(self, plan: Plan, where: str) -> None:
        began = time.monotonic()
        try:
            text = self._caller.call(plan)
        except Exception as error:
            self.wrong.append(f"{where}: {plan.kind.name} {plan.number} failed with {error!r}")
            return
        self._check_text(plan, text, began, where)
        self.counts[f"calls {where.split()[0]}"] += 1

    def _check_text(self, plan: Plan, text: str, began: float, where: str) -> None:
        outcome = outcome_of_text(plan, text, began, time.monotonic())
        if outcome.what != "own":
            self.wrong.append(f"{where}: {plan.kind.name} {plan.number} got {outcome.what}: {outcome.error}")

    def _next(self) -> Plan:
        with self._lock:
            return next(self._plans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lane")
    parser.add_argument("url")
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    logging.getLogger("muxi").setLevel(logging.CRITICAL)
    watch = Watch(options.count)
    report_uncaught = sys.unraisablehook

    def report(unraisable: sys.UnraisableHookArgs) -> None:
        # An interrupt in a finalizer is swallowed by Python itself.
        if not isinstance(unraisable.exc_value, Interrupted):
            report_uncaught(unraisable)

    sys.unraisablehook = report
    transport = transport_of(options.lane)
    with tempfile.TemporaryDirectory() as name, SyncCaller(options.url, Path(name), transport) as caller:
        interrupter = Interrupter(caller, options.seed)
        interrupter.run(options.count, watch)
    left = watch.finish().as_dict()
    print(json.dumps({"counts": interrupter.counts, "wrong": interrupter.wrong, "left": left}))


if __name__ == "__main__":
    main()
