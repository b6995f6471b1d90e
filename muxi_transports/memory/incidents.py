"""Incidents: errors in functions that the author of a test gave a world, and turns that no function answered.

The formation answers them as the real one answers its own errors, so that the client sees a code and a short message.
The cause is kept here, for the report of the test, and logged.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from muxi.errors import MuxiError

__all__ = ["Backlog", "Incident", "Incidents", "failure_in", "seen_incidents"]

logger: logging.Logger = logging.getLogger("muxi.memory")

#: The number of incidents kept of a world, and of all worlds together.
_KEPT, _KEPT_OF_ALL = 100, 1000

#: Where the errors are defined that end a test: pytest.fail(), skip(), xfail() and exit(), and TestCase.skipTest().
_OF_TESTS = frozenset({"_pytest.outcomes", "unittest.case"})


@dataclass(frozen=True, eq=False)
class Incident:
    """One error.

    Args:
        place: the function, such as ``the agent 'assistant'``.
        message: the error in one sentence.
        traceback: where it was raised; empty for what was not raised.
        assertion: the error itself, if it is to fail a test: a failed assertion, a group with one, ``pytest.fail()``.
    """

    place: str
    message: str
    traceback: str = ""
    assertion: BaseException | None = field(default=None, repr=False)

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n{self.traceback.rstrip()}" if self.traceback else text


class Backlog:
    """Incidents in a bounded number, so that the memory of a long program does not fill.

    The last ones are kept, and the first ones that fail a test: no flood of other errors washes them away. Each step on
    its lists is atomic: worlds call it from threads, and from generators that the collector closes.

    Args:
        most: the number kept of both.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._last: deque[Incident] = deque(maxlen=most)
        self._failing: list[Incident] = []

    def add(self, incident: Incident) -> None:
        """Keep an incident."""
        self._last.append(incident)
        if incident.assertion is not None and len(self._failing) < self._most:
            self._failing.append(incident)

    @property
    def all(self) -> tuple[Incident, ...]:
        """All incidents, the earliest first."""
        last = tuple(self._last)
        known = frozenset(last)
        return (*(one for one in self.failing if one not in known), *last)

    @property
    def failing(self) -> tuple[Incident, ...]:
        """Those that fail a test."""
        return tuple(self._failing)

    def has(self, assertion: BaseException | None) -> bool:
        """Return whether there is an incident with this assertion; an error may come through several functions."""
        return assertion is not None and any(one.assertion is assertion for one in self.failing)

    def drop(self, incidents: Iterable[Incident]) -> None:
        """Forget incidents."""
        for incident in incidents:
            for kept in (self._last, self._failing):
                with suppress(ValueError):
                    kept.remove(incident)


#: What happened in all worlds during tests of pytest, for its plugin: worlds that a test made itself are among them.
_seen = Backlog(_KEPT_OF_ALL)


class Incidents:
    """The incidents of a world, the earliest first; the last 100 are kept, and the first 100 failed assertions."""

    def __init__(self) -> None:
        self._kept = Backlog(_KEPT)

    @property
    def all(self) -> tuple[Incident, ...]:
        """All incidents."""
        return self._kept.all

    @property
    def assertions(self) -> tuple[BaseException, ...]:
        """The failed assertions among them, and outcomes such as that of ``pytest.fail()``."""
        return tuple(incident.assertion for incident in self._kept.failing if incident.assertion is not None)

    def record(self, place: str, error: BaseException, *, fails: bool = False) -> None:
        """Keep an error, and log it with its traceback.

        Args:
            place: the function that raised it.
            error: the error. The end of a program, a task or a generator is none, and neither is anything else that
                no ``except Exception`` catches and that ends no test.
            fails: whether it is to fail a test although it is no assertion.
        """
        assertion = error if fails else failure_in(error)
        if (assertion is None and not isinstance(error, Exception)) or self._kept.has(assertion):
            return
        text = "".join(traceback.format_exception(error))
        self._keep(Incident(place, f"{type(error).__name__}: {error}", text, assertion))
        logger.warning("%s failed", place, exc_info=error)

    @contextmanager
    def watch(self, place: str) -> Iterator[None]:
        """Record what is raised, and let it through.

        Args:
            place: the function that is called.
        """
        try:
            yield
        except BaseException as error:
            self.record(place, error)
            raise

    def note(self, place: str, message: str) -> None:
        """Keep an error that was not raised, and log it."""
        self._keep(Incident(place, message))
        logger.warning("%s: %s", place, message)

    def assert_none_failed(self) -> None:
        """Raise the first failed assertion, if there is one.

        Raises:
            AssertionError: an assertion failed in a function that the world called.
        """
        for assertion in self.assertions:
            raise assertion

    def forget(self) -> None:
        """Forget all incidents."""
        own = self.all
        self._kept.drop(own)
        _seen.drop(own)

    def refuse(self, error: AssertionError) -> None:
        """Keep an error that the world raises of its own, and that says all there is to say.

        Args:
            error: what is about to be raised.
        """
        self._keep(Incident("", str(error), assertion=error))

    def _keep(self, incident: Incident) -> None:
        """Keep an incident, and have the pytest plugin see it if a test runs."""
        self._kept.add(incident)
        if "PYTEST_CURRENT_TEST" in os.environ and not _seen.has(incident.assertion):
            _seen.add(incident)


def seen_incidents() -> Backlog:
    """Return what the pytest plugin looks at, and empties for each test."""
    return _seen


def failure_in(error: BaseException) -> BaseException | None:
    """Return what of an error fails a test whatever the code under test handles; None where nothing does.

    That is a failed assertion, or what ends a test from within (``pytest.fail()``, ``pytest.skip()``); a group with
    such an error, or the cause of an error of the SDK.
    """
    return _failure_in(error, set())


def _failure_in(error: BaseException | None, passed: set[int]) -> BaseException | None:
    """Do so, beside errors that have been passed already: causes may go in a circle."""
    if error is None or id(error) in passed:
        return None
    passed.add(id(error))
    if isinstance(error, MuxiError):
        return _failure_in(error.__cause__, passed)
    # Groups are known by what they hold: Python 3.10 has none of its own.
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, tuple):
        return error if any(_failure_in(one, passed) for one in inner if isinstance(one, BaseException)) else None
    ends = any(kind.__module__ in _OF_TESTS for kind in type(error).__mro__)
    return error if ends or isinstance(error, AssertionError) else None
