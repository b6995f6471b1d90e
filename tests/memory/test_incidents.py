"""The errors of functions that a test gave a world: which of them fail a test, and how many are kept."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import logging
import sys
import unittest
from typing import Any

import pytest

from muxi.errors import ConnectionError
from muxi_transports.memory import EmbeddedFormation
from muxi_transports.memory.incidents import Incidents, failure_in, seen_incidents

# Python 3.10 has it from a distribution that pytest brings.
Group: Any = vars(builtins if sys.version_info >= (3, 11) else importlib.import_module("exceptiongroup"))[
    "BaseExceptionGroup"
]


class Unknown(BaseException):
    """What some library steers its own course by."""


def caused() -> ConnectionError:
    error = ConnectionError("CONNECTION_LOST", "the application failed")
    error.__cause__ = AssertionError("no")
    return error


@pytest.mark.parametrize(
    "error",
    [
        AssertionError("no"),
        pytest.fail.Exception("no"),
        pytest.skip.Exception("not here"),
        pytest.xfail.Exception("not yet"),
        pytest.exit.Exception("enough"),
        unittest.SkipTest("not here"),
        Group("many", [ValueError("one"), Group("more", [AssertionError("no")])]),
        caused(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_ends_a_test_is_kept_for_its_end(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    incidents = Incidents()
    with pytest.raises(type(error)), incidents.watch("a function"):
        raise error
    incidents.record("another function, which it came through", error)
    assert incidents.assertions == (error.__cause__ if isinstance(error, ConnectionError) else error,)
    assert len(incidents.all) == 1
    assert "a function failed" in caplog.text
    incidents.forget()
    assert not incidents.all


@pytest.mark.parametrize(
    "error", [KeyError("x"), OSError(), ConnectionError("X", "x"), KeyboardInterrupt(), SystemExit(), Unknown()]
)
def test_other_errors_fail_no_test(error: BaseException) -> None:
    assert failure_in(error) is None


@pytest.mark.parametrize("error", [GeneratorExit(), asyncio.CancelledError(), SystemExit(), Unknown()])
def test_what_is_no_error_is_no_incident(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    incidents = Incidents()
    with pytest.raises(type(error)), incidents.watch("a function"):
        raise error
    assert not incidents.all
    assert not caplog.records


def test_a_flood_of_errors_washes_no_assertion_away() -> None:
    logging.getLogger("muxi.memory").disabled = True
    try:
        world = EmbeddedFormation()
        world.incidents.record("the first", AssertionError("first"))
        for number in range(3000):
            world.incidents.note("the others", str(number))
    finally:
        logging.getLogger("muxi.memory").disabled = False
    assert [str(error) for error in world.incidents.assertions] == ["first"]
    assert len(world.incidents.all) == 101
    # Nor in what all worlds of a test have seen together.
    assert [str(one.assertion) for one in seen_incidents().failing] == ["first"]
    assert len(seen_incidents().all) == 1001
    with pytest.raises(AssertionError, match="first"):
        world.incidents.assert_none_failed()
    world.incidents.forget()
    assert not seen_incidents().failing


def test_causes_may_go_in_a_circle() -> None:
    first, second = ConnectionError("X", "first"), ConnectionError("X", "second")
    first.__cause__, second.__cause__ = second, first
    assert failure_in(first) is None
    second.__cause__ = AssertionError("no")
    assert failure_in(first) is second.__cause__
