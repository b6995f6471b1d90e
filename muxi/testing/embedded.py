"""The world of one test: an embedded formation and server, their transports, and the environment of clients."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from muxi import registry
from muxi.clock import Clock, ManualClock
from muxi.errors import ConfigurationError
from muxi.registry import TransportPair
from muxi.testing.clients import NAME, PLACEHOLDERS, Clients
from muxi.transport import Request
from muxi_transports.faulty import AsyncFaultyTransport, Faults, FaultyTransport
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    EmbeddedServer,
    Incidents,
    MemoryTransport,
    StubbedWorld,
)
from muxi_transports.memory.world import Exchange

__all__ = ["Embedded"]

_KEYS = ("client_key", "admin_key", "key_id", "secret_key")
_SERVER_OPTIONS = ("key_id", "secret_key")
_OWN_OPTIONS = ("allow_unused_stubs", "seed", "start", "strict")


class Together:
    """A formation below ``/v1`` and the server that holds it everywhere else, behind one address."""

    follows_platform: ClassVar[bool] = True

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
    """The state that the fixtures of one test share.

    Args:
        options: those of the marker ``muxi``.

    Raises:
        ConfigurationError: an option is unknown or invalid.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        given = dict(_check_options(options))
        seed = given.pop("seed", 0)
        start = given.pop("start", None)
        strict = bool(given.pop("strict", False))
        self._allows_unused = bool(given.pop("allow_unused_stubs", False))
        of_server = {name: given.pop(name) for name in _SERVER_OPTIONS if name in given}
        self.clock: ManualClock = ManualClock() if start is None else ManualClock(float(str(start)))
        # The names are those of the constructors' parameters; the values are checked there.
        self.formation: EmbeddedFormation = EmbeddedFormation(clock=self.clock, seed=str(seed), **given)  # type: ignore[arg-type]  # as the line above says
        self.server: EmbeddedServer = EmbeddedServer(clock=self.clock, **of_server)  # type: ignore[arg-type]  # likewise
        self.server.add(self.formation)
        self.transport: MemoryTransport = MemoryTransport(
            StubbedWorld(Together(self.formation, self.server), strict=strict)
        )
        self.async_transport: AsyncMemoryTransport = AsyncMemoryTransport(self.transport.stubbed)
        self.faults: Faults = Faults(seed=str(seed))
        self.clients: Clients = Clients(str(seed))
        keys = {name: given.get(name) or of_server.get(name) for name in _KEYS}
        self._environment = {
            **PLACEHOLDERS,
            **{f"MUXI_{name.upper()}": str(value) for name, value in keys.items() if value},
            "MUXI_FORMATION_ID": self.formation.formation_id,
            "MUXI_TRANSPORT": NAME,
        }

    @property
    def refused(self) -> Sequence[Exception]:
        """The errors that fail the test: requests without a stub, and assertions that failed in the world."""
        assertions = [error for incidents in self._incidents() for error in incidents.assertions]
        found = [*self.transport.unexpected, *self.transport.stubbed.ledger.assertions, *assertions]
        return list({id(error): error for error in found}.values())

    def unused(self, allowed: bool) -> Sequence[Exception]:
        """The errors of stubs that no request was for, unless the marker or the setting allows them."""
        return () if allowed or self._allows_unused else self.transport.unused

    def report(self) -> Sequence[str]:
        """The sections of the test's report."""
        refused = [str(error) for error in (*self.transport.unexpected, *self.transport.stubbed.ledger.assertions)]
        return [*refused, *(str(incident) for incidents in self._incidents() for incident in incidents.all)]

    def _incidents(self) -> list[Incidents]:
        """Those of every formation of this world."""
        server = self.server
        hosted = [one.formation for one in (*server.live.listed(), *server.drafts.listed())]
        formations = {id(one): one for one in (self.formation, *hosted, *server.provided.values())}
        return [formation.incidents for formation in formations.values()]

    @contextmanager
    def in_reach(self) -> Iterator[None]:
        """Make this world the default of clients that are made without arguments."""
        pair = TransportPair(
            lambda: FaultyTransport(self.transport, self.faults),
            lambda: AsyncFaultyTransport(self.async_transport, self.faults),
        )
        with pytest.MonkeyPatch.context() as changes:
            changes.setitem(registry._registered, NAME, pair)
            for name, value in self._environment.items():
                changes.setenv(name, value)
            yield


def _check_options(options: Mapping[str, object]) -> Mapping[str, object]:
    of_formation = set(inspect.signature(EmbeddedFormation).parameters) - {"clock"}
    known = {*of_formation, *_SERVER_OPTIONS, *_OWN_OPTIONS}
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
            raise ConfigurationError(f"@pytest.mark.muxi takes no {name!r}; {hint}")
    return options
