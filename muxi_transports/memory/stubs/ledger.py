"""The stubs and requests of a world; transports may share one ledger."""

from __future__ import annotations

import threading
from collections import deque
from difflib import SequenceMatcher

from muxi.forks import renew_after_fork
from muxi_transports.memory.incidents import Incidents
from muxi_transports.memory.stubs.failures import UnexpectedRequest, UnusedStub
from muxi_transports.memory.stubs.sent import SentRequest
from muxi_transports.memory.stubs.stub import Expectation, Stub, count_text

__all__ = ["KEPT", "Ledger"]

#: The number of requests kept, so that the memory of a long program does not fill.
KEPT = 10_000
#: The number of requests in a message.
_LISTED = 10


class Ledger:
    """Stubs, the latest first, and requests, the earliest first."""

    def __init__(self) -> None:
        self.stubs: list[Stub] = []
        self.requests: deque[SentRequest] = deque(maxlen=KEPT)
        #: The requests that were refused because no stub was for them.
        self.unexpected: list[UnexpectedRequest] = []
        #: Errors in functions of stubs, and assertions that failed elsewhere in the world.
        self.incidents: Incidents = Incidents()
        #: Every stub since the last :meth:`clear`, those of ended ``with`` blocks too.
        self.made: list[Stub] = []
        #: Whether stubs are for routes of the platform alone.
        self.follows_platform: bool = False
        self.strict: bool = False
        self._came = 0
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")

    def take_in(self, request: SentRequest) -> SentRequest:
        """Take note of a request, and return it."""
        with self._lock:
            self._came += 1
            request.number = self._came
            self.requests.append(request)
            return request

    def add(self, stub: Stub) -> None:
        """Add a stub, which is tried before the earlier ones."""
        with self._lock:
            stub.since = self._came
            self.stubs.insert(0, stub)
            self.made.append(stub)

    def end(self, stub: Stub) -> None:
        """Remove a stub whose block has ended; it still counts among the unused."""
        with self._lock:
            self.stubs = [other for other in self.stubs if other is not stub]

    def remove(self, stub: Stub) -> None:
        """Remove a stub; it counts no more."""
        self.end(stub)
        with self._lock:
            self.made = [other for other in self.made if other is not stub]

    def clear(self) -> None:
        """Remove all stubs, and forget the requests and errors."""
        with self._lock:
            self.stubs = []
            self.made = []
            self.requests.clear()
            self.unexpected.clear()
            self.incidents.forget()

    @property
    def unused(self) -> list[UnusedStub]:
        """An error for each stub that no request was for."""
        return [self.unused_error(stub) for stub in self.made if not stub.asked]

    def unused_error(self, stub: Stub) -> UnusedStub:
        """The error for a stub that no request was for: what was nearest, and why it was not for this one."""
        expectation = stub.expectation
        found = self.fitting(expectation)
        if not found:
            return UnusedStub(self.missing(expectation, None))
        last = found[-1]
        early = last.number <= stub.since
        why = "it came before the stub was made" if early else f"it was answered by {last.stub or 'the world'!r}"
        return UnusedStub(f"{expectation} was never called\n  {last!r} fits, but\n    {why}")

    def fitting(self, expectation: Expectation) -> list[SentRequest]:
        """The requests that are meant."""
        return [request for request in tuple(self.requests) if expectation.fits(request)]

    def refusal(self, request: SentRequest) -> UnexpectedRequest:
        """Make and record the error for a request without a stub."""
        lines = [f"unexpected {request.line}: transports with strict=True answer by stubs alone"]
        if self.stubs:
            nearest = min(self.stubs, key=lambda stub: _distance(stub.expectation, request))
            reasons = list(nearest.expectation.misfits(request))
            if not reasons:
                reasons = [f"it has been called {count_text(len(nearest.requests))}, as often as it was to be"]
            lines += [f"  the nearest stub is {nearest.expectation}, but", *(f"    {reason}" for reason in reasons)]
        else:
            lines.append("  there are no stubs; make one with transport.stub(method, path, json=…)")
        error = UnexpectedRequest("\n".join(lines))
        self.unexpected.append(error)
        self.incidents.refuse(error)
        return error

    def missing(self, expectation: Expectation, times: int | None) -> str:
        """The message of a failed assertion, with the requests that came instead."""
        requests = tuple(self.requests)
        found = self.fitting(expectation)
        if found and times is not None:
            return f"{expectation} was called {count_text(len(found), times)}:\n{_list_requests(found)}"
        lines = [f"{expectation} was never called"]
        if not requests:
            return f"{lines[0]}; no request has been made at all"
        nearest = min(requests, key=lambda request: _distance(expectation, request))
        lines += [f"  the nearest request is {nearest!r}, but"]
        lines += [f"    {reason}" for reason in expectation.misfits(nearest)]
        return "\n".join([*lines, "  all requests:", _list_requests(requests)])


def _distance(expectation: Expectation, request: SentRequest) -> tuple[int, float, int]:
    """Distance of a request from an expectation: by route, by spelling, by the rest."""
    wrong_path = expectation.path.match(request.segments) is None
    wrong_method = expectation.method not in ("*", request.method)
    line = f"{expectation.method} {expectation.path.text}"
    alike = SequenceMatcher(None, line, request.line).ratio()
    return 2 * wrong_path + wrong_method, -alike if wrong_path else 0.0, len(list(expectation.misfits(request)))


def _list_requests(requests: tuple[SentRequest, ...] | list[SentRequest]) -> str:
    shown = [f"    {number}. {request!r}" for number, request in enumerate(requests, 1)]
    if len(shown) > _LISTED:
        shown = [f"    … {len(shown) - _LISTED} before", *shown[-_LISTED:]]
    return "\n".join(shown)
