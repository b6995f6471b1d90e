"""How a formation or a server is."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["Health", "ServerHealth", "ServerStatus"]


class Health(TypedDict):
    """A formation's word on itself, without a key."""

    status: str
    version: str
    uptime_seconds: int


class ServerHealth(TypedDict):
    """A server's word on itself, without a signature."""

    success: bool
    status: str
    version: str


class ServerStatus(TypedDict):
    """What a server runs and has room for."""

    formations: dict[str, int]
    port_pool: dict[str, int]
    runtime: dict[str, Any]
    server: dict[str, Any]
