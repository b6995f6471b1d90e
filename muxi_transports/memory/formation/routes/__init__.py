"""The routes of an embedded formation, one module per resource."""

from __future__ import annotations

from muxi_transports.memory.formation.routes import (
    artifacts,
    audiochat,
    buffers,
    chat,
    events,
    history,
    memories,
    requests,
    scheduler,
    sessions,
    status,
    triggers,
)

__all__ = ["ROUTES"]

ROUTES = (
    *status.ROUTES,
    *chat.ROUTES,
    *audiochat.ROUTES,
    *triggers.ROUTES,
    *scheduler.ROUTES,
    *sessions.ROUTES,
    *memories.ROUTES,
    *buffers.ROUTES,
    *requests.ROUTES,
    *artifacts.ROUTES,
    *history.ROUTES,
    *events.ROUTES,
)
