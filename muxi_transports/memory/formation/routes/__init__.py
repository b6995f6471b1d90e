"""The routes of an embedded formation, one module per resource."""

from __future__ import annotations

from muxi_transports.memory.formation.routes import (
    agents,
    artifacts,
    audiochat,
    audit,
    buffers,
    channels,
    chat,
    configuration,
    credentials,
    distilled,
    events,
    history,
    ingestion,
    mcp,
    memories,
    memory_jobs,
    requests,
    scheduler,
    secrets,
    sessions,
    skills,
    status,
    triggers,
    tuning,
    users,
)

__all__ = ["ROUTES"]

#: Of two paths that fit the first one is taken, so that fixed words go before variables.
ROUTES = (
    *status.ROUTES,
    *configuration.ROUTES,
    *agents.ROUTES,
    *skills.ROUTES,
    *mcp.ROUTES,
    *chat.ROUTES,
    *audiochat.ROUTES,
    *triggers.ROUTES,
    *scheduler.ROUTES,
    *sessions.ROUTES,
    *ingestion.ROUTES,
    *distilled.ROUTES,
    *memories.ROUTES,
    *memory_jobs.ROUTES,
    *buffers.ROUTES,
    *requests.ROUTES,
    *users.ROUTES,
    *channels.ROUTES,
    *credentials.ROUTES,
    *secrets.ROUTES,
    *tuning.ROUTES,
    *audit.ROUTES,
    *artifacts.ROUTES,
    *history.ROUTES,
    *events.ROUTES,
)
