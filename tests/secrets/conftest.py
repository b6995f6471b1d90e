"""Fixtures of the scenarios about secrets: scripted servers, and each transport in turn, sync and async."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from muxi import AsyncFormationClient, AsyncServerClient, FormationClient, ServerClient
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.transports.raw_server import RawServer, serving

SYNC: dict[str, Callable[..., Any]] = {
    "requests": RequestsTransport,
    "requests, full": lambda **rest: RequestsTransport(direct=False, **rest),
    "urllib3": Urllib3Transport,
    "urllib3, full": lambda **rest: Urllib3Transport(direct=False, **rest),
}


class Side:
    """Clients over one transport, and a way to run their methods to the end."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, kind: str, settings: dict[str, Any], work: Callable[[Any], Any], **transport: Any) -> Any:
        """Make a client, let ``work`` call it, and exhaust what that returns if it is a stream."""
        if self.name in SYNC:
            cls = FormationClient if kind == "formation" else ServerClient
            with cls(transport=SYNC[self.name](**transport), **settings) as client:
                found = work(client)
                return list(found) if kind == "stream" or hasattr(found, "__next__") else found

        async def run() -> Any:
            cls = AsyncFormationClient if kind == "formation" else AsyncServerClient
            carrier = AiohttpTransport(**transport)
            try:
                async with cls(transport=carrier, **settings) as client:
                    found = work(client)
                    return [item async for item in found] if hasattr(found, "__anext__") else await found
            finally:
                await carrier.close()

        return asyncio.run(run())


@pytest.fixture(params=[*SYNC, "aiohttp"])
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
