"""Work in the background that has just begun: the platform may not know its id yet.

A trigger's answer names a request that the runtime knows only some tenths of a second later. Until then it answers
"not found" to a look at it, or to its cancellation.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from muxi.answers import pending
from muxi.call import Call
from muxi.errors import MuxiError, NotFoundError
from muxi.forks import renew_after_fork

__all__ = ["FRESH_SECONDS", "FreshRequests", "is_unknown_request"]

#: Seconds after its first answer in which "not found" may mean "not found yet".
FRESH_SECONDS = 5.0

#: The wait before another look, in seconds: the first, which doubles, and the longest.
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 1.0

#: Ids kept at a time; a client that begins more work than that in five seconds loses the oldest.
_MOST_IDS = 10_000

_CODES = frozenset({"REQUEST_NOT_FOUND", "NOT_FOUND"})


def is_unknown_request(error: MuxiError) -> bool:
    """Return whether the platform says that it does not know a request (and not that there is no such route)."""
    return isinstance(error, NotFoundError) and error.code in _CODES and error.from_platform


class FreshRequests:
    """The ids of requests that a client has begun in the last seconds."""

    def __init__(self) -> None:
        self._begun: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")

    def note(self, call: Call[object], data: object, now: float) -> None:
        """Note the request that an answer says goes on in the background, if it does.

        Args:
            call: the call.
            data: its result.
            now: seconds on the client's monotonic clock.
        """
        if call.method != "POST" or not isinstance(data, dict):
            return
        turn = pending(data)
        if turn is None or not turn.request_id:
            return
        with self._lock:
            self._begun[turn.request_id] = now
            while len(self._begun) > _MOST_IDS:
                self._begun.popitem(last=False)

    def delay(self, call: Call[object], error: MuxiError, attempt: int, now: float) -> float | None:
        """Return the seconds after which a request may be known, or None if "not found" is the answer.

        Args:
            call: the call that was refused.
            error: the refusal.
            attempt: its number, from 1.
            now: seconds on the client's monotonic clock.
        """
        if not self._begun or not is_unknown_request(error):
            return None
        request_id = call.params.get("request_id", "")
        begun = self._begun.get(request_id)
        if begun is None:
            return None
        if now - begun >= FRESH_SECONDS:
            with self._lock:
                self._begun.pop(request_id, None)
            return None
        return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (attempt - 1), FRESH_SECONDS - (now - begun))
