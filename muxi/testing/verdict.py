"""The verdict on one test: the errors that only its worlds saw, and what its report says of them."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muxi.testing.embedded import Embedded
    from muxi.testing.taped import Taped
    from muxi_transports.memory import Incident, Stub

__all__ = ["TestVerdict"]

#: The number of sections in a report; what is left out is in the log.
_LONGEST = 20


class TestVerdict:
    """The errors of one test that the code under test may have handled, each told once.

    They come from the worlds of the fixtures and from those that the test made itself, and from the cassette.
    """

    def __init__(self) -> None:
        #: The state of the fixtures; None until one is used.
        self.shared: Embedded | Taped | None = None
        #: True while the test itself runs; reports that come meanwhile are those of its parts.
        self.running: bool = False
        #: True once the test itself has passed and nothing has failed.
        self.passed: bool = False
        #: True once anything has failed, also in a part of the test.
        self.failed: bool = False
        self._told: list[object] = []

    @classmethod
    def begin(cls) -> TestVerdict:
        """Return the verdict on a test that begins: what was seen before is no business of it."""
        _seen().clear()
        return cls()

    @staticmethod
    @contextmanager
    def kept_apart() -> Iterator[None]:
        """Keep what is seen inside from what was seen before: runs of pytest may be part of a test."""
        before = tuple(_seen())
        try:
            yield
        finally:
            _seen().clear()
            _seen().extend(before)

    def errors(self) -> Iterator[BaseException]:
        """Yield the errors that fail the test and that no report has told of yet."""
        refused = () if self.shared is None else self.shared.refused
        found = [*refused, *(one.assertion for one in tuple(_seen()) if one.assertion is not None)]
        yield from (error for error in found if not self._is_told(error))

    def unused(self, allowed: bool, *, before: Sequence[Stub] = ()) -> Sequence[Exception]:
        """Return the errors of stubs that no request was for.

        Args:
            allowed: whether the settings allow them.
            before: stubs that a fixture made; its teardown may use them still.
        """
        if self.shared is None:
            return ()
        return self.shared.unused(allowed, [stub for stub in self.shared.stubs if stub not in before])

    def sections(self, shown: BaseException | None) -> list[str]:
        """Return what the report of a failure says beside the failure.

        Args:
            shown: the error that is in the report already.
        """
        refused = () if self.shared is None else self.shared.refused
        found: list[object] = [*refused, *(one for one in tuple(_seen()))]
        texts = Counter(str(one) for one in found if not self._is_told(one))
        texts.pop(str(shown), None)
        said = [text if count == 1 else f"{count} times: {text}" for text, count in texts.items()]
        left = len(said) - _LONGEST
        return said if left <= 0 else [*said[:_LONGEST], f"… and {left} more, which are in the log"]

    def tell(self) -> None:
        """Take note that all errors so far are in a report."""
        refused = () if self.shared is None else self.shared.refused
        seen = tuple(_seen())
        self._told = [*refused, *seen, *(one.assertion for one in seen if one.assertion is not None)]

    def _is_told(self, one: object) -> bool:
        return any(other is one for other in self._told)


def _seen() -> deque[Incident]:
    """Return the incidents of all worlds of this process; where there is none, nothing of them is loaded."""
    module = sys.modules.get("muxi_transports.memory.incidents")
    found: deque[Incident] = deque() if module is None else module.seen_incidents()
    return found
