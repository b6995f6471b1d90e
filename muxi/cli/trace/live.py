"""Live mode: a loopback server with the page of a trace, which sends calls to it as the file grows."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections import deque
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

from muxi.cli.trace.page import build_page, security_policy
from muxi.tracefile.reading import LineParser, TraceFollower
from muxi.tracefile.summary import KeptCall, SelectionLimits, TraceSummary

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LiveServer", "LiveTrace"]

#: Seconds between two looks at the file.
INTERVAL = 0.25

#: Seconds after which a connection without updates gets a comment, so that a page that has left is noticed.
KEEPALIVE = 15.0

#: Changes that are kept for pages that connect again; one that is further behind gets the whole selection.
_MAX_CHANGES = 20_000


class LiveTrace:
    """A trace file that is being written, as a summary with numbered updates.

    Args:
        path: the file; it need not be there yet.
        limits: bounds of the selection.
    """

    def __init__(self, path: str, limits: SelectionLimits | None = None) -> None:
        self.name: str = os.path.basename(path)
        self._parser = LineParser()
        self._follower = TraceFollower(path, self._parser)
        self._summary = TraceSummary(limits)
        self._changed = threading.Condition()
        self._sequence = 0
        #: Changed calls with the number of the update, the oldest first.
        self._changes: deque[tuple[int, KeptCall]] = deque(maxlen=_MAX_CHANGES)
        self._forgotten = 0
        self._ended = False
        self._summary.add_all(self._follower.read())
        self._summary.follow()

    def advance(self) -> None:
        """Read what is new in the file, and wake those who wait for it."""
        with self._changed:
            self._summary.add_all(self._follower.read())
            changes = self._summary.take_changes()
            if not changes:
                return
            self._sequence += 1
            for kept in changes:
                if len(self._changes) == self._changes.maxlen:
                    self._forgotten = self._changes[0][0]
                self._changes.append((self._sequence, kept))
            self._changed.notify_all()

    def page(self) -> str:
        """Return the page with the calls so far."""
        with self._changed:
            description = self._summary.describe(self._parser.tally)
            return "".join(build_page(self.name, description, self._summary.selection(), sequence=self._sequence))

    def wait(self, since: int, seconds: float) -> tuple[int, str] | None:
        """Wait for an update after the given one.

        Args:
            since: number of the last update that the page has.
            seconds: the longest wait.

        Returns:
            The number of the newest update, and the changes as JSON; None if there is none, or if the trace has ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._sequence > since or self._ended, seconds)
            if self._sequence <= since:
                return None
            if since < self._forgotten:
                kept = {call.row[0]: call for call in self._summary.selection()}
            else:
                kept = {call.row[0]: call for number, call in self._changes if number > since}
            update: dict[str, Any] = {
                **self._summary.describe(self._parser.tally),
                "rows": [call.row for call in kept.values()],
                "details": [call.details for call in kept.values()],
            }
            return self._sequence, json.dumps(update, separators=(",", ":"), allow_nan=False)

    @property
    def ended(self) -> bool:
        """True once :meth:`end` has been called."""
        return self._ended

    def end(self) -> None:
        """Close the file, and end all waits."""
        with self._changed:
            self._ended = True
            self._follower.close()
            self._changed.notify_all()


class _LiveHandler(BaseHTTPRequestHandler):
    """Answers the page's requests: the page itself, and its updates."""

    protocol_version = "HTTP/1.1"

    @property
    def _live(self) -> _LiveHttpServer:
        return cast(_LiveHttpServer, self.server)

    def do_GET(self) -> None:
        """Answer a request."""
        url = urlsplit(self.path)
        if self.headers.get("Host") not in self._live.hosts:
            # A page of another site whose name was made to lead here.
            self._refuse(HTTPStatus.FORBIDDEN)
        elif url.path == f"/{self._live.token}/":
            self._send_page()
        elif url.path == f"/{self._live.token}/events":
            since = self.headers.get("Last-Event-ID") or (parse_qs(url.query).get("since") or ["0"])[0]
            self._send_events(int(since) if since.isascii() and since.isdigit() and len(since) < 16 else 0)
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _send_page(self) -> None:
        content = self._live.trace.page().encode()
        self._begin(HTTPStatus.OK, "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", f"{security_policy(live=True)}; frame-ancestors 'none'")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_events(self, since: int) -> None:
        self.close_connection = True
        self._begin(HTTPStatus.OK, "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        trace = self._live.trace
        try:
            self.wfile.write(b"retry: 1000\n\n")
            while not trace.ended:
                update = trace.wait(since, KEEPALIVE)
                if update is None:
                    self.wfile.write(b": waiting\n\n")
                else:
                    since, text = update
                    self.wfile.write(f"id: {since}\nevent: calls\ndata: {text}\n\n".encode())
        except (BrokenPipeError, ConnectionError):
            return  # the page has been closed

    def _refuse(self, status: HTTPStatus) -> None:
        self._begin(status, "text/plain")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _begin(self, status: HTTPStatus, content_type: str) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", content_type),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ):
            self.send_header(name, value)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the name of the overridden argument
        """Log nothing: the terminal belongs to the command."""


class _LiveHttpServer(ThreadingHTTPServer):
    """The server, with what its handlers need."""

    daemon_threads = True

    def __init__(self, trace: LiveTrace, port: int) -> None:
        super().__init__(("127.0.0.1", port), _LiveHandler)
        self.trace = trace
        self.token = secrets.token_urlsafe(16)
        self.hosts = frozenset(f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost"))


class LiveServer:
    """Serves the page of a trace on a loopback port until it is closed. Its address has a token that cannot be guessed.

    Args:
        path: the trace file.
        port: the port; 0 takes a free one.
    """

    def __init__(self, path: str, port: int = 0) -> None:
        self._trace = LiveTrace(path)
        self._server = _LiveHttpServer(self._trace, port)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), name="muxi-trace-server", daemon=True),
            threading.Thread(target=self._follow, name="muxi-trace-follower", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self._server.server_port}/{self._server.token}/"

    def _follow(self) -> None:
        while not self._stopping.wait(INTERVAL):
            self._trace.advance()

    def close(self) -> None:
        """Stop following and serving."""
        self._stopping.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._trace.end()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
