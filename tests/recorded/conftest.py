"""Cassettes in a folder of the test's own, and transports of both colours that record on them and play them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi_transports.recorded import AsyncRecordedTransport, RecordedTransport
from tests.answers import AsyncColour, Colour, Playback


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour() if request.param == "sync" else AsyncColour()
    yield colour
    colour.end()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet, in a folder that is not there either."""
    return tmp_path / "cassettes" / "a.yaml"


@pytest.fixture
def recorded(colour: Colour) -> Callable[..., Any]:
    """A transport of the colour, over a playback where one is given."""

    def recorded(cassette: Any, inner: Any = "requests", mode: Any = "once", **settings: Any) -> Any:
        if isinstance(inner, Playback):
            inner = colour.transport(inner)
        kind = AsyncRecordedTransport if colour.asynchronous else RecordedTransport
        return kind(cassette, inner, mode, **settings)

    return recorded


@pytest.fixture
def client(colour: Colour, recorded: Callable[..., Any]) -> Callable[..., Any]:
    """A formation client over a recorded transport."""

    def client(cassette: Any, inner: Any = "requests", mode: Any = "once", **settings: Any) -> Any:
        known = {name: settings.pop(name) for name in ("speed", "clock") if name in settings}
        return colour.formation(transport=recorded(cassette, inner, mode, **known), **settings)

    return client
