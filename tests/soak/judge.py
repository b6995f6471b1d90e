"""What became of each call, decided from what the server did and what the client reports. No I/O happens here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from tests.soak.hostile.faults import Effect
from tests.soak.plan import Plan

__all__ = ["Ledger", "Outcome", "Seen", "Verdict", "judge", "was_lost"]


class Verdict(str, Enum):
    """A way in which a client fails its caller."""

    #: The call failed, and a client that keeps to the documented rules would have got the answer.
    LOST = "lost"
    #: The work was carried out more than once.
    DOUBLED = "doubled"
    #: An exception that is not the SDK's own came out.
    FOREIGN = "foreign"
    #: The answer belongs to another call.
    SWAPPED = "swapped"
    #: The call passed for done with an answer that is not whole.
    SILENT = "silent"
    #: More attempts than are allowed.
    OVERDONE = "overdone"
    #: A connection was used on which an unasked answer had arrived before the call began.
    REUSED = "reused"
    #: Likewise, but it arrived after the call had begun, so that the client may have looked before. Whatever the
    #: answer was, it is not held against the client: over HTTP/1.1 none can tell.
    RACED = "raced"


@dataclass(frozen=True)
class Seen:
    """An attempt as the server saw it."""

    fault: str
    #: Whether the work was carried out in it.
    ran: bool
    #: The idempotency key, or "".
    key: str
    #: When the server had sent an unasked answer over the same connection (``time.monotonic``), before this attempt.
    unasked: float | None = None


@dataclass(frozen=True)
class Outcome:
    """A call as the client reports it."""

    number: int
    #: ``own``: the whole answer of this call; ``other``: one with another call's marker; ``partial``: an answer that
    #: is not whole; ``error``: an error of the SDK; ``foreign``: another exception.
    what: str
    #: Class, code and text of the error.
    error: str = ""
    #: How many attempts the error reports; None where the SDK does not say.
    attempts: int | None = None
    #: Whether a connection was made for the last attempt; None where the SDK does not say.
    connected: bool | None = None
    began: float = 0.0
    ended: float = 0.0


@dataclass
class Ledger:
    """What the server did."""

    seen: dict[int, list[Seen]] = field(default_factory=dict)
    #: Between which times connections broke that no request had been read from: a listener closed, a connection reset
    #: on accept. The server cannot know the moment itself more exactly.
    breaks: list[tuple[float, float]] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Ledger:
        """The ledger that a server process has sent."""
        seen, breaks = data["seen"], data["breaks"]
        if not isinstance(seen, dict) or not isinstance(breaks, list):
            raise TypeError("a ledger has its attempts by number, and a list of breaks")
        attempts = {int(number): [Seen(*it) for it in found] for number, found in seen.items()}
        return cls(attempts, [(first, last) for first, last in breaks])

    def broke_between(self, began: float, ended: float) -> bool:
        """Whether a connection broke unread in that time."""
        return any(first <= ended and began <= last for first, last in self.breaks)


def judge(plan: Plan, outcome: Outcome, ledger: Ledger, allowed: int) -> set[Verdict]:
    """All ways in which the client failed this call.

    Args:
        plan: what the server was to do.
        outcome: what the client reports.
        ledger: what the server did.
        allowed: how many attempts a call may have.
    """
    seen = ledger.seen.get(plan.number, [])
    verdicts = set()
    unasked = [it.unasked for it in seen if it.unasked is not None]
    if any(at < outcome.began for at in unasked):
        verdicts.add(Verdict.REUSED)
    elif unasked:
        return {Verdict.RACED}
    if outcome.what == "foreign":
        verdicts.add(Verdict.FOREIGN)
    if outcome.what == "other":
        verdicts.add(Verdict.SWAPPED)
    if outcome.what == "partial":
        verdicts.add(Verdict.SILENT)
    if outcome.what in ("error", "foreign") and was_lost(plan, outcome, ledger, allowed):
        verdicts.add(Verdict.LOST)
    if len(seen) > allowed:
        verdicts.add(Verdict.OVERDONE)
    if count_runs(plan, seen) > 1:
        verdicts.add(Verdict.DOUBLED)
    return verdicts


def count_runs(plan: Plan, seen: Sequence[Seen]) -> int:
    """How often the work was carried out, where a second time matters.

    The server joins attempts with the same idempotency key to the first that ran, as the runtime does.
    """
    if plan.kind.repeat in ("safe", "removal"):
        return 0
    ran = [it for it in seen if it.ran]
    if plan.kind.repeat == "keyed":
        return len({it.key or f"none {place}" for place, it in enumerate(ran)})
    return len(ran)


def was_lost(plan: Plan, outcome: Outcome, ledger: Ledger, allowed: int) -> bool:
    """Whether a failed call could have been saved.

    It could, if each attempt so far may be followed by another (it was refused or never connected; or nobody knows
    whether it was carried out, and the operation is safe or keyed), and the server would have answered within the
    attempts that were left; all the more if the server did answer.

    Attempts that the client made and the server has not seen broke before their request was read. Where the client
    says of the last of them that it was connected, it cannot know whether it was carried out. It is believed only if
    the server broke a connection unread during this call.
    """
    seen = ledger.seen.get(plan.number, [])
    made = max(len(seen), outcome.attempts if outcome.attempts is not None else len(seen))
    if not all(plan.could_be_repeated(attempt) for attempt in range(len(seen))):
        return any(plan.fault(attempt).effect is Effect.SERVED for attempt in range(len(seen)))
    unseen = made - len(seen)
    if unseen and not plan.kind.is_safe and outcome.connected and ledger.broke_between(outcome.began, outcome.ended):
        return False
    for attempt in range(len(seen), len(seen) + allowed - made):
        if plan.fault(attempt).effect is Effect.SERVED:
            return True
        if not plan.could_be_repeated(attempt):
            return False
    return False
