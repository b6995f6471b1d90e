"""The audit log: what administrators have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from muxi.clock import Clock
from muxi_transports.memory.formation.times import iso

__all__ = ["RESOURCE_TYPES", "Audit", "RecordedAction"]

#: The filters of the list of entries (the wire).
RESOURCE_TYPES = ("agent", "secret", "mcp_server", "scheduler_job", "logging_destination", "async", "memory")


@dataclass(frozen=True)
class RecordedAction:
    """One change.

    Args:
        at: when, in seconds since the Unix epoch.
        request_id: the request that made it.
        action: what happened, such as ``secret.created``.
        resource_type: to what kind of thing.
        resource_id: to which.
        message: the same for people.
        status_code: what the request was answered with.
        data: more of it.
    """

    at: float
    request_id: str
    action: str
    resource_type: str
    resource_id: str
    message: str
    status_code: int = 200
    data: Mapping[str, object] = field(default_factory=dict)

    def on_wire(self) -> dict[str, object]:
        """The entry as ``GET /v1/audit`` has it."""
        return {
            "timestamp": iso(self.at, "+00:00"),
            "request_id": self.request_id,
            "action": self.action,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            "user": "admin",
            "ip": None,
            "result": "success",
            "status_code": self.status_code,
            "message": self.message,
            "data": dict(self.data),
        }


class Audit:
    """Entries, the latest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[RecordedAction] = []

    def __len__(self) -> int:
        return len(self._entries)

    def record(
        self,
        request_id: str,
        action: str,
        resource_type: str,
        resource_id: str,
        message: str,
        *,
        status_code: int = 200,
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Write down a change that was made just now (see :class:`RecordedAction`)."""
        entry = RecordedAction(
            self._clock.time(), request_id, action, resource_type, resource_id, message, status_code, dict(data or {})
        )
        self._entries.append(entry)

    def find(
        self,
        limit: int,
        action: str | None = None,
        resource_type: str | None = None,
        since: float | None = None,
    ) -> list[RecordedAction]:
        """The latest entries that fit."""
        fitting = [
            entry
            for entry in reversed(self._entries)
            if action in (None, entry.action)
            and resource_type in (None, entry.resource_type)
            and (since is None or entry.at >= since)
        ]
        return fitting[:limit]

    def clear(self) -> int:
        """Forget all entries; how many there were."""
        count = len(self._entries)
        self._entries.clear()
        return count
