"""Fixtures of the live suite: the running lab, and a client of each colour for each kind of formation."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack

import pytest

from tests.live.lab.lab import Lab
from tests.live.lab.processes import LabError
from tests.live.probing import COLOURS, EMBEDDED, PASSED, Live, check_named, probe_of
from tests.live.verdicts import Verdicts

_VERDICTS = pytest.StashKey[Verdicts]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_VERDICTS] = Verdicts(afresh=config.getoption("--afresh"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a probe for each kind of formation and each colour."""
    found = probe_of(metafunc.function)
    if found is not None and "live" in metafunc.fixturenames:
        pairs = [(kind, colour) for kind in found.on for colour in COLOURS]
        metafunc.parametrize("live", pairs, indirect=True, ids=[f"{kind}-{colour}" for kind, colour in pairs])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that cut connections last: what they leave behind at the runtime is in nobody's way then."""
    items.sort(key=lambda item: item.path.stem == "test_cuts")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab, for the whole run."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(Lab())
        except LabError as error:
            pytest.exit(f"make live: {error}", returncode=3)
        yield running


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> dict[str, int]:
    """Numbers that go below the table."""
    return pytestconfig.stash[_VERDICTS].figures


@pytest.fixture
def live(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Live]:
    """A client of a real formation. At the end it must have been asked for all that the probe names."""
    kind, colour = request.param
    name = re.sub(r"\W+", "-", request.node.originalname.removeprefix("test_"))
    live = Live(lab, kind, colour, name)
    yield live
    live.close()
    check_named(request, live.called)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the verdict of each probe."""
    report = yield
    found = probe_of(getattr(item, "function", None))
    if report.when == "call":
        item.stash[PASSED] = report.passed
    if found is not None and (report.failed or report.when == "call"):
        parameters = item.callspec.params  # type: ignore[attr-defined]  # probes are functions, and have parameters
        kind, colour = parameters["live"] if "live" in parameters else (EMBEDDED, parameters["managed"])
        item.config.stash[_VERDICTS].add(item.nodeid, found, kind, colour, passed=report.passed)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table, of this run and of earlier ones."""
    if not session.config.option.collectonly:
        session.config.stash[_VERDICTS].write()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--afresh", action="store_true", help="forget the outcomes of earlier runs")
