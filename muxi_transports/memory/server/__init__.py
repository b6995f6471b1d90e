"""The embedded server: holds embedded formations, deploys them, checks signatures and proxies."""

from __future__ import annotations

from muxi_transports.memory.server.app import EmbeddedServer
from muxi_transports.memory.server.defects import ServerDefect

__all__ = ["EmbeddedServer", "ServerDefect"]
