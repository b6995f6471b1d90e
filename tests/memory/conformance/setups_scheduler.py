"""Scheduled jobs."""

from __future__ import annotations

from muxi_transports.memory import Defect, EmbeddedFormation
from muxi_transports.memory.formation.state.jobs import Job
from tests.memory.conformance.replay import Prepare, Setup, ask, nothing

#: 2026-11-22, when the jobs were recorded; the tests' clock shows a later day.
RECORDED = 1795362315.0
WEEKLY, ONCE, NOBODYS, SECOND = (
    "job_mOWxqk_irQvc7X9D",
    "job_H41MK_xfb2JEVW6r",
    "job_vdKLg3QBILOLNlKR",
    "job_bqtlFle2cni2YXUW",
)


def scheduled(formation: EmbeddedFormation) -> None:
    """The jobs that were recorded, in the order they were made."""
    now = formation.clock.time()
    for job_id, user, message, at in (
        (WEEKLY, "sam", "weekly report", None),
        (ONCE, "sam", "once", now + 86400),
        (NOBODYS, "0", "body user", None),
        (SECOND, "sam2", "new words", None),
    ):
        cron = "0 9 * * 1" if at is None else None
        formation.jobs.add(Job(job_id, user, message, message, now, now, cron, at))


def paused(formation: EmbeddedFormation) -> None:
    scheduled(formation)
    ask(formation, "POST", f"/v1/scheduler/jobs/{WEEKLY}/pause", admin=True)


def without(job_id: str) -> Prepare:
    def prepare(formation: EmbeddedFormation) -> None:
        scheduled(formation)
        formation.jobs.remove(job_id)

    return prepare


def created(formation: EmbeddedFormation) -> None:
    """The same call came before, with the same key."""
    body = {"type": "recurring", "schedule": "0 9 * * 1", "message": "idem job"}
    headers = [("X-Muxi-Idempotency-Key", "key-S")]
    ask(formation, "POST", "/v1/scheduler/jobs", body, user="ida", admin=True, headers=headers)


ANSWERS: dict[str, Prepare | Setup] = {
    "idem_sched1": nothing,
    "idem_sched2": created,
    "lite_sched": Setup(nothing, formation_id="wire-lab-lite"),
    "sched_cfg": nothing,
    "sched_cfg_client": nothing,
    "sched_create": nothing,
    "sched_create_422": nothing,
    "sched_create_badcron": nothing,
    "sched_create_bodyuser": nothing,
    "sched_create_once": Setup(nothing, start=RECORDED),
    "sched_create_past": nothing,
    "sched_del_404": scheduled,
    "sched_del_again": without(ONCE),
    "sched_del_nouser": scheduled,
    "sched_get": scheduled,
    "sched_get_404": scheduled,
    "sched_list": scheduled,
    "sched_list2": scheduled,
    "sched_list_admin_all": without(SECOND),
    "sched_list_client": scheduled,
    "sched_list_queryuser": without(SECOND),
    "sched_pause": paused,
    "sched_pause_again": paused,
    "sched_pause_nouser": scheduled,
    "sched_put": without(WEEKLY),
    "sched_put_404": scheduled,
    "sched_put_nouser": Setup(scheduled, frozenset({Defect.UPDATED_JOBS_LOSE_THEIR_OWNER})),
    "sched_resume_again": scheduled,
    "sp_list": scheduled,
    "sp_put_badcron": Setup(scheduled, frozenset({Defect.BAD_CRON_IS_A_CRASH})),
    "sp_put_empty": scheduled,
    "sp_put_sched": scheduled,
    "sp_put_title": scheduled,
    "x": scheduled,
}
