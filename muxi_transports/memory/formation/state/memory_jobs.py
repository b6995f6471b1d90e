"""Work that a route has only begun: it ends on the formation's clock, and its result is kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

from muxi.clock import Clock
from muxi_transports.memory.incidents import Incidents
from muxi_transports.memory.work import Background, Work
from muxi_transports.memory.world import Pause

__all__ = ["KEPT_SECONDS", "MemoryJobs", "RunningMemoryJob"]

#: Seconds for which the result of a job is kept (the wire).
KEPT_SECONDS = 300.0


@dataclass
class RunningMemoryJob:
    """One job: ``processing`` until it is ``completed`` or ``failed``.

    Args:
        id: its id.
        kind: what it does.
        owner: the number of the user it is for, or the id of the distillery; None for a job without an owner.
        created_at: when it began, in seconds since the Unix epoch.
        facts: what its status says from the beginning.
    """

    id: str
    kind: str
    owner: object
    created_at: float
    facts: Mapping[str, object] = field(default_factory=dict)
    status: str = "processing"
    completed_at: float | None = None
    #: The result, for its status.
    result: Mapping[str, object] = field(default_factory=dict)


class MemoryJobs:
    """Jobs by id.

    Args:
        clock: the time they go by.
        background: takes their steps.
        lock: held while they change the formation.
    """

    def __init__(self, clock: Clock, background: Background, lock: threading.RLock, incidents: Incidents) -> None:
        self._incidents = incidents
        self._clock = clock
        self._background = background
        self._lock = lock
        self._jobs: dict[str, RunningMemoryJob] = {}
        #: Duration of a job in seconds on the formation's clock; a test may set it.
        self.seconds: float = 1.0

    def start(
        self,
        job_id: str,
        kind: str,
        work: Callable[[], Mapping[str, object]],
        *,
        owner: object = None,
        facts: Mapping[str, object] | None = None,
    ) -> RunningMemoryJob:
        """Begin a job.

        Args:
            job_id: its id.
            kind: what it does.
            work: does it, when its time has come, and returns what the status then says.
            owner: whose it is.
            facts: what the status says from the beginning.
        """
        job = RunningMemoryJob(job_id, kind, owner, self._clock.time(), dict(facts or {}))
        self._jobs[job_id] = job
        self._background.adopt(Work(self._steps(job, work), self._clock))
        return job

    def get(self, kind: str, job_id: str) -> RunningMemoryJob | None:
        """A job that goes on, or ended lately."""
        self._tidy()
        job = self._jobs.get(job_id)
        return job if job is not None and job.kind == kind else None

    def in_flight(self, kind: str, owner: object) -> int:
        """The number of an owner's running jobs."""
        return sum(1 for job in self._jobs.values() if (job.kind, job.owner, job.status) == (kind, owner, "processing"))

    def _steps(self, job: RunningMemoryJob, work: Callable[[], Mapping[str, object]]) -> Generator[Pause, None, None]:
        due = job.created_at + self.seconds
        yield Pause(self.seconds)
        with self._lock:
            try:
                job.result = work()
                job.status = "completed"
            except Exception as error:
                self._incidents.record(f"the job {job.id!r} ({job.kind})", error)
                job.result = {"error": str(error) or type(error).__name__}
                job.status = "failed"
            # The look-up may be late; the job ended on time.
            job.completed_at = due

    def _tidy(self) -> None:
        now = self._clock.time()
        for job in list(self._jobs.values()):
            if job.completed_at is not None and now - job.completed_at > KEPT_SECONDS:
                del self._jobs[job.id]
