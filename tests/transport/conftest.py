"""Stepped transports of both colours behind one face: an async one is driven in a loop of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from muxi.testing.transport_suite.facade import FacadeTransport, Loop
from muxi.transport import AsyncSteppedTransport, Stepped, SteppedTransport, Transport

Make = Callable[..., Transport]


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes a transport of a stepped class, in the colour of the test; it is closed in the end."""
    made: list[Transport] = []
    loop = None if request.param == "sync" else Loop(10)

    def make(stepped: type[Stepped[Any]], *args: object) -> Transport:
        if loop is None:
            coloured: Any = type(stepped.__name__, (stepped, SteppedTransport), {})
            made.append(coloured(*args))
        else:
            coloured = type(stepped.__name__, (stepped, AsyncSteppedTransport), {})
            made.append(FacadeTransport(coloured(*args), loop))
        return made[-1]

    yield make
    for transport in made:
        transport.close()
    if loop is not None:
        loop.stop()
