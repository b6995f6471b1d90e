"""The verdict on one test: the errors that only its worlds saw, and what its report says of them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muxi.testing.embedded import Embedded
    from muxi.testing.taped import Taped
    from muxi_transports.memory import Incident, Stub
    from muxi_transports.memory.incidents import Backlog

__all__ = ["TestVerdict"]

#: The number of sections in a report; what is left out is in the log.
_LONGEST = 20


class TestVerdict:
    """The errors of one test that the code under test may have handled, each told once.

    They come from the worlds of the fixtures and from those that the test made itself, and from the cassette.
    """

    def __init__(self) -> None:
        #: The world of the fixtures; None until one of them is used.
        self.embedded: Embedded | None = None
        #: The cassette of the fixtures, likewise.
        self.taped: Taped | None = None
        #: True while the test itself runs; reports that come meanwhile are those of its parts.
        self.running: bool = False
        #: True once the test itself has passed and nothing has failed.
        self.passed: bool = False
        #: True once anything has failed, also in a part of the test.
        self.failed: bool = False
        #: By identity: errors of a test's own may have no hash.
        self._told: dict[int, object] = {}

    @classmethod
    def begin(cls) -> TestVerdict:
        """Return the verdict on a test that begins: what was seen before is no business of it."""
        _see_anew(())
        return cls()

    @staticmethod
    @contextmanager
    def kept_apart() -> Iterator[None]:
        """Keep what is seen inside from what was seen before: runs of pytest may be part of a test."""
        before = _seen()
        try:
            yield
        finally:
            _see_anew(before)

    @property
    def marker(self) -> str | None:
        """The name of the marker that the fixtures go by; None until one of them is used."""
        if self.embedded is not None:
            return "muxi"
        return "muxi_cassette" if self.taped is not None else None

    def errors(self) -> list[BaseException]:
        """Return the errors that fail the test and that no report has told of yet."""
        seen = (one.assertion for one in _seen() if one.assertion is not None)
        return [error for error in (*self._refused, *seen) if id(error) not in self._told]

    def unused(self, allowed: bool, *, before: Sequence[Stub] = ()) -> Sequence[Exception]:
        """Return the errors of stubs that no request was for.

        Args:
            allowed: whether the settings allow them.
            before: stubs that a fixture made; its teardown may use them still.
        """
        if self.embedded is None or allowed:
            return ()
        return self.embedded.unused(before)

    def sections(self, shown: BaseException | None) -> list[str]:
        """Return what the report of a failure says beside the failure.

        Args:
            shown: the error that is in the report already.
        """
        found: tuple[object, ...] = (*self._refused, *_seen())
        texts = Counter(str(one) for one in found if id(one) not in self._told)
        texts.pop(str(shown), None)
        said = [text if count == 1 else f"{count} times: {text}" for text, count in texts.items()]
        left = len(said) - _LONGEST
        return said if left <= 0 else [*said[:_LONGEST], f"… and {left} more, which are in the log"]

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Take note of what is raised inside: it goes into a report."""
        try:
            yield
        except BaseException as error:
            self._tell(error)
            raise

    def tell_all(self) -> None:
        """Take note that all errors so far are in a report."""
        seen = _seen()
        self._tell(*self._refused, *seen, *(one.assertion for one in seen))

    def _tell(self, *told: object) -> None:
        self._told.update((id(one), one) for one in told)

    @property
    def _refused(self) -> Sequence[Exception]:
        return () if self.taped is None else self.taped.refused


def _seen() -> tuple[Incident, ...]:
    """Return the incidents of all worlds of this process."""
    backlog = _backlog()
    return () if backlog is None else backlog.all


def _see_anew(incidents: Sequence[Incident]) -> None:
    """Forget what was seen, but for these."""
    backlog = _backlog()
    if backlog is not None:
        backlog.drop(backlog.all)
        for incident in incidents:
            backlog.add(incident)


def _backlog() -> Backlog | None:
    """Return where the worlds of this process tell what happens; where there are none, nothing of them is loaded."""
    module = sys.modules.get("muxi_transports.memory.incidents")
    found: Backlog | None = None if module is None else module.seen_incidents()
    return found
