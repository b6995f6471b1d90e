"""Requests on their way out: written piece by piece, until the peer answers early."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable

from muxi.transport import BytesBody
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.polling import wait_for
from muxi_transports.http.wire import PIECE
from muxi_transports.http1 import LAST_CHUNK, chunk
from muxi_transports.pooled.wire import Wire, bound

__all__ = ["ANSWERED_EARLY", "read_early", "send_request"]

# A body in memory of up to this many bytes goes out together with the head, in one call.
_SMALL = 64 * 1024
#: What a write meets where the peer has answered before the request was out, and closed: the answer can be read.
ANSWERED_EARLY = frozenset({errno.EPIPE, errno.ECONNRESET, getattr(errno, "EPROTOTYPE", errno.EPIPE)})

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def send_request(wire: Wire, head: bytes, attempt: Attempt) -> tuple[bool, bytes]:
    """Write a request.

    Returns:
        Whether all of it was written, and the beginning of the answer where it came before that.

    Raises:
        builtins.TimeoutError: the peer did not read in time.
        OSError: the connection broke.
    """
    body = attempt.body
    try:
        if body is None or (isinstance(body, BytesBody) and len(body.content) <= _SMALL):
            bound(wire, attempt)
            wire.sendall(head if body is None else head + body.content)
            return True, b""
        pieces = _pieces(head, attempt)
        if isinstance(wire, socket.socket):
            early = _write_watching(wire, pieces, attempt)
            return early is None, early or b""
        for piece in pieces:
            bound(wire, attempt)
            wire.sendall(piece)
        return True, b""
    except OSError as error:
        if attempt.body_error is not None or error.errno not in ANSWERED_EARLY:
            raise
        return False, b""


def _pieces(head: bytes, attempt: Attempt) -> Iterable[bytes]:
    """The bytes of a request in the order in which they are written."""
    body = attempt.body
    if isinstance(body, BytesBody):
        yield head
        yield body.content
        return
    yield head
    if body is not None and body.length is None:
        for piece in attempt.pieces():
            yield chunk(piece)
        yield LAST_CHUNK
    else:
        yield from attempt.pieces()


def _write_watching(wire: socket.socket, pieces: Iterable[bytes], attempt: Attempt) -> bytes | None:
    """Write as long as nothing comes back; return what came, None where nothing did.

    A server that refuses an upload may answer, and neither read on nor close.
    """
    wire.settimeout(0)
    for piece in pieces:
        view = memoryview(piece)
        while view:
            try:
                view = view[wire.send(view[:PIECE]) :]
                continue
            except _WOULD_BLOCK:
                pass
            if not wait_for(wire, attempt.next_wait(), write=True):
                raise TimeoutError("timed out")
            early = read_early(wire)
            if early is not None:
                return early
    return None


def read_early(wire: socket.socket) -> bytes | None:
    """Return bytes read from a non-blocking socket: empty if the peer has closed it, None if none have arrived."""
    try:
        return wire.recv(PIECE)
    except _WOULD_BLOCK:
        return None
