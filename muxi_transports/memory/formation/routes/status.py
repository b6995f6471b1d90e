"""``/v1/health``, ``/v1/status``, and the status page that answers where a path segment was empty."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import Success, compact
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.routes.agents import agents_of
from muxi_transports.memory.world import Answer

__all__ = ["ROUTES"]

_PAGE = (
    b'<!DOCTYPE html>\n<html style="margin:0; padding:0; height:100%; color:white">\n<head>\n<meta charset="utf-8">\n'
    b'<meta name="viewport" content="width=device-width">\n<title>Up</title>\n</head>\n'
    b'<body style="margin:0; padding:0; height:100%; color:white">\n'
    b'<table width="100%" height="100%" cellpadding="0" cellspacing="0" border="0">\n'
    b'<tr><td align="center" bgcolor="green">Up</td></tr>\n</table>\n</body>\n</html>'
)


def health(incoming: Incoming) -> Answer:
    """No key, no envelope."""
    formation = incoming.formation
    uptime = int(formation.clock.monotonic() - formation.started)
    return _plain(
        "application/json", compact({"status": "healthy", "version": formation.version, "uptime_seconds": uptime})
    )


def status(incoming: Incoming) -> Success:
    """The formation in numbers."""
    formation = incoming.formation
    definition = formation.definition
    agents, servers = len(agents_of(formation)), len(definition.mcp_servers)
    running = int(formation.clock.monotonic() - formation.started)
    requests = formation.tracker
    counted = not formation.imitates(Defect.REQUESTS_ARE_NOT_COUNTED)
    active = sum(1 for tracked in requests.listed() if not tracked.ended)
    data = {
        "formation": {
            "id": formation.formation_id,
            "name": formation.name,
            "description": formation.description,
            "version": formation.version,
        },
        "agents": {"count": agents, "active": agents},
        "mcp_servers": {"count": servers, "active": servers},
        "stats": {
            "running": {"seconds": running, "since": int(formation.clock.time()) - running},
            # There is no process of its own to measure: its conversations are what it has in memory.
            "memory": {"working_memory_mb": 512, "memory_usage_mb": round(formation.buffer.kilobytes() / 1024, 4)},
            "requests": {"total": requests.opened if counted else 0, "active": active if counted else 0},
            "buffer_size": definition.buffer_size,
            "cpu_percent": 0.0,
        },
    }
    return Success("formation_status", "formation.status.retrieved", data)


def page(incoming: Incoming) -> Answer:
    """HTML with the word Up."""
    return _plain("text/html; charset=utf-8", _PAGE)


def _plain(content_type: str, body: bytes) -> Answer:
    return Answer(200, [("content-length", str(len(body))), ("content-type", content_type)], body)


ROUTES = (
    FormationRoute("GET", "/v1/health", health, Level.NONE, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/status", status, Level.ADMIN, UserRule.OPTIONAL),
    *(FormationRoute("GET", path, page, Level.NONE, UserRule.OPTIONAL) for path in ("/", "/v1", "/v1/", "/v1/v1")),
)
