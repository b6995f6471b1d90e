"""Incidents: errors in functions that the author of a test gave a formation, and turns that no function answered.

The formation answers them as the real one answers its own errors, so that the client sees a code and a short message.
The cause is kept here, for the report of the test, and logged.
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from dataclasses import dataclass, field

__all__ = ["Incident", "Incidents"]

logger: logging.Logger = logging.getLogger("muxi.memory")

#: The number of incidents kept, so that the memory of a long program does not fill.
_KEPT = 100


@dataclass(frozen=True)
class Incident:
    """One error.

    Args:
        place: the function, such as ``the agent 'assistant'``.
        message: the error in one sentence.
        traceback: where it was raised; empty for what was not raised.
        assertion: the error itself, if it is a failed assertion.
    """

    place: str
    message: str
    traceback: str = ""
    assertion: AssertionError | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}"
        return f"{text}\n{self.traceback.rstrip()}" if self.traceback else text


class Incidents:
    """The incidents of a formation, the earliest first; the last 100 are kept."""

    def __init__(self) -> None:
        self._kept: deque[Incident] = deque(maxlen=_KEPT)

    @property
    def all(self) -> tuple[Incident, ...]:
        """All incidents."""
        return tuple(self._kept)

    @property
    def assertions(self) -> tuple[AssertionError, ...]:
        """The failed assertions among them."""
        return tuple(incident.assertion for incident in self._kept if incident.assertion is not None)

    def record(self, place: str, error: Exception) -> None:
        """Keep an error, and log it with its traceback.

        Args:
            place: the function that raised it.
            error: the error.
        """
        text = "".join(traceback.format_exception(error))
        assertion = error if isinstance(error, AssertionError) else None
        self._kept.append(Incident(place, f"{type(error).__name__}: {error}", text, assertion))
        logger.warning("%s failed", place, exc_info=error)

    def note(self, place: str, message: str) -> None:
        """Keep an error that was not raised, and log it."""
        self._kept.append(Incident(place, message))
        logger.warning("%s: %s", place, message)

    def assert_none_failed(self) -> None:
        """Raise the first failed assertion, if there is one.

        Raises:
            AssertionError: an assertion failed in a function that the formation called.
        """
        for assertion in self.assertions:
            raise assertion

    def forget(self) -> None:
        """Forget all incidents."""
        self._kept.clear()
