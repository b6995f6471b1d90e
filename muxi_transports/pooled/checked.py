"""Answers checked before http.client reads them, so that the full lane refuses what the direct one refuses."""

from __future__ import annotations

import io
from typing import Any

from muxi_transports.http.attempt import Attempt
from muxi_transports.http.reframing import Reframer
from muxi_transports.http.wire import PIECE
from muxi_transports.pooled.wire import receive

__all__ = ["CheckedAnswer", "CheckedSocket"]


class CheckedAnswer(io.RawIOBase):
    """One answer as a file that http.client cannot misread. Each read is bounded by the attempt, whatever trickles in.

    Args:
        sock: the socket of a connection, of any kind that has ``makefile()``.
        attempt: whose bounds are kept.
        method: of the request.
        early: the bytes of the answer that have been read already.
    """

    def __init__(self, sock: Any, attempt: Attempt, method: str, early: bytes = b"") -> None:
        super().__init__()
        #: The socket that is read.
        self.socket: Any = sock
        # As long as this file is open the socket is not closed, though http.client closes the connection.
        self._file = sock.makefile("rb", 0)
        self._attempt = attempt
        self._reframer = Reframer(method)
        self._ready = memoryview(b"")
        self._early = early

    @property
    def reusable(self) -> bool:
        """True if another request may follow on the connection."""
        return self._reframer.reusable

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # Any: the protocol of buffers has no type before Python 3.12
        """Fill a buffer with what has arrived; 0 at the end of the answer.

        Raises:
            http1.AnswerError: the answer breaks a rule, or the connection ended before it.
        """
        reframer = self._reframer
        while not self._ready:
            if reframer.fault is not None:
                raise reframer.fault
            if reframer.ended:
                return 0
            data, self._early = self._early or receive(self.socket, self._attempt), b""
            if data:
                self._ready = memoryview(reframer.feed(data))
            else:
                reframer.eof()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        """Release the socket."""
        if not self.closed:
            self._file.close()
        super().close()


class CheckedSocket:
    """The part of a socket that an answer of http.client uses: the file that it is read from.

    Args:
        answer: the checked answer.
    """

    def __init__(self, answer: CheckedAnswer) -> None:
        self._answer = answer

    def makefile(self, mode: str) -> io.BufferedReader:
        """A file with the checked answer."""
        return io.BufferedReader(self._answer, PIECE)
