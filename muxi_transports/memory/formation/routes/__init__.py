"""The routes of an embedded formation, one module per resource."""

from __future__ import annotations

from muxi_transports.memory.formation.routes import buffers, chat, memories, requests, sessions, status

__all__ = ["ROUTES"]

ROUTES = (
    *status.ROUTES,
    *chat.ROUTES,
    *sessions.ROUTES,
    *memories.ROUTES,
    *buffers.ROUTES,
    *requests.ROUTES,
)
