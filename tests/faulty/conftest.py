"""A formation in memory behind a network that fails, reached by clients of both colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi_transports.faulty import AsyncFaultyTransport, Faults, FaultyTransport
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport
from tests.answers import Colour


@pytest.fixture
def world(clock: ManualClock) -> EmbeddedFormation:
    return EmbeddedFormation(clock=clock, seed=1)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def wrap(colour: Colour) -> Callable[[Any, Faults], Any]:
    """Wrap a world in a faulty transport of the colour."""

    def wrap(world: Any, faults: Faults) -> Any:
        if colour.asynchronous:
            return AsyncFaultyTransport(AsyncMemoryTransport(world), faults)
        return FaultyTransport(MemoryTransport(world), faults)

    return wrap


@pytest.fixture
def client(colour: Colour, world: EmbeddedFormation, faults: Faults, wrap: Callable[[Any, Faults], Any]) -> Any:
    return colour.formation(transport=wrap(world, faults), url="http://memory")
