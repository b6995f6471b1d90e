"""The plugin for pytest: clients of an embedded formation and server, stubs, faults, cassettes, and no network.

It is loaded in every run of everybody who has the SDK. So it imports nothing but pytest until a fixture is used, and
needs no plugin for async tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from muxi import AsyncFormationClient, AsyncServerClient, FormationClient, ManualClock, ServerClient
    from muxi.testing.embedded import Embedded
    from muxi_transports.faulty import Faults
    from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport

__all__: list[str] = []

_MARKERS = (
    "muxi(**options): how the embedded formation and server of a test are made: client_key, admin_key, formation_id, "
    "imitate, seed, strict, …",
    "muxi_network(*hosts): let the clients of this test reach these hosts, or any where none is named",
)

_EMBEDDED = pytest.StashKey["Embedded"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of the plugin."""
    parser.addini(
        "muxi_block_network",
        "whether clients of muxi are kept off the network in all tests, and not only in those that use its fixtures",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep a test off the network where all tests are to be kept off it."""
    if not item.config.getini("muxi_block_network"):
        return (yield)
    with _off_the_network(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose code went on after a request that nobody expected."""
    result = yield
    if (embedded := item.stash.get(_EMBEDDED, None)) is not None:
        embedded.transport.assert_all_expected()
    return result


@contextmanager
def _off_the_network(item: pytest.Item) -> Iterator[None]:
    marker = item.get_closest_marker("muxi_network")
    if marker is not None and not marker.args:
        yield
        return
    from muxi.testing.network import blocked_network

    with blocked_network(frozenset(marker.args if marker else ())):
        yield


@pytest.fixture
def _muxi_embedded(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    """What the fixtures below share."""
    from muxi.errors import ConfigurationError
    from muxi.testing.embedded import Embedded

    options: dict[str, object] = {}
    for marker in reversed(list(request.node.iter_markers("muxi"))):
        if marker.args:
            pytest.fail("@pytest.mark.muxi takes its options by name, as in muxi(seed=7)", pytrace=False)
        options.update(marker.kwargs)
    try:
        embedded = Embedded(options)
    except ConfigurationError as error:
        pytest.fail(error.message, pytrace=False)
    request.node.stash[_EMBEDDED] = embedded
    with _off_the_network(request.node), embedded.in_reach():
        yield embedded


@pytest.fixture
def muxi_formation(_muxi_embedded: Embedded) -> Iterator[FormationClient]:
    """A client of an embedded formation: a ``muxi.FormationClient`` without network and model."""
    with _muxi_embedded.formation_client() as client:
        yield client


@pytest.fixture
def muxi_async_formation(_muxi_embedded: Embedded) -> AsyncFormationClient:
    """An async client of the same formation, for ``asyncio.run`` or whatever runs your async tests.

    It belongs to the event loop that first uses it. Nothing has to be closed.
    """
    return _muxi_embedded.async_formation_client()


@pytest.fixture
def muxi_server(_muxi_embedded: Embedded) -> Iterator[ServerClient]:
    """A client of an embedded server that holds the embedded formation: a ``muxi.ServerClient``."""
    with _muxi_embedded.server_client() as client:
        yield client


@pytest.fixture
def muxi_async_server(_muxi_embedded: Embedded) -> AsyncServerClient:
    """An async client of the same server."""
    return _muxi_embedded.async_server_client()


@pytest.fixture
def muxi_world(_muxi_embedded: Embedded) -> EmbeddedFormation:
    """The embedded formation itself: give it agents, scripts, triggers; look at what it keeps."""
    return _muxi_embedded.formation


@pytest.fixture
def muxi_server_world(_muxi_embedded: Embedded) -> EmbeddedServer:
    """The embedded server itself."""
    return _muxi_embedded.server


@pytest.fixture
def muxi_clock(_muxi_embedded: Embedded) -> ManualClock:
    """The clock of the test, by which the world lives and the clients wait: ``muxi_clock.advance(60)``."""
    return _muxi_embedded.clock


@pytest.fixture
def muxi_transport(_muxi_embedded: Embedded) -> MemoryTransport:
    """What leads to the embedded world, with stubs and with the requests that came: ``stub()``, ``assert_called()``.

    Async clients share both.
    """
    return _muxi_embedded.transport


@pytest.fixture
def muxi_faults(_muxi_embedded: Embedded) -> Faults:
    """What goes wrong on the way to the embedded world, for every client of the test: ``muxi_faults.on(…)``."""
    return _muxi_embedded.faults
