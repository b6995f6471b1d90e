"""Fixtures of the scenarios about secrets: scripted servers, and each transport in turn, sync and async."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.secrets.carriers import WIRE, Carrier
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
