"""Work on all memories of a user: ``/v1/memory/rebuild``, ``forget``, ``backfill`` and ``lint``."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule, normal_user
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.memory_jobs import RunningMemoryJob
from muxi_transports.memory.formation.state.projections import PROJECTIONS
from muxi_transports.memory.formation.validation import Field, flag, record, text

__all__ = ["ROUTES"]


def rebuild(incoming: Incoming) -> Success:
    """Make the views on a user's memories anew, in the background unless the caller wants to wait."""
    body, state = incoming.body, incoming.formation.state
    user_id, number = _user(incoming)
    only, dry_run = body.text("projection"), body.flag("dry_run")
    if only is not None and only not in PROJECTIONS:
        message = f"Unknown projection '{only}'; registered: {list(PROJECTIONS)}"
        raise ApiError(422, "INVALID_PARAMS", message)

    def work() -> dict[str, object]:
        if body.flag("backfill") and not dry_run:
            state.projections.backfill(number)
        return {"projections": state.projections.rebuild(number, only, dry_run=dry_run)}

    if dry_run or not body.flag("background"):
        data = {"user_id": user_id, "dry_run": dry_run, **work()}
        return Success("memory", "memory.retrieved", data)
    job_id = incoming.formation.ids.new("rebuild_")
    job = state.memory_jobs.start(job_id, "rebuild", work, facts={"user_id": user_id, "dry_run": dry_run})
    return Success("memory", "memory.retrieved", {"user_id": user_id, **_job_data(job)}, 202)


def forget(incoming: Incoming) -> Success:
    """Forget what came from a source; the memories made of it go with the rebuild that follows."""
    body, state = incoming.body, incoming.formation.state
    user_id, number = _user(incoming)
    source = str(body.get("source"))
    forgotten = [] if number is None else state.events.forget(number, source)
    data: dict[str, object] = {
        "user_id": user_id,
        "source": source,
        "deleted_events": len(forgotten),
        "grace_period_days": 30,
    }
    if not body.flag("rebuild"):
        touched = sorted({view for event in forgotten for view in state.projections.views(event)})
        return Success("memory", "memory.deleted", {**data, "rebuild_required": touched})

    def work() -> dict[str, object]:
        return {"projections": state.projections.rebuild(number)}

    if incoming.query.flag("sync") or not body.flag("background"):
        return Success("memory", "memory.deleted", {**data, **work()})
    job = state.memory_jobs.start(incoming.formation.ids.new("forget_"), "forget", work)
    return Success("memory", "memory.deleted", {**data, **_job_data(job)}, 202)


def backfill(incoming: Incoming) -> Success:
    """Create events for memories that have none."""
    user_id, number = _user(incoming)
    made = incoming.formation.state.projections.backfill(number)
    synthesized = {view: {"synthesized": count, "complete": True} for view, count in made.items()}
    return Success("memory", "memory.retrieved", {"user_id": user_id, "synthesized": synthesized})


def lint(incoming: Incoming) -> Success:
    """Look over the memories of a user, or of everybody, and forget those that nothing stands behind."""
    formation = incoming.formation
    if not formation.definition.memory.get("lint"):
        message = "Memory lint is not configured for this formation (missing 'memory.lint' block)"
        raise ApiError(503, "SERVICE_UNAVAILABLE", message)
    state = formation.state
    user_id = normal_user(incoming.body.text("user_id"))
    everybody = state.memories.owners()
    numbers = [one for one in everybody if user_id is None or one == state.users.number_of(user_id)]
    orphans = sum(state.projections.sweep(one) for one in numbers)
    report = {
        "users": len(numbers) if user_id is None else 1,
        "unresolved_conflicts": 0,
        "superseded_deleted": 0,
        "orphans_removed": orphans,
        "log_gaps": 0,
        "stale_artifacts": 0,
        "index_regenerated": len(numbers) if user_id is None else 1,
        "findings": {},
    }
    return Success("memory", "memory.retrieved", {"user_id": user_id, "report": report})


def get_rebuild(incoming: Incoming) -> Success:
    """The status of a rebuild."""
    return _status(incoming, "rebuild")


def get_forget(incoming: Incoming) -> Success:
    """The status of the rebuild after forgetting."""
    return _status(incoming, "forget")


def _user(incoming: Incoming) -> tuple[str, int | None]:
    user_id = str(incoming.body.get("user_id"))
    return user_id, incoming.formation.state.users.number_of(user_id)


def _job_data(job: RunningMemoryJob) -> dict[str, object]:
    # The path lacks the version that routes begin with (the wire).
    return {"job_id": job.id, "status": job.status, "status_url": f"/memory/{job.kind}/{job.id}"}


def _status(incoming: Incoming, kind: str) -> Success:
    job_id = incoming.params["job_id"]
    job = incoming.formation.state.memory_jobs.get(kind, job_id)
    if job is None:
        raise ApiError(404, "NOT_FOUND", f"Unknown or expired {kind} job '{job_id}'")
    return Success("memory", "memory.retrieved", {"job_id": job.id, "status": job.status, **job.facts, **job.result})


_USER = Field("user_id", text, required=True)
_BACKGROUND = Field("background", flag, default=True, nullable=False)

ROUTES = (
    FormationRoute(
        "POST",
        "/v1/memory/rebuild",
        rebuild,
        Level.ADMIN,
        UserRule.OPTIONAL,
        body=record(
            _USER,
            Field("projection", text),
            Field("dry_run", flag, default=False, nullable=False),
            _BACKGROUND,
            Field("backfill", flag, default=False, nullable=False),
        ),
    ),
    FormationRoute("GET", "/v1/memory/rebuild/{job_id}", get_rebuild, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute(
        "POST",
        "/v1/memory/forget",
        forget,
        Level.ADMIN,
        UserRule.OPTIONAL,
        query=(Field("sync", flag, default=False),),
        body=record(
            _USER,
            Field("source", text, required=True),
            Field("reason", text, default="user_request", nullable=False),
            Field("rebuild", flag, default=True, nullable=False),
            _BACKGROUND,
        ),
    ),
    FormationRoute("GET", "/v1/memory/forget/{job_id}", get_forget, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("POST", "/v1/memory/backfill", backfill, Level.ADMIN, UserRule.OPTIONAL, body=record(_USER)),
    FormationRoute(
        "POST", "/v1/memory/lint", lint, Level.ADMIN, UserRule.OPTIONAL, body=record(Field("user_id", text))
    ),
)
