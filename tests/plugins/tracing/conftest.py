"""Fixtures of the tests of tracing: what was recorded, and clients of each colour."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import context
from opentelemetry.context import Context

from tests.answers import AsyncColour, Colour
from tests.plugins.tracing.telemetry import Telemetry


@pytest.fixture(autouse=True)
def _nothing_stays_current() -> Iterator[None]:
    """Each test begins with nothing current, and has to end so."""
    before = Context()
    token = context.attach(before)
    yield
    assert context.get_current() is before
    context.detach(token)


@pytest.fixture(autouse=True)
def _on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment speaks against it."""
    monkeypatch.delenv("MUXI_TRACING", raising=False)


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Providers that nobody else has."""
    telemetry = Telemetry()
    yield telemetry
    telemetry.close()


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Clients of each colour in turn."""
    colour = Colour() if request.param == "sync" else AsyncColour()
    yield colour
    colour.end()
