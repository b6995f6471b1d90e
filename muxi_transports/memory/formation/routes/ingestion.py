"""Ingestion: ``POST /v1/memories`` with a source, batches, their jobs, and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from muxi_transports.memory.formation.access import UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.events import MemoryEvent
from muxi_transports.memory.formation.state.ingestion import Intake
from muxi_transports.memory.formation.state.memories import SCOPES
from muxi_transports.memory.formation.state.memory_jobs import RunningMemoryJob
from muxi_transports.memory.formation.times import iso, seconds
from muxi_transports.memory.formation.validation import Field, anything, listing, mapping, record, text

__all__ = ["MEMORY", "ROUTES", "check_content", "check_scope", "ingest", "status_of"]

#: The body of a memory.
MEMORY = record(
    Field("content", anything),
    Field("type", text),
    Field("detail", text),
    Field("metadata", mapping),
    Field("scope", text),
    Field("scope_id", text),
    Field("source", text),
    Field("source_id", text),
    Field("timestamp", text),
    Field("subject", text),
)

_KIND = "ingestion"
_JOBS_PER_USER = 4
_BATCH_LIMIT = 100
_UNCLASSIFIED = (
    "[local/Xenova/multilingual-e5-small] Repo has no ONNX weights and sentence-transformers is not installed."
)


def ingest(incoming: Incoming) -> Success:
    """Ingest one item; a known one is reported as a duplicate."""
    formation = incoming.formation
    intake = _intake(incoming, {name: incoming.body.get(name) for name in _NAMES})
    seen = {"source": intake.source, "source_id": intake.source_id, "scope": intake.scope, "scope_id": intake.scope_id}
    if known := formation.state.ingestion.known(intake):
        derived = [event.id for event in formation.state.events.derived_from(known)]
        data = {"status": "duplicate", "duplicate": True, "event_id": known.id, **seen, "derived_events": derived}
        return Success("memory_ingestion", "memory.ingestion.accepted", data)
    _check_load(incoming)
    event = formation.state.ingestion.take(intake)
    job = _begin(incoming, [(0, intake, event)])
    accepted = {"status": "accepted", "duplicate": False, "event_id": event.id, **seen, **_job_data(job)}
    return Success("memory_ingestion", "memory.ingestion.accepted", accepted, 202)


def ingest_batch(incoming: Incoming) -> Success:
    """Ingest up to a hundred items, and report each one's status."""
    items = incoming.body.mappings("items")
    if not items:
        raise ApiError(422, "INVALID_PARAMS", "'items' must contain at least one item")
    if len(items) > _BATCH_LIMIT:
        message = (
            f"Batch too large: {len(items)} items (max: {_BATCH_LIMIT}).\n\nBreak into smaller batches for processing."
        )
        raise ApiError(422, "INVALID_PARAMS", message)
    _check_load(incoming)
    formation = incoming.formation
    taken: list[tuple[int, Intake, MemoryEvent]] = []
    results: list[dict[str, object]] = []
    counts = {"accepted": 0, "duplicate": 0, "invalid": 0}
    for index, item in enumerate(items):
        try:
            intake = _intake(incoming, item)
        except ApiError as error:
            result: dict[str, object] = {"status": "invalid", "error": error.message}
        else:
            known = formation.state.ingestion.known(intake)
            event = known or formation.state.ingestion.take(intake)
            if known:
                derived = [other.id for other in formation.state.events.derived_from(known)]
                result = {"status": "duplicate", "event_id": event.id, "derived_events": derived}
            else:
                taken.append((index, intake, event))
                result = {"status": "accepted", "event_id": event.id}
        results.append({**result, "index": index})
        counts[str(result["status"])] += 1
    found = _job_data(_begin(incoming, taken)) if taken else {"processing_id": None}
    data = {"processing_id": found.pop("processing_id"), "items": results, "counts": counts, **found}
    return Success("memory_ingestion", "memory.ingestion.accepted", data)


def get_ingestion(incoming: Incoming) -> Success:
    """The status of a job, for five minutes after its end."""
    formation, processing_id = incoming.formation, incoming.params["processing_id"]
    job = formation.state.memory_jobs.get(_KIND, processing_id)
    if job is None:
        kept = "(completed results are retained for 5 minutes)"
        raise ApiError(404, "NOT_FOUND", f"Unknown or expired processing_id '{processing_id}' {kept}")
    if not incoming.is_admin and job.owner != formation.state.users.number_of(incoming.owner):
        raise ApiError(403, "FORBIDDEN", "Ingestion job does not belong to this user")
    return Success("memory_ingestion", "memory.ingestion.status", status_of(job))


def get_provenance(incoming: Incoming) -> Success:
    """The provenance of a memory: an event and its sources, or all events about a subject."""
    formation = incoming.formation
    number = formation.state.users.number_of(incoming.owner)
    events = formation.state.events
    event_id, entity = incoming.query.text("event_id"), incoming.query.text("entity")
    if event_id:
        event = events.get(number, event_id)
        if event is None:
            raise ApiError(404, "NOT_FOUND", f"Unknown event '{event_id}'")
        chain = [one.on_wire() for one in events.chain(event)]
        return Success("memory", "memory.retrieved", {"event": event.on_wire(), "chain": chain})
    if not entity:
        message = "Provide 'entity' (a knowledge graph entity name) or 'event_id'"
        raise ApiError(422, "INVALID_PARAMS", message)
    about = events.about(number, entity)
    if not about:
        raise ApiError(404, "NOT_FOUND", f"Unknown entity '{entity}'")
    chain = [one.on_wire() for one in about]
    return Success("memory", "memory.retrieved", {"entity": {"name": about[0].subject}, "chain": chain})


def check_scope(incoming: Incoming, given: Mapping[str, object]) -> str:
    """Whose a memory is to be.

    Raises:
        ApiError: 422 where there is no such scope, 403 where only the admin may write to it.
    """
    scope = str(given.get("scope") or "user")
    if scope not in SCOPES:
        raise ApiError(422, "INVALID_PARAMS", f"Invalid scope '{scope}'; expected one of {list(SCOPES)}")
    if scope == "group" and not given.get("scope_id"):
        raise ApiError(422, "INVALID_PARAMS", "scope_id (the group id) is required when scope is 'group'")
    if scope != "user" and not incoming.is_admin:
        raise ApiError(403, "FORBIDDEN", "Insufficient permissions to write to this memory scope")
    return scope


def check_content(given: Mapping[str, object]) -> None:
    """There is something to remember.

    Raises:
        ApiError: 422 where there is not.
    """
    if given.get("content") in (None, "") and not given.get("detail"):
        raise ApiError(422, "INVALID_PARAMS", "Either 'content' or 'detail' must be provided")


def status_of(job: RunningMemoryJob) -> dict[str, object]:
    """The status of a job."""
    status: dict[str, object] = {"processing_id": job.id, "status": job.status, "created_at": job.created_at}
    if job.completed_at is not None:
        status["completed_at"] = iso(job.completed_at, "Z")
    return {**status, **job.facts, **job.result} if job.completed_at is not None else status


_NAMES = ("content", "detail", "metadata", "scope", "scope_id", "source", "source_id", "timestamp", "subject")


def _intake(incoming: Incoming, given: Mapping[str, object]) -> Intake:
    source = given.get("source")
    if not isinstance(source, str) or not source.strip():
        message = "'source' is required and must be a non-empty string (e.g. \"gmail\")"
        raise ApiError(422, "INVALID_PARAMS", message)
    check_content(given)
    scope = check_scope(incoming, given)
    metadata, content = given.get("metadata"), given.get("content")
    return Intake(
        content if content not in (None, "") else given.get("detail"),
        source,
        _text(given.get("source_id")),
        incoming.owner,
        _text(given.get("subject")),
        metadata if isinstance(metadata, dict) else {},
        scope,
        _text(given.get("scope_id")),
        seconds(str(given.get("timestamp"))),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _check_load(incoming: Incoming) -> None:
    state = incoming.formation.state
    if state.memory_jobs.in_flight(_KIND, state.users.number(incoming.owner)) >= _JOBS_PER_USER:
        message = (
            f"Too many ingestion jobs in flight for this user (max {_JOBS_PER_USER}). Poll GET "
            "/v1/memories/ingestion/{processing_id} until a job completes, then retry; idempotent "
            "(source, source_id) retries are always safe."
        )
        raise ApiError(429, "RATE_LIMITED", message)


def _begin(incoming: Incoming, taken: Sequence[tuple[int, Intake, MemoryEvent]]) -> RunningMemoryJob:
    formation = incoming.formation
    state = formation.state
    unclassified = _UNCLASSIFIED if formation.imitates(Defect.NO_CLASSIFIER) else None

    def work() -> Mapping[str, object]:
        return state.ingestion.digest(taken, formation.definition.text_model, unclassified=unclassified)

    owner = state.users.number(incoming.owner)
    return state.memory_jobs.start(formation.ids.new("ing_"), _KIND, work, owner=owner)


def _job_data(job: RunningMemoryJob) -> dict[str, object]:
    return {"processing_id": job.id, "status_url": f"/v1/memories/ingestion/{job.id}"}


ROUTES = (
    FormationRoute(
        "POST", "/v1/memories/batch", ingest_batch, body=record(Field("items", listing(MEMORY), required=True))
    ),
    FormationRoute("GET", "/v1/memories/ingestion/{processing_id}", get_ingestion, user=UserRule.FOR_CLIENT),
    FormationRoute(
        "GET",
        "/v1/memories/provenance",
        get_provenance,
        query=(Field("entity", text), Field("event_id", text)),
    ),
)
