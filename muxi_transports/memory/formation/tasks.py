"""Running a scheduled job: its message goes to the agents like a user's."""

from __future__ import annotations

from collections.abc import Generator

from muxi_transports.memory.formation.core import FormationCore
from muxi_transports.memory.formation.dialogue import begin
from muxi_transports.memory.formation.replies import report
from muxi_transports.memory.formation.state.jobs import Job
from muxi_transports.memory.world import Pause

__all__ = ["perform"]


def perform(formation: FormationCore, job: Job) -> Generator[Pause, None, str | None]:
    """Do what a job says. The outcome goes to the formation's webhook, where it has one.

    Returns:
        What went wrong, or None.
    """
    dialogue = begin(formation, job.message, user_id=job.user_id, job_id=job.id)
    dialogue.note("task.started", job.title, data={"job_id": job.id})
    started = formation.clock.monotonic()
    outcome = yield from dialogue.in_background(dialogue.reply())
    report(dialogue, outcome, None, seconds=formation.clock.monotonic() - started)
    if outcome.kind in ("success", "clarification"):
        dialogue.note("task.completed", job.title, data={"job_id": job.id})
        return None
    failure = outcome.content or f"the turn was {outcome.kind}"
    dialogue.note("task.failed", f"{job.title}: {failure}", level="error", data={"job_id": job.id})
    return failure
