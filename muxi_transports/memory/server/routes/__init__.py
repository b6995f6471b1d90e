"""The routes of a server, by what they are about."""

from __future__ import annotations

from muxi_transports.memory.server.router import ServerRoute
from muxi_transports.memory.server.routes import deployments, dev, drafts, formations, logs, status

__all__ = ["ROUTES"]

ROUTES: tuple[ServerRoute, ...] = (
    *status.ROUTES,
    *formations.ROUTES,
    *deployments.ROUTES,
    *logs.ROUTES,
    *drafts.ROUTES,
    *dev.ROUTES,
)
