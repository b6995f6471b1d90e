"""The stubs and requests of a world; transports may share one ledger."""

from __future__ import annotations

import threading
from collections import deque
from difflib import SequenceMatcher

from muxi_transports.memory.stubs.failures import UnexpectedRequest
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
        self.strict: bool = False
        self._lock = threading.Lock()

    def add(self, stub: Stub) -> None:
        with self._lock:
            self.stubs.insert(0, stub)

    def remove(self, stub: Stub) -> None:
        with self._lock:
            self.stubs = [other for other in self.stubs if other is not stub]

    def clear(self) -> None:
        with self._lock:
            self.stubs = []
            self.requests.clear()
            self.unexpected.clear()

    def fitting(self, expectation: Expectation) -> list[SentRequest]:
        """The requests that are meant."""
        return [request for request in tuple(self.requests) if expectation.fits(request)]

    def refusal(self, request: SentRequest) -> UnexpectedRequest:
        """Make and record the error for a request without a stub."""
        lines = [f"nobody expected {request.line}: transports with strict=True answer by stubs alone"]
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
