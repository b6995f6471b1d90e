"""Clients of both colours over an in-memory world."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from muxi import AsyncFormationClient, FormationClient
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport


class Side:
    """Makes clients of one colour, and runs what their methods return."""

    def __init__(self, colour: str) -> None:
        self.colour = colour
        self._loop = asyncio.new_event_loop()
        self._clients: list[Any] = []

    def client(self, world: EmbeddedFormation) -> Any:
        client: Any = (
            FormationClient(transport=MemoryTransport(world))
            if self.colour == "sync"
            else AsyncFormationClient(transport=AsyncMemoryTransport(world))
        )
        self._clients.append(client)
        return client

    def run(self, result: Any) -> Any:
        return self._loop.run_until_complete(result) if inspect.isawaitable(result) else result

    def close(self) -> None:
        for client in self._clients:
            self.run(client.close())
        self._loop.close()


@pytest.fixture(params=["sync", "async"])
def each(request: pytest.FixtureRequest) -> Iterator[Side]:
    """One side after the other: ``each.run(each.client(world).chat("Hi", user_id="ada"))``."""
    side = Side(request.param)
    yield side
    side.close()
