"""Fixtures of the HTTP transports: scripted servers, and every transport in turn."""

from __future__ import annotations

import contextlib
import gc
import ssl
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from requests.adapters import HTTPAdapter

from muxi.testing.transport_suite.facade import FacadeTransport, Loop
from muxi.transport import Transport
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.http.tls import BUNDLE_VARIABLES
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.transports.raw_server import RawServer, Script, serving

ServerFactory = Callable[..., RawServer]
TransportFactory = Callable[..., Transport]

_SYNC: dict[str, TransportFactory] = {
    "requests": RequestsTransport,
    "urllib3": Urllib3Transport,
    "requests, full": partial(RequestsTransport, direct=False),
    "urllib3, full": partial(Urllib3Transport, direct=False),
}


def _by_session(**settings: Any) -> Transport:
    """By a session with the same settings."""
    session = requests.Session()
    for name, value in settings.items():
        setattr(session, name, _AS_IN_SESSIONS[name](value))
    transport = RequestsTransport(session=session)
    weakref.finalize(transport, session.close).atexit = False
    return transport


#: How a session takes the settings of a transport.
_AS_IN_SESSIONS: dict[str, Callable[[Any], Any]] = {
    "cert": lambda given: given,
    "proxies": lambda given: {name: url for name, url in given.items() if name != "no_proxy"},
    "trust_env": lambda given: given,
    "verify": lambda given: given,
}


def _by_adapters(**settings: Any) -> Transport:
    """By plain adapters of requests."""
    return RequestsTransport(adapters={"http://": HTTPAdapter(), "https://": HTTPAdapter()}, **settings)


#: The lanes over connections that are not the transport's own.
FOREIGN: dict[str, TransportFactory] = {"session": _by_session, "adapters": _by_adapters}
_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", *BUNDLE_VARIABLES)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxies from outside; and what a test leaves open is reported in that test."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield
    gc.collect()


@pytest.fixture
def serve() -> Iterator[ServerFactory]:
    """Start a server that runs a script for each connection."""
    with contextlib.ExitStack() as stack:

        def start(script: Script, tls: ssl.SSLContext | None = None, path: Path | None = None) -> RawServer:
            return stack.enter_context(serving(script, tls, path))

        yield start


@pytest.fixture(params=[*_SYNC, "aiohttp"])
def make_on_own_lane(request: pytest.FixtureRequest) -> Iterator[TransportFactory]:
    """Make the transport under test, with whatever settings; the async one behind a sync face."""
    yield from _making(request.param)


@pytest.fixture
def make_transport(make_on_own_lane: TransportFactory) -> TransportFactory:
    """Every lane over connections of the transport's own."""
    return make_on_own_lane


@pytest.fixture(params=[*_SYNC, *FOREIGN, "aiohttp"])
def make_on_every_lane(request: pytest.FixtureRequest) -> Iterator[TransportFactory]:
    """The same, also over a session and over adapters of requests."""
    yield from _making(request.param)


def _making(name: str) -> Iterator[TransportFactory]:
    made: list[Transport] = []
    loops: list[Loop] = []

    def make(**settings: Any) -> Transport:
        if name != "aiohttp":
            made.append((_SYNC | FOREIGN)[name](**settings))
        else:
            loops.append(Loop(20))
            made.append(FacadeTransport(AiohttpTransport(**settings), loops[-1]))
        return made[-1]

    yield make
    for transport in made:
        transport.close()
    for loop in loops:
        loop.stop()


@pytest.fixture
def transport(make_transport: TransportFactory) -> Transport:
    return make_transport()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts by default."""
    return trustme.CA()


@pytest.fixture(scope="session")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """That authority in a file."""
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a server for 127.0.0.1 needs, with a certificate by that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context
