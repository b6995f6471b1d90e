"""What is to happen to each call, drawn from the seed and the call's number alone, so that a run can be repeated."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from functools import cache

from tests.soak.hostile.faults import FAULTS, SERVED, Effect, Fault, Scope

__all__ = ["KINDS", "Kind", "Plan", "find_marker", "marker_of", "number_of", "plan_of"]

_MARKER = re.compile(rb"soak-(\d{6})")


@dataclass(frozen=True)
class Kind:
    """A kind of call.

    Args:
        name: the key of its performance on the client's side.
        repeat: ``safe``, ``removal``, ``keyed`` or ``never``, as the documentation's table of repetitions has it.
        weight: its share among all calls.
        scope: the faults that it gets beside those for all.
    """

    name: str
    repeat: str
    weight: int
    scope: Scope = Scope.UNARY

    @property
    def is_safe(self) -> bool:
        """Whether it may be sent again when nobody knows whether the first attempt was carried out."""
        return self.repeat != "never"


KINDS: tuple[Kind, ...] = (
    Kind("memories", "safe", 24),
    Kind("chat", "keyed", 22),
    Kind("chat-own-key", "keyed", 6),
    Kind("note", "never", 16),
    Kind("removal", "removal", 6),
    Kind("stream", "never", 16, Scope.STREAM),
    Kind("upload", "never", 5, Scope.UPLOAD),
    Kind("download", "safe", 5),
)

#: How many faults come before the call is served, and how often. Six are more than any client has attempts.
_COUNTS = ((0, 45), (1, 33), (2, 13), (3, 6), (6, 3))


@dataclass(frozen=True)
class Plan:
    """The faults of a call, attempt by attempt; what comes after them is served."""

    number: int
    kind: Kind
    faults: tuple[Fault, ...]
    #: For each of the faults: whether the work is carried out.
    runs: tuple[bool, ...]

    def fault(self, attempt: int) -> Fault:
        """The fault of an attempt, counted from 0."""
        return self.faults[attempt] if attempt < len(self.faults) else SERVED

    def is_run(self, attempt: int) -> bool:
        """Whether the server carries out the work in this attempt."""
        return self.runs[attempt] if attempt < len(self.runs) else True

    def without_faults(self) -> Plan:
        """The same call, served at once."""
        return replace(self, faults=(), runs=())

    def could_be_repeated(self, attempt: int) -> bool:
        """Whether a client may send the call again after this attempt."""
        effect = self.fault(attempt).effect
        return effect is Effect.REFUSED or (effect is Effect.UNKNOWN and self.kind.is_safe)


def plan_of(seed: int, number: int) -> Plan:
    """The plan of a call.

    Args:
        seed: the seed of the run.
        number: the call's number.
    """
    draw = random.Random(f"{seed}/{number}")
    kind = draw.choices(KINDS, [it.weight for it in KINDS])[0]
    counts, shares = zip(*_COUNTS, strict=True)
    faults = tuple(draw.choices(*_choice(kind.scope), k=draw.choices(counts, shares)[0]))
    runs = tuple(draw.random() < 0.5 if fault.runs is None else fault.runs for fault in faults)
    return Plan(number, kind, faults, runs)


@cache
def _choice(scope: Scope) -> tuple[tuple[Fault, ...], tuple[float, ...]]:
    wanted = {Scope.ALL, scope} if scope is Scope.STREAM else {Scope.ALL, Scope.UNARY, scope}
    faults = tuple(fault for fault in FAULTS if fault.scope in wanted)
    return faults, tuple(fault.weight for fault in faults)


def marker_of(number: int) -> str:
    """The text that tells a call, and its answer, from all others."""
    return f"soak-{number:06d}"


def number_of(data: bytes) -> int | None:
    """The number of the first marker in the data."""
    found = _MARKER.search(data)
    return int(found[1]) if found else None


def find_marker(data: bytes) -> set[int]:
    """The numbers of all markers in the data."""
    return {int(number) for number in _MARKER.findall(data)}
