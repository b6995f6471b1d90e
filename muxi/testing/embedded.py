"""The world of one test: an embedded formation and server, and everything that leads clients to them."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from urllib.parse import urlsplit

import pytest

from muxi import registry
from muxi.clock import Clock, ManualClock
from muxi.errors import ConfigurationError
from muxi.formation import AsyncFormationClient, FormationClient
from muxi.plugins import Retry
from muxi.registry import TransportPair
from muxi.server import AsyncServerClient, ServerClient
from muxi.transport import Request
from muxi_transports.faulty import AsyncFaultyTransport, Faults, FaultyTransport
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    EmbeddedServer,
    MemoryTransport,
    StubbedWorld,
)
from muxi_transports.memory.world import Exchange

__all__ = ["NAME", "URL", "Embedded"]

#: The name under which clients find the transport of the test.
NAME = "pytest"
#: Where the world is; a name that nobody can own (RFC 6761).
URL = "https://muxi.test"

_SERVER_OPTIONS = ("key_id", "secret_key")
_OWN_OPTIONS = ("seed", "start", "strict")


class Together:
    """A formation below ``/v1`` and the server that holds it everywhere else, behind one address."""

    def __init__(self, formation: EmbeddedFormation, server: EmbeddedServer) -> None:
        self.formation = formation
        self.server = server

    @property
    def clock(self) -> Clock:
        """The clock of both."""
        return self.formation.clock

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        path = urlsplit(request.url).path
        world = self.formation if path == "/v1" or path.startswith("/v1/") else self.server
        return (yield from world.respond(request))

    def __repr__(self) -> str:
        return f"{self.formation!r} and {self.server!r}"


class Embedded:
    """What the fixtures of one test share.

    Args:
        options: those of the marker ``muxi``.

    Raises:
        ConfigurationError: an option is unknown, or has no sense.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        given = dict(_checked(options))
        seed = given.pop("seed", 0)
        start = given.pop("start", None)
        strict = bool(given.pop("strict", False))
        of_server = {name: given.pop(name) for name in _SERVER_OPTIONS if name in given}
        self._seed = str(seed)
        self.clock: ManualClock = ManualClock() if start is None else ManualClock(float(str(start)))
        # The names are those of the constructors' parameters; the values are checked there.
        self.formation: EmbeddedFormation = EmbeddedFormation(clock=self.clock, seed=self._seed, **given)  # type: ignore[arg-type]  # as the line above says
        self.server: EmbeddedServer = EmbeddedServer(clock=self.clock, **of_server)  # type: ignore[arg-type]  # likewise
        self.server.add(self.formation)
        self.transport: MemoryTransport = MemoryTransport(
            StubbedWorld(Together(self.formation, self.server), strict=strict)
        )
        self.async_transport: AsyncMemoryTransport = AsyncMemoryTransport(self.transport.stubbed)
        self.faults: Faults = Faults(seed=self._seed)
        self.client_key: str = str(given.get("client_key") or "fmc_test")
        self.admin_key: str = str(given.get("admin_key") or "fma_test")
        self.key_id: str = str(of_server.get("key_id") or "muxi_pk_test")
        self.secret_key: str = str(of_server.get("secret_key") or "muxi_sk_test")

    @contextmanager
    def in_reach(self) -> Iterator[None]:
        """Have clients that are told nothing else, by arguments, find this world."""
        environment = {
            "MUXI_TRANSPORT": NAME,
            "MUXI_FORMATION_URL": URL,
            "MUXI_SERVER_URL": URL,
            "MUXI_FORMATION_ID": self.formation.formation_id,
            "MUXI_CLIENT_KEY": self.client_key,
            "MUXI_ADMIN_KEY": self.admin_key,
            "MUXI_KEY_ID": self.key_id,
            "MUXI_SECRET_KEY": self.secret_key,
        }
        pair = TransportPair(
            lambda: FaultyTransport(self.transport, self.faults),
            lambda: AsyncFaultyTransport(self.async_transport, self.faults),
        )
        with pytest.MonkeyPatch.context() as changes:
            changes.setitem(registry._registered, NAME, pair)
            for name, value in environment.items():
                changes.setenv(name, value)
            yield

    def formation_client(self) -> FormationClient:
        """A client of the formation."""
        return FormationClient(
            url=URL,
            client_key=self.client_key,
            admin_key=self.admin_key,
            transport=NAME,
            plugins=[self._retry()],
        )

    def async_formation_client(self) -> AsyncFormationClient:
        """An async client of the formation."""
        return AsyncFormationClient(
            url=URL,
            client_key=self.client_key,
            admin_key=self.admin_key,
            transport=NAME,
            plugins=[self._retry()],
        )

    def server_client(self) -> ServerClient:
        """A client of the server."""
        return ServerClient(
            url=URL, key_id=self.key_id, secret_key=self.secret_key, transport=NAME, plugins=[self._retry()]
        )

    def async_server_client(self) -> AsyncServerClient:
        """An async client of the server."""
        return AsyncServerClient(
            url=URL, key_id=self.key_id, secret_key=self.secret_key, transport=NAME, plugins=[self._retry()]
        )

    def _retry(self) -> Retry:
        """Retries whose waits are the same each time."""
        return Retry(random_source=random.Random(self._seed))  # noqa: S311  jitter, not a secret


def _checked(options: Mapping[str, object]) -> Mapping[str, object]:
    of_formation = set(inspect.signature(EmbeddedFormation).parameters) - {"clock"}
    known = {*of_formation, *_SERVER_OPTIONS, *_OWN_OPTIONS}
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
            raise ConfigurationError(f"@pytest.mark.muxi takes no {name!r}; {hint}")
    return options
