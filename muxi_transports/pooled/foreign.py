"""Answers of the full lane, and those over connections of a session's or an adapter's own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from urllib3.response import BaseHTTPResponse

from muxi.transport import Headers
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import KNOWN_CODINGS
from muxi_transports.http.wire import PIECE, received_headers
from muxi_transports.pooled.full import FullLease, socket_of
from muxi_transports.pooled.response import EndableResponse, undo_codings
from muxi_transports.pooled.wire import bound

__all__ = ["FullResponse"]


class FullResponse(EndableResponse):
    """An answer that a library received.

    Args:
        lease: the claim of the request; its ``raw`` is the answer with its body unread, of whatever class.
        status: the status of the answer.
        reason: the reason beside it.
        headers: names and values.
        content: the body, where it has been read already (by a hook of a session, or a cache).

    Raises:
        ConnectionError: the status or the framing is none that HTTP has.
    """

    _foreign = True

    def __init__(self, lease: FullLease, status: int, reason: str, headers: Any, content: bytes | None = None) -> None:
        attempt = lease.attempt
        attempt.connected = True
        raw = lease.raw
        found = received_headers((str(name), str(value)) for name, value in headers.items())
        _check(status, found, attempt)
        version = "1.0" if getattr(raw, "version", 11) == 10 else "1.1"
        self._content = content
        self._socket: socket.socket | None = None
        self._read_content: Callable[[], bytes]
        if content is not None:
            self._read_content = self._take_content
        elif lease.checked is not None and isinstance(raw, BaseHTTPResponse):
            self._read_content = undo_codings(_reader_of(raw), found, attempt)
        else:
            self._socket = socket_of(raw)
            if self._socket is not None:
                _bound_reads(raw, attempt)
            self._read_content = _foreign_reader(raw)
            if isinstance(raw, BaseHTTPResponse) and _can_undo(found):
                # urllib3 takes a packed body that breaks off for a whole one.
                self._read_content = undo_codings(_reader_of(raw), found, attempt)
        super().__init__(status, found, reason, version, lease)

    def _read(self) -> bytes:
        if self._socket is not None:
            # The wait for the first byte; those behind it are bounded as they are made.
            wait = self.attempt.next_wait()
            with suppress(OSError):  # closed: everything was read
                self._socket.settimeout(wait)
        data = self._read_content()
        if not isinstance(data, bytes):
            data = bytes(data)
        return data

    def _take_content(self) -> bytes:
        content, self._content = self._content or b"", b""
        return content


def _check(status: object, headers: Headers, attempt: Attempt) -> None:
    """Refuse what the direct lane refuses and the libraries let pass."""
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise attempt.failed(f"{status!r} is no status of an answer", code="INVALID_RESPONSE")
    lengths = {length.strip() for value in headers.get_all("content-length") for length in value.split(",")}
    if len(lengths) > 1:
        raise attempt.failed("it has several Content-Lengths that differ", code="INVALID_RESPONSE")
    for length in lengths:
        if not (length.isascii() and length.isdigit() and len(length) < 19):
            raise attempt.failed("its Content-Length is none", code="INVALID_RESPONSE")


def _can_undo(headers: Headers) -> bool:
    """Return whether all codings of an answer can be undone here; a session may ask for others (br, zstd)."""
    codings = {coding.strip().lower() for coding in (headers.get("content-encoding") or "").split(",")}
    return codings <= KNOWN_CODINGS


def _reader_of(raw: BaseHTTPResponse) -> Callable[[], bytes]:
    """A function that reads what has arrived of an answer of urllib3, without undoing its codings."""
    if _is_wrapped(raw):
        return _stream_chunks(raw, decode=False)
    read1 = raw.read1
    return lambda: read1(PIECE, False)


def _is_wrapped(raw: Any) -> bool:
    """Return whether a cache wraps the file of an answer; it keeps what goes through its own methods alone."""
    file = getattr(raw, "_fp", None)
    return hasattr(file, "read1") and not hasattr(type(file), "read1")


def _stream_chunks(raw: BaseHTTPResponse, *, decode: bool) -> Callable[[], bytes]:
    """A function that reads the next piece of an answer as sessions of requests do."""
    pieces = raw.stream(PIECE, decode_content=decode)
    return lambda: next(pieces, b"")


def _foreign_reader(raw: Any) -> Callable[[], bytes]:
    """A function that reads what has arrived of an answer of any class, with its codings undone by that class."""
    if isinstance(raw, BaseHTTPResponse) and _is_wrapped(raw):
        return _stream_chunks(raw, decode=True)
    read1 = getattr(raw, "read1", None) or raw.read
    state: list[Callable[[], bytes]] = []

    def first() -> bytes:
        try:
            data: bytes = read1(PIECE, True)
        except TypeError:  # a file, or another class with one argument
            with suppress(Exception):
                raw.decode_content = True
            state.append(lambda: read1(PIECE))
            return state[0]()
        state.append(lambda: read1(PIECE, True))
        return data

    return lambda: state[0]() if state else first()


class _BoundedReads:
    """A socket as the file of an answer uses it, with each of its reads bounded by the attempt.

    Args:
        sock: the socket.
        attempt: whose bounds are kept.
    """

    def __init__(self, sock: socket.socket, attempt: Attempt) -> None:
        self._sock = sock
        self._attempt = attempt

    def recv_into(self, *args: Any) -> int:  # Any: what the file of a socket hands on
        bound(self._sock, self._attempt)
        return self._sock.recv_into(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _bound_reads(raw: Any, attempt: Attempt) -> None:
    """Bound every read of an answer over a connection that is not ours: chunk extensions and trailers too.

    There is no public way to the file that http.client reads. Where it is not as expected, only the wait for the first
    byte of each piece is bounded.
    """
    file = getattr(getattr(getattr(raw, "_fp", None), "fp", None), "raw", None)
    if isinstance(file, socket.SocketIO):
        sock = getattr(file, "_sock", None)
        if isinstance(sock, socket.socket):
            file._sock = _BoundedReads(sock, attempt)  # type: ignore[attr-defined]
