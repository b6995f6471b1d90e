"""One stub: an expectation and an answer."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from muxi.clock import Clock
from muxi.errors import ConfigurationError
from muxi.forks import renew_after_fork
from muxi.redact import redact_data, redact_text, show_value
from muxi.transport import BufferedResponse
from muxi_transports.memory.stubs.answers import NOTHING, Canned, buffered_answer
from muxi_transports.memory.stubs.failures import StubMistake, check_error, make_exception
from muxi_transports.memory.stubs.matching import PathPattern, differences
from muxi_transports.memory.stubs.sent import SentRequest
from muxi_transports.memory.world import Answer

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Expectation", "Respond", "Stub", "count_text"]

#: Makes an answer: a mapping or a list for JSON data, a text, bytes, or a whole
#: :class:`~muxi.transport.BufferedResponse`. It may raise; None leaves the request to the next stub.
Respond: TypeAlias = Callable[
    [SentRequest], Mapping[str, object] | list[object] | str | bytes | BufferedResponse | None
]


class Expectation:
    """The requests that a stub or an assertion is about.

    Args:
        method: ``GET``, …; ``*`` is any.
        path: a pattern (:class:`PathPattern`).
        query: what the query has at least.
        json: what the JSON of the body has at least.
        user: the user of the header.
        when: a function that says yes.
    """

    def __init__(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        json: object = NOTHING,
        user: str | None = None,
        when: Callable[[SentRequest], bool] | None = None,
    ) -> None:
        self.method: str = method.upper()
        self.path: PathPattern = PathPattern(path)
        #: As the wire has it: every value is a text.
        self.query: dict[str, object] = {name: _as_sent(value) for name, value in (query or {}).items()}
        self.json = json
        self.user = user
        self.when = when

    def fits(self, request: SentRequest) -> bool:
        """True if the request matches; the values of the path's names are then in its ``params``."""
        return next(self.misfits(request), None) is None

    def misfits(self, request: SentRequest) -> Iterator[str]:
        """Describe why a request does not match."""
        if self.method not in ("*", request.method):
            yield f"the method is {request.method}, not {self.method}"
        params = self.path.match(request.segments)
        if params is None:
            yield f"the path is {request.path!r}, not {self.path.text!r}"
        else:
            request.params = params
        if self.user is not None and request.user != self.user:
            yield f"the user is {request.user!r}, not {self.user!r}"
        if self.query:
            yield from differences(self.query, request.query, "query")
        if self.json is not NOTHING:
            for difference in differences(self.json, request.json, "json"):
                yield "json differs, and is secret" if request.confidential else difference
        if self.when is not None and params is not None and not self.when(request):
            yield f"{getattr(self.when, '__name__', 'when')}() says no"

    def __str__(self) -> str:
        parts = [f"{self.method} {self.path.text}"]
        for name, value in (("query", self.query or None), ("user", self.user)):
            if value is not None:
                parts.append(f"{name}={value!r}")
        if self.json is not NOTHING:
            parts.append(f"json={redact_data(self.json)!r}")
        if self.when is not None:
            parts.append(f"when={getattr(self.when, '__name__', '…')}")
        return redact_text(" ".join(parts))


class Stub:
    """An answer in place of the world's, made by ``transport.stub(…)``.

    It knows its calls, can be removed, and is gone after a ``with`` block of its own.
    """

    def __init__(
        self,
        expectation: Expectation,
        *,
        canned: Canned,
        respond: Respond | None,
        error: Exception | type[Exception] | None,
        delay: float,
        times: int | None,
        remove: Callable[[Stub], None],
        end: Callable[[Stub], None],
    ) -> None:
        if delay < 0 or (times is not None and times < 1):
            raise ConfigurationError("a stub takes a delay of 0 or more seconds, and times of 1 or more")
        contents = (canned.json is not NOTHING, canned.text, canned.content, canned.events, respond, error)
        if sum(value is not None and value is not False for value in contents) > 1:
            raise ConfigurationError("a stub takes one of json=, text=, content=, events=, respond= and error=")
        for name, function in (("respond", respond), ("when", expectation.when)):
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise ConfigurationError(f"{name}= is async; a world runs without an event loop, give a plain function")
        if expectation.when is not None and not callable(expectation.when):
            raise ConfigurationError(f"when= takes a function of one request, got {show_value(expectation.when)}")
        if isinstance(respond, type) or (respond is not None and not callable(respond)):
            raise ConfigurationError(f"respond= takes a function of one request, got {show_value(respond)}")
        events: object = canned.events
        if isinstance(events, str | bytes) or not isinstance(events, Sequence | None):
            kind = type(events).__name__
            raise ConfigurationError(f"events= takes a list, as in events=['Hel', 'lo'], and got one {kind}")
        if not 100 <= canned.status <= 599:
            raise ConfigurationError(f"status= takes an HTTP status, got {show_value(canned.status)}")
        if error is not None:
            check_error(error)
        if canned.json is not NOTHING:
            try:
                json.dumps(canned.json)
            except (TypeError, ValueError, RecursionError) as problem:
                raise ConfigurationError(f"json= takes what JSON can say: {problem}") from None
        self.expectation = expectation
        #: The requests that it was for, in order.
        self.requests: list[SentRequest] = []
        #: True once a request was for it, also where its function left the request to the next stub.
        self.asked: bool = False
        #: How many requests had come when it was made.
        self.since: int = 0
        #: Seconds before the answer, on the world's clock.
        self.delay: float = delay
        self._canned = canned
        self._respond = respond
        self._error = error
        self._times = times
        self._remove = remove
        self._end = end
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")

    @property
    def called(self) -> bool:
        """True once the stub has answered a request."""
        return bool(self.requests)

    @property
    def spent(self) -> bool:
        """True if it has answered ``times`` requests."""
        return self._times is not None and len(self.requests) >= self._times

    @property
    def raises(self) -> bool:
        """True if it raises an error in place of an answer."""
        return self._error is not None

    def take(self, request: SentRequest) -> bool:
        """Claim a request. True if the stub answers it; it then counts."""
        if self.spent or not self.expectation.fits(request):
            return False
        with self._lock:
            if self.spent:
                return False
            self.requests.append(request)
            self.asked = True
            return True

    def answer(self, request: SentRequest, clock: Clock) -> Answer | None:
        """Make the answer; None if a function leaves the request to the next stub.

        Raises:
            Exception: what the stub is to raise.
        """
        if self._error is not None:
            raise make_exception(self._error)
        number = len(self.requests)
        if self._respond is None:
            return self._canned.answer(request, clock, number)
        result: object = self._respond(request)
        if result is None:
            with self._lock:
                self.requests.remove(request)
            return None
        if isinstance(result, BufferedResponse):
            return buffered_answer(result)
        if isinstance(result, str):
            made = replace(self._canned, text=result)
        elif isinstance(result, bytes):
            made = replace(self._canned, content=result)
        elif isinstance(result, Mapping | list):
            made = replace(self._canned, json=result)
        else:
            raise StubMistake(
                f"respond() of the stub for {self.expectation} returned {type(result).__name__}; return a mapping or "
                "a list for JSON data, a text, bytes, a BufferedResponse, or None for no answer"
            )
        return made.answer(request, clock, number)

    def assert_called(self, *, times: int | None = None) -> None:
        """Check that it was called.

        Args:
            times: how often; at least once if not given.

        Raises:
            AssertionError: it was not.
        """
        if times is None and not self.requests:
            raise AssertionError(f"the stub for {self.expectation} was never called")
        if times is not None and len(self.requests) != times:
            raise AssertionError(f"the stub for {self.expectation} was called {count_text(len(self.requests), times)}")

    def remove(self) -> None:
        """Remove the stub from its world. Its requests stay."""
        self._remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(self)

    def __repr__(self) -> str:
        return f"<Stub {self.expectation}, called {count_text(len(self.requests))}>"


def _as_sent(value: object) -> object:
    """A value of a query as the wire has it; what matches values stays."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def count_text(count: int, expected: int | None = None) -> str:
    """A number of times, in words."""
    text = _TIMES.get(count, f"{count} times")
    return text if expected is None else f"{text} and not {_TIMES.get(expected, f'{expected} times')}"


_TIMES = {0: "never", 1: "once", 2: "twice"}
