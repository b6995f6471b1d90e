"""Answers checked before http.client reads them, so that the full lane refuses what the direct one refuses."""

from __future__ import annotations

import io
from typing import Any

from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import PIECE
from muxi_transports.http1 import AnswerReader, Head
from muxi_transports.pooled.wire import receive

__all__ = ["CheckedAnswer", "CheckedSocket"]

_CHUNKED, _PLAIN, _NONE = "chunked", "plain", "none"


class CheckedAnswer(io.RawIOBase):
    """One answer as http.client can read it without a mistake: one head, plain fields, one chunk for each read.

    The bytes of the connection go through the reader of HTTP/1.1, which refuses what breaks its rules, and are framed
    anew. Each read is bounded by the attempt, whatever trickles in.

    Args:
        sock: the socket of a connection, of any kind that has ``makefile()``.
        attempt: whose bounds are kept.
        method: of the request.
        early: the bytes of the answer that have been read already.
    """

    def __init__(self, sock: Any, attempt: Attempt, method: str, early: bytes = b"") -> None:
        super().__init__()
        self._sock = sock
        # As long as this file is open the socket is not closed, though http.client closes the connection.
        self._file = sock.makefile("rb", 0)
        self._attempt = attempt
        self._reader = AnswerReader(method)
        self._framing = _NONE
        self._ready = memoryview(b"")
        self._complete = False
        self._early = early

    @property
    def socket(self) -> Any:
        """The socket that is read."""
        return self._sock

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on the connection."""
        return self._reader.reusable

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # Any: the protocol of buffers has no type before Python 3.12
        """Fill a buffer with what has arrived; 0 at the end of the answer.

        Raises:
            http1.AnswerError: the answer breaks a rule, or the connection ended before it.
        """
        while not self._ready:
            if self._complete:
                return 0
            self._fill()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        """Let go of the socket."""
        if not self.closed:
            self._file.close()
        super().close()

    def _fill(self) -> None:
        reader = self._reader
        if reader.fault is not None:
            raise reader.fault
        headless = reader.head is None
        data, self._early = self._early or receive(self._sock, self._attempt), b""
        content = b""
        if data:
            content = reader.feed(data)
        else:
            reader.eof()
        ready = b""
        if headless:
            if reader.head is None:
                return
            self._framing = _framing_of(reader.head, ended=reader.ended and not content)
            ready = _render(reader.head)
        if content:
            ready += content if self._framing == _PLAIN else b"%x\r\n%b\r\n" % (len(content), content)
        if reader.ended:
            self._complete = True
            if self._framing == _CHUNKED:
                ready += b"0\r\n\r\n"
        self._ready = memoryview(ready)


def _framing_of(head: Head, *, ended: bool) -> str:
    names = {name.lower() for name, _ in head.headers}
    if "transfer-encoding" in names:
        return _CHUNKED
    return _NONE if ended else _PLAIN


def _render(head: Head) -> bytes:
    """A head in the form that leaves nothing to interpret: no folded lines, and a length once."""
    lines = [f"HTTP/{head.version} {head.status} {head.reason}"]
    has_length = False
    for name, value in head.headers:
        if name.lower() == "content-length":
            if has_length:
                continue
            has_length, value = True, value.partition(",")[0].strip()
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


class CheckedSocket:
    """As much of a socket as http.client's answers want: the file that they are read from.

    Args:
        answer: the checked answer.
    """

    def __init__(self, answer: CheckedAnswer) -> None:
        self._answer = answer

    def makefile(self, mode: str) -> io.BufferedReader:
        """A file with the checked answer."""
        return io.BufferedReader(self._answer, PIECE)
