"""Judges of growth: counted steps for code in Python, processor time for code in C and for expressions.

Steps are exact, the same in every run. Where C does the work, the input grows a hundredfold: linear cost then grows a
hundredfold and quadratic cost ten-thousandfold, and the bound between them leaves tenfold room for noise on either side.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

__all__ = ["Make", "Steps", "TooSlow", "count_steps", "judge_steps", "judge_time"]

#: Returns a function whose input has a size; only the function is measured.
Make = Callable[[int], Callable[[], object]]

#: Growth of steps per tenfold input: 10 is linear, 13 is ``n log n``, 100 is quadratic.
MOST_STEPS = 15

#: Growth of time per hundredfold input: 100 is linear, 10,000 is quadratic.
MOST_TIME = 1000

#: Seconds of one run that are never judged, and seconds after which a run is broken off.
NEGLIGIBLE = 0.005
LONGEST = 2.0

#: Seconds for which a small input is measured again and again.
_CARE = 0.02

#: Methods of texts, bytes and lists that read or move the whole object, whatever their arguments are.
_WHOLE = frozenset(
    {"split", "rsplit", "splitlines", "replace", "translate", "decode", "encode", "lower", "upper", "title"}
    | {"casefold", "count", "copy", "isascii", "insert", "pop", "remove", "sort", "reverse", "index"}
)

#: Elements that C code reads in the time of one step of Python.
_PER_STEP = 64


class TooSlow(BaseException):
    """A run was broken off."""


@dataclass
class Steps:
    """Steps of one run, and the functions that it ran."""

    #: Lines of Python executed, and calls of functions in C.
    lines: int = 0
    #: Elements of texts, bytes and lists that such calls read or moved.
    scanned: int = 0
    codes: set[CodeType] = field(default_factory=set)

    @property
    def cost(self) -> int:
        """The lines, and what was scanned in units of a line."""
        return self.lines + self.scanned // _PER_STEP


def count_steps(function: Callable[[], object], most: int = sys.maxsize) -> Steps:
    """Count the steps of a run in this thread.

    Raises:
        TooSlow: there are more than ``most``.
    """
    steps = Steps()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if event == "call":
            steps.codes.add(frame.f_code)
        steps.lines += 1
        if steps.lines > most:
            raise TooSlow(f"more than {most} steps")
        return trace

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call":
            steps.lines += 1
            owner = getattr(argument, "__self__", None)
            if isinstance(owner, str | bytes | bytearray | list) and getattr(argument, "__name__", "") in _WHOLE:
                steps.scanned += len(owner)

    before = sys.gettrace(), sys.getprofile()
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return steps


def judge_steps(make: Make, sizes: tuple[int, ...] = (200, 2000, 20000)) -> str:
    """Return where steps grow more than in proportion to the input; empty where they do not.

    Args:
        make: makes the function for a size.
        sizes: the sizes, each ten times the one before.
    """
    cost = 0
    for size in sizes:
        most = MOST_STEPS * cost + 1000 if cost else sys.maxsize
        try:
            now = count_steps(make(size), most).cost
        except TooSlow as error:
            return f"{cost} steps at {size // 10}, {error} at {size}"
        if now > most:
            return f"{cost} steps at {size // 10}, {now} steps at {size}"
        cost = now
    return ""


def judge_time(make: Make, sizes: tuple[int, int, int]) -> str:
    """Return where time grows more than in proportion to the input; empty where it does not.

    Args:
        make: makes the function for a size.
        sizes: the sizes, each ten times the one before. The first is compared with the last; the second one is there
            so that cubic and exponential cost is found before the last one is tried.
    """
    small, middle, large = sizes
    try:
        # Before the comparison: what takes exponential time would never get there.
        begun = _least(make(small), 1)
        for size in (middle, large):
            taken = _least(make(size), 1)
            if taken <= NEGLIGIBLE:
                continue
            # Only what looks expensive is measured with care, the small input longest.
            begun = _least(make(small), 50)
            bound = max(NEGLIGIBLE, begun * (MOST_TIME if size == large else MOST_TIME / 10))
            if taken > bound and (taken := _least(make(size), 3, bound)) > bound:
                return f"{begun * 1000:.3f} ms at {small}, {taken * 1000:.1f} ms at {size}"
    except TooSlow as error:
        return str(error)
    return ""


def _least(function: Callable[[], object], times: int, enough: float = 0.0) -> float:
    """Return the least processor time of several runs, of no more once one is below ``enough``."""
    least, spent = LONGEST, 0.0
    enabled = gc.isenabled()
    gc.disable()
    try:
        with _alarm(LONGEST):
            for _ in range(times):
                # Not process_time(), which Linux advances in ticks while the alarm is set.
                begun = time.thread_time()
                function()
                taken = time.thread_time() - begun
                least, spent = min(least, taken), spent + taken
                if least < enough or (spent > _CARE and not enough):
                    break
    finally:
        if enabled:
            gc.enable()
    return least


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Break off what takes that much processor time, where signals allow it."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"it was still running after {seconds:.0f} s")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
