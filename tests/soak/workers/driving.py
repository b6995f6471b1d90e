"""Drives the calls of a run through a caller, many at once, and watches what is left over afterwards."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.soak.hostile.answers import content_of
from tests.soak.judge import Outcome
from tests.soak.plan import Plan, find_marker, marker_of

__all__ = ["Left", "Watch", "drive_tasks", "drive_threads", "outcome_of_text", "resident_kib"]

Failure = Callable[[Plan, BaseException, float, float], Outcome]


def outcome_of_text(plan: Plan, text: str, began: float, ended: float) -> Outcome:
    """The outcome of a call that returned this text."""
    marker = marker_of(plan.number)
    # A removal whose repetition found nothing.
    if text == content_of(marker) or (plan.kind.repeat == "removal" and not text):
        return Outcome(plan.number, "own", began=began, ended=ended)
    what = "other" if find_marker(text.encode()) - {plan.number} else "partial"
    return Outcome(plan.number, what, f"the text is {text[:200]!r}", began=began, ended=ended)


def drive_threads(
    plans: Sequence[Plan], call: Callable[[Plan], str], failure: Failure, count: int, done: Callable[[], None]
) -> list[Outcome]:
    """Make all calls from that many threads; ``done`` is called after each."""

    def make(plan: Plan) -> Outcome:
        began = time.monotonic()
        try:
            outcome = outcome_of_text(plan, call(plan), began, time.monotonic())
        except Exception as error:
            outcome = failure(plan, error, began, time.monotonic())
        done()
        return outcome

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(make, plans))


async def drive_tasks(
    plans: Sequence[Plan],
    call: Callable[[Plan], Awaitable[str]],
    failure: Failure,
    count: int,
    done: Callable[[], None],
) -> list[Outcome]:
    """Make all calls from that many tasks; ``done`` is called after each."""
    left, outcomes = iter(plans), []

    async def work() -> None:
        for plan in left:
            began = time.monotonic()
            try:
                outcomes.append(outcome_of_text(plan, await call(plan), began, time.monotonic()))
            except Exception as error:
                outcomes.append(failure(plan, error, began, time.monotonic()))
            done()

    await asyncio.gather(*(work() for _ in range(count)))
    return outcomes


def resident_kib() -> int:
    """Resident memory of this process, in KiB."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  a file of the system
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass
class Left:
    """What a run leaves behind."""

    descriptors: int = 0
    threads: int = 0
    tasks: int = 0
    #: KiB by which memory grew in the second half of the calls.
    memory: int = 0
    #: Exceptions that nobody caught, in threads, tasks and finalizers.
    uncaught: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Watch:
    """Watches the process while calls are made: memory, descriptors, threads, and exceptions that nobody catches.

    Args:
        calls: how many calls will be made.
    """

    def __init__(self, calls: int) -> None:
        self._half = max(1, calls // 2)
        self._done = 0
        self._lock = threading.Lock()
        self._middle = 0
        self._uncaught: list[str] = []
        gc.collect()
        self._descriptors = set(_descriptors())
        self._threads = threading.active_count()
        threading.excepthook = lambda it: self._uncaught.append(f"in a thread: {it.exc_value!r}")
        sys.unraisablehook = lambda it: self._uncaught.append(f"in {it.object!r}: {it.exc_value!r}")

    def watch_loop(self) -> None:
        """Watch the running event loop too."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self._uncaught.append(f"in the loop: {context}"))

    def start_over(self, calls: int) -> None:
        """Count from 0 again, up to so many calls."""
        self._half, self._done = max(1, calls // 2), 0

    def count(self) -> None:
        """Count one more call as done."""
        with self._lock:
            self._done += 1
            if self._done == self._half:
                self._middle = resident_kib()

    def finish(self, tasks: int = 0) -> Left:
        """Look at what is left, after the clients have been closed.

        Args:
            tasks: how many tasks are left in the loop, beside the caller's own.
        """
        gc.collect()
        memory = resident_kib() - self._middle
        ends = time.monotonic() + 3
        # A thread that has been told to end needs a moment for it.
        while threading.active_count() > self._threads and time.monotonic() < ends:
            time.sleep(0.05)
        descriptors = len(set(_descriptors()) - self._descriptors)
        threads = threading.active_count() - self._threads
        return Left(descriptors, threads, tasks, memory, self._uncaught)


def _descriptors() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  a folder of the system
        try:
            yield f"{name} {os.readlink(f'/proc/self/fd/{name}')}"  # noqa: PTH115
        except OSError:
            continue  # the one of the listing itself
