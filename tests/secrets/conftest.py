"""Fixtures of the scenarios about secrets: scripted servers, and each transport in turn, sync and async."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.secrets.carriers import WIRE, Carrier
from tests.secrets.marks import VALUES
from tests.secrets.scenarios import FAILURES
from tests.transports.raw_server import RawServer, serving


class Side:
    """A transport over a network, and a way to run the methods of its clients to the end."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, kind: str, settings: dict[str, Any], work: Callable[[Any], Any], **transport: Any) -> Any:
        """Make a client, let ``work`` call it, and return all that comes of it."""
        return Carrier(self.name, WIRE[self.name](**transport), settings["url"]).run(kind, settings, work)


@pytest.fixture(params=WIRE)
def side(request: pytest.FixtureRequest) -> Side:
    return Side(request.param)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what repeats a scenario with another shape of a key: each transport still meets every shape."""
    for item in items:
        call = getattr(item, "callspec", None)
        if item.path.parent == Path(__file__).parent and call is not None and "shape" in call.params:
            given = [list(params).index(call.params[name]) for name, params in _ORDERED.items() if name in call.params]
            if (list(VALUES).index(call.params["shape"]) - sum(given)) % 7:
                item.add_marker(pytest.mark.slow)


#: The parameters by which the shapes go round.
_ORDERED: dict[str, Iterable[str]] = {
    "side": WIRE,
    "scenario": FAILURES,
    "where": ("client key", "admin key", "secret key", "bearer", "header"),
    "method": ("create_secret", "update_secret", "create_credential"),
}


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """Start a server that runs a script for each connection."""
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(serving(script, None, None))


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """The records of the SDK's loggers at DEBUG. Those of HTTP libraries would choose the full lane."""
    found: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    handler, logger = Keep(), logging.getLogger("muxi")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)
