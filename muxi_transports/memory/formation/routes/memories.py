"""``/v1/memories``: what the formation remembers about a user."""

from __future__ import annotations

from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import Incoming, Route
from muxi_transports.memory.formation.state.memories import SCOPES, Memory, iso
from muxi_transports.memory.formation.validation import Field, anything, integer, mapping, record, text

__all__ = ["ROUTES"]

_CREATE = record(
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


def list_memories(incoming: Incoming) -> Success:
    """A page of what the user sees, newest first; ``count`` is the length of the page."""
    memories = incoming.formation.memories
    limit, offset = incoming.query.integer("limit"), incoming.query.integer("offset")
    page = memories.listed(incoming.owner, _scopes(incoming.query.text("scopes")))[offset : offset + limit]
    items = [
        {
            "id": memory.id,
            "content": memory.content,
            "created_at": iso(memory.created_at),
            "metadata": dict(memory.metadata),
            "scope": memory.scope,
            "scope_id": memories.scope_id(memory),
        }
        for memory in page
    ]
    return Success("memory_list", "memory.list", {"memories": items, "count": len(items)})


def create_memory(incoming: Incoming) -> Success:
    """Keep a memory at once; or, from an external source, take it in."""
    body = incoming.body
    content = body.get("content")
    if content in (None, "") and not body.text("detail"):
        raise ApiError(422, "INVALID_PARAMS", "Either 'content' or 'detail' must be provided")
    scope = _scope(incoming)
    if source := body.text("source"):
        return _ingest(incoming, source, scope)
    if content is not None and not isinstance(content, str):
        raise ApiError(422, "INVALID_PARAMS", "'content' must be a string when no 'source' is given")
    formation, now = incoming.formation, incoming.formation.clock.time()
    given = body.mapping("metadata")
    metadata = dict(given or {})
    if kind := body.text("type"):
        metadata["type"] = kind
    kept = {**metadata, "timestamp": now}
    detail = body.text("detail") or content or ""
    memory = Memory(formation.ids.new(), incoming.owner, detail, now, kept, scope, body.text("scope_id"))
    formation.memories.add(memory)
    data = {
        "id": memory.id,
        "content": {"type": kind or "general", "detail": detail},
        "created_at": iso(now, "Z"),
        # The time is noted in the metadata that the caller gave, and so comes back only with it (the wire).
        "metadata": metadata if given is None else kept,
        "scope": scope,
        "scope_id": memory.scope_id,
    }
    return Success("memory", "memory.created", data)


def delete_memory(incoming: Incoming) -> Success:
    """Forget one of the user's memories; another user's is not found."""
    memory_id = incoming.params["memory_id"]
    anybody = incoming.formation.imitates(Defect.ANYBODY_DELETES_MEMORIES)
    if not incoming.formation.memories.remove(None if anybody else incoming.owner, memory_id):
        raise ApiError(404, "NOT_FOUND", f"Memory {memory_id} not found")
    return Success("memory", "memory.deleted", {"deleted": memory_id, "user_id": incoming.owner})


def _ingest(incoming: Incoming, source: str, scope: str) -> Success:
    formation, source_id = incoming.formation, incoming.body.text("source_id")
    data: dict[str, object] = {"source": source, "source_id": source_id, "scope": scope, "scope_id": None}
    known = formation.memories.event_of(incoming.owner, source, source_id) if source_id else None
    if known:
        seen = {"status": "duplicate", "duplicate": True, "event_id": known, **data, "derived_events": []}
        return Success("memory_ingestion", "memory.ingestion.accepted", seen)
    event_id, processing_id = formation.ids.new(), formation.ids.new("ing_")
    if source_id:
        formation.memories.note_event(incoming.owner, source, source_id, event_id)
    accepted = {
        "status": "accepted",
        "duplicate": False,
        "event_id": event_id,
        **data,
        "processing_id": processing_id,
        "status_url": f"/v1/memories/ingestion/{processing_id}",
    }
    return Success("memory_ingestion", "memory.ingestion.accepted", accepted, 202)


def _scope(incoming: Incoming) -> str:
    scope = incoming.body.text("scope") or "user"
    if scope not in SCOPES:
        raise ApiError(422, "INVALID_PARAMS", f"Invalid scope '{scope}'; expected one of {list(SCOPES)}")
    if scope == "group" and not incoming.body.text("scope_id"):
        raise ApiError(422, "INVALID_PARAMS", "scope_id (the group id) is required when scope is 'group'")
    if scope != "user" and not incoming.is_admin:
        raise ApiError(403, "FORBIDDEN", "Insufficient permissions to write to this memory scope")
    return scope


def _scopes(wanted: str | None) -> list[str]:
    scopes = [scope.strip() for scope in (wanted or "").split(",") if scope.strip()] or list(SCOPES)
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise ApiError(422, "INVALID_PARAMS", f"Invalid scopes {unknown}; expected a subset of {list(SCOPES)}")
    return scopes


ROUTES = (
    Route(
        "GET",
        "/v1/memories",
        list_memories,
        query=(
            Field("limit", integer(1, 100), default=10),
            Field("offset", integer(0), default=0),
            Field("scopes", text),
        ),
    ),
    Route("POST", "/v1/memories", create_memory, body=_CREATE),
    Route("DELETE", "/v1/memories/{memory_id}", delete_memory),
)
