"""The plugin for pytest: clients of an embedded formation and server, stubs, faults, cassettes, and no network.

It is loaded in every run of everybody who has the SDK. So it imports nothing but pytest until a fixture is used, and
needs no plugin for async tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from muxi import AsyncFormationClient, AsyncServerClient, FormationClient, ManualClock, ServerClient
    from muxi.testing.clients import Clients
    from muxi.testing.embedded import Embedded
    from muxi.testing.taped import Taped
    from muxi_transports.faulty import Faults
    from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport
    from muxi_transports.recorded import Cassette

__all__: list[str] = []

_MARKERS = (
    "muxi(**options): how the embedded formation and server of a test are made: client_key, admin_key, formation_id, "
    "imitate, seed, strict, allow_unused_stubs, …",
    "muxi_cassette(file=None, mode='once', **options): the cassette of a test, beside its file; modes are none, once, "
    "new and all",
    "muxi_network(*hosts): let the clients of this test reach these hosts, or any where none is named",
)

_SHARED = pytest.StashKey["Embedded | Taped"]()
_PASSED = pytest.StashKey[bool]()
#: The trace file of a test, and whether it is kept because the test has failed.
_TRACE = pytest.StashKey[str]()
_FAILED = pytest.StashKey[bool]()
_ENVIRONMENT = pytest.StashKey["dict[str, str | None]"]()

#: Longest part of a trace file's name that comes from the test's, in characters.
_LONGEST_NAME = 120


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of the plugin."""
    parser.addini(
        "muxi_block_network",
        "whether clients of muxi are kept off the network in all tests, and not only in those that use its fixtures",
        type="bool",
        default=False,
    )
    parser.addini(
        "muxi_allow_unused_stubs",
        "whether tests may leave stubs unused; otherwise each is an error at the end of its test",
        type="bool",
        default=False,
    )
    group = parser.getgroup("muxi")
    group.addoption(
        "--muxi-trace",
        metavar="DIR",
        help="write the calls of each failing test to a trace file in this folder, for muxi-client trace show",
    )
    group.addoption(
        "--muxi-record",
        choices=("none", "once", "new", "all"),
        help="how muxi_cassette records, whatever its marker says; 'none' on a machine that is to record nothing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    folder: str | None = config.getoption("--muxi-trace")
    if folder:
        os.makedirs(folder, exist_ok=True)
        # Clients that are made before the first test take part too: each call asks for the file anew.
        settings = {"MUXI_TRACE": os.devnull, "MUXI_TRACE_BODIES": "1"}
        config.stash[_ENVIRONMENT] = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Restore the environment."""
    for name, value in config.stash.get(_ENVIRONMENT, {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Trace the calls of a test if asked for; keep it off the network where all tests are to be kept off it."""
    with _traced(item), _off_the_network(item) if item.config.getini("muxi_block_network") else nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Name the trace file in the report of a failing test."""
    report = yield
    path = item.stash.get(_TRACE, None)
    if path is not None and report.failed:
        item.stash[_FAILED] = True
        if os.path.exists(path):
            report.sections.append(("muxi trace", f"muxi-client trace show {path}"))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose code went on after an error that only the world saw, and report what the world saw.

    Such errors are requests that were refused for want of a stub or a recording, assertions that failed in agents and
    other functions, and stubs that no request was for.
    """
    shared = item.stash.get(_SHARED, None)
    try:
        result = yield
        if shared is not None:
            for error in (*shared.refused, *shared.unused(item.config.getini("muxi_allow_unused_stubs"))):
                raise error
    except BaseException as error:
        for text in shared.report() if shared is not None else ():
            # The error itself is in the report already.
            if text != str(error):
                item.add_report_section("call", "muxi", text)
        raise
    item.stash[_PASSED] = True
    return result


@contextmanager
def _traced(item: pytest.Item) -> Iterator[None]:
    """Have the calls of a test written to a file of its own, which is kept if the test fails."""
    folder: str | None = item.config.getoption("--muxi-trace")
    if not folder:
        yield
        return
    path = os.path.join(folder, _trace_name(item.nodeid))
    _remove(path)
    item.stash[_TRACE] = path
    os.environ["MUXI_TRACE"] = os.path.abspath(path)
    try:
        yield
    finally:
        os.environ["MUXI_TRACE"] = os.devnull
        if not item.stash.get(_FAILED, False):
            _remove(path)


def _trace_name(nodeid: str) -> str:
    """Return the name of a test's trace file: the test's own as far as a file can have it, and a part of its hash."""
    from hashlib import sha256

    plain = "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in nodeid)
    return f"{plain.strip('-')[-_LONGEST_NAME:]}-{sha256(nodeid.encode()).hexdigest()[:8]}.jsonl"


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.remove(path)


@contextmanager
def _off_the_network(item: pytest.Item) -> Iterator[None]:
    marker = item.get_closest_marker("muxi_network")
    if marker is not None and not marker.args:
        yield
        return
    from muxi.testing.network import blocked_network

    with blocked_network(frozenset(marker.args if marker else ())):
        yield


@contextmanager
def _settings_checked() -> Iterator[None]:
    """Show what is wrong with a marker without the way that leads there."""
    from muxi.errors import ConfigurationError

    try:
        yield
    except ConfigurationError as error:
        pytest.fail(error.message, pytrace=False)


@pytest.fixture
def _muxi_embedded(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    """The state that the fixtures of the embedded world share."""
    from muxi.testing.embedded import Embedded

    if "muxi_cassette" in request.fixturenames:
        pytest.fail(
            "a test has a cassette or an embedded world; with muxi_cassette take muxi_formation or muxi_server, which "
            "are then clients of the recorded one",
            pytrace=False,
        )
    options: dict[str, object] = {}
    for marker in reversed(list(request.node.iter_markers("muxi"))):
        if marker.args:
            pytest.fail("@pytest.mark.muxi takes its options by name, as in muxi(seed=7)", pytrace=False)
        options.update(marker.kwargs)
    with _settings_checked():
        embedded = Embedded(options)
    request.node.stash[_SHARED] = embedded
    with _off_the_network(request.node), embedded.in_reach():
        yield embedded


@pytest.fixture
def _muxi_taped(request: pytest.FixtureRequest) -> Iterator[Taped]:
    """The state that the fixtures of a test with a cassette share."""
    from muxi.testing.taped import Taped, cassette_path

    marker = request.node.get_closest_marker("muxi_cassette")
    file = marker.args[0] if marker and marker.args else None
    path = cassette_path(file, request.node.path, request.node.nodeid.partition("::")[2])
    with _settings_checked():
        taped = Taped(path, marker.kwargs if marker else {}, request.config.getoption("--muxi-record"))
    request.node.stash[_SHARED] = taped
    with nullcontext() if taped.records else _off_the_network(request.node), taped.in_reach():
        yield taped
    if not request.node.stash.get(_PASSED, False):
        taped.cassette.discard()


@pytest.fixture
def _muxi_clients(request: pytest.FixtureRequest) -> Clients:
    """The factory of the clients: of the embedded world, or of the recorded one."""
    shared: Embedded | Taped = request.getfixturevalue(
        "_muxi_taped" if "muxi_cassette" in request.fixturenames else "_muxi_embedded"
    )
    return shared.clients


@pytest.fixture
def muxi_formation(_muxi_clients: Clients) -> Iterator[FormationClient]:
    """A client of an embedded formation: a ``muxi.FormationClient`` without network and model."""
    with _muxi_clients.formation() as client:
        yield client


@pytest.fixture
def muxi_async_formation(_muxi_clients: Clients) -> AsyncFormationClient:
    """An async client of the same formation, for ``asyncio.run`` or an async test plugin.

    It belongs to the event loop that first uses it. Nothing has to be closed.
    """
    return _muxi_clients.async_formation()


@pytest.fixture
def muxi_server(_muxi_clients: Clients) -> Iterator[ServerClient]:
    """A client of an embedded server that holds the embedded formation: a ``muxi.ServerClient``."""
    with _muxi_clients.server() as client:
        yield client


@pytest.fixture
def muxi_async_server(_muxi_clients: Clients) -> AsyncServerClient:
    """An async client of the same server."""
    return _muxi_clients.async_server()


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
    """The transport to the embedded world: ``stub()``, ``requests``, ``assert_called()``.

    Async clients share both.
    """
    return _muxi_embedded.transport


@pytest.fixture
def muxi_faults(_muxi_embedded: Embedded) -> Faults:
    """The faults between every client of the test and the embedded world: ``muxi_faults.on(…)``."""
    return _muxi_embedded.faults


@pytest.fixture
def muxi_cassette(_muxi_taped: Taped) -> Cassette:
    """The cassette of the test: calls to a real formation, recorded the first time and played from then on.

    The file is ``cassettes/<file of the test>/<test>.yaml``; the marker ``muxi_cassette("name.yaml")`` names another.
    """
    return _muxi_taped.cassette
