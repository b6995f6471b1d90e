"""The embedded server: holds embedded formations, checks signatures and proxies."""

from __future__ import annotations

from muxi_transports.memory.server.app import EmbeddedServer

__all__ = ["EmbeddedServer"]
