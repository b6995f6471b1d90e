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
from muxi_transports.faulty import AsyncFaultyTransport, Fault, Faults, FaultyTransport
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    EmbeddedServer,
    MemoryTransport,
    Stub,
    StubbedWorld,
)
from muxi_transports.memory.stubs.routes import has_route, nearest_route
from muxi_transports.memory.world import Exchange
from muxi_transports.routing.rule import parse_rule

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


class RoutedFaults(Faults):
    """Faults between clients and the embedded world: a rule that no request to it can fit is refused."""

    def on(self, rule: str, fault: Fault, *, times: int | None = None, skip: int = 0, probability: float = 1.0) -> None:
        """Plan a fault for the requests of a route; see :meth:`~muxi_transports.faulty.Faults.on`."""
        parsed = parse_rule(rule)
        path = "/" + "/".join(parsed.path)
        methods = sorted(parsed.methods) or ["*"]
        # A rule fits the beginning of a path.
        if parsed.path and not any(has_route(method, f"{path}/**") for method in methods):
            near = nearest_route(methods[0], path)
            raise ConfigurationError(
                f"the platform has no route {rule.strip()}, so no request would meet this fault; the nearest is {near}"
            )
        super().on(rule, fault, times=times, skip=skip, probability=probability)


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
        self.faults: Faults = RoutedFaults(seed=str(seed))
        self.clients: Clients = Clients(str(seed))
        keys = {name: given.get(name) or of_server.get(name) for name in _KEYS}
        self._environment = {
            **PLACEHOLDERS,
            **{f"MUXI_{name.upper()}": str(value) for name, value in keys.items() if value},
            "MUXI_FORMATION_ID": self.formation.formation_id,
            "MUXI_TRANSPORT": NAME,
        }

    @property
    def stubs(self) -> Sequence[Stub]:
        """Every stub that counts."""
        return tuple(self.transport.stubbed.ledger.made)

    def unused(self, but: Sequence[Stub]) -> Sequence[Exception]:
        """Return the errors of stubs that no request was for, unless the marker allows them.

        Args:
            but: stubs that are left out.
        """
        if self._allows_unused:
            return ()
        ledger = self.transport.stubbed.ledger
        return [ledger.unused_error(stub) for stub in self.stubs if stub not in but and not stub.asked]

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
