"""Scheduled jobs, one-time and recurring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxi.call import Call, Key, Procedure, send
from muxi.client.endpoints import operation, procedure
from muxi.errors import ValidationError
from muxi.operations.fields import given

if TYPE_CHECKING:
    from muxi.types import JobType, ScheduledJob, ScheduledJobList, ScheduledJobState, SchedulerConfig, SchedulerMessage

__all__ = ["SchedulerOperations"]

_JOB = "/scheduler/jobs/{job_id}"


class SchedulerOperations:
    """Methods about scheduled jobs. All take the admin key, but for the list of one user's."""

    @operation
    def get_scheduler_config(self) -> Call[SchedulerConfig]:
        """Get the scheduler's settings (``GET /scheduler``, admin key)."""
        return Call.get("/scheduler", key=Key.ADMIN, returns="SchedulerConfig")

    @operation
    def get_scheduler_jobs(self, user_id: str = "") -> Call[ScheduledJobList]:
        """List the jobs of a user, or of all (``GET /scheduler/jobs``).

        Args:
            user_id: whose, with either key; all users' if empty, which takes the admin key.

        Returns:
            The jobs; with today's runtime none also where its database failed.
        """
        return Call.get(
            "/scheduler/jobs",
            user_id=user_id or None,
            # The client key shows the jobs of one user only and is refused without.
            key=Key.EITHER if user_id else Key.ADMIN,
            returns="ScheduledJobList",
        )

    @operation
    def get_scheduler_job(self, job_id: str) -> Call[ScheduledJob]:
        """Get one job (``GET /scheduler/jobs/{job_id}``, admin key).

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.get(_JOB, params={"job_id": job_id}, key=Key.ADMIN, returns="ScheduledJob")

    @operation
    def create_scheduler_job(
        self, job_type: JobType | str, schedule: str, message: str, user_id: str = ""
    ) -> Call[ScheduledJob]:
        """Create a job (``POST /scheduler/jobs``, admin key).

        A repetition after a lost connection makes no second job (idempotency key).

        Args:
            job_type: ``one_time`` or ``recurring``.
            schedule: for a one-time job an ISO 8601 time that is yet to come, for a recurring one a cron expression
                such as ``0 9 * * 1`` (Mondays at nine, in the scheduler's time zone).
            message: the task, in the words of a chat message.
            user_id: whose job it is; the formation's user ``0`` if empty.

        Raises:
            ValidationError: the kind is unknown or a field is no text, and nothing has been sent; or the schedule
                is wrong or in the past.
        """
        return Call.post(
            "/scheduler/jobs",
            body={"type": job_type, "schedule": schedule, "message": message},
            user_id=user_id or None,
            key=Key.ADMIN,
            accepts="SchedulerJobCreate",
            returns="ScheduledJob",
        )

    @procedure
    def update_scheduler_job(
        self,
        job_id: str,
        *,
        message: str | None = None,
        schedule: str | None = None,
        title: str | None = None,
        user_id: str | None = None,
    ) -> Procedure[ScheduledJob]:
        """Change a job (``PUT /scheduler/jobs/{job_id}``, admin key).

        A new ``message`` **replaces** the job: what comes back has another id, the old id is not known any more, and
        the title is ``Updated: …``. Other changes keep the id. It is never repeated by itself.

        Args:
            job_id: which.
            message: what is to be done from now on.
            schedule: when, as for :meth:`create_scheduler_job`.
            title: how it is listed.
            user_id: the new owner, together with ``message`` only. If not given the owner stays. The job is looked up
                first unless both are given, because the runtime takes changes from the owner alone.

        Returns:
            The job as it is now. Go on with its ``id``.

        Raises:
            ValidationError: ``user_id`` is not the owner and there is no ``message``; nothing has been changed.
            NotFoundError: there is none of that id.
            ServerError: the cron expression is wrong.
        """
        body = given(message=message, schedule=schedule, title=title)
        if user_id is None or message is None:
            # Check the request before the look-up: an invalid one sends nothing.
            from muxi.schemas import SchemaRegistry

            SchemaRegistry().check_request(_update(job_id, body, user_id))
            owner = str((yield from send(SchedulerOperations.get_scheduler_job.call(job_id)))["user_id"])
            if user_id is not None and (user_id or "0") != owner:
                problem = f"gives the job to another user only together with message=; it belongs to {owner!r}"
                raise ValidationError(
                    "INVALID_PARAMETER",
                    f"user_id {problem}",
                    details={"validation_errors": [{"field": "user_id", "msg": problem}]},
                )
            user_id = owner
        return (yield from send(_update(job_id, body, user_id)))

    @operation
    def delete_scheduler_job(self, job_id: str) -> Call[SchedulerMessage]:
        """Remove a job (``DELETE /scheduler/jobs/{job_id}``, admin key).

        Returns:
            A message; an empty mapping where a repetition found that a first attempt without an answer had done it.

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.delete(_JOB, params={"job_id": job_id}, key=Key.ADMIN, returns="SchedulerMessage")

    @operation
    def pause_scheduler_job(self, job_id: str) -> Call[ScheduledJobState]:
        """Pause a job (``POST /scheduler/jobs/{job_id}/pause``, admin key).

        Raises:
            NotFoundError: there is none of that id, or it is not ``ACTIVE``.
        """
        return Call.post(f"{_JOB}/pause", params={"job_id": job_id}, key=Key.ADMIN, returns="ScheduledJobState")

    @operation
    def resume_scheduler_job(self, job_id: str) -> Call[ScheduledJobState]:
        """Resume a job (``POST /scheduler/jobs/{job_id}/resume``, admin key).

        Raises:
            NotFoundError: there is none of that id, or it is not ``PAUSED``.
        """
        return Call.post(f"{_JOB}/resume", params={"job_id": job_id}, key=Key.ADMIN, returns="ScheduledJobState")


def _update(job_id: str, body: dict[str, Any], user_id: str | None) -> Call[ScheduledJob]:
    return Call.put(
        _JOB,
        params={"job_id": job_id},
        body=body,
        user_id=user_id or None,
        key=Key.ADMIN,
        operation="update_scheduler_job",
        accepts="SchedulerJobUpdate",
        returns="ScheduledJob",
    )
