"""The server itself: whether it is there, what it has, and its log."""

from __future__ import annotations

from muxi_transports.memory.server.answers import go_json, plain, success
from muxi_transports.memory.server.router import ServerRoute, ServerVisit
from muxi_transports.memory.server.routes.logs import line_count
from muxi_transports.memory.world import Answer

__all__ = ["ROUTES"]

_DOCS = "https://muxi.org/docs"


def ping(visit: ServerVisit) -> Answer:
    """``pong``."""
    return plain(200, b"pong", "text/plain")


def health(visit: ServerVisit) -> Answer:
    """The server's word on itself."""
    return plain(200, go_json({"success": True, "status": "ok", "version": visit.server.version}))


def docs(visit: ServerVisit) -> Answer:
    """Redirect to the documentation."""
    answer = plain(302, f'<a href="{_DOCS}">Found</a>.\n\n'.encode(), "text/html; charset=utf-8")
    answer.headers.insert(0, ("Location", _DOCS))
    return answer


def status(visit: ServerVisit) -> Answer:
    """The state of the server. Formations that are starting or unhealthy count in the total only."""
    server = visit.server
    states = [hosted.status for hosted in server.live.listed()]
    counts = {state: states.count(state) for state in ("crashed", "running", "stopped")}
    pool = server.ports
    return success(
        {
            "formations": {**counts, "total": len(states)},
            "port_pool": {
                "allocated": pool.allocated,
                "available": max(0, pool.total - pool.allocated),
                "total": pool.total,
            },
            "runtime": {"go_version": "go1.26.0", "goroutines": 8},
            "server": {
                "id": server.server_id,
                "uptime": int(server.clock.monotonic() - server.started),
                "version": server.version,
            },
        }
    )


def logs(visit: ServerVisit) -> Answer:
    """The last lines of the audit log, as text."""
    lines = visit.server.audit_log[-line_count(visit) :]
    return plain(200, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"), "text/plain")


ROUTES = (
    ServerRoute("GET", "/ping", ping, signed=False),
    ServerRoute("GET", "/health", health, signed=False),
    ServerRoute("GET", "/docs", docs, signed=False),
    ServerRoute("GET", "/rpc/server/status", status),
    ServerRoute("GET", "/rpc/server/logs", logs),
)
