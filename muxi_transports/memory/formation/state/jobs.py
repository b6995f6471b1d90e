"""Scheduled jobs: what is done at a time, and when that is."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timezone

from muxi.clock import Clock
from muxi.errors import MissingExtraError
from muxi_transports.memory.work import Background, Work
from muxi_transports.memory.world import Pause

__all__ = ["MAX_FAILURES", "BadSchedule", "Job", "Jobs", "next_time", "read_time"]

#: After so many failures in a row a job is paused (the wire).
MAX_FAILURES = 3


class BadSchedule(ValueError):
    """A text is no cron expression, or no time."""


@dataclass
class Job:
    """One job. Times are seconds since the Unix epoch.

    Args:
        id: ``job_`` and 16 characters.
        user_id: whose it is.
        title: how it is listed.
        message: what is to be done.
        created_at: when it was made.
        updated_at: when it was last changed.
        cron: when it runs, if it recurs.
        at: when it runs, if it runs once.
        status: ``ACTIVE``, ``PAUSED``, or ``COMPLETED`` or ``FAILED`` where it ran once.
        last_run_at: when it last ran.
        last_run_status: how that went: ``success`` or ``failed``.
        last_run_failure_message: what went wrong.
    """

    id: str
    user_id: str
    title: str
    message: str
    created_at: float
    updated_at: float
    cron: str | None = None
    at: float | None = None
    status: str = "ACTIVE"
    last_run_at: float | None = None
    last_run_status: str | None = None
    last_run_failure_message: str | None = None
    total_runs: int = 0
    total_failures: int = 0
    consecutive_failures: int = 0
    metadata: dict[str, object] = field(default_factory=dict)

    def next_run(self, after: float) -> float | None:
        """The time of the next run; None if there is none.

        Args:
            after: the moment to go by.
        """
        if self.status != "ACTIVE":
            return None
        return self.at if self.cron is None else next_time(self.cron, after)

    def note_run(self, when: float, failure: str | None) -> None:
        """Note how a run went."""
        self.last_run_at = when
        self.last_run_status = "success" if failure is None else "failed"
        self.last_run_failure_message = failure
        self.total_runs += 1
        self.total_failures += failure is not None
        self.consecutive_failures = 0 if failure is None else self.consecutive_failures + 1


#: Does what a job says. It returns what went wrong, or None.
Perform = Callable[[Job], Generator[Pause, None, "str | None"]]


class Jobs:
    """The jobs of a formation, each a piece of background work that waits until it is due.

    Args:
        clock: the time of the formation.
        background: what does the waiting.
        perform: does what a job says.
    """

    def __init__(self, clock: Clock, background: Background, perform: Perform) -> None:
        self._clock = clock
        self._background = background
        self._perform = perform
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[str, Work[object]] = {}

    def add(self, job: Job) -> Job:
        """Take on a job."""
        self._jobs[job.id] = job
        self._await(job)
        return job

    def get(self, job_id: str) -> Job | None:
        """A job by id."""
        return self._jobs.get(job_id)

    def listed(self, user_id: str | None = None) -> list[Job]:
        """The jobs of a user, or of all, the latest first."""
        return [job for job in self._jobs.values() if user_id in (None, job.user_id)][::-1]

    def remove(self, job_id: str) -> bool:
        """Remove a job. False if there is none."""
        job = self._jobs.pop(job_id, None)
        if job is not None:
            self._forget(job)
        return job is not None

    def set_status(self, job: Job, status: str) -> None:
        """Pause a job, or have it go on."""
        job.status = status
        self.reschedule(job)

    def reschedule(self, job: Job) -> None:
        """Go by the job's schedule as it is now."""
        self._forget(job)
        self._await(job)

    def next_run(self, job_id: str) -> datetime | None:
        """Return the time of a job's next run, in UTC; None if there is none.

        Raises:
            KeyError: there is no such job.
        """
        when = self._jobs[job_id].next_run(self._clock.time())
        return None if when is None else datetime.fromtimestamp(when, timezone.utc)

    def _await(self, job: Job) -> None:
        if job.status == "ACTIVE":
            self._waiting[job.id] = self._begin(self._life(job, self._clock.time()))

    def _begin(self, steps: Generator[Pause, None, None]) -> Work[object]:
        work: Work[object] = Work(steps, self._clock)
        self._background.adopt(work)
        return work

    def _forget(self, job: Job) -> None:
        if (work := self._waiting.pop(job.id, None)) is not None:
            self._background.drop(work)

    def _life(self, job: Job, now: float) -> Generator[Pause, None, None]:
        while (due := job.next_run(now)) is not None:
            yield Pause(max(0.0, due - now))
            # Counts from the scheduled time, so that a late run does not shift those that follow.
            now = max(now, due)
            if job.cron is None:
                job.status = "RUNNING"
            self._begin(self._run(job, now))

    def _run(self, job: Job, when: float) -> Generator[Pause, None, None]:
        failure = yield from self._perform(job)
        job.note_run(when, failure)
        if job.cron is None:
            job.status = "COMPLETED" if failure is None else "FAILED"
        elif job.consecutive_failures >= MAX_FAILURES and job.id in self._jobs:
            self.set_status(job, "PAUSED")


def next_time(cron: str, after: float) -> float:
    """Return the next time of a cron expression, in UTC.

    Raises:
        BadSchedule: it is none, or never is.
        ConfigurationError: croniter is not installed.
    """
    try:
        from croniter import croniter  # an extra, and only schedules need it
    except ImportError:
        raise MissingExtraError("scheduled jobs need croniter: pip install 'muxi-client[test]'") from None
    try:
        found = croniter(cron, after).get_next(float)
    except ValueError as error:
        raise BadSchedule(str(error)) from None
    return float(found)


def read_time(text: str) -> float:
    """Seconds since the Unix epoch for an ISO 8601 time; one that names no zone is in UTC.

    Raises:
        BadSchedule: it is none.
    """
    try:
        # Python 3.10 reads neither a Z nor other than three or six digits of a second.
        plain = re.sub(r"\.(\d+)", lambda match: f".{match[1][:6]:0<6}", text.strip())
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", plain))
    except ValueError as error:
        raise BadSchedule(str(error)) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
