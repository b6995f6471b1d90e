"""Fixtures of the tests of calls, clients and plugins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muxi.clock import ManualClock
from tests.core.answers import AsyncColour, Colour
from tests.core.hello import Diary

VARIABLES = (
    "MUXI_ADMIN_KEY",
    "MUXI_CLIENT_KEY",
    "MUXI_DEBUG",
    "MUXI_DISABLE_PLUGINS",
    "MUXI_FORMATION_ID",
    "MUXI_FORMATION_URL",
    "MUXI_KEY_ID",
    "MUXI_SDK_VERSION_NOTIFICATION",
    "MUXI_SECRET_KEY",
    "MUXI_SERVER_URL",
    "MUXI_TRACE_PLUGINS",
    "MUXI_TRANSPORT",
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the environment of whoever runs the tests."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Clients of each colour in turn."""
    colour = Colour() if request.param == "sync" else AsyncColour()
    yield colour
    colour.end()


@pytest.fixture
def diary() -> Diary:
    """A plugin that writes down what it is told."""
    return Diary()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that only the test moves."""
    return ManualClock()
