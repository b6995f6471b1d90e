"""The catalogue of faults: what the hostile server does to an attempt, and what a client may conclude from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tests.soak.hostile.answers import GARBAGE

__all__ = ["FAULTS", "SERVED", "Effect", "Fault", "Scope"]


class Effect(str, Enum):
    """What an attempt tells the client about its request (``docs/errors.md``, "What is sent again")."""

    #: The whole answer is sent.
    SERVED = "served"
    #: The request was refused: it is always repeated.
    REFUSED = "refused"
    #: The request may have been carried out: it is repeated if the operation is safe or keyed.
    UNKNOWN = "unknown"
    #: The answer is final: it is never repeated.
    FINAL = "final"


class Scope(str, Enum):
    """The calls that a fault is dealt to."""

    ALL = "all"
    #: Not streams, which have a fault of that kind of their own.
    UNARY = "unary"
    STREAM = "stream"
    UPLOAD = "upload"


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Args:
        name: the key of its performance in ``tests/soak/hostile/performances.py``.
        effect: what the attempt tells the client.
        runs: whether the work is carried out before the fault; None is drawn for each attempt.
        scope: the calls that it is dealt to.
        weight: how often it is drawn; those that take a timeout's length are rare.
    """

    name: str
    effect: Effect
    runs: bool | None = True
    scope: Scope = Scope.ALL
    weight: float = 1.0


#: No fault: the answer as it should be.
SERVED = Fault("served", Effect.SERVED)

_SLOW = 0.06

FAULTS: tuple[Fault, ...] = (
    # Connections that break. Refused connections and resets on accept happen to the listener, not to a call.
    Fault("reset-before-body", Effect.UNKNOWN, runs=False),
    Fault("reset-after-reading", Effect.UNKNOWN),
    Fault("closed-after-reading", Effect.UNKNOWN),
    Fault("half-status-line", Effect.UNKNOWN),
    Fault("half-head", Effect.UNKNOWN),
    # Bodies that are cut.
    Fault("short-length", Effect.UNKNOWN),
    Fault("short-length-reset", Effect.UNKNOWN),
    Fault("cut-chunk", Effect.UNKNOWN),
    Fault("no-last-chunk", Effect.UNKNOWN),
    Fault("cut-gzip", Effect.UNKNOWN),
    Fault("wrong-gzip", Effect.UNKNOWN),
    # Statuses.
    Fault("408", Effect.UNKNOWN, runs=None),
    Fault("429", Effect.REFUSED, runs=False),
    Fault("429-seconds", Effect.REFUSED, runs=False),
    Fault("429-date", Effect.REFUSED, runs=False),
    Fault("429-old-date", Effect.REFUSED, runs=False),
    Fault("429-nonsense", Effect.REFUSED, runs=False),
    Fault("429-huge", Effect.FINAL, runs=False, weight=0.3),
    Fault("503", Effect.UNKNOWN, runs=None),
    Fault("503-seconds", Effect.REFUSED, runs=False),
    Fault("503-date", Effect.REFUSED, runs=False),
    Fault("503-nonsense", Effect.UNKNOWN, runs=None),
    Fault("503-huge", Effect.FINAL, runs=False, weight=0.3),
    Fault("503-starting", Effect.REFUSED, runs=False),
    Fault("500-envelope", Effect.FINAL, weight=0.3),
    Fault("500-page", Effect.UNKNOWN, runs=None),
    Fault("502", Effect.UNKNOWN, runs=None),
    Fault("504", Effect.UNKNOWN, runs=None),
    Fault("other-status", Effect.FINAL, runs=False, weight=0.5),
    # Drips and silence: only a timeout ends them.
    Fault("silence", Effect.UNKNOWN, weight=_SLOW),
    Fault("drip-head", Effect.UNKNOWN, weight=_SLOW),
    Fault("drip-body", Effect.UNKNOWN, weight=_SLOW),
    Fault("drip-chunk-extension", Effect.UNKNOWN, weight=_SLOW),
    Fault("drip-trailers", Effect.UNKNOWN, scope=Scope.UNARY, weight=_SLOW),
    Fault("endless-interim", Effect.UNKNOWN, weight=_SLOW),
    # Answers that are none.
    *(Fault(f"garbage-{name}", Effect.UNKNOWN, weight=0.15) for name in GARBAGE),
    Fault("garbage-chunk-size", Effect.UNKNOWN),
    Fault("two-lengths", Effect.UNKNOWN),
    # Whole answers, and something that is hard to bear before or after them.
    Fault("interim", Effect.SERVED),
    Fault("byte-by-byte", Effect.SERVED, weight=0.3),
    Fault("unasked-at-once", Effect.SERVED, scope=Scope.UNARY),
    Fault("unasked-later", Effect.SERVED, scope=Scope.UNARY),
    Fault("closed-without-saying", Effect.SERVED, scope=Scope.UNARY),
    Fault("gzip", Effect.SERVED),
    # Uploads that are refused before they have been read.
    Fault("early-413", Effect.FINAL, runs=False, scope=Scope.UPLOAD, weight=3),
    Fault("early-503", Effect.REFUSED, runs=False, scope=Scope.UPLOAD, weight=3),
    # The reset may destroy the refusal, so that a client may also find that the connection died.
    Fault("early-reset", Effect.FINAL, runs=False, scope=Scope.UPLOAD, weight=3),
    # Streams that end before their end.
    Fault("stream-cut", Effect.FINAL, scope=Scope.STREAM, weight=6),
    Fault("stream-reset", Effect.FINAL, scope=Scope.STREAM, weight=6),
    Fault("stream-keepalives-only", Effect.FINAL, scope=Scope.STREAM, weight=3 * _SLOW),
    Fault("stream-silence", Effect.FINAL, scope=Scope.STREAM, weight=3 * _SLOW),
)
