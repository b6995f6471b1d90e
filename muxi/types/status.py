"""The status of a formation."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["Health", "RuntimeStatus"]


class Health(TypedDict):
    """The health of a formation; needs no key."""

    status: str
    version: str
    uptime_seconds: int


class RuntimeStatus(TypedDict):
    """A formation's identity, what it has, and what it uses (``stats``; sizes in MB and KiB, as named)."""

    formation: dict[str, str]
    agents: dict[str, int]
    mcp_servers: dict[str, int]
    stats: dict[str, Any]
