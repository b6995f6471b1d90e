"""``/v1/audit``: what administrators have changed."""

from __future__ import annotations

from dataclasses import replace

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.audit import RESOURCE_TYPES
from muxi_transports.memory.formation.times import seconds
from muxi_transports.memory.formation.validation import Field, integer, one_of, text

__all__ = ["ROUTES", "record_audit"]


def record_audit(incoming: Incoming, action: str, resource_type: str, resource_id: str, result: Success) -> Success:
    """A change of the admin's, noted in the audit log under the id of its request.

    Args:
        incoming: the request.
        action: what was done, such as ``created``.
        resource_type: to what kind of thing, such as ``secret``.
        resource_id: to which.
        result: what is answered.
    """
    formation = incoming.formation
    if formation.imitates(Defect.CHANGES_ARE_NOT_AUDITED):
        return result
    request_id = formation.ids.new("req_")
    name = resource_type.replace("_", " ").capitalize()
    formation.state.audit.record(
        request_id,
        f"{resource_type}.{action}",
        resource_type,
        resource_id,
        f"{name} '{resource_id}' {action} by admin",
        status_code=result.status,
    )
    return replace(result, request_id=request_id)


def get_audit(incoming: Incoming) -> Success:
    """The latest entries that fit; ``total_entries`` counts those that are answered (the wire)."""
    query = incoming.query
    since = query.text("since")
    moment = seconds(since) if since else None
    if since and moment is None:
        raise ApiError(400, "INVALID_PARAMETER", f"Invalid timestamp format: {since}. Use ISO 8601 format.")
    limit = query.integer("limit")
    entries = incoming.formation.state.audit.find(limit, query.text("action"), query.text("resource_type"), moment)
    data = {"entries": [entry.on_wire() for entry in entries], "total_entries": len(entries), "limit": limit}
    return Success("audit_log", "audit.retrieved", data)


def clear_audit(incoming: Incoming) -> Success:
    """Delete all entries, and record the deletion."""
    if incoming.query.text("confirm") != "clear-audit-log":
        raise ApiError(400, "INVALID_REQUEST", "Confirmation required: add ?confirm=clear-audit-log to delete")
    formation = incoming.formation
    count = formation.state.audit.clear()
    request_id = formation.ids.new("req_")
    formation.state.audit.record(
        request_id,
        "audit.cleared",
        "audit_log",
        formation.formation_id,
        f"Audit log cleared by admin ({count} entries removed)",
        data={"previous_entries_count": count},
    )
    data = {
        "previous_entries_count": count,
        "cleared_by": "admin",
        "message": f"Audit log cleared ({count} entries removed)",
    }
    return Success("audit_log", "audit.cleared", data, request_id=request_id)


ROUTES = (
    FormationRoute(
        "GET",
        "/v1/audit",
        get_audit,
        Level.ADMIN,
        UserRule.OPTIONAL,
        query=(
            Field("limit", integer(1, 1000), default=100),
            Field("action", text),
            Field("resource_type", one_of(*RESOURCE_TYPES)),
            Field("since", text),
        ),
    ),
    FormationRoute("DELETE", "/v1/audit", clear_audit, Level.ADMIN, UserRule.OPTIONAL, query=(Field("confirm", text),)),
)
