"""The audit log of a formation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxi.call import Call, Item, Key, Pages, send
from muxi.client.endpoints import operation, pages
from muxi.errors import ListTruncated
from muxi.operations.limits import Choice, Range

if TYPE_CHECKING:
    from muxi.types import AuditEntry, AuditLog, ClearedAuditLog

__all__ = ["AuditOperations"]

#: The most entries that one answer can have.
MAX_PAGE = 1000

RESOURCE_TYPES = ("agent", "secret", "mcp_server", "scheduler_job", "logging_destination", "async", "memory")


class AuditOperations:
    """Methods about the audit log. All take the admin key."""

    @operation
    def get_audit_log(
        self,
        limit: int | None = None,
        *,
        action: str | None = None,
        resource_type: str | None = None,
        since: str | None = None,
    ) -> Call[AuditLog]:
        """Read the audit log, the newest entries first (``GET /audit``, admin key).

        Args:
            limit: how many of the newest at the most, 1 to 1000; the runtime's default is 100.
            action: only this action, such as ``secret.created``.
            resource_type: only ``agent``, ``secret``, ``mcp_server``, ``scheduler_job``, ``logging_destination``,
                ``async`` or ``memory``.
            since: only what is not older, ISO 8601.

        Raises:
            ValidationError: a parameter does not fit; but for ``since``, nothing has been sent.
        """
        return Call.get(
            "/audit",
            query={"limit": limit, "action": action, "resource_type": resource_type, "since": since},
            limits={"limit": Range(1, MAX_PAGE), "resource_type": Choice(RESOURCE_TYPES)},
            key=Key.ADMIN,
            returns="AuditLog",
        )

    @pages
    def iter_audit_log(
        self, *, action: str | None = None, resource_type: str | None = None, since: str | None = None
    ) -> Pages[AuditEntry]:
        """Iterate over the audit log, the newest entries first.

        Args:
            action: as for :meth:`get_audit_log`.
            resource_type: likewise.
            since: likewise; it is the only way to keep the log within what the wire can list.

        Raises:
            ListTruncated: after the last entry that the wire can list (the thousandth), where there may be more.
        """
        page = yield from send(
            AuditOperations.get_audit_log.call(MAX_PAGE, action=action, resource_type=resource_type, since=since)
        )
        for entry in page["entries"]:
            yield Item(entry)
        if len(page["entries"]) >= MAX_PAGE:
            raise ListTruncated(
                f"the wire lists the newest {MAX_PAGE} entries and knows no way to older ones; narrow it down with "
                "since=, action= or resource_type=",
                details={"listed": len(page["entries"])},
            )

    @operation
    def clear_audit_log(self) -> Call[ClearedAuditLog]:
        """Empty the audit log (``DELETE /audit``, admin key).

        The log then has one entry, about this. It is never repeated by itself: the second time would remove that.
        """
        return Call.delete("/audit", query={"confirm": "clear-audit-log"}, key=Key.ADMIN, returns="ClearedAuditLog")
