"""A complete transport over the standard library, which passes the whole suite; the mutants are made of it.

It has timeouts, keep-alive, TLS, compression and streams. It writes requests to a socket by itself and has http.client
read the answers.
"""

from __future__ import annotations

import base64
import builtins
import http.client
import io
import re
import select
import socket
import ssl
import threading
import time
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from muxi.errors import ConfigurationError, ConnectionError, MuxiError, TimeoutError, ValidationError
from muxi.redact import redact_text
from muxi.testing import transport_suite
from muxi.transport import Body, Headers, Request, Response, Timeouts, Transport

#: Scheme, host and port.
Origin = tuple[str, str, int]


class Attempt:
    """The bounds of one request, and how far it has come.

    Args:
        where: host and port, for messages.
        timeouts: the bounds.
    """

    def __init__(self, where: str, timeouts: Timeouts) -> None:
        self.where = where
        self.timeouts = timeouts
        self.bound = ""
        self.deadline = None if timeouts.total is None else time.monotonic() + timeouts.total
        self.enter("connect")

    def enter(self, stage: str) -> None:
        """Note what comes now: ``connect``, ``send``, ``head`` or ``body``."""
        self.stage = stage
        self.entered = time.monotonic()

    def wait(self) -> float | None:
        """How long the next step may block, in seconds; remembers which bound says so."""
        now, timeouts = time.monotonic(), self.timeouts
        bounds = {"read": timeouts.read}
        if self.stage == "connect":
            bounds = {"connect": timeouts.connect}
        elif self.stage == "head" and timeouts.head is not None:
            bounds = {"head": self.entered + timeouts.head - now}
        if self.deadline is not None:
            bounds["timeout"] = self.deadline - now
        known = {bound: seconds for bound, seconds in bounds.items() if seconds is not None}
        if not known:
            return None
        self.bound = min(known, key=known.__getitem__)
        if known[self.bound] <= 0:
            raise builtins.TimeoutError
        return known[self.bound]

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Every failure in the block as an error of the SDK."""
        try:
            yield
        except (OSError, http.client.HTTPException, zlib.error, ValueError, AttributeError) as error:
            raise self.failure(error) from error

    def failure(self, error: Exception) -> MuxiError:
        """What an exception of the standard library means."""
        connected = self.stage != "connect"
        if isinstance(error, builtins.TimeoutError):
            code = {"connect": "CONNECT_TIMEOUT", "timeout": "TIMEOUT"}.get(self.bound, "READ_TIMEOUT")
            message = f"{self.where} took too long (the bound is {self.bound!r})"
            return TimeoutError(code, message, bound=self.bound, connected=connected)
        code = "CONNECTION_LOST" if connected else "CONNECTION_FAILED"
        if isinstance(error, socket.gaierror):
            code = "DNS_ERROR"
        elif isinstance(error, ConnectionRefusedError):
            code = "CONNECTION_REFUSED"
        elif isinstance(error, ssl.SSLError) and not connected:
            code = "TLS_ERROR"
        elif isinstance(error, (http.client.HTTPException, zlib.error)) and not isinstance(
            error, (http.client.IncompleteRead, http.client.RemoteDisconnected)
        ):
            code = "INVALID_RESPONSE"
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        untrusted = isinstance(error, ssl.SSLCertVerificationError)
        return ConnectionError(code, f"{self.where}: {reason}", connected=connected, permanent=untrusted)


class Line(io.RawIOBase):
    """A connection: what http.client reads an answer from."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def serve(self, attempt: Attempt) -> None:
        """Begin another request."""
        self.attempt = attempt
        self.reader = io.BufferedReader(self)

    def makefile(self, mode: str) -> Any:
        return self.reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.sock.settimeout(self.attempt.wait())
        count = self.sock.recv_into(buffer)
        if not count and self.attempt.stage == "head":
            # http.client takes half of a head for the whole.
            raise http.client.IncompleteRead(b"")
        return count

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self.sock.settimeout(self.attempt.wait())
            view = view[self.sock.send(view) :]

    def is_idle(self) -> bool:
        """Whether it can serve again: the end of it, or anything else that comes unasked, shows as readable."""
        return not select.select([self.sock], [], [], 0)[0]

    def wake(self) -> None:
        """End the wait of whoever reads; below TLS, whose state is the reader's."""
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Nothing: answers close what they have read from, and the connection may serve again."""

    def end(self) -> None:
        """Close the connection."""
        self.sock.close()


class HttpClientResponse(Response):
    """An answer whose body has not been read yet."""

    def __init__(
        self, transport: HttpClientTransport, origin: Origin, line: Line, raw: http.client.HTTPResponse
    ) -> None:
        super().__init__(
            raw.status, _received(raw), reason=raw.reason, http_version="1.0" if raw.version == 10 else "1.1"
        )
        self._transport = transport
        self._origin = origin
        self._line: Line | None = line
        self._attempt = line.attempt
        self._raw = raw
        self._ended_by = ""
        self._reading = threading.Lock()
        self._taking = threading.Lock()
        packed = (self.headers.get("content-encoding") or "").lower() in ("gzip", "x-gzip", "deflate")
        self._unpack = zlib.decompressobj(wbits=47) if packed else None
        self._packed = 0

    def chunks(self) -> Iterator[bytes]:
        while self._line is not None:
            try:
                with self._reading, self._attempt.translated():
                    data = self._next()
            except MuxiError:
                if self._ended_by:
                    break
                self.end("failure")
                raise
            if data is None:
                self._give_back()
            elif data and not self._ended_by:
                yield data
        if self._ended_by == "transport":
            raise ConnectionError("CONNECTION_LOST", "the transport was closed")

    def _next(self) -> bytes | None:
        """What has arrived, which may be nothing yet; None at the end."""
        data = self._raw.read1(65536)
        if not data and self._raw.length:
            raise http.client.IncompleteRead(b"", self._raw.length)
        if self._unpack is None:
            return data or None
        if data:
            self._packed += len(data)
            return self._unpack.decompress(data)
        if self._packed and not self._unpack.eof:
            raise http.client.IncompleteRead(b"")
        return None

    def _take(self) -> Line | None:
        with self._taking:
            line, self._line = self._line, None
        return line

    def _give_back(self) -> None:
        line = self._take()
        if line is not None:
            self._transport.keep(self._origin, line, usable=not self._raw.will_close)

    def close(self) -> None:
        self.end("caller")

    def end(self, by: str) -> None:
        """Let go of the connection."""
        line = self._take()
        if line is not None:
            self._ended_by = by
            line.wake()
            with self._reading:
                line.end()


def _received(raw: http.client.HTTPResponse) -> Headers:
    """The headers of an answer; http.client decodes them as ISO 8859-1 and leaves old-fashioned line breaks in."""
    headers = Headers()
    for name, value in raw.headers.items():
        data = re.sub(r"[\r\n\0]+[ \t]*", " ", value).encode("latin-1")
        try:
            headers.add(name, data.decode())
        except UnicodeDecodeError:
            headers.add(name, data.decode("latin-1"))
    return headers


class HttpClientTransport(Transport):
    """Sends over the standard library, and keeps connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[Line]] = {}
        self._open: weakref.WeakSet[HttpClientResponse] = weakref.WeakSet()
        self._context: ssl.SSLContext | None = None

    def send(self, request: Request) -> Response:
        origin, head = _prepared(request)
        attempt = Attempt(f"{origin[1]}:{origin[2]}", request.timeouts)
        with attempt.translated():
            line = self._kept(origin) or self._connect(origin, attempt)
        line.serve(attempt)
        try:
            complete = self._send(line, head, request.body)
            attempt.enter("head")
            with attempt.translated():
                raw = _answer(line, request.method)
            attempt.enter("body")
            if not complete:
                raw.will_close = True
        except BaseException:
            line.end()
            raise
        response = HttpClientResponse(self, origin, line, raw)
        self._open.add(response)
        return response

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, {}
            at_work = list(self._open)
        for response in at_work:
            response.end("transport")
        for lines in idle.values():
            for line in lines:
                line.end()

    def keep(self, origin: Origin, line: Line, *, usable: bool) -> None:
        """Take back the connection of an answer that has been read."""
        if usable:
            with self._lock:
                self._idle.setdefault(origin, []).append(line)
        else:
            line.end()

    def _kept(self, origin: Origin) -> Line | None:
        while True:
            with self._lock:
                lines = self._idle.get(origin)
                line = lines.pop() if lines else None
            if line is None or line.is_idle():
                return line
            line.end()

    def _connect(self, origin: Origin, attempt: Attempt) -> Line:
        scheme, host, port = origin
        sock = socket.create_connection((host, port), attempt.wait())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if scheme == "https":
            self._context = self._context or ssl.create_default_context()
            sock.settimeout(attempt.wait())
            try:
                sock = self._context.wrap_socket(sock, server_hostname=host)
            except BaseException:
                sock.close()
                raise
        return Line(sock)

    def _send(self, line: Line, head: bytes, body: Body | None) -> bool:
        """Send the request; whether all of it could be sent."""
        line.attempt.enter("send")
        if not _was_written(line, head):
            return False
        chunked = body is not None and body.length is None
        for piece in _measured(body):
            if not _was_written(line, b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece):
                return False
        return not chunked or _was_written(line, b"0\r\n\r\n")


def _was_written(line: Line, data: bytes) -> bool:
    with line.attempt.translated():
        try:
            line.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses an upload answers and closes. Its answer can still be read.
            return False
    return True


def _measured(body: Body | None) -> Iterator[bytes]:
    """The pieces of a body, held to its length before the last one is out."""
    length, sent = (0 if body is None else body.length), 0
    pieces = iter(()) if body is None else iter(body.chunks())
    for piece in pieces:
        sent += len(piece)
        if length is not None and sent >= length:
            sent += next((len(more) for more in pieces if more), 0)
            if sent > length:
                break
        if piece:
            yield piece
    if length is not None and sent != length:
        raise ValidationError("BODY_LENGTH", f"the body was to have {length} bytes and had {sent}")


def _prepared(request: Request) -> tuple[Origin, bytes]:
    """Where a request goes, and its head as bytes; refuses what would break out of its line."""
    found = re.fullmatch(r"(https?)://([^/?#]+)([^#]*)(#.*)?", request.url)
    try:
        port = urlsplit(request.url).port
    except ValueError:
        found = None
    if found is None or re.search(r"[^\x21-\x7e]", request.url) or not re.fullmatch(r"[A-Za-z-]+", request.method):
        raise ConfigurationError(redact_text(f"{request.method} {request.url!r} cannot be sent"))
    scheme, authority, target = found[1], found[2], found[3]
    userinfo, _, host = authority.rpartition("@")
    headers = request.headers.copy()
    for name in ("Content-Length", "Transfer-Encoding"):
        headers.pop(name)
    headers.setdefault("Host", host)
    headers.setdefault("Accept-Encoding", "gzip")
    if userinfo:
        headers.setdefault("Authorization", "Basic " + base64.b64encode(unquote(userinfo).encode()).decode())
    if request.body is None and request.method in ("POST", "PUT", "PATCH"):
        headers["Content-Length"] = "0"
    elif request.body is not None and request.body.length is not None:
        headers["Content-Length"] = str(request.body.length)
    elif request.body is not None:
        headers["Transfer-Encoding"] = "chunked"
    lines = [f"{request.method} {target if target.startswith('/') else '/' + target} HTTP/1.1"]
    lines += [f"{name}: {headers[name]}" for name in headers]
    origin = (scheme, urlsplit(request.url).hostname or "", port or (443 if scheme == "https" else 80))
    return origin, "\r\n".join([*lines, "", ""]).encode()


def _answer(line: Line, method: str) -> http.client.HTTPResponse:
    """The head of the answer; interim answers (RFC 9110, section 15.2) are passed over."""
    while True:
        raw = http.client.HTTPResponse(cast(socket.socket, line), method=method)
        raw.begin()
        if raw.status >= 200:
            return raw
        cast(Any, raw).fp = None  # what comes next is read from the same place


class TestHttpClient(transport_suite.TransportSuite):
    def make_transport(self) -> Transport:
        return HttpClientTransport()
