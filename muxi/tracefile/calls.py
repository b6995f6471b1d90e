"""One call, put together from its lines; its row in a list and its details, as data for a page."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from muxi.tracefile.fields import number_of, pairs_of, text_of, whole_of
from muxi.tracefile.reading import TraceLine

__all__ = ["COLUMNS", "CallTrace"]

#: The columns of a row, in order.
COLUMNS = (
    "id",
    "operation",
    "method",
    "route",
    "user",
    "session",
    "request",
    "start",
    "seconds",
    "status",
    "outcome",
    "attempts",
    "events",
    "first",
    "streamed",
    "error",
)

#: Attempts of a call whose details are kept; of more, the last one too.
MAX_ATTEMPTS = 30

#: Events of a call that are kept from its beginning and from its end.
FIRST_EVENTS = 300
LAST_EVENTS = 100

#: Characters of a body or the text of an event that are kept.
LONGEST_BODY = 20_000

#: Length of a call's details in bytes from which on bodies and texts are left out of them.
MAX_DETAILS = 512 * 1024


class CallTrace:
    """One call, put together from its lines in order. Lines that are missing leave gaps.

    Args:
        call_id: the id that its lines have.
        start: Unix time of its start, in seconds.
    """

    def __init__(self, call_id: str, start: float) -> None:
        self.id: str = call_id
        self.start: float = start
        self.operation: str = "unknown"
        #: Seconds from its start to its last line.
        self.seconds: float = 0.0
        self.attempts: int = 0
        self.events: int = 0
        #: Seconds from the start to the first event and to the last.
        self.first: float | None = None
        self.last: float | None = None
        #: ``ok``, ``failed``, ``left`` by the caller, or ``unfinished``.
        self.outcome: str = "unfinished"
        self._call: dict[str, Any] = {}
        self._end: dict[str, Any] = {}
        self._status: int | None = None
        self._pid: int | None = None
        self._tries: list[dict[str, Any]] = []
        self._first_events: list[list[Any]] = []
        self._last_events: deque[list[Any]] = deque(maxlen=LAST_EVENTS)

    @property
    def failed(self) -> bool:
        """True if the call ended with an error."""
        return self.outcome == "failed"

    @property
    def streamed(self) -> float:
        """Seconds between the first event and the last."""
        return 0.0 if self.first is None or self.last is None else max(0.0, self.last - self.first)

    def add(self, record: TraceLine) -> bool:
        """Add a line. Return whether it was the last one of the call."""
        at = max(0.0, float(record["at"]))
        self.seconds = max(self.seconds, at)
        event = record["event"]
        if event == "event":
            self._add_event(record, at)
        elif event == "started":
            self._add_start(record)
        elif event == "attempt":
            self._add_attempt(record, at)
        elif event == "head":
            self._status = whole_of(record.get("status")) or self._status
            self._try()["head"] = _describe_answer(record, at)
        elif event == "failed":
            self._try()["failed"] = {**_describe_error(record), "at": at, "after": number_of(record.get("retry_after"))}
        elif event == "wait":
            delay = number_of(record.get("delay")) or 0.0
            self._try()["wait"] = {"at": at, "delay": max(0.0, delay), "why": text_of(record.get("why"))}
        elif event == "finished":
            self._finish(record)
            return True
        return False

    def _add_start(self, record: TraceLine) -> None:
        self.operation = text_of(record.get("operation"), 200) or "unknown"
        self._pid = whole_of(record.get("pid"))
        names = ("method", "route", "url", "user", "session", "request", "key", "safety")
        self._call = {name: text_of(record.get(name)) for name in names}
        self._call["max_retries"] = whole_of(record.get("max_retries"))

    def _add_attempt(self, record: TraceLine, at: float) -> None:
        self.attempts = max(self.attempts, min(whole_of(record.get("attempt")) or 0, 1_000_000))
        found = {
            "n": whole_of(record.get("attempt")),
            "redirect": whole_of(record.get("redirect")),
            "at": at,
            **{name: text_of(record.get(name)) for name in ("method", "url")},
            **_describe_content(record),
        }
        if len(self._tries) < MAX_ATTEMPTS:
            self._tries.append(found)
        else:
            self._tries[-1] = found

    def _add_event(self, record: TraceLine, at: float) -> None:
        self.events += 1
        self.first = at if self.first is None else self.first
        self.last = at
        found = [
            at,
            text_of(record.get("type"), 100),
            whole_of(record.get("size")),
            text_of(record.get("text"), LONGEST_BODY),
            text_of(record.get("data"), LONGEST_BODY),
        ]
        (self._first_events if len(self._first_events) < FIRST_EVENTS else self._last_events).append(found)

    def _finish(self, record: TraceLine) -> None:
        outcome = record.get("outcome")
        self.outcome = outcome if outcome in ("ok", "failed", "left") else "unfinished"
        self.attempts = max(self.attempts, min(whole_of(record.get("attempts")) or 0, 1_000_000))
        self._status = whole_of(record.get("status")) or self._status
        self._call["request"] = text_of(record.get("request")) or self._call.get("request")
        rest = record.get("rest")
        self._end = {
            **(_describe_error(record) if self.failed else {}),
            "why": text_of(record.get("why")),
            "rest": {
                str(text_of(kind, 100)): text_of(text, LONGEST_BODY)
                for kind, text in (rest.items() if isinstance(rest, dict) and len(rest) <= 100 else ())
            },
        }

    def _try(self) -> dict[str, Any]:
        """Return the last attempt; one without a request if its line is missing."""
        if not self._tries:
            self._tries.append({"n": None, "at": 0.0, "headers": [], "size": None})
        return self._tries[-1]

    def row(self) -> list[Any]:
        """Return the call's row, in the order of ``COLUMNS``."""
        call = self._call
        return [
            self.id,
            self.operation,
            call.get("method"),
            call.get("route"),
            call.get("user"),
            call.get("session"),
            call.get("request"),
            self.start,
            round(self.seconds, 6),
            self._status,
            self.outcome,
            self.attempts,
            self.events,
            self.first,
            round(self.streamed, 6),
            self._end.get("code") or self._end.get("error"),
        ]

    def details(self) -> str:
        """Return the call's details as JSON on one line."""
        text = self._encode(with_bodies=True)
        return text if len(text) <= MAX_DETAILS else self._encode(with_bodies=False)

    def _encode(self, *, with_bodies: bool) -> str:
        events = [*self._first_events, *self._last_events]
        tries: list[dict[str, Any]] = self._tries
        if not with_bodies:
            tries = [_without_body(one) for one in tries]
            events = [[*event[:3], None, None] for event in events]
        found = {
            **{name: self._call.get(name) for name in ("url", "key", "safety", "max_retries")},
            "pid": self._pid,
            "attempts": tries,
            "events": events,
            "omitted": self.events - len(events),
            "end": self._end,
            "reduced": not with_bodies,
        }
        return json.dumps(found, separators=(",", ":"), allow_nan=False)


def _describe_content(record: TraceLine) -> dict[str, Any]:
    found: dict[str, Any] = {"headers": pairs_of(record.get("headers")), "size": whole_of(record.get("size"))}
    body = text_of(record.get("body"), LONGEST_BODY)
    return {**found, "body": body} if body else found


def _describe_answer(record: TraceLine, at: float) -> dict[str, Any]:
    status, reason = whole_of(record.get("status")), text_of(record.get("reason"), 100)
    return {"at": at, "status": status, "reason": reason, **_describe_content(record)}


def _describe_error(record: TraceLine) -> dict[str, Any]:
    return {
        "error": text_of(record.get("error"), 200),
        "code": text_of(record.get("code"), 200),
        "message": text_of(record.get("message")),
    }


def _without_body(attempt: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in attempt.items() if name != "body"}
    if isinstance(kept.get("head"), dict):
        kept["head"] = {name: value for name, value in kept["head"].items() if name != "body"}
    return kept
