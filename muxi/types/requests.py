"""Work that the platform tracks. Times are seconds since the epoch, with fractions."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["CancelledRequest", "RequestList", "RequestStatus"]


class _RequestStatusAlways(TypedDict):
    request_id: str
    user_id: str
    #: pending, processing, running, completed, failed, cancelled, awaiting_clarification
    status: str
    progress: Any
    created_at: float


class RequestStatus(_RequestStatusAlways, total=False):
    """The state of a request. It has a ``result`` once it is completed."""

    completed_at: float | None
    error: Any
    escalated: bool
    result: Any
    report: dict[str, Any]


class RequestList(TypedDict):
    """A user's requests of the last minutes; finished ones are forgotten after five."""

    requests: list[RequestStatus]
    count: int


class CancelledRequest(TypedDict):
    """The confirmation that a request will be stopped: ``cooperative`` at its next checkpoint, or ``immediate``."""

    request_id: str
    status: str
    cancellation: str
    message: str
