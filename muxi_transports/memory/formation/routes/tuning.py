"""``/v1/tuning``: the text that is put before every turn, and suggestions to change it."""

from __future__ import annotations

from collections.abc import Generator

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.tuning import CONTENT_LIMIT, PATH, PENDING_PATH
from muxi_transports.memory.formation.validation import Field, record, text
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES"]


def get_tuning(incoming: Incoming) -> Success:
    """The text; there is no path where there is none."""
    content = incoming.formation.state.tuning.content
    return Success("tuning", "tuning.retrieved", {"content": content, "path": None if content is None else PATH})


def replace_tuning(incoming: Incoming) -> Success:
    """Put a text in place."""
    content = str(incoming.body.get("content"))
    size = len(content.encode("utf-8", "replace"))
    if size > CONTENT_LIMIT:
        message = (
            f"MUXI.md content is {size} bytes; the bound is {CONTENT_LIMIT} bytes (it is injected into every turn)"
        )
        raise ApiError(413, "TUNING_CONTENT_TOO_LARGE", message)
    incoming.formation.state.tuning.replace(content)
    return Success("tuning", "tuning.updated", {"path": PATH, "bytes": size})


def get_pending(incoming: Incoming) -> Success:
    """The suggestion that waits, if there is one."""
    data = {"content": incoming.formation.state.tuning.pending, "path": PENDING_PATH}
    return Success("tuning", "tuning.pending.retrieved", data)


def apply_pending(incoming: Incoming) -> Success:
    """Put the suggestion in place."""
    learnings = incoming.formation.state.tuning.apply()
    if learnings is None:
        raise ApiError(404, "TUNING_NO_PENDING", "No pending MUXI.md suggestion to apply")
    return Success("tuning", "tuning.pending.applied", {"path": PATH, "learnings_activated": learnings})


def dismiss_pending(incoming: Incoming) -> Success:
    """Forget the suggestion."""
    learnings = incoming.formation.state.tuning.dismiss()
    if learnings is None:
        raise ApiError(404, "TUNING_NO_PENDING", "No pending MUXI.md suggestion to dismiss")
    return Success("tuning", "tuning.pending.dismissed", {"learnings_dismissed": learnings})


def run_tuning(incoming: Incoming) -> Generator[Pause, None, Answer]:
    """One pass; it answers when it is done."""
    formation = incoming.formation
    tuning = formation.state.tuning
    begun = formation.clock.monotonic()
    if tuning.seconds:
        yield Pause(tuning.seconds)
    with formation.lock, formation.incidents.watch("the tuner"):
        done = tuning.run(formation.buffer.texts())
    data = {
        "trigger": "manual",
        "events_read": done.events_read,
        "segments_read": 1,
        "entries_written": 1,
        "dropped_sentences": 0,
        "spool_committed": True,
        "spool_segments_kept": True,
        "benchmark_suites_run": [],
        "benchmark_skipped": "bench harness not configured ($MUXI_BENCH_ROOT)",
        "learnings_recorded": int(done.suggested),
        "learnings_retired": 0,
        "muxi_md_applied": False,
        "muxi_md_suggested": done.suggested,
        "muxi_md_rejected_oversize": done.oversize,
        "recommendations": int(done.suggested),
        "report_delivered": False,
        "duration_ms": round((formation.clock.monotonic() - begun) * 1000, 1),
    }
    return formation.wrap(Success("tuning_run", "tuning.run.completed", data))


ROUTES = (
    FormationRoute("GET", "/v1/tuning", get_tuning, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute(
        "POST",
        "/v1/tuning",
        replace_tuning,
        Level.ADMIN,
        UserRule.OPTIONAL,
        body=record(Field("content", text, required=True)),
    ),
    FormationRoute("GET", "/v1/tuning/pending", get_pending, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("PATCH", "/v1/tuning/pending", apply_pending, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("DELETE", "/v1/tuning/pending", dismiss_pending, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("POST", "/v1/tuning/run", run_tuning, Level.ADMIN, UserRule.OPTIONAL),
)
