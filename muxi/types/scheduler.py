"""Scheduled jobs. Times are ISO 8601 in UTC with a Z."""

from typing import Any, Literal

from muxi.types.records import TypedDict

__all__ = ["JobType", "ScheduledJob", "ScheduledJobList", "ScheduledJobState", "SchedulerConfig", "SchedulerMessage"]

JobType = Literal["one_time", "recurring"]


class SchedulerConfig(TypedDict, total=False):
    """The scheduler's settings; ``default_time`` is a time of day, ``timezone`` a name such as ``UTC``."""

    enabled: bool
    timezone: str
    check_interval_minutes: int
    max_concurrent_jobs: int
    max_failures_before_pause: int
    default_time: str


class ScheduledJob(TypedDict):
    """One job: ``cron_expression`` of a recurring one, ``scheduled_for`` of a one-time one."""

    id: str
    user_id: str
    title: str
    original_prompt: str
    execution_prompt: str
    is_recurring: bool
    cron_expression: str | None
    scheduled_for: str | None
    exclusion_rules: list[Any]
    #: ACTIVE, PAUSED, …
    status: str
    created_at: str
    updated_at: str
    last_run_at: str | None
    last_run_status: str | None
    last_run_failure_message: str | None
    total_runs: int
    total_failures: int
    consecutive_failures: int
    job_metadata: dict[str, Any]


class ScheduledJobList(TypedDict):
    """The jobs of a user, or of all."""

    jobs: list[ScheduledJob]
    count: int


class ScheduledJobState(TypedDict):
    """The new status of a job: ``ACTIVE`` or ``PAUSED``."""

    id: str
    status: str


class SchedulerMessage(TypedDict):
    """The confirmation that a job was deleted."""

    message: str
