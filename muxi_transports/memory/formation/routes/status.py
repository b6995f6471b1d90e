"""``/v1/health``, and the status page that answers where a path segment was empty."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.envelope import compact
from muxi_transports.memory.formation.router import Incoming, Route
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


def page(incoming: Incoming) -> Answer:
    """HTML with the word Up."""
    return _plain("text/html; charset=utf-8", _PAGE)


def _plain(content_type: str, body: bytes) -> Answer:
    return Answer(200, [("content-length", str(len(body))), ("content-type", content_type)], body)


ROUTES = (
    Route("GET", "/v1/health", health, Level.NONE, UserRule.OPTIONAL),
    *(Route("GET", path, page, Level.NONE, UserRule.OPTIONAL) for path in ("/", "/v1", "/v1/", "/v1/v1")),
)
