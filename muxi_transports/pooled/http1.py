"""HTTP/1.1 as functions and values, without I/O: heads of requests and answers, and framing (RFC 9112)."""

from __future__ import annotations

import http.client
import re
from typing import NamedTuple

from muxi.transport import Body

__all__ = ["ChunkFraming", "Head", "InvalidFraming", "parse_head", "request_head"]

#: How long a line may be, in bytes; http.client has the same.
MAX_LINE = 64 * 1024
#: How long a head may be, in bytes.
MAX_HEAD = 256 * 1024

_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
# What servers and proxies want to be told about a body that is not there (RFC 9110, section 8.6).
_EXPECT_BODY = frozenset({"PATCH", "POST", "PUT"})
_STATUS_LINE = re.compile(rb"HTTP/(\d)\.(\d)[ \t]+(\d{3})(?:[ \t]+([^\r\n]*))?[ \t]*\r?$")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;|$)")


def request_head(method: str, target: str, host: str, headers: dict[str, str]) -> bytes:
    """The head of a request, with its framing complete.

    Args:
        method: ``GET``, ``POST``, …
        target: sent as it is.
        host: for the ``Host`` header, unless the headers have one.
        headers: values beyond ASCII go out as UTF-8.

    Raises:
        ValueError: the method is none.
    """
    if not _METHOD(method):
        raise ValueError(f"{method!r} is not an HTTP method")
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not any(name.lower() == "host" for name in headers):
        lines.insert(1, f"Host: {host}")
    return "\r\n".join([*lines, "\r\n"]).encode()


def framing_of(method: str, body: Body | None) -> tuple[str, str] | None:
    """The header that says where the body ends, where ``Content-Length`` does not say it already."""
    if body is not None:
        return ("Transfer-Encoding", "chunked") if body.length is None else None
    return ("Content-Length", "0") if method in _EXPECT_BODY else None


class Head(NamedTuple):
    """The head of an answer."""

    version: str
    status: int
    reason: str
    #: Names, and values as ISO 8859-1.
    headers: list[tuple[str, str]]
    #: How many bytes of what had arrived it took.
    size: int

    def get(self, name: str) -> str | None:
        """All values of a header, joined by commas; the name in lower case."""
        found = [value for known, value in self.headers if known.lower() == name]
        return ", ".join(found) if found else None


def parse_head(data: bytes) -> Head | None:
    """The head at the beginning of what has arrived; None while it is not complete.

    Header lines without a colon are left out, and lines that continue another are joined to it, as http.client does.

    Raises:
        http.client.BadStatusLine: this is not HTTP.
        http.client.LineTooLong: it has no end.
    """
    if not b"HTTP/".startswith(data[:5]):
        raise http.client.BadStatusLine(data[:40].decode("latin-1"))
    end = _END_OF_HEAD.search(data)
    if end is None:
        if len(data) > MAX_HEAD or (len(data) > MAX_LINE and b"\n" not in data[-MAX_LINE:]):
            raise http.client.LineTooLong("header")
        return None
    lines = data[: end.start()].split(b"\n")
    status = _STATUS_LINE.match(lines[0])
    if status is None:
        raise http.client.BadStatusLine(lines[0][:40].decode("latin-1"))
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        text = line.decode("latin-1").rstrip("\r")
        if text[:1] in (" ", "\t"):
            if headers:
                headers[-1] = headers[-1][0], f"{headers[-1][1]} {text.strip()}"
            continue
        name, colon, value = text.partition(":")
        if colon:
            headers.append((name, value.strip(" \t")))
    version = f"{status[1].decode()}.{status[2].decode()}"
    return Head(version, int(status[3]), (status[4] or b"").decode("latin-1").rstrip(), headers, end.end())


class ChunkFraming:
    """Takes the chunked transfer coding off, whatever way the bytes are cut."""

    __slots__ = ("_left", "_line", "_state", "ended", "surplus")

    def __init__(self) -> None:
        self._left = 0
        self._line = b""
        self._state = "size"
        #: Whether the last chunk and its trailers have come.
        self.ended = False
        #: Whether something came after them.
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        """The content in the next bytes of the wire.

        Raises:
            InvalidFraming: what stands where a chunk's size should be is none.
            http.client.LineTooLong: it has no end.
        """
        content: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.ended:
            if self._state == "data":
                piece = data[at : at + self._left]
                content.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = "end of data"
                continue
            newline = data.find(b"\n", at)
            if newline < 0:
                self._line += data[at:]
                if len(self._line) > MAX_LINE:
                    raise http.client.LineTooLong("chunk size")
                at = end
                break
            line = (self._line + data[at:newline]).rstrip(b"\r")
            self._line = b""
            at = newline + 1
            self._take(line)
        self.surplus = self.surplus or at < end
        return content[0] if len(content) == 1 else b"".join(content)

    def _take(self, line: bytes) -> None:
        if self._state == "end of data":
            if line:
                raise InvalidFraming(f"a chunk is followed by {line[:20]!r} instead of a line break")
            self._state = "size"
        elif self._state == "size":
            size = _CHUNK_SIZE.match(line)
            if size is None:
                raise InvalidFraming(f"{line[:20]!r} is not the size of a chunk")
            self._left = int(size[1], 16)
            self._state = "data" if self._left else "trailer"
        elif not line:
            self.ended = True


class InvalidFraming(http.client.HTTPException):
    """What says where an answer ends makes no sense."""
