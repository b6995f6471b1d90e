"""Fixtures of the tests of a formation's operations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formation.routes import Route, routes_in


@pytest.fixture(scope="session")
def routes(wire: Path) -> list[Route]:
    """The routes of a formation, as the description of the wire lists them."""
    return routes_in((wire / "formation.md").read_text("utf-8"))
