"""``/v1/memory/buffer``: the working memory, its size and its clearing."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import Crash, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.buffer import Cleared

__all__ = ["ROUTES"]


def buffer_status(incoming: Incoming) -> Success:
    """The size of a user's buffer; ``sessions`` is always empty (the wire)."""
    buffer = incoming.formation.buffer
    data = {
        "user_id": incoming.owner,
        "total_messages": buffer.count(incoming.owner),
        "sessions": [],
        "buffer_size_kb": buffer.kilobytes(incoming.owner),
    }
    return Success("memory", "memory.buffer.status", data)


def clear_user(incoming: Incoming) -> Success:
    """Clear a user's buffer; everybody's for the admin who names no user."""
    cleared = _clear(incoming)
    data = {
        "message": "Buffer cleared successfully",
        "user_id": incoming.user,
        "messages_cleared": cleared.messages,
        "sessions_cleared": cleared.sessions,
    }
    return Success("message", "memory.buffer.user.cleared", data)


def clear_session(incoming: Incoming) -> Success:
    """Clear one session of a user; of everybody who has one of that id for the admin who names no user."""
    session_id = incoming.params["session_id"]
    data = {
        "message": "Session buffer cleared successfully",
        "user_id": incoming.user,
        "session_id": session_id,
        "messages_cleared": _clear(incoming, session_id).messages,
    }
    return Success("message", "memory.buffer.session.cleared", data)


def list_buffers(incoming: Incoming) -> Success:
    """The figures of the one buffer (deprecated on the wire)."""
    buffer = incoming.formation.buffer
    users = buffer.total_users
    namespaces = {"user_synopsis_identity": users, "user_synopsis_context": users, "pending_clarification": 0}
    numbers = {
        "total_entries": buffer.total_messages,
        "max_size": 0,
        "utilization": 0,
        "kv_namespaces": namespaces,
    }
    return Success("list", "memory.list", {"buffers": [numbers]})


def clear_buffers(incoming: Incoming) -> Success:
    """Clear everything (deprecated)."""
    cleared = incoming.formation.buffer.clear()
    if incoming.formation.imitates(Defect.CLEARING_BUFFERS_FAILS):
        raise Crash("MEMORY_BUFFER_CLEARED")
    data = {"message": "Memory buffers cleared successfully", "messages_cleared": cleared.messages}
    return Success("message", "memory.buffer.cleared", data)


def stats(incoming: Incoming) -> Success:
    """The buffer in numbers; ``max_size`` and ``utilization`` are always 0 (the wire)."""
    buffer = incoming.formation.buffer
    data = {
        "total_entries": buffer.total_messages,
        "total_users": buffer.total_users,
        "total_sessions": buffer.total_sessions,
        "buffer_size_kb": buffer.kilobytes(),
        "max_size": 0,
        "utilization": 0.0,
    }
    return Success("memory", "memory.retrieved", data)


def _clear(incoming: Incoming, session_id: str | None = None) -> Cleared:
    if incoming.user is None and incoming.formation.imitates(Defect.ADMINS_CLEAR_NO_BUFFERS):
        return Cleared(0, 0)
    return incoming.formation.buffer.clear(incoming.user, session_id)


ROUTES = (
    FormationRoute("GET", "/v1/memory/buffer", buffer_status),
    FormationRoute("DELETE", "/v1/memory/buffer", clear_user, user=UserRule.FOR_CLIENT),
    FormationRoute("DELETE", "/v1/memory/buffer/{session_id}", clear_session, user=UserRule.FOR_CLIENT),
    FormationRoute("GET", "/v1/memory/buffers", list_buffers, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("DELETE", "/v1/memory/buffers", clear_buffers, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/memory/stats", stats, Level.ADMIN, UserRule.OPTIONAL),
)
