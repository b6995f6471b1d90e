"""``/v1/scheduler``: jobs that run at a time."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timezone

from muxi_transports.memory.formation.access import UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.idempotency import run_once
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.routes.audit import record_audit
from muxi_transports.memory.formation.state.jobs import MAX_FAILURES, BadSchedule, Job, next_time, read_time
from muxi_transports.memory.formation.times import iso
from muxi_transports.memory.formation.validation import Field, record, text
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES"]

_CREATE = record(
    Field("type", text, required=True), Field("schedule", text, required=True), Field("message", text, required=True)
)
_UPDATE = record(Field("message", text), Field("schedule", text), Field("title", text))


def configuration(incoming: Incoming) -> Success:
    """The scheduler's block. The embedded scheduler runs its jobs on time and not once a minute."""
    _for_admins(incoming)
    data = {
        "enabled": True,
        "timezone": "UTC",
        "check_interval_minutes": 1,
        "max_concurrent_jobs": 10,
        "max_failures_before_pause": MAX_FAILURES,
        "default_time": "09:00",
    }
    return Success("scheduler", "scheduler.retrieved", data)


def list_jobs(incoming: Incoming) -> Success:
    """List a user's jobs; all users' jobs for an admin without a user."""
    jobs = [_on_wire(job) for job in incoming.formation.jobs.listed(incoming.user)]
    return Success("scheduled_job_list", "scheduler.jobs.list", {"jobs": jobs, "count": len(jobs)})


def create_job(incoming: Incoming) -> Generator[Pause, None, Answer]:
    """Take on a job for the user of the header."""
    _for_admins(incoming)
    return run_once(incoming, lambda key: _create(incoming, key))


def _create(incoming: Incoming, key: str | None) -> Generator[Pause, None, Answer]:
    formation, body = incoming.formation, incoming.body
    kind, schedule, message = (str(body.get(name)) for name in ("type", "schedule", "message"))
    if kind not in ("one_time", "recurring"):
        problem = f"Invalid job type '{kind}'. Must be 'one_time' or 'recurring'"
        raise ApiError(400, "VALIDATION_ERROR", problem, {"field": "type", "value": kind})
    now = formation.clock.time()
    job = Job(formation.ids.new("job_", 16), incoming.user or "0", message, message, now, now)
    _schedule(job, schedule, now, recurring=kind == "recurring")
    with formation.lock:
        formation.jobs.add(job)
    result = _audit_change(incoming, job.id, Success("scheduled_job", "scheduler.job.created", _on_wire(job), 201))
    return formation.wrap(result, idempotency_key=key)
    yield  # a generator, as work is, that has nothing to wait for


def get_job(incoming: Incoming) -> Success:
    """One job."""
    return Success("scheduled_job", "scheduler.job.retrieved", _on_wire(_find(incoming)))


def update_job(incoming: Incoming) -> Success:
    """Change a job. A new message makes another job of it, with an id of its own (the wire)."""
    formation, body, job = incoming.formation, incoming.body, _find(incoming)
    now = formation.clock.time()
    speaks_for_nobody = incoming.user is None and job.user_id != "0" and not body.text("message")
    if speaks_for_nobody and formation.imitates(Defect.OWNED_JOBS_NEED_THEIR_USER):
        refusal = f"User 0 does not have permission to update job {job.id}"
        raise ApiError(500, "INTERNAL_ERROR", f"Failed to update scheduled job: {refusal}")
    if schedule := body.text("schedule"):
        try:
            _schedule(job, schedule, now, recurring=job.cron is not None)
        except ApiError as error:
            if formation.imitates(Defect.BAD_CRON_IS_A_CRASH):
                problem = (error.data or {}).get("error") or error.message
                message = f"Failed to update scheduled job: Invalid cron expression: {problem}"
                raise ApiError(500, "INTERNAL_ERROR", message) from None
            raise
    job.title = body.text("title") or job.title
    job.updated_at = now
    if new := body.text("message"):
        formation.jobs.remove(job.id)
        loses = formation.imitates(Defect.UPDATED_JOBS_LOSE_THEIR_OWNER)
        owner = incoming.user or ("0" if loses else job.user_id)
        title = body.text("title") or f"Updated: {job.title}"
        job = Job(formation.ids.new("job_", 16), owner, title, new, now, now, job.cron, job.at, metadata=job.metadata)
        formation.jobs.add(job)
    else:
        formation.jobs.reschedule(job)
    return _audit_change(incoming, job.id, Success("scheduled_job", "scheduler.job.updated", _on_wire(job)))


def delete_job(incoming: Incoming) -> Success:
    """Delete a job."""
    job = _find(incoming)
    incoming.formation.jobs.remove(job.id)
    data = {"message": f"Scheduled job '{job.id}' removed successfully"}
    return _audit_change(incoming, job.id, Success("message", "scheduler.job.deleted", data))


def pause_job(incoming: Incoming) -> Success:
    """Have a job wait; the user header is not looked at (the wire)."""
    return _switch(incoming, "ACTIVE", "PAUSED", "scheduler.job.paused")


def resume_job(incoming: Incoming) -> Success:
    """Have a job go on."""
    return _switch(incoming, "PAUSED", "ACTIVE", "scheduler.job.resumed")


def _switch(incoming: Incoming, before: str, after: str, kind: str) -> Success:
    _for_admins(incoming)
    jobs, job_id = incoming.formation.jobs, incoming.params["job_id"]
    job = jobs.get(job_id)
    if job is None or job.status != before:
        message = f"Scheduled job '{job_id}' not found or not in {before} state"
        raise ApiError(404, "RESOURCE_NOT_FOUND", message)
    if after == "ACTIVE":
        job.consecutive_failures = 0
    jobs.set_status(job, after)
    return _audit_change(incoming, job_id, Success("scheduled_job", kind, {"id": job_id, "status": after}))


def _audit_change(incoming: Incoming, job_id: str, result: Success) -> Success:
    return record_audit(incoming, result.type.rpartition(".")[2], "scheduler_job", job_id, result)


def _find(incoming: Incoming) -> Job:
    """The job of the path; a user header narrows it to that user's."""
    _for_admins(incoming)
    job_id = incoming.params["job_id"]
    job = incoming.formation.jobs.get(job_id)
    if job is None or incoming.user not in (None, job.user_id):
        raise ApiError(404, "RESOURCE_NOT_FOUND", f"Scheduled job '{job_id}' not found")
    return job


def _for_admins(incoming: Incoming) -> None:
    """Refuse the client key, which the router lets in here (the wire)."""
    if not incoming.is_admin:
        raise ApiError(401, "UNAUTHORIZED", "Admin API key required for this endpoint")


def _schedule(job: Job, schedule: str, now: float, *, recurring: bool) -> None:
    """Set when a job runs.

    Raises:
        ApiError: 422, the schedule is none, or in the past.
    """
    if recurring:
        try:
            next_time(schedule, now)
        except BadSchedule as error:
            expected = "Valid cron expression (e.g., '0 9 * * 1')"
            raise _schedule_error("Invalid cron expression for recurring job", schedule, expected, error) from None
        job.cron = schedule
        return
    try:
        when = read_time(schedule)
    except BadSchedule as error:
        raise _schedule_error(
            "Invalid datetime format for one-time job", schedule, "ISO 8601 datetime", error
        ) from None
    if when <= now:
        raise _schedule_error("Schedule datetime must be in the future", schedule, "Future ISO 8601 datetime")
    job.at = when


def _schedule_error(message: str, schedule: str, expected: str, error: Exception | None = None) -> ApiError:
    data: dict[str, object] = {"field": "schedule", "value": schedule, "expected": expected}
    if error is not None:
        data["error"] = str(error)
    return ApiError(422, "VALIDATION_ERROR", message, data)


def _on_wire(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "user_id": job.user_id,
        "title": job.title,
        "original_prompt": job.message,
        "execution_prompt": job.message,
        "is_recurring": job.cron is not None,
        "cron_expression": job.cron,
        "scheduled_for": None if job.at is None else _moment(job.at),
        "exclusion_rules": [],
        "status": job.status,
        "created_at": iso(job.created_at, "Z"),
        "updated_at": iso(job.updated_at, "Z"),
        "last_run_at": None if job.last_run_at is None else _moment(job.last_run_at),
        "last_run_status": job.last_run_status,
        "last_run_failure_message": job.last_run_failure_message,
        "total_runs": job.total_runs,
        "total_failures": job.total_failures,
        "consecutive_failures": job.consecutive_failures,
        "job_metadata": job.metadata,
    }


def _moment(seconds: float) -> str:
    """A time that a caller set, without a zero fraction of a second."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


_JOB = "/v1/scheduler/jobs/{job_id}"

ROUTES = (
    FormationRoute("GET", "/v1/scheduler", configuration, user=UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/scheduler/jobs", list_jobs, user=UserRule.FOR_CLIENT),
    FormationRoute("POST", "/v1/scheduler/jobs", create_job, user=UserRule.OPTIONAL, body=_CREATE),
    FormationRoute("GET", _JOB, get_job, user=UserRule.OPTIONAL),
    FormationRoute("PUT", _JOB, update_job, user=UserRule.OPTIONAL, body=_UPDATE),
    FormationRoute("DELETE", _JOB, delete_job, user=UserRule.OPTIONAL),
    FormationRoute("POST", f"{_JOB}/pause", pause_job, user=UserRule.OPTIONAL),
    FormationRoute("POST", f"{_JOB}/resume", resume_job, user=UserRule.OPTIONAL),
)
