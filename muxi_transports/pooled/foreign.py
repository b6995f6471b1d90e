"""Answers of the full lane, and those over connections of a session's or an adapter's own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import urllib3  # noqa: F401  whole, before its parts: another thread may be half through importing it
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers

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
        self._read_content: Callable[[], object]
        if content is not None:
            self._read_content = self._take_content
        elif isinstance(raw, BaseHTTPResponse):
            if lease.checked is None:
                self._socket = socket_of(raw)
                if self._socket is not None:
                    _bound_reads(raw, attempt)
            if lease.foreign and _is_left_to_library(found):
                self._read_content = _hold_to_codings(_foreign_reader(raw), raw, attempt)
            else:
                # urllib3 takes a packed body that breaks off for a whole one.
                self._read_content = undo_codings(_reader_of(raw), found, attempt)
        else:
            self._read_content = _hold_to_length(_foreign_reader(raw), found, attempt)
        if lease.checked is None and self._socket is None and (status in _BODILESS or lease.method == "HEAD"):
            self._read_content = bytes  # nothing; http.client sees to it on a connection
        super().__init__(status, found, _text_of(reason), version, lease)

    def _read(self) -> bytes:
        if self._socket is not None:
            # The wait for the first byte; those behind it are bounded as they are made.
            wait = self.attempt.next_wait()
            with suppress(OSError):  # closed: everything was read
                self._socket.settimeout(wait)
        return _bytes_of(self._read_content())

    def _take_content(self) -> bytes:
        content, self._content = self._content or b"", b""
        return content


#: The statuses of answers without a body (RFC 9112, section 6.3).
_BODILESS = frozenset({204, 304})


def _text_of(reason: object) -> str:
    """A reason phrase; empty where a library gives what is no text."""
    if isinstance(reason, bytes):
        return reason.decode("latin-1")
    return reason if isinstance(reason, str) else ""


def _bytes_of(data: object) -> bytes:
    """The bytes that a body gave.

    Raises:
        TypeError: it gave something else.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"the body gave {type(data).__name__}, no bytes")


def _hold_to_length(read: Callable[[], object], headers: Headers, attempt: Attempt) -> Callable[[], bytes]:
    """A function that reads a body that no HTTP library has framed, held to the length that its head declares.

    A length beside a content coding is that of the packed body, which such a body need not be.
    """
    declared = headers.get("content-length")
    if declared is None or "content-encoding" in headers:
        return lambda: _bytes_of(read())
    left = int(declared.partition(",")[0])

    def read_within() -> bytes:
        nonlocal left
        data = _bytes_of(read())
        left -= len(data)
        if left < 0:
            raise attempt.failed("there is more of it than its Content-Length says", code="INVALID_RESPONSE")
        if left and not data:
            raise attempt.failed("it ended before the answer did", code="CONNECTION_LOST")
        return data

    return read_within


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


def _is_left_to_library(headers: Headers) -> bool:
    """Return whether the codings of an answer are undone by urllib3: a session may ask for others (br, zstd)."""
    codings = {coding.strip().lower() for coding in (headers.get("content-encoding") or "").split(",")}
    return not codings <= KNOWN_CODINGS and codings <= KNOWN_CODINGS | _library_codings()


def _hold_to_codings(read: Callable[[], object], raw: BaseHTTPResponse, attempt: Attempt) -> Callable[[], bytes]:
    """A function that reads a body that urllib3 decodes, and refuses one whose coded content breaks off."""

    def read_complete() -> bytes:
        data = _bytes_of(read())
        if not data and raw.tell() and not _is_complete(getattr(raw, "_decoder", None)):
            raise attempt.failed("it ended before the answer did")
        return data

    return read_complete


def _is_complete(decoder: Any) -> bool:
    """Return whether a decoder of urllib3 has seen the end of its content; True where it does not tell.

    urllib3 looks at the end of zstd alone, and has no public way to the object of the package that undoes a coding.
    """
    several = getattr(decoder, "_decoders", None)
    if several is not None:
        return all(map(_is_complete, several))
    inner: Any = getattr(decoder, "_obj", None)
    if hasattr(inner, "is_finished"):  # of brotli and brotlicffi
        return bool(inner.is_finished())
    return bool(getattr(inner, "eof", True))


@lru_cache(maxsize=1)
def _library_codings() -> frozenset[str]:
    """The codings that urllib3 undoes with the packages that are installed."""
    named = make_headers(accept_encoding=True)["accept-encoding"]
    return frozenset(coding.strip() for coding in named.split(","))


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


def _foreign_reader(raw: Any) -> Callable[[], object]:
    """A function that reads what has arrived of an answer of any class, with its codings undone by that class."""
    if isinstance(raw, BaseHTTPResponse) and _is_wrapped(raw):
        return _stream_chunks(raw, decode=True)
    read1 = getattr(raw, "read1", None) or raw.read
    state: list[Callable[[], object]] = []

    def first() -> object:
        try:
            data: object = read1(PIECE, True)
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
