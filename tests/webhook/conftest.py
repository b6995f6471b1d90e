"""Webhooks: the recorded ones, and a moment at which they were signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from muxi.clock import ManualClock

#: The keys of the formation that was recorded; it is gone.
ADMIN_KEY = "fma_wirelab_admin_0123456789"
CLIENT_KEY = "fmc_wirelab_client_0123456789"


class Recorded(NamedTuple):
    """A webhook as it was received."""

    name: str
    body: bytes
    signature: str | None
    #: When it came, in seconds since the epoch.
    received: float


@pytest.fixture(scope="session")
def hooks(wire: Path) -> list[Recorded]:
    """Every webhook that was recorded."""
    return [_load(path) for path in sorted((wire / "captures" / "webhooks").glob("*.json"))]


def _load(path: Path) -> Recorded:
    recorded = json.loads(path.read_text("utf-8"))
    headers = dict(recorded["headers"])
    return Recorded(path.stem, recorded["body"].encode(), headers.get("X-Muxi-Signature"), recorded["t"])


@pytest.fixture
def keys() -> tuple[str, str]:
    """The admin key and the client key of the recorded formation."""
    return ADMIN_KEY, CLIENT_KEY


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_795_361_748.5)
