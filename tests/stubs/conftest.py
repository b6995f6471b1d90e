"""A formation in memory, and a client of each colour over a transport that takes stubs."""

from __future__ import annotations

from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport
from tests.answers import Colour

NO_AGENTS: dict[str, object] = {"agents": [], "count": 0}


@pytest.fixture
def formation(clock: ManualClock) -> EmbeddedFormation:
    return EmbeddedFormation(client_key="fmc_test", admin_key="fma_test", clock=clock, seed=1)


@pytest.fixture
def transport(colour: Colour, formation: EmbeddedFormation) -> MemoryTransport | AsyncMemoryTransport:
    return AsyncMemoryTransport(formation) if colour.asynchronous else MemoryTransport(formation)


@pytest.fixture
def client(colour: Colour, transport: MemoryTransport) -> Any:
    return colour.formation(transport=transport, url="http://memory", client_key="fmc_test", admin_key="fma_test")
