"""The plugin for pytest: clients of an embedded formation and server, stubs, faults, cassettes, and no network.

It is loaded in every run of everybody who has the SDK. So it imports nothing of the SDK but its own verdict until a
fixture is used, and needs no plugin for async tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

from muxi.testing.verdict import TestVerdict

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

_VERDICT = pytest.StashKey["TestVerdict"]()
#: The trace file of a test, which is kept if the test has failed.
_TRACE = pytest.StashKey[str]()
_ENVIRONMENT = pytest.StashKey["dict[str, str | None]"]()

#: The cassettes of a run that were named by their tests, with these.
_CASSETTES = pytest.StashKey["dict[str, str]"]()

_EITHER = (
    "a test has a cassette or an embedded world; with muxi_cassette take muxi_formation or muxi_server, which are then "
    "clients of the recorded one"
)
_IDLE = "@pytest.mark.{} is on a test that uses no fixture for it, and does nothing; take the fixture {}"

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
    off = _off_the_network(item) if item.config.getini("muxi_block_network") else nullcontext()
    with TestVerdict.kept_apart(), _traced(item), off:
        result = yield
    # A run has its tests until its end; their worlds need not stay.
    if _VERDICT in item.stash:
        del item.stash[_VERDICT]
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say in the report of a failure what the worlds of the test saw, and name its trace file."""
    report = yield
    # Plugins report on tests that they did not begin.
    verdict = item.stash.setdefault(_VERDICT, TestVerdict())
    if report.failed:
        verdict.failed = True
        shown = call.excinfo.value if call.excinfo is not None else None
        report.sections += [(f"Captured muxi {report.when}", text) for text in verdict.sections(shown)]
        path = item.stash.get(_TRACE, None)
        if path is not None and os.path.exists(path):
            report.sections.append(("muxi trace", f"muxi-client trace show {path}"))
    # A test that is expected to fail has failed as it was expected to; to skip one excuses nothing.
    if report.failed or (hasattr(report, "wasxfail") and not verdict.running):
        verdict.tell_all()
    if report.when == "call" and not verdict.running:
        verdict.passed = report.passed and not verdict.failed
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Begin a test, or one more try of it."""
    verdict = item.stash[_VERDICT] = TestVerdict.begin()
    with verdict.telling():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose code went on after an error that only a world saw.

    Such errors are requests that were refused for want of a stub or a recording, assertions that failed in agents and
    other functions, and stubs that no request was for.
    """
    verdict = item.stash[_VERDICT]
    before = verdict.embedded.stubs if verdict.embedded is not None else ()
    with verdict.telling():
        verdict.running = True
        try:
            result = yield
        finally:
            verdict.running = False
        for error in (*verdict.errors(), *verdict.unused(_allows_unused(item), before=before)):
            raise error
    for name, fixture in (("muxi_cassette", "muxi_cassette"), ("muxi", "muxi_formation or another one")):
        # One on a class or a module is for those tests that it can be for.
        if name != verdict.marker and any(marker.name == name for marker in item.own_markers):
            item.warn(pytest.PytestWarning(_IDLE.format(name, fixture)))
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Do so for what fixtures did after the test."""
    result = yield
    verdict = item.stash[_VERDICT]
    for error in (*verdict.errors(), *(verdict.unused(_allows_unused(item)) if verdict.passed else ())):
        raise error
    return result


def _allows_unused(item: pytest.Item) -> bool:
    return bool(item.config.getini("muxi_allow_unused_stubs"))


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
        if _VERDICT not in item.stash or not item.stash[_VERDICT].failed:
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
        raise pytest.fail.Exception(error.message, pytrace=False) from None


def _merge_markers(item: pytest.Item, name: str) -> tuple[tuple[object, ...], dict[str, object]]:
    """Return the arguments of a marker: those on the test go before those on its class and its module."""
    args: tuple[object, ...] = ()
    options: dict[str, object] = {}
    for marker in reversed(list(item.iter_markers(name))):
        args = marker.args or args
        options.update(marker.kwargs)
    return args, options


@pytest.fixture
def _muxi_embedded(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    """The state that the fixtures of the embedded world share."""
    from muxi.testing.embedded import Embedded

    verdict = request.node.stash[_VERDICT]
    if "muxi_cassette" in request.fixturenames or verdict.marker is not None:
        pytest.fail(_EITHER, pytrace=False)
    args, options = _merge_markers(request.node, "muxi")
    if args:
        pytest.fail("@pytest.mark.muxi takes its options by name, as in muxi(seed=7)", pytrace=False)
    with _settings_checked():
        embedded = Embedded(options)
    verdict.embedded = embedded
    with _off_the_network(request.node), embedded.in_reach():
        yield embedded


@pytest.fixture
def _muxi_taped(request: pytest.FixtureRequest) -> Iterator[Taped]:
    """The state that the fixtures of a test with a cassette share."""
    from muxi.testing.taped import Taped, cassette_path

    verdict = request.node.stash[_VERDICT]
    if verdict.marker is not None:
        pytest.fail(_EITHER, pytrace=False)
    args, options = _merge_markers(request.node, "muxi_cassette")
    named = options.pop("file", None)
    if len(args) > 1:
        pytest.fail("@pytest.mark.muxi_cassette takes a file, and its options by name: mode='none'", pytrace=False)
    file = args[0] if args else named
    if not isinstance(file, str | os.PathLike | None):
        pytest.fail(f"@pytest.mark.muxi_cassette takes the path of a file, got {type(file).__name__}", pytrace=False)
    path = cassette_path(file, request.node.path, request.node.nodeid.partition("::")[2])
    owner = request.config.stash.setdefault(_CASSETTES, {}).setdefault(str(path), request.node.nodeid)
    if file is None and owner != request.node.nodeid:
        pytest.fail(
            f"{path} is the cassette of {owner} already, whose name differs in characters that no file has; name one "
            'for this test: @pytest.mark.muxi_cassette("other.yaml")',
            pytrace=False,
        )
    with _settings_checked():
        taped = Taped(path, options, request.config.getoption("--muxi-record"))
    verdict.taped = taped
    with nullcontext() if taped.records else _off_the_network(request.node), taped.in_reach():
        yield taped
    if not verdict.passed:
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
