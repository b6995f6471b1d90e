"""``/v1/sessions``: the sessions of a user and their messages."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.buffer import BufferedMessage
from muxi_transports.memory.formation.times import seconds
from muxi_transports.memory.formation.validation import Field, flag, integer, listing, mapping, record, text

__all__ = ["ROUTES"]

_LIMIT = Field("limit", integer(1, 1000), default=50)
_RESTORED = record(
    Field("role", text, required=True),
    Field("content", text, required=True),
    Field("timestamp", text, required=True),
    Field("agent_id", text),
    Field("metadata", mapping),
)


def list_sessions(incoming: Incoming) -> Success:
    """The latest first; ``active_only`` changes nothing (the wire)."""
    sessions = [
        {"session_id": session_id, "user_id": incoming.owner, "last_activity": last.timestamp, "active": True}
        for session_id, last in incoming.formation.buffer.sessions(incoming.owner)
    ][: incoming.query.integer("limit")]
    return Success("session_list", "session.list", {"sessions": sessions, "count": len(sessions)})


def get_session(incoming: Incoming) -> Success:
    """One session in numbers."""
    session_id = incoming.params["session_id"]
    messages = incoming.formation.buffer.session(incoming.owner, session_id)
    if not messages:
        raise ApiError(404, "RESOURCE_NOT_FOUND", f"Session '{session_id}' not found")
    data = {
        "session_id": session_id,
        "user_id": incoming.owner,
        "message_count": len(messages),
        "active": True,
        "created_at": messages[0].timestamp,
        "last_activity": messages[-1].timestamp,
    }
    return Success("session", "session.retrieved", data)


def list_messages(incoming: Incoming) -> Success:
    """The oldest messages up to the limit; ``before`` changes nothing, an unknown session is empty (the wire)."""
    session_id = incoming.params["session_id"]
    limit = incoming.query.integer("limit")
    messages = incoming.formation.buffer.session(incoming.owner, session_id)
    page = [message.on_wire() for message in messages[:limit]]
    data = {"session_id": session_id, "messages": page, "count": len(page), "has_more": len(messages) > limit}
    return Success("session", "session.messages.list", data)


def restore_session(incoming: Incoming) -> Success:
    """Put back the messages of a session; any role and any text for a time is accepted (the wire)."""
    formation, session_id = incoming.formation, incoming.params["session_id"]
    now = formation.clock.time()
    messages = []
    for sent in incoming.body.mappings("messages"):
        sent_at = seconds(str(sent["timestamp"]))
        timestamp = now if sent_at is None else sent_at
        metadata: dict[str, object] = {
            "user_id": incoming.owner,
            "session_id": session_id,
            "role": sent["role"],
            "timestamp": timestamp,
            "formation_id": formation.formation_id,
        }
        if sent["agent_id"]:
            metadata["agent_id"] = sent["agent_id"]
        extra = sent["metadata"]
        messages.append(
            BufferedMessage(str(sent["content"]), timestamp, metadata | (extra if isinstance(extra, dict) else {}))
        )
    formation.buffer.restore(incoming.owner, session_id, messages)
    data = {
        "session_id": session_id,
        "messages_loaded": len(messages),
        "messages_dropped": 0,
        "message": "Session restored successfully",
    }
    return Success("session", "session.restored", data)


ROUTES = (
    FormationRoute("GET", "/v1/sessions", list_sessions, Level.CLIENT, query=(Field("active_only", flag), _LIMIT)),
    FormationRoute("GET", "/v1/sessions/{session_id}", get_session, Level.CLIENT),
    FormationRoute(
        "GET", "/v1/sessions/{session_id}/messages", list_messages, Level.CLIENT, query=(_LIMIT, Field("before", text))
    ),
    FormationRoute(
        "POST",
        "/v1/sessions/{session_id}/restore",
        restore_session,
        Level.CLIENT,
        body=record(Field("messages", listing(_RESTORED), required=True)),
    ),
)
