"""The servers that programs beside a tool talk to: a formation of two routes, and what an agent reports to."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.transports.raw_server import Peer, Received

__all__ = ["PROPAGATED", "Formation", "Reports"]

#: The headers by which tracers hand a trace on; those of a request are noted by name.
PROPAGATED = (
    "baggage",
    "elastic-apm-traceparent",
    "newrelic",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-trace-id",
)


@dataclass
class Formation:
    """A formation as a script for a raw server: health, and chats as JSON or as a stream.

    Every answer carries its number, so that an answer out of a cache or a cassette is known from a new one.
    """

    #: Further header lines of every answer.
    headers: tuple[str, ...] = ()
    #: What was asked, as ``METHOD target``, with the names of the headers by which a trace was handed on.
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    #: The address that each request came from.
    peers: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, peer: Peer) -> None:
        while True:
            request = peer.request()
            with self._lock:
                found = [name for name in PROPAGATED if request.values(name)]
                self.asked.append((f"{request.method} {request.target}", found))
                self.peers.append(peer.sock.getpeername()[0])
                number = len(self.asked)
            self.answer(peer, request, number)

    def answer(self, peer: Peer, request: Received, number: int) -> None:
        if request.target.endswith("/chat"):
            frames = [
                f"event: message\ndata: {json.dumps({'type': 'text', 'text': text})}\n\n"
                for text in ("server ", str(number))
            ]
            frames.append('event: done\ndata: {"type": "done"}\n\n')
            lines = ("HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked", *self.headers)
            peer.send("\r\n".join(lines).encode() + b"\r\n\r\n")
            for frame in frames:
                peer.send(f"{len(frame):x}\r\n{frame}\r\n".encode())
            peer.send(b"0\r\n\r\n")
            return
        data = {"status": "healthy", "version": f"server {number}", "uptime_seconds": number}
        body = json.dumps({"success": True, "data": data}).encode()
        peer.answer(body, "200 OK", "Content-Type: application/json", *self.headers)


@dataclass
class Reports:
    """The intake of a monitoring service: keeps what is posted, and answers with what each route is to say.

    Args:
        answers: bodies by a part of the target; others get ``{}``.
    """

    answers: dict[str, bytes] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def __call__(self, peer: Peer) -> None:
        while True:
            request = peer.request()
            self.received.append(request)
            found = (body for part, body in self.answers.items() if part in request.target)
            peer.answer(next(found, b"{}"), "200 OK", "Content-Type: application/json")

    def bodies(self, part: str) -> Iterator[bytes]:
        """What was posted to the routes with a part in their target, without its compression."""
        for request in self.received:
            if part in request.target and request.body:
                encoding = (request.values("content-encoding") or [b""])[0]
                if encoding == b"gzip":
                    yield gzip.decompress(request.body)
                else:
                    yield zlib.decompress(request.body) if encoding == b"deflate" else request.body
