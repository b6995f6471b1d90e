"""``/v1/requests``: what is in progress, and what became of it."""

from __future__ import annotations

from muxi_transports.memory.formation.access import UserRule
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.tracker import Tracked

__all__ = ["ROUTES"]


def list_requests(incoming: Incoming) -> Success:
    """The user's requests, oldest first; everybody's for the admin."""
    formation = incoming.formation
    listed = [
        tracked
        for tracked in formation.tracker.listed()
        if incoming.is_admin or formation.state.users.same(tracked.user_id, incoming.owner)
    ]
    items = [
        {
            "request_id": tracked.request_id,
            "user_id": tracked.user_id,
            "status": tracked.status,
            "progress": None,
            "created_at": tracked.created_at,
            "completed_at": tracked.completed_at,
        }
        for tracked in listed
    ]
    return Success("request_list", "request.list.retrieved", {"requests": items, "count": len(items)})


def get_request(incoming: Incoming) -> Success:
    """One request; what is not known yet is left out."""
    tracked = _find(incoming, ApiError(404, "REQUEST_NOT_FOUND", "Request not found"))
    data: dict[str, object] = {
        "request_id": tracked.request_id,
        "user_id": tracked.user_id,
        "status": tracked.status,
        "progress": None,
        "created_at": tracked.created_at,
    }
    facts = {
        "completed_at": tracked.completed_at,
        "escalated": tracked.escalated or None,
        "error": tracked.error,
        "result": tracked.result,
    }
    data.update({key: value for key, value in facts.items() if value is not None})
    return Success("request_status", "request.status.retrieved", data)


def cancel_request(incoming: Incoming) -> Success:
    """Ask a turn to stop. It does so at its next checkpoint, and may be asked again until then."""
    request_id = incoming.params["request_id"]
    tracked = _find(incoming, ApiError(404, "NOT_FOUND", f"Request {request_id} not found"))
    if tracked.ended:
        message = f"Cannot cancel request {request_id}: already {tracked.status}"
        raise ApiError(400, "OPERATION_FAILED", message)
    tracked.cancel_requested = True
    data = {
        "request_id": request_id,
        "status": "cancelled",
        "cancellation": "cooperative",
        "message": "Request marked for cancellation; it will stop at the next checkpoint",
    }
    return Success("request_status", "request.cancelled", data)


def _find(incoming: Incoming, missing: ApiError) -> Tracked:
    tracked = incoming.formation.tracker.get(incoming.params["request_id"])
    if tracked is None:
        raise missing
    if not incoming.is_admin and not incoming.formation.state.users.same(tracked.user_id, incoming.owner):
        raise ApiError(403, "FORBIDDEN", "Request does not belong to this user")
    return tracked


ROUTES = (
    FormationRoute("GET", "/v1/requests", list_requests, user=UserRule.FOR_CLIENT),
    FormationRoute("GET", "/v1/requests/{request_id}", get_request, user=UserRule.FOR_CLIENT),
    FormationRoute("DELETE", "/v1/requests/{request_id}", cancel_request, user=UserRule.FOR_CLIENT),
)
