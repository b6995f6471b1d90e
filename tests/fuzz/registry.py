"""The registry of fuzz targets: functions that take bytes of a peer, and raise unless only our errors come out."""

from __future__ import annotations

import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

__all__ = ["SLOW", "TARGETS", "Target", "TooSlow", "goes_on", "is_drawn", "run_once", "sample", "target", "watch"]

#: Seconds of CPU that one input of some kilobytes may cost.
SLOW = 2.0

Run = Callable[[bytes], None]


class TooSlow(Exception):
    """An input cost more than it may."""


@dataclass(frozen=True)
class Target:
    """A function that is fed with random input.

    Args:
        name: its name on the command line.
        run: takes the input; raises whatever should not come out.
        seeds: inputs to start from; called when the target is first run.
        tokens: pieces that are put into inputs as they are.
    """

    name: str
    run: Run
    seeds: Callable[[], Iterable[bytes]]
    tokens: tuple[bytes, ...] = field(default=())


#: One of so many inputs goes on from the decision, a function without I/O, through a whole client.
_one_of = 1


def sample(one_of: int) -> None:
    """Have one of so many inputs go through whole clients; the decisions, which are quick, get all."""
    global _one_of
    _one_of = one_of


def goes_on(data: bytes) -> bool:
    """Return True if this input goes through a whole client."""
    return zlib.adler32(data) % _one_of == 0


def is_drawn(data: bytes, one_of: int) -> bool:
    """Return True for one of so many inputs of a long run, and for every input of a run through whole clients."""
    return _one_of == 1 or zlib.crc32(data) % one_of == 0


#: All targets, by name.
TARGETS: dict[str, Target] = {}


def target(name: str, seeds: Callable[[], Iterable[bytes]], *tokens: bytes) -> Callable[[Run], Run]:
    """Register a function as a target."""

    def register(run: Run) -> Run:
        if name in TARGETS:
            raise ValueError(f"there are two targets {name!r}")
        TARGETS[name] = Target(name, run, seeds, tokens)
        return run

    return register


#: CPU time of the process at the start of the input that runs now.
_began: float | None = None


@contextmanager
def watch() -> Iterator[None]:
    """Interrupt inputs that take too long, where signals allow it, with one timer for all of them."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        if _began is not None and (took := time.process_time() - _began) > SLOW * 2:
            raise TooSlow(f"it was still running after {took:.0f} s of CPU")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, SLOW, SLOW)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def run_once(it: Target, data: bytes) -> None:
    """Run a target on one input; one that never ends is interrupted within :func:`watch`.

    Raises:
        TooSlow: it took more of the CPU than it may.
        Exception: whatever came out and is no error of the SDK.
    """
    global _began
    _began = began = time.process_time()
    try:
        it.run(data)
    finally:
        _began = None
    if (took := time.process_time() - began) > SLOW:
        raise TooSlow(f"{len(data)} bytes took {took:.1f} s of CPU")
