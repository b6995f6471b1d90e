"""Running a scheduled job: an agent answers its message."""

from __future__ import annotations

from collections.abc import Generator

from muxi_transports.memory.formation.core import FormationCore
from muxi_transports.memory.formation.dialogue import begin
from muxi_transports.memory.formation.replies import send_webhook
from muxi_transports.memory.formation.state.jobs import Job
from muxi_transports.memory.world import Pause

__all__ = ["perform_job"]


def perform_job(formation: FormationCore, job: Job) -> Generator[Pause, None, str | None]:
    """Run a job. Its result goes to the formation's webhook, if it has one.

    Returns:
        The error, or None.
    """
    dialogue = begin(formation, job.message, user_id=job.user_id, job_id=job.id)
    dialogue.note("task.started", job.title, data={"job_id": job.id})
    started = formation.clock.monotonic()
    outcome = yield from dialogue.in_background(dialogue.reply())
    send_webhook(dialogue, outcome, None, seconds=formation.clock.monotonic() - started)
    if outcome.kind in ("success", "clarification"):
        dialogue.note("task.completed", job.title, data={"job_id": job.id})
        return None
    failure = outcome.content or f"the turn was {outcome.kind}"
    dialogue.note("task.failed", f"{job.title}: {failure}", level="error", data={"job_id": job.id})
    return failure
