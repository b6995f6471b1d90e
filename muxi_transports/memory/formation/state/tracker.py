"""The requests in progress and those that ended lately."""

from __future__ import annotations

from dataclasses import dataclass

from muxi.clock import Clock

__all__ = ["KEPT_SECONDS", "STALE_SECONDS", "Tracked", "Tracker"]

#: Seconds for which a request is kept after its end (the wire).
KEPT_SECONDS = 300.0
#: Seconds after which a running request fails (the wire).
STALE_SECONDS = 600.0


@dataclass
class Tracked:
    """One request: ``processing`` until it is ``completed``, ``failed`` or ``cancelled``."""

    request_id: str
    user_id: str
    created_at: float
    status: str = "processing"
    completed_at: float | None = None
    result: str | None = None
    error: str | None = None
    #: A cancellation was requested; the turn stops at its next checkpoint.
    cancel_requested: bool = False
    #: It failed once and is tried again in the background.
    escalated: bool = False
    #: Before this time it is unknown to look-ups.
    visible_at: float = 0.0
    #: It stays ``running`` whatever happens, until it is stale.
    stuck: bool = False

    @property
    def ended(self) -> bool:
        """True once the request has ended."""
        return self.completed_at is not None


class Tracker:
    """Requests by id. An id that is used again takes the place of the earlier request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._requests: dict[str, Tracked] = {}
        #: The number of requests so far.
        self.opened: int = 0

    def open(self, request_id: str, user_id: str) -> Tracked:
        """Begin to track a request."""
        self.opened += 1
        self._requests.pop(request_id, None)
        tracked = self._requests[request_id] = Tracked(request_id, user_id, self._clock.time())
        return tracked

    def end(self, tracked: Tracked, status: str, *, result: str | None = None, error: str | None = None) -> None:
        """Record the end of a request."""
        if tracked.stuck:
            tracked.status = "running"
            return
        tracked.status = status
        tracked.completed_at = self._clock.time()
        tracked.result = result
        tracked.error = error

    def get(self, request_id: str) -> Tracked | None:
        """A request that is in progress or ended lately."""
        self._tidy()
        tracked = self._requests.get(request_id)
        return None if tracked is not None and self._clock.time() < tracked.visible_at else tracked

    def listed(self) -> list[Tracked]:
        """All requests, oldest first."""
        self._tidy()
        now = self._clock.time()
        return [tracked for tracked in self._requests.values() if tracked.visible_at <= now]

    def _tidy(self) -> None:
        now = self._clock.time()
        for tracked in list(self._requests.values()):
            if not tracked.ended and now - tracked.created_at > STALE_SECONDS:
                tracked.stuck = False
                self.end(tracked, "failed", error="Request timed out (stale request reaper)")
            elif tracked.completed_at is not None and now - tracked.completed_at > KEPT_SECONDS:
                del self._requests[tracked.request_id]
