"""The audit log of a formation."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["AuditEntry", "AuditLog", "ClearedAuditLog"]


class AuditEntry(TypedDict, total=False):
    """One recorded action; ``timestamp`` is ISO 8601 with a zone."""

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
    """The latest entries, the newest first. ``total_entries`` is the number in this list, not in all."""

    entries: list[AuditEntry]
    total_entries: int
    limit: int


class ClearedAuditLog(TypedDict):
    """The confirmation that the log was cleared; it now has one entry, about the clearing."""

    previous_entries_count: int
    cleared_by: str
    message: str
