"""The end of an answer: by its head, by a length, by chunks, or by the end of the connection."""

from __future__ import annotations

import re
from typing import Protocol

from muxi_transports.http1 import rules
from muxi_transports.http1.errors import MalformedAnswer
from muxi_transports.http1.head import Block, Head, parse_fields

__all__ = ["BodyReader", "ChunkedBody", "LengthBody", "UnboundedBody", "find_framing"]

_LENGTH = re.compile(r"[0-9]{1,18}")
_HEXADECIMAL = b"0123456789abcdefABCDEF"
_DIGITS = 16
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")


class BodyReader(Protocol):
    """Takes the framing off a body, whatever way its bytes are cut."""

    #: Whether the body is complete.
    ended: bool
    #: Whether bytes came after its end.
    surplus: bool
    #: The first rule that is broken; no content comes after it.
    fault: MalformedAnswer | None

    def decode(self, data: bytes) -> bytes:
        """The content in the next bytes of the connection."""
        ...

    def finish(self) -> bool:
        """Return whether the end of the connection is the end of the body."""
        ...


class LengthBody:
    """A body of a known length.

    Args:
        length: in bytes.
    """

    __slots__ = ("_left", "ended", "fault", "surplus")

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended: bool = not length
        self.surplus: bool = False
        self.fault: MalformedAnswer | None = None

    def decode(self, data: bytes) -> bytes:
        """The content in the next bytes."""
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return data
        if left < 0:
            self.surplus = True
            data = data[: self._left]
        self._left = 0
        self.ended = True
        return data

    def finish(self) -> bool:
        """Return whether the body is complete."""
        return self.ended


class UnboundedBody:
    """A body that ends with the connection."""

    __slots__ = ("ended", "fault", "surplus")

    def __init__(self) -> None:
        self.ended: bool = False
        self.surplus: bool = False
        self.fault: MalformedAnswer | None = None

    def decode(self, data: bytes) -> bytes:
        """The bytes as they are."""
        return b"" if self.ended else data

    def finish(self) -> bool:
        """Note the end of the connection."""
        self.ended = True
        return True


class ChunkedBody:
    """A body in chunks (RFC 9112, section 7.1)."""

    __slots__ = ("_credit", "_left", "_pending", "_trailers", "ended", "fault", "surplus")

    def __init__(self) -> None:
        #: Bytes of the chunk that are still to come; 0 between chunks.
        self._left = 0
        #: An incomplete line with a size, or the incomplete end of a chunk.
        self._pending = b""
        self._trailers: Block | None = None
        #: The bytes of extensions that may still come.
        self._credit = rules.MAX_EXTENSIONS
        self.ended: bool = False
        self.surplus: bool = False
        self.fault: MalformedAnswer | None = None

    def decode(self, data: bytes) -> bytes:
        """The content in the next bytes. Content before a fault is returned; there is none behind it."""
        content: list[bytes] = []
        try:
            self._decode(data, content)
        except MalformedAnswer as fault:
            self.fault = fault
        return content[0] if len(content) == 1 else b"".join(content)

    def finish(self) -> bool:
        """Return whether the body is complete."""
        return self.ended

    def _decode(self, data: bytes, content: list[bytes]) -> None:
        if self.ended:
            self.surplus = self.surplus or bool(data)
            return
        if self._trailers is not None:
            self._end_with(self._trailers, data)
            return
        at, end = 0, len(data)
        if self._left:
            at = self._take_chunk(data, 0, self._left, content)
        elif self._pending:
            data = self._pending + data
            end = len(data)
            self._pending = b""
        while at < end:
            newline = data.find(b"\n", at)
            line = data[at:newline] if newline >= 0 else data[at:]
            if newline < 0:
                if len(line) > rules.MAX_CHUNK_LINE + 1:
                    raise MalformedAnswer(rules.CHUNK_LINE_SIZE, line)
                self._pending = line
                return
            # int() would also take signs, prefixes, underscores and white space before the digits.
            plain = line.lstrip(_HEXADECIMAL) == b"\r" and 1 < len(line) <= _DIGITS + 1
            size = int(line, 16) if plain else self._parse_size(line)
            at = newline + 1
            if not size:
                self._trailers = Block(rules.MAX_TRAILERS + 1, rules.TRAILER_SIZE, b"\n")
                self._end_with(self._trailers, data[at:])
                return
            stop = at + size
            if data[stop : stop + 2] == b"\r\n":
                content.append(data[at:stop])
                at = stop + 2
            else:
                at = self._take_chunk(data, at, size + 2, content)

    def _take_chunk(self, data: bytes, at: int, left: int, content: list[bytes]) -> int:
        """Take as much of a chunk and its line break as there is, and return the place behind it."""
        stop = at + left - 2
        if at < stop:
            content.append(data[at:stop])
        at += left
        expected = b"\r\n"[-left:]
        tail = data[max(stop, 0) : at]
        if not expected.startswith(tail):
            raise MalformedAnswer(rules.CHUNK_END, tail)
        self._left = max(at - len(data), 0)
        return at

    def _parse_size(self, line: bytes) -> int:
        """The size in a line up to its line feed, with all that the RFC allows there."""
        if len(line) > rules.MAX_CHUNK_LINE + 1:
            raise MalformedAnswer(rules.CHUNK_LINE_SIZE, line)
        if not line.endswith(b"\r"):
            raise MalformedAnswer(rules.CHUNK_LINE_END, line)
        found = _CHUNK_LINE.fullmatch(line, 0, len(line) - 1)
        if found is None:
            before = line.partition(b";")[0]
            raise MalformedAnswer(rules.CHUNK_EXTENSION if _CHUNK_LINE.fullmatch(before) else rules.CHUNK_SIZE, line)
        size = int(found[1], 16)
        self._credit -= len(line) - 1 - len(found[1])
        if self._credit < 0:
            raise MalformedAnswer(rules.EXTENSION_FLOOD, line)
        self._credit += size
        return size

    def _end_with(self, trailers: Block, data: bytes) -> None:
        surplus = trailers.add(data)
        if surplus >= 0:
            parse_fields(trailers.content.decode("latin-1"), 1)
            self.ended = True
            self.surplus = surplus > 0


def find_framing(head: Head, method: str) -> tuple[BodyReader, bool]:
    """The reader for the body of an answer, and whether its head lets the connection be used again.

    Args:
        head: of the answer.
        method: of the request.

    Raises:
        MalformedAnswer: the fields that frame the body break a rule.
    """
    lengths: list[str] = []
    codings: list[str] = []
    options: list[str] = []
    for name, value in head.headers:
        known = name.lower()
        if known == "content-length":
            lengths.append(value)
        elif known == "transfer-encoding":
            codings.append(value)
        elif known == "connection":
            options += [option.strip(" \t") for option in value.lower().split(",")]
    length = _parse_length(lengths) if lengths else None
    if codings:
        _check_coding(codings, head.version, beside_length=length is not None)
    reusable = ("keep-alive" in options or head.version != "1.0") and "close" not in options
    if method == "HEAD" or head.status == 304:
        return LengthBody(0), reusable
    if head.status == 204:
        return LengthBody(0), reusable and not codings and not length
    if codings:
        return ChunkedBody(), reusable
    if length is None:
        return UnboundedBody(), False
    return LengthBody(length), reusable


def _parse_length(values: list[str]) -> int:
    lengths = set()
    for value in ",".join(values).split(","):
        digits = value.strip(" \t")
        if not _LENGTH.fullmatch(digits):
            raise MalformedAnswer(rules.CONTENT_LENGTH, digits)
        lengths.add(int(digits))
    if len(lengths) > 1:
        raise MalformedAnswer(rules.LENGTHS_DIFFER, ", ".join(values))
    return lengths.pop()


def _check_coding(values: list[str], version: str, *, beside_length: bool) -> None:
    if beside_length:
        raise MalformedAnswer(rules.LENGTH_AND_CODING)
    if version == "1.0":
        raise MalformedAnswer(rules.CODING_1_0)
    if len(values) > 1 or values[0].lower() != "chunked":
        raise MalformedAnswer(rules.CODINGS, ", ".join(values))
