"""``/v1/memories``: what the formation remembers about a user."""

from __future__ import annotations

from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.routes.ingestion import MEMORY, check_content, check_scope, ingest
from muxi_transports.memory.formation.state.memories import SCOPES, StoredMemory
from muxi_transports.memory.formation.times import iso
from muxi_transports.memory.formation.validation import Field, integer, text

__all__ = ["ROUTES"]


def list_memories(incoming: Incoming) -> Success:
    """A page of what the user sees, newest first; ``count`` is the length of the page."""
    memories = incoming.formation.memories
    limit, offset = incoming.query.integer("limit"), incoming.query.integer("offset")
    scopes = _scopes(incoming.query.text("scopes"))
    _needs_postgresql(incoming, "retrieve memories", "'SQLiteMemory' object has no attribute 'list_memories'")
    page = memories.listed(incoming.owner, scopes)[offset : offset + limit]
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
    given = {name: body.get(name) for name in ("content", "detail", "scope", "scope_id")}
    check_content(given)
    scope = check_scope(incoming, given)
    if body.text("source"):
        return ingest(incoming)
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        raise ApiError(422, "INVALID_PARAMS", "'content' must be a string when no 'source' is given")
    _needs_postgresql(
        incoming, "create memory", "SQLiteMemory.add() got an unexpected keyword argument 'external_user_id'"
    )
    formation, now = incoming.formation, incoming.formation.clock.time()
    sent = body.mapping("metadata")
    metadata = dict(sent or {})
    if kind := body.text("type"):
        metadata["type"] = kind
    kept = {**metadata, "timestamp": now}
    detail = body.text("detail") or content or ""
    memory = StoredMemory(formation.ids.new(), incoming.owner, detail, now, kept, scope, body.text("scope_id"))
    formation.memories.add(memory)
    data = {
        "id": memory.id,
        "content": {"type": kind or "general", "detail": detail},
        "created_at": iso(now, "Z"),
        # The time is noted in the metadata that the caller gave, and so comes back only with it (the wire).
        "metadata": metadata if sent is None else kept,
        "scope": scope,
        "scope_id": memory.scope_id,
    }
    return Success("memory", "memory.created", data)


def delete_memory(incoming: Incoming) -> Success:
    """Forget one of the user's memories, and the event it was made of; another user's is not found."""
    memory_id, formation = incoming.params["memory_id"], incoming.formation
    _needs_postgresql(incoming, "delete memory", "'SQLiteMemory' object has no attribute 'delete'")
    memory = formation.memories.remove(incoming.owner, memory_id)
    if memory is None and formation.imitates(Defect.ANYBODY_DELETES_MEMORIES):
        memory = formation.memories.drop(memory_id)
    if memory is None:
        raise ApiError(404, "NOT_FOUND", f"Memory {memory_id} not found")
    if memory.event_id is not None:
        # Otherwise the next rebuild would bring it back.
        formation.state.events.discard(memory.event_id)
    return Success("memory", "memory.deleted", {"deleted": memory_id, "user_id": incoming.owner})


def _needs_postgresql(incoming: Incoming, what: str, reason: str) -> None:
    if incoming.formation.imitates(Defect.NO_MEMORIES_WITH_SQLITE):
        raise ApiError(500, "INTERNAL_ERROR", f"Failed to {what}: {reason}")


def _scopes(wanted: str | None) -> list[str]:
    scopes = [scope.strip() for scope in (wanted or "").split(",") if scope.strip()] or list(SCOPES)
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise ApiError(422, "INVALID_PARAMS", f"Invalid scopes {unknown}; expected a subset of {list(SCOPES)}")
    return scopes


ROUTES = (
    FormationRoute(
        "GET",
        "/v1/memories",
        list_memories,
        query=(
            Field("limit", integer(1, 100), default=10),
            Field("offset", integer(0), default=0),
            Field("scopes", text),
        ),
    ),
    FormationRoute("POST", "/v1/memories", create_memory, body=MEMORY),
    FormationRoute("DELETE", "/v1/memories/{memory_id}", delete_memory),
)
