"""A world that lets the pages of every origin in."""

from __future__ import annotations

from muxi.clock import Clock
from muxi.transport import Request
from muxi_transports.memory.world import Answer, Exchange, World

__all__ = ["OpenToBrowsers"]

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class OpenToBrowsers:
    """Answers what browsers ask before they let a page speak to another origin, and says yes.

    The platform's server does not: it allows no header of keys in front of formations, and answers 405 to what browsers
    ask about its own routes. A front end in development has to get by all the same.

    Args:
        world: the world.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def clock(self) -> Clock:
        """The time of the world."""
        return self._world.clock

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        origin = request.headers.get("Origin")
        if origin is None:
            return (yield from self._world.respond(request))
        allowed = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if request.method == "OPTIONS" and (method := request.headers.get("Access-Control-Request-Method")):
            asked = request.headers.get("Access-Control-Request-Headers") or ""
            allowed += [
                ("Access-Control-Allow-Methods", method if method not in _METHODS else _METHODS),
                ("Access-Control-Allow-Headers", asked),
                ("Access-Control-Max-Age", "600"),
                ("Content-Length", "0"),
            ]
            return Answer(200, allowed)
        answer = yield from self._world.respond(request)
        headers = [item for item in answer.headers if not item[0].lower().startswith("access-control-")]
        exposed = [("Access-Control-Expose-Headers", "*")]
        return Answer(answer.status, [*headers, *allowed, *exposed], answer.body)
