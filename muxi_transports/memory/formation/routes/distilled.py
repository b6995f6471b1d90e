"""Memories that were distilled elsewhere: ``/v1/memory/distilleries`` and ``/v1/memories/distilled``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.routes.ingestion import status_of
from muxi_transports.memory.formation.state.distilleries import EVENT_TYPES, StoredDistillery
from muxi_transports.memory.formation.state.events import FACT, MemoryEvent
from muxi_transports.memory.formation.validation import Field, mapping, record, text

__all__ = ["ROUTES"]

_KIND = "distilled"
_WINDOW_SECONDS = 300
_EMBEDDING_MODES = ("none", "pre_computed")


def list_distilleries(incoming: Incoming) -> Success:
    """All senders, those that were revoked too."""
    _needs_block(incoming)
    formation = incoming.formation
    distilleries = [one.on_wire(formation.formation_id) for one in formation.state.distilleries]
    data = {"distilleries": distilleries, "count": len(distilleries)}
    return Success("memory_distillery_list", "memory.distillery.list", data)


def register(incoming: Incoming) -> Success:
    """Register a sender by its public key."""
    _needs_block(incoming)
    body, formation = incoming.body, incoming.formation
    try:
        distillery = formation.state.distilleries.register(
            str(body.get("name")),
            str(body.get("public_key")),
            body.text("description"),
            body.mapping("scope"),
            body.text("trust_level"),
        )
    except ValueError as error:
        raise ApiError(422, "INVALID_PARAMS", str(error)) from None
    data = distillery.on_wire(formation.formation_id)
    return Success("memory_distillery", "memory.distillery.registered", data, 201)


def revoke(incoming: Incoming) -> Success:
    """Accept no more of a sender; doing it twice is fine."""
    distillery_id, formation = incoming.params["distillery_id"], incoming.formation
    distillery = formation.state.distilleries.get(distillery_id)
    if distillery is None:
        raise ApiError(404, "NOT_FOUND", f"Unknown distillery '{distillery_id}'")
    formation.state.distilleries.revoke(distillery)
    data = distillery.on_wire(formation.formation_id)
    return Success("memory_distillery", "memory.distillery.revoked", data)


def ingest_distilled(incoming: Incoming) -> Success:
    """Take in a signed batch."""
    request, formation = incoming.request, incoming.formation
    content = b"".join(request.body.chunks()) if request.body else b""
    distillery = _sender(incoming, content)
    batch_id, events, mode = _batch(content)
    if len(events) > distillery.bound("max_batch_size"):
        bound = distillery.bound("max_batch_size")
        raise ApiError(422, "INVALID_PARAMS", f"Batch too large: {len(events)} events (max: {bound})")
    now = formation.clock.time()
    if distillery.today(now) + len(events) > distillery.bound("max_events_per_day"):
        raise ApiError(429, "RATE_LIMITED", "Daily event quota of this distillery exceeded")
    taken: list[tuple[int, MemoryEvent]] = []
    duplicates = 0
    rejections: list[dict[str, object]] = []
    for index, given in enumerate(events):
        sent = _read(distillery, given)
        if isinstance(sent, str):
            rejections.append({"index": index, "reason": sent})
        elif (event := _take_event(incoming, distillery, sent)) is None:
            duplicates += 1
        else:
            taken.append((index, event))
    distillery.sent.append((now, len(taken)))
    data: dict[str, object] = {
        "batch_id": batch_id,
        "accepted": len(taken),
        "duplicates": duplicates,
        "rejected": len(rejections),
        "rejections": rejections,
        "processing_id": None,
    }
    if not taken:
        return Success("memory_distillation", "memory.distilled.accepted", data)
    vectors = mode == "pre_computed"
    processing_id = _begin(incoming, distillery, batch_id, taken, vectors=vectors)
    data |= {"processing_id": processing_id, "status_url": f"/v1/memories/distilled/{processing_id}"}
    return Success("memory_distillation", "memory.distilled.accepted", data, 202)


def get_distilled(incoming: Incoming) -> Success:
    """The status of a batch; with the client key, of one's own batches only."""
    processing_id = incoming.params["processing_id"]
    job = incoming.formation.state.memory_jobs.get(_KIND, processing_id)
    if job is None:
        kept = "(completed results are retained for 5 minutes)"
        raise ApiError(404, "NOT_FOUND", f"Unknown or expired processing_id '{processing_id}' {kept}")
    if not incoming.is_admin and incoming.request.headers.get("X-Distillery-ID") != job.owner:
        raise ApiError(403, "FORBIDDEN", "Processing job does not belong to this distillery")
    return Success("memory_distillation", "memory.distilled.status", status_of(job))


def _needs_block(incoming: Incoming) -> None:
    block = incoming.formation.definition.memory.get("distillery")
    if not (isinstance(block, dict) and block.get("enabled")):
        message = "Memory distillery is not enabled for this formation (memory.distillery.enabled)"
        raise ApiError(503, "SERVICE_UNAVAILABLE", message)


def _sender(incoming: Incoming, content: bytes) -> StoredDistillery:
    """The distillery that signed the batch."""
    headers, formation = incoming.request.headers, incoming.formation
    sent = {}
    for name in ("ID", "Signature", "Timestamp"):
        value = headers.get(f"X-Distillery-{name}")
        if not value:
            raise ApiError(401, "UNAUTHORIZED", f"X-Distillery-{name} header is required")
        sent[name] = value
    distillery = formation.state.distilleries.get(sent["ID"])
    if distillery is None:
        raise ApiError(401, "UNAUTHORIZED", "Unknown distillery")
    if distillery.revoked_at is not None:
        raise ApiError(410, "GONE", "This distillery registration has been revoked")
    try:
        age = abs(formation.clock.time() - int(sent["Timestamp"]))
    except ValueError:
        raise ApiError(401, "UNAUTHORIZED", "X-Distillery-Timestamp must be unix seconds") from None
    if age > _WINDOW_SECONDS:
        message = f"Batch timestamp outside the {_WINDOW_SECONDS}s replay-protection window"
        raise ApiError(401, "UNAUTHORIZED", message)
    if not distillery.has_signed(sent["Signature"], sent["Timestamp"], content):
        raise ApiError(401, "UNAUTHORIZED", "Batch signature verification failed")
    return distillery


def _batch(content: bytes) -> tuple[str, list[object], str]:
    """The id, the events and the mode of a batch."""
    try:
        batch: object = json.loads(content)
    except (ValueError, RecursionError):
        raise ApiError(400, "INVALID_REQUEST", "Request body is not valid JSON") from None
    if not isinstance(batch, dict):
        raise ApiError(400, "INVALID_REQUEST", "Request body must be a JSON object")
    batch_id = batch.get("batch_id")
    if not isinstance(batch_id, str) or not batch_id:
        raise ApiError(422, "INVALID_PARAMS", "'batch_id' is required and must be a non-empty string")
    events = batch.get("events")
    if not isinstance(events, list) or not events:
        raise ApiError(422, "INVALID_PARAMS", "'events' must be a non-empty array")
    mode = batch.get("embedding_mode", "none")
    if mode not in _EMBEDDING_MODES:
        message = f"invalid embedding_mode '{mode}'; expected one of {list(_EMBEDDING_MODES)}"
        raise ApiError(422, "INVALID_PARAMS", message)
    return batch_id, events, mode


class _Sent(NamedTuple):
    """An event that can be taken in."""

    kind: str
    user_id: str
    source_id: str
    payload: dict[str, object]


def _read(distillery: StoredDistillery, given: object) -> _Sent | str:
    """An event as it was sent, or why it is not taken."""
    if not isinstance(given, dict):
        return "event must be an object"
    kind, payload = given.get("event_type"), given.get("payload")
    if kind not in EVENT_TYPES:
        return f"unsupported event_type '{kind}'; expected one of {sorted(EVENT_TYPES)}"
    if not distillery.accepts_type(kind):
        return f"event_type '{kind}' is outside the scope of this distillery"
    user_id, source_id = (given.get(name) for name in ("user_id", "source_id"))
    if not isinstance(user_id, str) or not user_id.strip():
        return "'user_id' is required and must be a non-empty string"
    if not isinstance(source_id, str) or not source_id:
        return "'source_id' is required and must be a non-empty string"
    if not distillery.accepts_user(user_id):
        return f"user '{user_id}' is outside the scope of this distillery"
    if not isinstance(payload, dict):
        return "'payload' must be an object"
    return _Sent(kind, user_id, source_id, payload)


def _take_event(incoming: Incoming, distillery: StoredDistillery, sent: _Sent) -> MemoryEvent | None:
    """The event that was taken in; None where it is a known one."""
    state = incoming.formation.state
    source, number = f"distillery:{distillery.name}", state.users.number(sent.user_id)
    if state.events.known(number, source, sent.source_id) is not None:
        return None
    return state.events.add(number, sent.user_id, sent.kind, source, sent.source_id, sent.payload)


def _begin(
    incoming: Incoming,
    distillery: StoredDistillery,
    batch_id: str,
    taken: Sequence[tuple[int, MemoryEvent]],
    *,
    vectors: bool,
) -> str:
    state = incoming.formation.state

    def work() -> Mapping[str, object]:
        items = []
        counts = {"projected": 0, "recorded": 0, "failed": 0}
        for index, event in taken:
            disposition = "projected" if event.type == FACT else "recorded"
            if event.type == FACT and state.events.is_live(event.id):
                state.projections.project(event)
            counts[disposition] += 1
            items.append(
                {
                    "index": index,
                    "event_id": event.id,
                    "event_type": event.type,
                    "user_id": event.owner,
                    "disposition": disposition,
                }
            )
        return {"items": items, "counts": counts, "pre_computed_vectors_used": vectors}

    job_id = incoming.formation.ids.new("dst_")
    return state.memory_jobs.start(job_id, _KIND, work, owner=distillery.id, facts={"batch_id": batch_id}).id


ROUTES = (
    FormationRoute("GET", "/v1/memory/distilleries", list_distilleries, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute(
        "POST",
        "/v1/memory/distilleries",
        register,
        Level.ADMIN,
        UserRule.OPTIONAL,
        body=record(
            Field("name", text, required=True),
            Field("public_key", text, required=True),
            Field("description", text),
            Field("scope", mapping),
            Field("trust_level", text),
        ),
    ),
    FormationRoute("DELETE", "/v1/memory/distilleries/{distillery_id}", revoke, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("POST", "/v1/memories/distilled", ingest_distilled, user=UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/memories/distilled/{processing_id}", get_distilled, user=UserRule.OPTIONAL),
)
