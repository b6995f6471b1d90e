"""Polling of work in the background until it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from muxi.call import Call, Procedure, Wait, send
from muxi.errors import JobFailed, NotFoundError, ResultForgotten, TimeoutError, ValidationError
from muxi.redact import show_value

__all__ = ["WAIT_TIMEOUT", "check_timeout", "wait_for_job"]

T = TypeVar("T")

#: Seconds between two looks: the first, by how much each is longer than the one before, and the longest.
FIRST_WAIT, GROWTH, LONGEST_WAIT = 0.25, 1.5, 5.0

#: Seconds in which "not found" may mean "not found yet", before anything was seen.
NOT_FOUND_YET = 5.0

#: Seconds that work in the background may take: the runtime itself gives it up after as many.
WAIT_TIMEOUT = 600.0


def wait_for_job(look: Callable[[], Call[T]], job_id: str, timeout: float | None) -> Procedure[T]:
    """Poll a job until it has ended.

    Args:
        look: makes the call that asks where the job stands; its answer has a ``status``.
        job_id: the job, for the errors.
        timeout: seconds to wait at the most; None waits for as long as it takes.

    Returns:
        The last answer: that of a completed job.

    Raises:
        JobFailed: it failed or was cancelled; ``details`` has the answer.
        NotFoundError: it is unknown.
        ResultForgotten: it was seen at work and is not known any more.
        TimeoutError: it is still at work.
        ValidationError: ``timeout`` is no number of seconds.
    """
    check_timeout(timeout)
    waited, pause, state = 0.0, FIRST_WAIT, ""
    while True:
        try:
            answer = yield from send(look())
        except NotFoundError as error:
            if not state or not error.from_platform:
                raise
            raise ResultForgotten(
                "JOB_FORGOTTEN",
                f"the job {job_id} was {state} when last seen and is not known any more; finished jobs are kept for "
                "five minutes, and none over a restart of the formation",
                error.status_code,
                {"job_id": job_id, "last_status": state},
                error.request_id,
            ) from error
        seen = cast("Mapping[str, Any]", answer)
        state = str(seen["status"])
        if state == "completed":
            return answer
        if state in ("failed", "cancelled"):
            reason = seen.get("error") or f"the job {job_id} has {'failed' if state == 'failed' else 'been cancelled'}"
            raise JobFailed(f"JOB_{state.upper()}", str(reason), 200, dict(seen))
        if timeout is not None and waited >= timeout:
            raise TimeoutError(
                "WAIT_TIMEOUT",
                f"the job {job_id} is still {state} after {timeout:g} s; wait longer with timeout=",
                details=dict(seen),
            )
        waited = yield Wait(pause if timeout is None else min(pause, timeout - waited))
        pause = min(LONGEST_WAIT, pause * GROWTH)


def check_timeout(timeout: object) -> None:
    """Refuse an invalid time to wait before a request is sent.

    Raises:
        ValidationError: it is no number from 0 up, and not None.
    """
    if timeout is None or (isinstance(timeout, int | float) and not isinstance(timeout, bool) and timeout >= 0):
        return
    raise ValidationError(
        "INVALID_PARAMETER",
        f"timeout takes a number of seconds from 0 up, or None, got {show_value(timeout)}",
        details={"validation_errors": [{"field": "timeout", "msg": "not a number of seconds"}]},
    )
