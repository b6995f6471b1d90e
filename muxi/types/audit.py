"""What was done to the formation."""

from typing import Any, TypedDict

__all__ = ["AuditEntry", "AuditLog", "ClearedAuditLog"]


class AuditEntry(TypedDict, total=False):
    """One thing that was done; ``timestamp`` is ISO 8601 with a zone."""

    timestamp: str
    request_id: str | None
    action: str
    resource_type: str
    resource_id: str
    user: str
    ip: str | None
    result: str
    status_code: int
    message: str
    data: dict[str, Any]


class AuditLog(TypedDict):
    """The latest entries, the newest first. ``total_entries`` is how many are here, not how many there are."""

    entries: list[AuditEntry]
    total_entries: int
    limit: int


class ClearedAuditLog(TypedDict):
    """That the log is empty but for the entry about this."""

    previous_entries_count: int
    cleared_by: str
    message: str
