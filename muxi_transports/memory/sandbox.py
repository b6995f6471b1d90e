"""The world of a transport that was given none: an echo formation wherever one looks."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from muxi.clock import Clock, SystemClock
from muxi.transport import Request
from muxi_transports.memory.formation import EmbeddedFormation
from muxi_transports.memory.server import EmbeddedServer
from muxi_transports.memory.world import Exchange

__all__ = ["Sandbox"]


class Sandbox:
    """An embedded server and an embedded formation behind one address, open to any key.

    ``/v1/…`` is the formation's; ``/api/{id}/…`` and ``/draft/{id}/…`` find a formation of any id, made when
    it is first asked for; everything else is the server's. So every client can talk to it, however addressed.

    Args:
        clock: the time it lives in; the machine's by default.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        #: What answers below ``/v1``.
        self.formation: EmbeddedFormation = EmbeddedFormation(clock=self.clock)
        #: What answers everywhere else.
        self.server: EmbeddedServer = EmbeddedServer(clock=self.clock)

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        parts = unquote(urlsplit(request.url).path).split("/")
        place = parts[1] if len(parts) > 1 else ""
        if place in ("", "v1"):
            return (yield from self.formation.respond(request))
        if place in ("api", "draft") and len(parts) > 2 and parts[2]:
            self._ensure(parts[2], draft=place == "draft")
        return (yield from self.server.respond(request))

    def _ensure(self, formation_id: str, *, draft: bool) -> None:
        with self.server.lock:
            if self.server.find(formation_id, draft=draft) is None:
                self.server.add(EmbeddedFormation(formation_id, clock=self.clock), draft=draft)

    def __repr__(self) -> str:
        return "Sandbox()"
