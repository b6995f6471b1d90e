"""Fixtures of the tests of both lanes: servers, and every sync transport and lane in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import requests
import requests.adapters

from muxi.transport import Transport
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.transports.conftest import (
    ServerFactory,
    _environment,
    authority,
    bundle,
    serve,
    tls,
)

__all__ = ["LaneFactory", "ServerFactory", "_environment", "authority", "bundle", "serve", "tls"]

#: Makes a transport of the lane under test, with options that every lane has.
LaneFactory = Callable[..., Transport]


def _by_session(**options: Any) -> RequestsTransport:
    if "verify" not in options:
        return RequestsTransport(session=requests.Session())
    session = requests.Session()
    session.verify = options["verify"]
    return RequestsTransport(session=session)


def _by_adapter(**options: Any) -> RequestsTransport:
    return RequestsTransport(
        adapters={"http://": requests.adapters.HTTPAdapter(), "https://": requests.adapters.HTTPAdapter()}, **options
    )


LANES: dict[str, LaneFactory] = {
    "requests, direct": RequestsTransport,
    "urllib3, direct": Urllib3Transport,
    "requests, full": partial(RequestsTransport, direct=False),
    "urllib3, full": partial(Urllib3Transport, direct=False),
    "session": _by_session,
    "adapter": _by_adapter,
}
#: The lanes whose connections belong to the transport.
OWN = [name for name in LANES if name not in ("session", "adapter")]


@pytest.fixture(params=LANES)
def make_lane(request: pytest.FixtureRequest) -> Iterator[LaneFactory]:
    """Make a transport of every lane, whatever its connections are."""
    yield from _making(LANES[request.param])


@pytest.fixture(params=OWN)
def make_own(request: pytest.FixtureRequest) -> Iterator[LaneFactory]:
    """Make a transport of every lane whose connections are its own."""
    yield from _making(LANES[request.param])


@pytest.fixture
def lane(make_lane: LaneFactory) -> Transport:
    """A transport of every lane."""
    return make_lane()


@pytest.fixture
def own(make_own: LaneFactory) -> Transport:
    """A transport of every lane whose connections are its own."""
    return make_own()


def _making(factory: LaneFactory) -> Iterator[LaneFactory]:
    made: list[Transport] = []

    def make(**options: Any) -> Transport:
        made.append(factory(**options))
        return made[-1]

    yield make
    for transport in made:
        session = getattr(transport, "_session", None)
        transport.close()
        if session is not None:
            session.close()
