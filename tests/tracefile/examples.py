"""Traces made up for tests and pictures: the lines of a shop's assistant, the same each time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Lines", "shop_trace", "write_trace"]

START = 1_795_000_000.0

OPERATIONS = (
    ("get_memories", "GET", "/memories", "safe", 0.04),
    ("chat", "POST", "/chat", "keyed", 1.4),
    ("chat_stream", "POST", "/chat", "never", 2.2),
    ("add_memory", "POST", "/memories", "never", 0.09),
    ("get_session_messages", "GET", "/sessions/{session_id}/messages", "safe", 0.06),
    ("fire_trigger", "POST", "/triggers/{name}", "keyed", 0.3),
)

ANSWER = (
    "Your order left the warehouse this morning. The parcel is with the carrier, who expects to deliver it tomorrow "
    "between nine and noon. If nobody is at home, it waits for you at the shop on Mill Street. "
)


class Lines:
    """Writes the lines of one call."""

    def __init__(self, call: str, start: float, pid: int = 4711) -> None:
        self.call, self.start, self.pid = call, start, pid
        self.lines: list[dict[str, Any]] = []

    def add(self, event: str, at: float, **fields: Any) -> Lines:
        """Add a line at a time since the start of the call."""
        common = {"v": 1, "t": round(self.start + at, 6), "at": round(at, 6), "pid": self.pid}
        self.lines.append({**common, "call": self.call, "event": event, **fields})
        return self


def shop_trace(calls: int, seed: int = 7, *, bodies: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the lines of so many calls, one call after the other with some overlap of their times."""
    source = random.Random(seed)
    now = START
    for number in range(calls):
        yield from _call(source, number, now, bodies)
        now += source.expovariate(3.0)


def write_trace(path: Path, lines: Iterator[dict[str, Any]]) -> Path:
    """Write lines to a file."""
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
    return path


def _call(source: random.Random, number: int, start: float, bodies: bool) -> Iterator[dict[str, Any]]:
    operation, method, route, safety, typical = source.choices(OPERATIONS, (6, 3, 5, 2, 3, 1))[0]
    user = source.choice(("ada", "grace", "edsger", "barbara", "alan"))
    session = f"sess_{source.randrange(16**6):06x}"
    lines = Lines(f"{number:06x}{source.randrange(16**10):010x}", start)
    base = "https://agents.example/v1"
    url = base + route.format(session_id=session, name="restock")
    request = f"req_{source.randrange(16**12):012x}"
    streamed = operation == "chat_stream"
    lines.add(
        "started", 0.0, operation=operation, method=method, route=route, url=url, user=user, session=session,
        request=request, key="client", safety=safety, stream=streamed, max_retries=3,
    )  # fmt: skip
    at, attempt = 0.0004, 0
    message = {"message": "Where is my order?", "session_id": session, "request_id": request}
    headers = [
        ["Accept", "text/event-stream" if streamed else "application/json"],
        ["User-Agent", "shop/2.1 muxi-client/0.1.0"],
        ["X-Muxi-User-ID", user],
        ["X-Muxi-Client-Key", "[redacted]"],
    ]
    while True:
        attempt += 1
        body = {"body": json.dumps(message)} if bodies and method == "POST" else {}
        lines.add(
            "attempt", at, attempt=attempt, redirect=0, method=method, url=url, headers=headers,
            size=92 if method == "POST" else 0, **body,
        )  # fmt: skip
        took = source.lognormvariate(0, 0.5) * typical
        fate = source.random()
        answer = [["Content-Type", "application/json"], ["Server", "muxi-runtime"], ["X-Request-Id", request]]
        if fate < 0.08 and attempt < 4 and safety != "never":
            at += took * 0.6
            lines.add(
                "head", at, attempt=attempt, status=503, reason="", headers=[*answer, ["Retry-After", "1"]], size=61
            )
            lines.add(
                "failed", at, attempt=attempt, error="ServerError", code="SERVICE_UNAVAILABLE",
                message="the formation is starting", status=503, retry_after=1.0,
            )  # fmt: skip
            lines.add(
                "wait", at, attempt=attempt, delay=1.0, why="the answer 503 says that the request was not carried out"
            )
            at += 1.0
            continue
        if fate > 0.96:
            at += took
            lines.add(
                "failed", at, attempt=attempt, error="TimeoutError", code="TIMEOUT",
                message="no answer for too long; raise it with timeout=", status=None, retry_after=None,
            )  # fmt: skip
            lines.add(
                "finished", at, outcome="failed", status=None, request=request, attempts=attempt, seconds=at, events=0,
                error="TimeoutError", code="TIMEOUT", message="no answer for too long; raise it with timeout=",
                why=f"it may have been carried out, and {operation} is not safe to repeat",
            )  # fmt: skip
            break
        if fate > 0.93:
            at += took * 0.3
            lines.add("head", at, attempt=attempt, status=404, reason="Not Found", headers=answer, size=88)
            error = {"error": "NotFoundError", "code": "SESSION_NOT_FOUND", "message": f"there is no session {session}"}
            lines.add("failed", at, attempt=attempt, status=404, retry_after=None, **error)
            lines.add(
                "finished", at, outcome="failed", status=404, request=request, attempts=attempt, seconds=at, events=0,
                why="the answer 404 is final", **error,
            )  # fmt: skip
            break
        at += took * (0.25 if streamed else 1.0)
        lines.add("head", at, attempt=attempt, status=200, reason="OK", headers=answer, size=None if streamed else 412)
        count = _stream(source, lines, at, took, bodies) if streamed else 0
        at = max(at, lines.lines[-1]["at"]) + 0.0005
        outcome = "left" if streamed and source.random() < 0.06 else "ok"
        lines.add(
            "finished", at, outcome=outcome, status=200, request=request, attempts=attempt, seconds=at, events=count
        )
        break
    yield from lines.lines


def _stream(source: random.Random, lines: Lines, at: float, took: float, bodies: bool) -> int:
    words = [f"{word} " for word in ANSWER.split()]
    count = 0
    for kind, text in (("planning", "Looking up the order. "), *(("text", word) for word in words)):
        at += source.expovariate(len(words) / took)
        count += 1
        more = {"text": text} if bodies else {}
        lines.add("event", at, n=count, type=kind, size=len(text), **more)
    lines.add("event", at, n=count + 1, type="done", **({"data": '{"type": "done"}'} if bodies else {}))
    return count + 1
