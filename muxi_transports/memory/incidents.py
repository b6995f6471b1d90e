"""Incidents: errors in functions that the author of a test gave a world, and turns that no function answered.

The formation answers them as the real one answers its own errors, so that the client sees a code and a short message.
The cause is kept here, for the report of the test, and logged.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from muxi.errors import MuxiError

__all__ = ["Incident", "Incidents", "failure_in", "seen_incidents"]

logger: logging.Logger = logging.getLogger("muxi.memory")

#: The number of incidents kept, so that the memory of a long program does not fill. As many failed assertions are kept
#: beside them, the earliest ones: no flood of other errors washes them away.
_KEPT = 100

#: Where the errors are defined that end a test: pytest.fail(), skip(), xfail() and exit(), and TestCase.skipTest().
_OF_TESTS = frozenset({"_pytest.outcomes", "unittest.case"})


@dataclass(frozen=True)
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
    assertion: BaseException | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n{self.traceback.rstrip()}" if self.traceback else text


#: What happened in all worlds during tests of pytest, for its plugin: worlds that a test made itself are among them.
_seen: deque[Incident] = deque(maxlen=10 * _KEPT)


class Incidents:
    """The incidents of a world, the earliest first; the last 100 are kept, and the first 100 failed assertions."""

    def __init__(self) -> None:
        self._kept: deque[Incident] = deque(maxlen=_KEPT)
        self._failed: list[Incident] = []

    @property
    def all(self) -> tuple[Incident, ...]:
        """All incidents."""
        kept = tuple(self._kept)
        return (*(one for one in self._failed if not _holds(kept, one)), *kept)

    @property
    def assertions(self) -> tuple[BaseException, ...]:
        """The failed assertions among them, and outcomes such as that of ``pytest.fail()``."""
        return tuple(incident.assertion for incident in self._failed if incident.assertion is not None)

    def record(self, place: str, error: BaseException, *, fails: bool = False) -> None:
        """Keep an error, and log it with its traceback.

        Args:
            place: the function that raised it.
            error: the error. The end of a program, a task or a generator is none, and neither is anything else that
                no ``except Exception`` catches and that ends no test.
            fails: whether it is to fail a test although it is no assertion.
        """
        assertion = error if fails else failure_in(error)
        again = any(one.assertion is assertion for one in self._failed)  # it has come through another function
        if (assertion is None and not isinstance(error, Exception)) or again:
            return
        text = "".join(traceback.format_exception(error))
        self.keep(Incident(place, f"{type(error).__name__}: {error}", text, assertion))
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
        self.keep(Incident(place, message))
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
        self._kept.clear()
        self._failed.clear()
        left = [one for one in tuple(_seen) if not _holds(own, one)]
        _seen.clear()
        _seen.extend(left)

    def keep(self, incident: Incident) -> None:
        """Keep an incident, and have the pytest plugin see it if a test runs."""
        self._kept.append(incident)
        if incident.assertion is not None and len(self._failed) < _KEPT:
            self._failed.append(incident)
        known = incident.assertion is not None and any(one.assertion is incident.assertion for one in tuple(_seen))
        if "PYTEST_CURRENT_TEST" in os.environ and not known:
            _seen.append(incident)


def seen_incidents() -> deque[Incident]:
    """Return what was announced and not taken yet; the plugin takes it."""
    return _seen


def failure_in(error: BaseException) -> BaseException | None:
    """Return what of an error fails a test whatever the code under test handles; None where nothing does.

    That is a failed assertion, or what ends a test from within (``pytest.fail()``, ``pytest.skip()``); a group with
    such an error, or the cause of an error of the SDK.
    """
    if isinstance(error, MuxiError):
        return None if error.__cause__ is None else failure_in(error.__cause__)
    # Groups are known by what they hold: Python 3.10 has none of its own.
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, tuple):
        return error if any(failure_in(one) for one in inner if isinstance(one, BaseException)) else None
    ends = any(kind.__module__ in _OF_TESTS for kind in type(error).__mro__)
    return error if ends or isinstance(error, AssertionError) else None


def _holds(incidents: tuple[Incident, ...], incident: Incident) -> bool:
    return any(one is incident for one in incidents)
