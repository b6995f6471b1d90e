"""Server-sent events without I/O: bytes in, whole and clean events out.

The framing follows the event stream section of the WHATWG HTML standard, with one rule left out:
a block that names an event but has no data is kept (``event: done`` is a message on this wire).
sseclient-py reads the fields of each block; the framer in front of it hands over only what that
parser reads right: whole blocks, one kind of line end, valid UTF-8, no byte order mark.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sseclient import SSEClient

__all__ = [
    "MAX_EVENT_BYTES",
    "MAX_EVENT_LINES",
    "EventTooLarge",
    "Framer",
    "ServerSentEvent",
    "decode",
    "json_object",
    "read_blocks",
]

#: The largest block that is accepted, in bytes. An artifact travels inside one event, encoded.
MAX_EVENT_BYTES = 64 * 1024 * 1024
#: The most lines that a block may have: sseclient-py adds line to line, which takes quadratic time.
MAX_EVENT_LINES = 10_000

_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """One event is larger than a limit; the message says which limit.

    Args:
        limit: in bytes.
        blocks: those that were whole before it, as :meth:`Framer.feed` would have returned them.
        lines: the most lines, where the event has more than these.
    """

    def __init__(self, limit: int, blocks: bytes = b"", lines: int | None = None) -> None:
        large = f"is larger than {limit} bytes" if lines is None else f"has more than {lines} lines"
        super().__init__(f"an event of the stream {large}")
        self.limit = limit
        self.blocks = blocks
        self.lines = lines


class ServerSentEvent(NamedTuple):
    """An event as received."""

    #: The ``event`` field; ``message`` where the stream gives none.
    event: str
    #: The ``data`` lines, joined by line feeds.
    data: str


_decode_json = json.JSONDecoder().raw_decode


class Framer:
    """Splits a byte stream into whole blocks, however its bytes are split into chunks.

    Args:
        limit: the largest block accepted: the bytes of its lines with their ends, comments not counted.
    """

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self.limit = limit
        #: Number of comment lines (the wire's ``: keepalive``) received.
        self.comments: int = 0
        #: A byte order mark as far as it has arrived; None once the stream has begun.
        self._mark: bytes | None = b""
        self._after_cr = False
        #: The line that has not ended yet. Of a comment only the colon is kept.
        self._line = bytearray()
        #: The whole lines of the block that has not ended yet, comments left out.
        self._block = bytearray()
        self._too_large: EventTooLarge | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk; return the blocks that it completes, cleaned, as one run of bytes.

        Raises:
            EventTooLarge: a block exceeds the limit; what follows it cannot be read any more.
        """
        if self._too_large:
            raise EventTooLarge(self.limit, lines=self._too_large.lines)
        whole = self._cut(self._take_lines(self._normalise(chunk)))
        plain = _is_plain(whole)
        good, lines = whole, None
        if len(whole) > self.limit or (not plain and whole.count(b"\n") > MAX_EVENT_LINES):
            good, lines = _until_too_large(whole, self.limit)
        unfinished = len(self._block) + (0 if self._line.startswith(b":") else len(self._line))
        if len(good) < len(whole) or unfinished > self.limit:
            self._too_large = EventTooLarge(self.limit, _clean(good, plain=plain), lines)
            raise self._too_large
        return _clean(whole, plain=plain)

    def _normalise(self, chunk: bytes) -> bytes:
        """Return the chunk with LF as its only line end and without the stream's byte order mark."""
        if self._mark is not None:
            chunk = self._mark + chunk
            if _BOM.startswith(chunk):
                self._mark = chunk
                return b""
            self._mark = None
            chunk = chunk.removeprefix(_BOM)
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _take_lines(self, chunk: bytes) -> bytes:
        """Return the lines that are complete now, without comments."""
        end = chunk.rfind(b"\n") + 1
        lines, rest = chunk[:end], chunk[end:]
        if lines and self._line:
            lines = bytes(self._line) + lines
            self._line.clear()
        self._line += rest
        if self._line.startswith(b":"):
            del self._line[1:]
        if not _is_plain(lines) and (lines.startswith(b":") or b"\n:" in lines):
            kept = [line for line in lines.split(b"\n") if not line.startswith(b":")]
            self.comments += lines.count(b"\n") + 1 - len(kept)
            lines = b"\n".join(kept)
        return lines

    def _cut(self, lines: bytes) -> bytes:
        """Return the blocks that are complete now; keep the rest."""
        block = self._block
        if not block:
            lines = lines.lstrip(b"\n")
            if lines.endswith(b"\n\n"):
                return lines
        scanned = max(0, len(block) - 1)
        block += lines
        found = block.rfind(b"\n\n", scanned)
        if found == -1:
            return b""
        end = found + 2
        whole = bytes(block[:end])
        del block[:end]
        return whole


def _is_plain(lines: bytes) -> bool:
    """Tell whether each line is one of data with an empty line after it, as nearly all are; the last may lack that."""
    at = 0
    while lines.startswith(b"data:", at):
        # The search for one byte is as fast as memory; a count, a split and a search for two are not.
        at = lines.find(b"\n", at) + 1
        if not lines.startswith(b"\n", at):
            break
        at += 1
    return at == len(lines)


def _until_too_large(whole: bytes, limit: int) -> tuple[bytes, int | None]:
    """Return the blocks before the first that is too large, and the most lines where that one has more."""
    start = 0
    while start < len(whole):
        end = whole.index(b"\n\n", start) + 1
        if end - start > limit:
            return whole[:start], None
        if whole.count(b"\n", start, end) > MAX_EVENT_LINES:
            return whole[:start], MAX_EVENT_LINES
        start = end
        while whole.startswith(b"\n", start):
            start += 1
    return whole, None


def _clean(whole: bytes, *, plain: bool) -> bytes:
    """Return blocks in the form that sseclient-py reads correctly: valid UTF-8, and no named block without data."""
    if not whole.isascii():
        whole = whole.decode(errors="replace").encode()
    return whole if plain else b"".join(map(_clean_block, whole.split(b"\n\n")))


def _clean_block(block: bytes) -> bytes:
    block = block.lstrip(b"\n")
    named = False
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            return block + b"\n\n"
        if field == b"event":
            named = value not in (b"", b" ")
    # sseclient-py drops blocks without data; an empty data field keeps the event.
    return block + b"\ndata\n\n" if named else b""


def decode(blocks: bytes) -> list[ServerSentEvent]:
    """Return the events of a run of whole, clean blocks as :meth:`Framer.feed` returns them."""
    if not blocks:
        return []
    client = _client_class()
    text = blocks.decode()
    found: list[ServerSentEvent] = []
    at = 0
    while text.startswith("data:", at):
        stop = text.find("\n", at)
        if not text.startswith("\n", stop + 1):
            break
        found.append(ServerSentEvent("message", text[at + (6 if text.startswith(" ", at + 5) else 5) : stop]))
        at = stop + 2
    if at < len(text):
        # Blocks of several lines, or of other fields than data.
        rest = client(iter((text[at:].encode(),))).events()
        found += [ServerSentEvent(event.event, event.data) for event in rest]
    return found


def json_object(data: str) -> dict[str, Any] | None:
    """Return the JSON object in the data of an event, or None if it is not one."""
    try:
        # json.loads() does the same and looks for white space and a byte order mark first, which are rare here.
        payload, end = _decode_json(data) if data.startswith("{") else (json.loads(data), len(data))
        if end != len(data) and data[end:].strip(" \t\r\n"):
            return None
    except (ValueError, RecursionError):  # not JSON, or nested too deeply
        return None
    return payload if isinstance(payload, dict) else None


def read_blocks(body: bytes, limit: int = MAX_EVENT_BYTES) -> list[ServerSentEvent]:
    """Return the events of a recorded stream; an unterminated last block is dropped.

    Raises:
        EventTooLarge: a block exceeds the limit.
    """
    return decode(Framer(limit).feed(body))


@lru_cache(maxsize=1)
def _client_class() -> type[SSEClient]:
    import sseclient

    if not hasattr(getattr(sseclient, "SSEClient", None), "events"):
        raise ImportError(
            "the package imported as 'sseclient' is not sseclient-py but the unrelated 'sseclient' distribution; "
            "run: pip uninstall sseclient sseclient-py && pip install sseclient-py"
        )
    return sseclient.SSEClient
