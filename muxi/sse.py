"""Server-sent events without I/O: bytes in, whole and clean events out.

The framing follows the event stream section of the WHATWG HTML standard, with one rule left out:
a block that names an event but has no data is kept (``event: done`` is a message on this wire).
sseclient-py reads the fields of each block; the framer in front of it hands over only what that
parser reads right: whole blocks, one kind of line end, valid UTF-8, no byte order mark.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sseclient import SSEClient

__all__ = ["MAX_EVENT_BYTES", "EventTooLarge", "Framer", "ServerSentEvent", "decode", "read_blocks"]

#: The largest block that is accepted, in bytes. An artifact travels inside one event, encoded.
MAX_EVENT_BYTES = 64 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """One event is larger than the limit (the message says both)."""


class ServerSentEvent(NamedTuple):
    """One event as the stream has it."""

    #: The ``event`` field; ``message`` where the stream gives none.
    event: str
    #: The ``data`` lines, joined by line feeds.
    data: str


class Framer:
    """Cuts a byte stream, arriving in any pieces, into whole blocks.

    Args:
        limit: the largest block accepted, in bytes.
    """

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self.limit = limit
        #: How many comments (the wire's ``: keepalive``) have gone by.
        self.comments = 0
        self._buffer = bytearray()
        self._scanned = 0
        self._at_start = True
        self._after_cr = False
        self._oversized = 0

    def feed(self, chunk: bytes) -> bytes:
        """Take what has arrived; return the blocks it completes, cleaned, as one run of bytes.

        Raises:
            EventTooLarge: a block exceeded the limit. Blocks before it have been returned already.
        """
        self._refuse_oversized()
        buffer = self._buffer
        buffer += self._normalise(chunk)
        end = buffer.rfind(b"\n\n", self._scanned)
        if end < 0:
            self._drop_leading_comments()
            self._scanned = max(0, len(buffer) - 1)
            self._check_size(len(buffer))
            self._refuse_oversized()
            return b""
        whole = bytes(buffer[: end + 2])
        del buffer[: end + 2]
        self._scanned = max(0, len(buffer) - 1)
        self._check_size(len(buffer))
        return self._clean(whole)

    def _normalise(self, chunk: bytes) -> bytes:
        """The chunk with LF as its only line end and without the stream's byte order mark."""
        if self._at_start:
            head = bytes(self._buffer) + chunk
            if len(head) < len(_BOM) and _BOM.startswith(head):
                return chunk
            self._at_start = False
            self._scanned = 0
            self._buffer.clear()
            chunk = head[len(_BOM) :] if head.startswith(_BOM) else head
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _drop_leading_comments(self) -> None:
        # A server may send comments without ever ending the block; they must not pile up.
        while self._buffer.startswith(b":") and (end := self._buffer.find(b"\n")) >= 0:
            self.comments += 1
            del self._buffer[: end + 1]
            self._scanned = 0

    def _check_size(self, size: int) -> None:
        if size > self.limit:
            self._oversized = size

    def _refuse_oversized(self) -> None:
        if self._oversized:
            raise EventTooLarge(f"an event of the stream has more than {self.limit} bytes ({self._oversized} so far)")

    def _clean(self, whole: bytes) -> bytes:
        if not whole.isascii():
            whole = whole.decode("utf-8", "replace").encode()
        if self._is_clean(whole):
            return whole
        blocks: list[bytes] = []
        for block in whole.split(b"\n\n"):
            if len(block) > self.limit:
                self._check_size(len(block))
                break
            if kept := self._clean_block(block):
                blocks.append(kept)
        return b"".join(blocks)

    def _is_clean(self, whole: bytes) -> bool:
        """Whether every block begins with data and has no comment: then nothing is to be done."""
        return (
            len(whole) <= self.limit
            and whole.startswith(b"data:")
            and b"\n:" not in whole
            and whole.count(b"\n\n") == whole.count(b"\n\ndata:") + 1
        )

    def _clean_block(self, block: bytes) -> bytes:
        named = has_data = False
        lines: list[bytes] = []
        for line in block.split(b"\n"):
            if line.startswith(b":"):
                self.comments += 1
            elif line:
                field, _, value = line.partition(b":")
                if field == b"data":
                    has_data = True
                elif field == b"event":
                    named = value not in (b"", b" ")
                lines.append(line)
        if not has_data:
            if not named:
                return b""
            # sseclient-py drops blocks without data; an empty data field keeps the event.
            lines.append(b"data")
        lines.append(b"\n")
        return b"\n".join(lines)


def decode(blocks: bytes) -> list[ServerSentEvent]:
    """The events of a run of whole, clean blocks as :meth:`Framer.feed` returns them."""
    if not blocks:
        return []
    client = _client_class()(iter((blocks,)))
    return [ServerSentEvent(event.event, event.data) for event in client.events()]


def read_blocks(body: bytes, limit: int = MAX_EVENT_BYTES) -> list[ServerSentEvent]:
    """The events of a whole recorded stream; an unterminated last block is none."""
    return decode(Framer(limit).feed(body))


@lru_cache(maxsize=1)
def _client_class() -> type[SSEClient]:
    import sseclient

    client = getattr(sseclient, "SSEClient", None)
    if client is None or not hasattr(client, "_read") or not hasattr(client, "events"):
        raise ImportError(
            "the package imported as 'sseclient' is not sseclient-py but the unrelated 'sseclient' distribution; "
            "run: pip uninstall sseclient sseclient-py && pip install sseclient-py"
        )
    return sseclient.SSEClient
