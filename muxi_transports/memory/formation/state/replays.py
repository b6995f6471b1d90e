"""Idempotency: what was answered under a key is answered again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

from muxi.clock import Clock
from muxi_transports.memory.work import Work
from muxi_transports.memory.world import Answer, Pause

__all__ = ["Replays", "Scope"]

#: Seconds for which an answer is kept, and the number of answers kept (the wire).
_KEPT_SECONDS = 24 * 3600.0
_KEPT_ANSWERS = 10_000


class Scope(NamedTuple):
    """The identity of a keyed call. Body and query do not count, nor a user named in the body."""

    method: str
    path: str
    user: str | None
    key: str


class Replays:
    """Work by scope: what is still running is joined, what went well is answered again, errors are forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[Scope, tuple[float, Work[Answer]]] = {}

    def join(self, scope: Scope, steps: Callable[[], Generator[Pause, None, Answer]]) -> Work[Answer]:
        """The work of a scope; begun with these steps where there is none."""
        now = self._clock.monotonic()
        since, work = self._kept.get(scope, (now, None))
        if work is None or work.failed or now - since > _KEPT_SECONDS:
            self._kept.pop(scope, None)
            work = Work(steps(), self._clock)
            self._kept[scope] = (now, work)
            if len(self._kept) > _KEPT_ANSWERS:
                del self._kept[next(iter(self._kept))]
        return work
