"""Fixtures of the tests of a formation's operations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.answers import AsyncColour, Colour
from tests.core.conftest import VARIABLES
from tests.formation.routes import Route, routes_in


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


@pytest.fixture(scope="session")
def routes(wire: Path) -> list[Route]:
    """The routes of a formation, as the description of the wire lists them."""
    return routes_in((wire / "formation.md").read_text("utf-8"))
