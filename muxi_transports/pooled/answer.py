"""Answers on a connection of the direct lane, read by the SDK's own HTTP/1.1."""

from __future__ import annotations

from muxi_transports.http1 import AnswerReader, Head
from muxi_transports.pooled.idle import DirectLease
from muxi_transports.pooled.lease import ConnectionLease
from muxi_transports.pooled.sending import send_request
from muxi_transports.pooled.wire import Wire, receive

__all__ = ["PooledAnswer", "exchange"]


class PooledAnswer:
    """The answer to a request, with its head read.

    Args:
        lease: the claim on the connection.
        method: of the request.
        early: the bytes of the answer that have been read already.
        sent: whether the whole request is out, so that another may follow it.
    """

    __slots__ = ("_attempt", "_content", "_reader", "_sent", "_wire", "head", "lease")

    def __init__(self, lease: DirectLease, method: str, *, early: bytes = b"", sent: bool = True) -> None:
        self.lease: ConnectionLease = lease
        self._attempt = attempt = lease.attempt
        self._wire: Wire = lease.wire
        self._sent = sent
        self._reader = reader = AnswerReader(method)
        self._content = reader.feed(early) if early else b""
        while reader.head is None:
            data = receive(self._wire, attempt)
            if data:
                self._content = reader.feed(data)
            else:
                reader.eof()
        self.head: Head = reader.head
        if reader.ended and not self._content:
            self._finish()

    def read(self) -> bytes:
        """The content that has arrived, without its framing; nothing at its end.

        Raises:
            http1.AnswerError: the answer breaks a rule of HTTP/1.1, or the connection ended before it.
        """
        reader = self._reader
        content, self._content = self._content, b""
        while not content:
            if reader.fault is not None:
                raise reader.fault
            if reader.ended:
                break
            data = receive(self._wire, self._attempt)
            if data:
                content = reader.feed(data)
            else:
                reader.eof()
        if reader.ended:
            self._finish()
        return content

    def _finish(self) -> None:
        pending = getattr(self._wire, "pending", None)  # bytes that TLS has decrypted already
        if self._sent and self._reader.reusable and not (pending is not None and pending()):
            self.lease.give_back()
        else:
            self.lease.close()


def exchange(lease: DirectLease, head: bytes, method: str) -> PooledAnswer:
    """Send a request over a connection, and read the head of its answer.

    Args:
        lease: the claim on the connection; closed where this fails.
        head: of the request; the attempt has its body.
        method: of the request.
    """
    attempt = lease.attempt
    try:
        attempt.connected = True
        sent, early = send_request(lease.wire, head, attempt)
        attempt.await_head()
        return PooledAnswer(lease, method, early=early, sent=sent)
    except BaseException:
        lease.close()
        raise
