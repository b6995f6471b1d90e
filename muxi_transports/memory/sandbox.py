"""The world of a transport that was given none: an echo formation wherever one looks."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import unquote, urlsplit

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.transport import Request
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.formation import EmbeddedFormation
from muxi_transports.memory.server import EmbeddedServer
from muxi_transports.memory.server.authoring import both_system
from muxi_transports.memory.world import Exchange

__all__ = ["Sandbox"]


@check_arguments()
class Sandbox:
    """An embedded server and an embedded formation behind one address, open to any key.

    ``/v1/…`` is the formation's; ``/api/{id}/…`` and ``/draft/{id}/…`` find a formation of any id, made when
    it is first asked for; everything else is the server's. So every client can talk to it, however addressed.

    Args:
        clock: the time it lives in; the machine's by default.
        formation: what answers below ``/v1``, in place of a new one.
        server: what answers everywhere else, in place of a new one. It has the formations it has: none is made when
            it is first asked for.

    Raises:
        ConfigurationError: they do not live in the same time.
    """

    #: Stubs over it are for routes of the platform.
    follows_platform: ClassVar[bool] = True

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        formation: EmbeddedFormation | None = None,
        server: EmbeddedServer | None = None,
    ) -> None:
        given = [one.clock for one in (formation, server) if one is not None]
        given = given if clock is None else [clock, *given]
        self.clock: Clock = given[0] if given else SystemClock()
        if any(one is not self.clock and not both_system(one, self.clock) for one in given):
            raise ConfigurationError("the formation and the server of a sandbox need the sandbox's clock")
        self._open = server is None
        #: The formation below ``/v1``.
        self.formation: EmbeddedFormation = formation or EmbeddedFormation(clock=self.clock)
        #: The server, for all other paths.
        self.server: EmbeddedServer = server or EmbeddedServer(clock=self.clock)

    @property
    def credentials(self) -> dict[str, str]:
        """The keys of both, where they want certain ones."""
        return {**self.formation.credentials, **self.server.credentials}

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        parts = unquote(urlsplit(request.url).path).split("/")
        place = parts[1] if len(parts) > 1 else ""
        if place in ("", "v1"):
            return (yield from self.formation.respond(request))
        if self._open and place in ("api", "draft") and len(parts) > 2 and parts[2]:
            self._ensure(parts[2], draft=place == "draft")
        return (yield from self.server.respond(request))

    def _ensure(self, formation_id: str, *, draft: bool) -> None:
        with self.server.lock:
            if self.server.find(formation_id, draft=draft) is None:
                self.server.add(EmbeddedFormation(formation_id, clock=self.clock), draft=draft)

    def __repr__(self) -> str:
        return "Sandbox()"
