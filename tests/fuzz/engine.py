"""Runs one target for a time, or for a number of inputs, and keeps the input that broke it."""

from __future__ import annotations

import hashlib
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutator import inputs
from tests.fuzz.registry import Target, run_once, watch

__all__ = ["Broken", "Result", "fuzz", "keep", "smallest"]


#: Seconds to look for a smaller input.
_SHRINKING = 10.0


@dataclass(frozen=True)
class Broken:
    """An input and what came out of it."""

    data: bytes
    error: BaseException

    @property
    def where(self) -> str:
        """Where it was raised: what tells one fault from another."""
        frames = [
            f"{Path(frame.filename).name}:{frame.name}"
            for frame in traceback.extract_tb(self.error.__traceback__)
            if "/tests/fuzz/" not in frame.filename
        ]
        return f"{type(self.error).__name__} in {' < '.join(reversed(frames[-3:]))}"


@dataclass
class Result:
    """What came of a run."""

    inputs: int = 0
    seconds: float = 0.0
    #: One for each place where something came out.
    broken: dict[str, Broken] | None = None


def fuzz(it: Target, seed: int, *, seconds: float | None = None, count: int | None = None, stop: int = 20) -> Result:
    """Run a target on inputs that are mutated at random.

    Args:
        it: the target.
        seed: of the random numbers.
        seconds: for how long; None is without bound.
        count: how many inputs; None is without bound.
        stop: after so many different faults.
    """
    with watch():
        return _fuzz(it, seed, seconds, count, stop)


def _fuzz(it: Target, seed: int, seconds: float | None, count: int | None, stop: int) -> Result:
    broken: dict[str, Broken] = {}
    result, began = Result(), time.monotonic()
    for data in inputs(seed, list(it.seeds()), it.tokens):
        if count is not None and result.inputs >= count:
            break
        if seconds is not None and time.monotonic() - began >= seconds:
            break
        result.inputs += 1
        if (found := _try(it, data)) is not None:
            broken.setdefault(found.where, found)
            if len(broken) >= stop:
                break
    result.seconds = time.monotonic() - began
    result.broken = {where: smallest(it, found) for where, found in broken.items()}
    return result


def _try(it: Target, data: bytes) -> Broken | None:
    try:
        run_once(it, data)
    except Exception as error:
        return Broken(data, error)
    return None


def smallest(it: Target, found: Broken, tries: int = 400) -> Broken:
    """A smaller input that breaks the target in the same place, as far as that can be found in so many tries."""
    size, ends = len(found.data) // 2, time.monotonic() + _SHRINKING
    while size and tries > 0:
        at = 0
        while at < len(found.data) and tries > 0 and time.monotonic() < ends:
            tries -= 1
            data = found.data[:at] + found.data[at + size :]
            if len(data) < len(found.data) and (smaller := _try(it, data)) and smaller.where == found.where:
                found = smaller
            else:
                at += size
        size //= 2
    return found


def keep(folder: Path, name: str, found: Broken) -> Path:
    """Write the input to a file, from which it can be run again."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(found.data).hexdigest()[:12]}"
    path.write_bytes(found.data)
    return path
