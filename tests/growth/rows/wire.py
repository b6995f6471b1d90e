"""Rows: what arrives on a connection, before it is an answer."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from muxi.exchange.download import describe
from muxi.exchange.incoming import redirected
from muxi.transport import BufferedResponse, Headers, Request, Timeouts
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import Content
from muxi_transports.http.reframing import Reframer
from muxi_transports.http.wire import parse_origin, received_headers, split_url
from muxi_transports.http1 import AnswerReader
from tests.growth.rows.row import Row, binary, in_pieces, texts

__all__ = ["ROWS"]

_REQUEST = Request("GET", "http://localhost/v1/x", Headers(), None, Timeouts())


def response_with(header: str, value: str, status: int = 200) -> BufferedResponse:
    """A response with a header that no transport would let through either."""
    answer = BufferedResponse(status)
    answer.headers._items[header] = [(header, value)]
    return answer


def undo(encoding: str) -> Callable[[bytes], object]:
    """A function that undoes the codings of a body, and throws the content away."""

    def run(body: bytes) -> int:
        content = Content(_REQUEST, 200, Headers({"Content-Encoding": encoding}), Attempt(_REQUEST, "localhost:80"))
        total = 0
        for at in range(0, len(body), 65536):
            content.add(body[at : at + 65536])
            while piece := content.take():
                total += len(piece)
        content.finish()
        return total

    return run


def feed_body(head: bytes) -> Callable[[], Callable[[bytes], object]]:
    """A function that makes a reader behind a head."""

    def start() -> Callable[[bytes], object]:
        reader = AnswerReader("GET")
        reader.feed(head)
        return reader.feed

    return start


_HEAD = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_LINES = (
    b"a: b\r\n",
    b" \r\n",
    b"a",
    b" ",
    b"\r",
    b": ",
    b"a:\r\n b\r\n",
    b"Content-Length: 1\r\n",
    b"Connection: a,\r\n",
)
_MEMBER = gzip.compress(b"a", mtime=0)
#: A block of deflate that has nothing in it; any number of them may precede the last one.
_EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"


ROWS: dict[str, Row] = {
    "a head in pieces": in_pieces(lambda: AnswerReader("GET").feed, *_LINES, before=_HEAD),
    "a whole head": binary(lambda data: AnswerReader("GET").feed(data), *_LINES, before=_HEAD, after=b"\r\n\r\n"),
    "a status line": binary(lambda data: AnswerReader("GET").feed(data), b" ", b"a", b"\r", b"\t", before=b"HTTP/1.1 200"),
    "interim answers": in_pieces(lambda: AnswerReader("GET").feed, b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks in pieces": in_pieces(
        feed_body(_CHUNKED), b"1\r\na\r\n", b"1;a=b\r\na\r\n", b"0", b"1;", b"f\r\n", b"5\r\nhello\r\n", piece=3
    ),
    "whole chunks": binary(feed_body(_CHUNKED)(), b"1\r\na\r\n", b"1 ; a\r\na\r\n"),
    "trailers": in_pieces(feed_body(_CHUNKED + b"0\r\n"), b"a: b\r\n", b"a", b" \r\n", piece=3),
    "a body of a length": in_pieces(feed_body(_HEAD + b"Content-Length: 1000000\r\n\r\n"), b"a", piece=3),
    "lengths of a body": texts(
        lambda text: AnswerReader("GET").feed(_HEAD + b"Content-Length: " + text.encode() + b"\r\n\r\n"), "1,", "1", " ,"
    ),
    "an answer for the parser of a library": in_pieces(lambda: Reframer("GET").feed, b"1\r\na\r\n", before=_CHUNKED),
    "received_headers": texts(
        lambda text: received_headers([("a", text), ("b c", text), ("d", text + "\n")]), "ü", "\r\n ", "\0", "\t", "a"
    ),
    "members of gzip": binary(undo("gzip"), _MEMBER, gzip.compress(b"", mtime=0), b"\x1f\x8b"),
    "empty blocks of deflate": binary(undo("deflate"), _EMPTY_BLOCK, b"\x78\x9c", after=b"\x03\x00"),
    "gzip in gzip": Row(
        {
            name: (lambda unit: lambda size: (lambda body: lambda: undo("gzip, gzip")(body))(
                gzip.compress(unit * (size // len(unit)), mtime=0)
            ))(unit)
            for name, unit in {"members": _MEMBER, "zeros": gzip.compress(bytes(1000), mtime=0)}.items()
        }
    ),
    "the names of codings": texts(lambda text: undo(text)(b""), "gzip,", " ,", "a"),
    "redirected": texts(
        lambda text: redirected("http://localhost/v1/x", response_with("location", text, 307)),
        *("/", "../", "./", "?", "#", "//", "@", "[", ":", "ü", "%", " ", "a/../"),
    ),
    "describe": texts(
        lambda text: describe(response_with("content-disposition", f"attachment{text}"), "a", 0),
        *(";", '; filename="', "; a=", ";  ", "\\", '"', "; filename*=utf-8''", "%00", "; filename*=UTF-8''%C3%A4"),
    ),
    "retry_after": texts(lambda text: response_with("retry-after", text).retry_after(0.0), "1", "(", " ", "GMT ", ",", "a"),
    "content_type": texts(lambda text: response_with("content-type", text).content_type, ";", " ", "/", "a"),
    "split_url": texts(split_url, "http://", "/", "#", "?", "a"),
    "parse_origin": texts(parse_origin, "http://", "@", ":", "[", "%40"),
}  # fmt: skip

assert zlib.decompressobj(-15).decompress(_EMPTY_BLOCK * 3) == b""
