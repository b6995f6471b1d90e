"""Fixtures of all tests: the recorded wire, and streams of both colours over transports that follow a script."""

from __future__ import annotations

import gc
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from muxi import ManualClock
from tests.answers import AsyncColour, Colour
from tests.hello import Diary
from tests.requirements import REQUIRE_ALL

if TYPE_CHECKING:
    from tests.scripted import Side

# The same examples each time; `pytest --hypothesis-profile=default` looks for new ones. The slow tests come with a
# "thorough" run of the generated ones: what needs more examples than the profile has says so as a multiple.
# A test does not fail because the machine is slow.
_QUIET = [HealthCheck.too_slow]
settings.register_profile("steady", derandomize=True, deadline=None, max_examples=30, suppress_health_check=_QUIET)
settings.register_profile("thorough", derandomize=True, deadline=None, max_examples=100, suppress_health_check=_QUIET)
settings.load_profile("steady")

#: The recorded wire: what the platform's runtime and server really send.
WIRE = Path(__file__).parent / "wire" / "recorded"

#: What clients read of the environment.
_VARIABLES = (
    "MUXI_ADMIN_KEY",
    "MUXI_CLIENT_KEY",
    "MUXI_DEBUG",
    "MUXI_DISABLE_PLUGINS",
    "MUXI_FORMATION_ID",
    "MUXI_FORMATION_URL",
    "MUXI_KEY_ID",
    "MUXI_SDK_VERSION_NOTIFICATION",
    "MUXI_SECRET_KEY",
    "MUXI_SERVER_URL",
    "MUXI_TRACE",
    "MUXI_TRACE_BODIES",
    "MUXI_TRACE_PLUGINS",
    "MUXI_TRANSPORT",
)


#: Bytes that make a name of a test.
_LONGEST_ID = 60


class Capture(NamedTuple):
    """One exchange as it was recorded."""

    name: str
    status: int
    headers: dict[str, str]
    body: bytes
    #: The pieces in which the body arrived.
    pieces: list[bytes]
    #: Whether the recording was stopped before the end.
    stopped: bool


def pytest_configure(config: pytest.Config) -> None:
    """Undo an ignored Ctrl-C: a shell starts background jobs with it, and programs under test inherit it."""
    if sys.version_info < (3, 11):
        # There asyncio warns of each TLS connection that the other end has closed, whatever is done about it.
        unclosed = r"ignore:Exception ignored in. <function _SSLProtocolTransport.__del__:"
        config.addinivalue_line("filterwarnings", f"{unclosed}pytest.PytestUnraisableExceptionWarning")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a test by content only where that is short: archives have the time of their making in them.

    Processes that run tests side by side must have the same names for them.
    """
    return "bytes" if isinstance(val, bytes) and len(val) > _LONGEST_ID else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything must run (``MUXI_REQUIRE_ALL=1``), a test that is skipped has failed."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        # A rule that a transport declares not to keep is not missing: its suite and its page give the reason.
        declared: Mapping[str, str] = getattr(getattr(item, "cls", None), "skips", {})
        if any(f"{rule}: {why}" in str(reason) for rule, why in declared.items()):
            return report
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: MUXI_REQUIRE_ALL=1 allows no skipped test. {reason}"
    return report


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> None:
    """Keep what is loaded out of garbage collections: to search it after each test takes longer than the tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def quiet_logger() -> Iterator[None]:
    """``debug=True`` turns the program's ``muxi`` logger up; each test finds it as it is by default."""
    logger = logging.getLogger("muxi")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the environment of whoever runs the tests."""
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Clients of each colour in turn."""
    colour = Colour() if request.param == "sync" else AsyncColour()
    yield colour
    colour.end()


@pytest.fixture
def diary() -> Diary:
    """A plugin that records how its hooks are called."""
    return Diary()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that only the test moves."""
    return ManualClock()


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has imported OpenTelemetry is traced; other tests in this process have, and each is to be as if alone."""
    monkeypatch.setenv("MUXI_TRACING", "0")


@pytest.fixture(scope="session")
def wire() -> Path:
    """The folder of the recorded wire."""
    return WIRE


@pytest.fixture(scope="session")
def capture(wire: Path) -> Callable[[str], Capture]:
    """Load a recorded exchange with a formation: ``capture("chat_stream_cr")``."""
    return lambda name: load_capture(wire / "captures" / "formation" / f"{name}.json")


@pytest.fixture(scope="session")
def streams(wire: Path) -> list[Capture]:
    """Every recorded answer whose content type is ``text/event-stream``."""
    folder = wire / "captures" / "formation"
    captures = [
        load_capture(path) for path in sorted(folder.glob("*.json")) if b"text/event-stream" in path.read_bytes()
    ]
    return [it for it in captures if it.headers.get("content-type", "").startswith("text/event-stream")]


def load_capture(path: Path) -> Capture:
    response: dict[str, Any] = json.loads(path.read_text("utf-8")).get("response") or {}
    return Capture(
        path.stem,
        response.get("status", 0),
        {name.lower(): value for name, value in response.get("headers") or ()},
        (response.get("body") or "").encode(),
        [piece.encode() for _, piece in response.get("chunks") or ()],
        "error" in response,
    )


@pytest.fixture(params=["sync", "async"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Streams of each colour in turn."""
    from tests.scripted import AsyncSide, SyncSide  # here, because it loads the SDK

    if request.param == "sync":
        yield SyncSide()
        return
    side = AsyncSide()
    yield side
    side.end()
