"""Fixtures of the tests of the built-in plugins."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from muxi import ManualClock
from tests.core.answers import AsyncColour, Colour
from tests.core.conftest import VARIABLES


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
def clock() -> ManualClock:
    """A clock that only the test moves."""
    return ManualClock()


@pytest.fixture
def logger() -> logging.Logger:
    """A logger that nobody else knows, without handlers on the way up."""
    return logging.Logger("tests.plugins.log")
