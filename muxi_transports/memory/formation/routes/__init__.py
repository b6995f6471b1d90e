"""The routes of an embedded formation, one module per resource."""

from __future__ import annotations

from muxi_transports.memory.formation.routes import (
    agents,
    audit,
    buffers,
    channels,
    chat,
    configuration,
    credentials,
    distilled,
    ingestion,
    mcp,
    memories,
    memory_jobs,
    requests,
    secrets,
    sessions,
    skills,
    status,
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
)
