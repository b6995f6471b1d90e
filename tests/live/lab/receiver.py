"""A receiver of webhooks on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

__all__ = ["Hook", "HookReceiver"]

#: Tries of a webhook to ``/fail-twice`` that are refused before one is accepted.
_REFUSALS = 2


class Hook(NamedTuple):
    """One webhook as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    #: The status that the receiver answered.
    status: int


class HookReceiver:
    """Keeps every webhook. It refuses the first two tries of each at ``/fail-twice``, and accepts all others."""

    def __init__(self) -> None:
        self._hooks: list[Hook] = []
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver._take(self.path, dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Write no access log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="hook receiver")
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, fits: Callable[[Hook], bool], *, count: int = 1, timeout: float = 20.0) -> list[Hook]:
        """Return the webhooks that fit, as soon as there are so many.

        Raises:
            AssertionError: there are fewer after the timeout.
        """
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                found = [hook for hook in self._hooks if fits(hook)]
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} of {count} webhooks after {timeout:g} s; all: {self._hooks!r}"
                self._arrived.wait(left)

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        with self._arrived:
            refused = path.startswith("/fail-twice") and self._count(path, body) < _REFUSALS
            status = 500 if refused else 200
            self._hooks.append(Hook(path, headers, body, status))
            self._arrived.notify_all()
        return status

    def _count(self, path: str, body: bytes) -> int:
        return sum(hook.path == path and hook.body == body for hook in self._hooks)
