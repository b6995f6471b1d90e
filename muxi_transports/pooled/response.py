"""Answers of both lanes by the contract of transports: bodies as they arrive, and closing from any thread."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator

from muxi.errors import MuxiError
from muxi.transport import Headers, Response
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import Codings
from muxi_transports.http.wire import received_headers
from muxi_transports.pooled.answer import PooledAnswer
from muxi_transports.pooled.failures import failure_of
from muxi_transports.pooled.lease import ConnectionLease

__all__ = ["DirectResponse", "EndableResponse", "undo_codings"]


class EndableResponse(Response):
    """An answer that any thread can end, while another one reads it.

    Args:
        lease: the claim on the connection.
    """

    #: Whether the body is read by code of a library, whose every exception means a broken answer.
    _foreign = False

    def __init__(self, status: int, headers: Headers, reason: str, http_version: str, lease: ConnectionLease) -> None:
        super().__init__(status, headers, reason=reason, http_version=http_version)
        self._lease = lease
        self.attempt: Attempt = lease.attempt
        self.attempt.headless = False
        self._pid = os.getpid()
        self._has_failed = False
        lease.pause()

    @abstractmethod
    def _read(self) -> bytes:
        """Return the bytes that have arrived; empty at the end."""

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives; see :meth:`muxi.transport.Response.chunks`."""
        attempt, lease = self.attempt, self._lease
        while True:
            if self._pid != os.getpid():
                raise attempt.failed(
                    "this process was forked while the answer was read, and the parent goes on reading it",
                    code="CONNECTION_LOST",
                )
            # Given back already, the connection is not touched any more; what has been received may not all be decoded.
            if not lease.begin_reading() and (attempt.ended_by is not None or self._has_failed):
                break
            failure: BaseException | None = None
            data = b""
            try:
                attempt.await_content()
                data = self._read()
            except BaseException as error:
                self._has_failed = True
                lease.close()
                if attempt.ended_by is None:
                    if not isinstance(error, Exception):
                        raise
                    failure = error if isinstance(error, MuxiError) else failure_of(error, attempt, body=self._foreign)
            if failure is not None:
                raise failure
            lease.pause()
            if not data or attempt.ended_by is not None:
                break
            yield data
        if attempt.ended_by == "transport":
            raise attempt.closed_by_transport()

    def read(self, within: float | None = None) -> bytes:
        """The whole body; see :meth:`muxi.transport.Response.read`. Each wait is bounded by ``within``."""
        if within is not None:
            self.attempt.finish_within(within)
        return super().read()

    def close(self) -> None:
        """Free the connection; see :meth:`muxi.transport.Response.close`."""
        self.end("caller")

    def end(self, by: str) -> None:
        """End the answer, and note for its reader who did it."""
        if os.getpid() != self._pid:
            # A child after a fork closes its copy of the socket: the stream may go on in the parent.
            self.attempt.ended_by = self.attempt.ended_by or by
            self._lease.close()
            return
        self._lease.end(by)

    def __del__(self) -> None:
        # No lock may be taken here: a thread may be interrupted in the middle of anything.
        if hasattr(self, "_lease"):
            self._lease.abandon()


class DirectResponse(EndableResponse):
    """An answer of the direct lane.

    Args:
        answer: the answer with its body unread.
    """

    def __init__(self, answer: PooledAnswer) -> None:
        head = answer.head
        headers = received_headers(head.headers)
        self._read_content = undo_codings(answer.read, headers, answer.lease.attempt)
        super().__init__(head.status, headers, head.reason, head.version, answer.lease)

    def _read(self) -> bytes:
        return self._read_content()


def undo_codings(read: Callable[[], bytes], headers: Headers, attempt: Attempt) -> Callable[[], bytes]:
    """A function that reads a body with its content codings undone.

    Args:
        read: reads it as it was sent.
        headers: of the answer.
        attempt: what makes the errors.
    """
    names = headers.get("content-encoding")
    if not names or names.lower() == "identity":
        return read
    codings = Codings(names, attempt)

    def read_decoded() -> bytes:
        while True:
            if content := codings.take():
                return content
            piece = read()
            if not piece:
                codings.finish()
                return b""
            codings.add(piece)

    return read_decoded
