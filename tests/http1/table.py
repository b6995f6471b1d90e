"""The rules of answers, each with bytes that show it: what is refused by which rule, and what comes out of the rest."""

from __future__ import annotations

from typing import NamedTuple

from muxi_transports.http1 import rules

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


class Refused(NamedTuple):
    """Bytes that a rule refuses."""

    rule: rules.FramingRule
    wire: bytes
    #: The content that comes out before.
    content: bytes = b""
    method: str = "GET"


class Accepted(NamedTuple):
    """Bytes that are read."""

    rule: rules.FramingRule
    wire: bytes
    content: bytes = b""
    reusable: bool = True
    method: str = "GET"
    status: int = 200
    reason: str = "OK"
    version: str = "1.1"
    #: Whether its end is seen before that of the connection.
    framed: bool = True
    #: The headers that have to be there.
    headers: tuple[tuple[str, str], ...] = ()


def answer(*lines: bytes, body: bytes = b"") -> bytes:
    """A head with a status line, the lines and an empty one, and a body."""
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", body])


def starting(status_line: bytes) -> bytes:
    """An answer without content that starts with a status line."""
    return status_line + b"\r\nContent-Length: 0\r\n\r\n"


def padded_line(length: int) -> bytes:
    """A field line of that many bytes, its CR included and its LF not."""
    return b"A: ".ljust(length - 1, b"x")


def extended(content: bytes, extension: bytes) -> bytes:
    """A chunk with an extension."""
    return b"%x%b\r\n%b\r\n" % (len(content), extension, content)


_FIELD = b"Content-Length: 0"
_INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
_TOKEN_SEPARATORS = b'"(),/:;<=>?@[\\]{}'
# 100 bytes of head beside the lines that fill it: the status line, the length and the empty line.
_FILLING = b"".join(padded_line(rules.MAX_LINE // 2 - 1) + b"\r\n" for _ in range(7))


def _head_of(size: int) -> bytes:
    head = OK + _FIELD + b"\r\n" + _FILLING + b"B: "
    return head.ljust(size - 4, b"b") + b"\r\n\r\n"


def _trailers_of(size: int) -> bytes:
    half = size // 2
    return b"A: ".ljust(half - 2, b"a") + b"\r\n" + b"B: ".ljust(size - half - 4, b"b") + b"\r\n\r\n"


ROWS: list[Refused | Accepted] = [
    # Status line.
    Refused(rules.NOT_HTTP, b"SSH-2.0-OpenSSH_9.6\r\n"),
    Refused(rules.NOT_HTTP, b"<html>an answer of HTTP/0.9</html>"),
    Refused(rules.NOT_HTTP, b"\r\n" + starting(b"HTTP/1.1 200 OK")),
    Refused(rules.NOT_HTTP, b"\nHTTP/1.1 200 OK\r\n\r\n"),
    Refused(rules.NOT_HTTP, b"http/1.1 200 OK\r\n\r\n"),
    Refused(rules.NOT_HTTP, b"ICY 200 OK\r\n\r\n"),
    Refused(rules.NOT_HTTP, b" HTTP/1.1 200 OK\r\n\r\n"),
    Refused(rules.NOT_HTTP, b"HTTPS/1.1 200 OK\r\n\r\n"),
    Refused(rules.NOT_HTTP, b"\xc8TTP/1.1 200 OK\r\n\r\n"),
    *(
        Refused(rules.VERSION, starting(b"HTTP/" + version + b" 200 OK"))
        for version in (b"0.9", b"2.0", b"2", b"3", b"11", b"1", b"1,1", b"\xb9.1", b" 1.1", b"")
    ),
    *(
        Accepted(rules.MINOR_VERSION, starting(b"HTTP/1.%d 200 OK" % minor), version=f"1.{minor}")
        for minor in (1, 2, 9)
    ),
    *(
        Refused(rules.STATUS_LINE, starting(line))
        for line in (
            b"HTTP/1.1",
            b"HTTP/1.1 ",
            b"HTTP/1.1 20",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 abc OK",
            b"HTTP/1.1 +20 OK",
            b"HTTP/1.1 2_0 OK",
            b"HTTP/1.1 2\xb20 OK",
            b"HTTP/1.1  200 OK",
            b"HTTP/1.1\t200 OK",
            b"HTTP/1.1 200\tOK",
            b"HTTP/1.1 200OK",
            b"HTTP/1.11 200 OK",
            b"HTTP/1. 200 OK",
            b"HTTP/1.x 200 OK",
            b"HTTP/1.\xb2 200 OK",
            b"HTTP/1.1200 OK",
            b"HTTP/1.1 200 O\0K",
            b"HTTP/1.1 200 O\x08K",
            b"HTTP/1.1 200 O\x0bK",
            b"HTTP/1.1 200 O\x1fK",
            b"HTTP/1.1 200 O\x7fK",
            b"HTTP/1.1 200 O\rK",
            b"HTTP/1.1 200 OK\r",
        )
    ),
    Accepted(rules.STATUS_LINE, starting(b"HTTP/1.1 404 Not  Found"), status=404, reason="Not  Found"),
    Accepted(rules.STATUS_LINE, starting(b"HTTP/1.1 418 ~\t th\xe9 \xff\x80"), status=418, reason="~\t thé ÿ\x80"),
    *(
        Accepted(rules.STATUS_LINE_END, starting(b"HTTP/1.1 200" + rest), reason="")
        for rest in (b"", b" ", b"  ", b" \t ", b" " * 1600)
    ),
    Accepted(rules.STATUS_LINE_END, starting(b"HTTP/1.1 200 \t OK \t")),
    *(Refused(rules.STATUS_CODE, starting(b"HTTP/1.1 %b OK" % status)) for status in (b"000", b"001", b"099")),
    *(Accepted(rules.UNKNOWN_CLASS, starting(b"HTTP/1.1 %d OK" % status), status=status) for status in (600, 999, 599)),
    # Field lines.
    Refused(rules.HEAD_SIZE, answer(padded_line(rules.MAX_LINE + 1), _FIELD)),
    Refused(rules.HEAD_SIZE, OK + padded_line(rules.MAX_LINE + 1) + b"x"),
    Refused(rules.HEAD_SIZE, b"HTTP/1.1 200 ".ljust(rules.MAX_LINE + 1, b"x")),
    Refused(rules.HEAD_SIZE, b"HTTP/1.1 200 ".ljust(rules.MAX_LINE, b"x") + b"\r\n" + _FIELD + b"\r\n\r\n"),
    Refused(rules.HEAD_SIZE, b"HTTP/1.1 abc".ljust(rules.MAX_LINE, b"x") + b"\r\n" + _FIELD + b"\r\n\r\n"),
    Refused(rules.STATUS_LINE, b"HTTP/1.1 abc".ljust(rules.MAX_LINE, b"x") + b"\n" + _FIELD + b"\r\n\r\n"),
    Refused(rules.HEAD_SIZE, OK + (b"A: ".ljust(1022, b"x") + b"\r\n") * 257),
    Refused(rules.HEAD_SIZE, _head_of(rules.MAX_HEAD + 1)),
    Refused(rules.HEAD_SIZE, _INTERIM + _head_of(rules.MAX_HEAD - len(_INTERIM) + 1)),
    Refused(rules.HEAD_SIZE, b"HTTP/1.1 100 Continue\r\n" + (b"A: ".ljust(1022, b"x") + b"\r\n") * 257),
    Refused(
        rules.HEAD_SIZE,
        (b"HTTP/1.1 100 Continue\r\nA: ".ljust(64 * 1024 - 4, b"x") + b"\r\n\r\n") * 4 + answer(_FIELD),
    ),
    Accepted(rules.HEAD_SIZE, _head_of(rules.MAX_HEAD)),
    Accepted(rules.HEAD_SIZE, _INTERIM + _head_of(rules.MAX_HEAD - len(_INTERIM))),
    Accepted(rules.HEAD_SIZE, answer(padded_line(rules.MAX_LINE), _FIELD)),
    Accepted(
        rules.HEAD_SIZE,
        b"HTTP/1.1 200 ".ljust(rules.MAX_LINE - 1, b"x") + b"\r\n" + _FIELD + b"\r\n\r\n",
        reason="x" * (rules.MAX_LINE - 14),
    ),
    Refused(rules.FIELD_COUNT, answer(_FIELD, *[b"A: b"] * rules.MAX_FIELDS)),
    Refused(rules.FIELD_COUNT, answer(_FIELD, *[b"no field"] * rules.MAX_FIELDS)),
    Refused(rules.FIELD_COUNT, CHUNKED + b"0\r\n" + b"A: b\r\n" * (rules.MAX_FIELDS + 1) + b"\r\n"),
    Accepted(rules.FIELD_COUNT, answer(_FIELD, *[b"A: b"] * (rules.MAX_FIELDS - 1))),
    Accepted(rules.FIELD_COUNT, CHUNKED + b"0\r\n" + b"A: b\r\n" * rules.MAX_FIELDS + b"\r\n"),
    Accepted(rules.BARE_LF, b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", b"hi"),
    Accepted(rules.BARE_LF, b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nhi", b"hi"),
    Accepted(rules.BARE_LF, b"HTTP/1.1 200 OK\nContent-Length: 4\r\n\n\r\n\r\n", b"\r\n\r\n"),
    Accepted(rules.BARE_LF, b"HTTP/1.1 200 OK\nContent-Length: 3\n\n\n\r\n", b"\n\r\n"),
    Accepted(rules.BARE_LF, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\n\n\n\n", b"\n\n\n\n"),
    Accepted(rules.BARE_LF, b"HTTP/1.1 204 OK\n\n", status=204),
    Accepted(rules.BARE_LF, CHUNKED + b"0\r\nA: b\nC: d\r\n\n"),
    Accepted(rules.BARE_LF, CHUNKED + b"0\r\n\n"),
    *(Refused(rules.NO_COLON, answer(_FIELD, line)) for line in (b"no colon", b"name", b"\xff", b"\0", b"\r", b"a\rb")),
    Refused(rules.NO_COLON, answer(_FIELD, b"Set-Cookie", b"A: b")),
    Refused(rules.NO_COLON, CHUNKED + b"0\r\nnothing\r\n\r\n"),
    Refused(rules.FIELD_NAME, answer(_FIELD, b": value")),
    Refused(rules.FIELD_NAME, answer(b": value", _FIELD)),
    Refused(rules.FIELD_NAME, answer(_FIELD, b"a b: value")),
    Refused(rules.FIELD_NAME, answer(_FIELD, b"\xe9: value")),
    Refused(rules.FIELD_NAME, answer(_FIELD, b"a\rb: value")),
    Refused(rules.FIELD_NAME, answer(_FIELD, b"a\0: value")),
    Refused(rules.FIELD_NAME, answer(_FIELD, b"a\x7f: value")),
    Refused(rules.FIELD_NAME, answer(_FIELD, b"a\r: value")),
    Refused(rules.FIELD_NAME, CHUNKED + b"0\r\n: b\r\n\r\n"),
    *(
        Refused(rules.FIELD_NAME, answer(_FIELD, b"a%cb: value" % separator))
        for separator in _TOKEN_SEPARATORS
        if separator != ord(":")
    ),
    Accepted(
        rules.FIELD_NAME,
        answer(_FIELD, b"!#$%&'*+-.^_`|~09azAZ: b", b"A:b:c", b"B: \t ~d\t~ \t "),
        headers=(("!#$%&'*+-.^_`|~09azAZ", "b"), ("A", "b:c"), ("B", "~d\t~")),
    ),
    Refused(rules.SPACE_BEFORE_COLON, answer(_FIELD, b"A : b")),
    Refused(rules.SPACE_BEFORE_COLON, answer(_FIELD, b"A\t: b")),
    Refused(rules.SPACE_BEFORE_COLON, answer(b"Content-Length : 5", body=b"hello")),
    Refused(rules.SPACE_BEFORE_COLON, CHUNKED + b"0\r\nA : b\r\n\r\n"),
    Refused(rules.FIELD_VALUE, answer(_FIELD, b"A: b\0c")),
    Refused(rules.FIELD_VALUE, answer(_FIELD, b"A: b\rc")),
    Refused(rules.FIELD_VALUE, answer(_FIELD, b"A: b\r")),
    Refused(rules.FIELD_VALUE, answer(_FIELD, b"A: b\rSet-Cookie: c=d")),
    Refused(rules.FIELD_VALUE, answer(_FIELD, b"A: b", b" c\0d")),
    Refused(rules.FIELD_VALUE, answer(_FIELD, b"A: b\r", b" c")),
    Refused(rules.FIELD_VALUE, CHUNKED + b"0\r\nA: \0\r\n\r\n"),
    Accepted(
        rules.CONTROLS,
        answer(_FIELD, b"A: b\x01\x08\x0b\x0c\x1f\x7fc", b"B: \x85d\xe9"),
        headers=(("A", "b\x01\x08\x0b\x0c\x1f\x7fc"), ("B", "\x85dé")),
    ),
    Accepted(rules.FOLDING, answer(_FIELD, b"A: b", b" c", b"B: d"), headers=(("A", "b c"), ("B", "d"))),
    Accepted(rules.FOLDING, answer(_FIELD, b"A: b", b" \t c", b"\td"), headers=(("A", "b c d"),)),
    Accepted(rules.FOLDING, answer(_FIELD, b"A:", b" b"), headers=(("A", "b"),)),
    Accepted(rules.FOLDING, answer(_FIELD, b"A: b", b" "), headers=(("A", "b"),)),
    Accepted(rules.FOLDING, b"HTTP/1.1 200 OK\nContent-Length: 0\nA: b\n c\n\n", headers=(("A", "b c"),)),
    Accepted(rules.FOLDING, answer(b"Content-Length:", b" 2", body=b"hi"), b"hi"),
    Accepted(rules.FOLDING, CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n"),
    Refused(rules.FOLDED_START, answer(b" A: b", _FIELD)),
    Refused(rules.FOLDED_START, answer(b"\tA: b", _FIELD)),
    Refused(rules.FOLDED_START, answer(b" ", _FIELD)),
    Refused(rules.FOLDED_START, CHUNKED + b"0\r\n A: b\r\n\r\n"),
    # Interim answers.
    Accepted(rules.INTERIM, b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"Content-Length: 2", body=b"hi"), b"hi"),
    Accepted(rules.INTERIM, _INTERIM + b"HTTP/1.1 102\r\n\r\nHTTP/1.0 199 \r\n\r\n" + answer(_FIELD)),
    Accepted(
        rules.INTERIM,
        b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n"
        + answer(_FIELD),
    ),
    Accepted(rules.INTERIM, _INTERIM + b"HTTP/1.1 204 OK\r\n\r\n", status=204),
    Refused(rules.NO_COLON, b"HTTP/1.1 100 Continue\r\nnone\r\n\r\n" + answer(_FIELD)),
    Refused(rules.NOT_HTTP, _INTERIM + b"hello"),
    Accepted(rules.INTERIM_COUNT, _INTERIM * rules.MAX_INTERIM + answer(_FIELD)),
    Refused(rules.INTERIM_COUNT, _INTERIM * (rules.MAX_INTERIM + 1) + answer(_FIELD)),
    Refused(rules.UPGRADE, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"),
    Refused(rules.UPGRADE, _INTERIM + b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + answer(_FIELD)),
    # Length of the body.
    Accepted(rules.BODILESS, answer(b"Content-Length: 5"), method="HEAD"),
    Accepted(rules.BODILESS, answer(b"Transfer-Encoding: chunked"), method="HEAD"),
    Accepted(rules.BODILESS, answer(), method="HEAD"),
    Accepted(rules.BODILESS, b"HTTP/1.1 204 OK\r\n\r\n", status=204),
    Accepted(rules.BODILESS, b"HTTP/1.1 204 OK\r\nContent-Length: 0\r\n\r\n", status=204),
    Accepted(rules.BODILESS, b"HTTP/1.1 304 OK\r\nContent-Length: 5\r\n\r\n", status=304),
    Accepted(rules.BODILESS, b"HTTP/1.1 304 OK\r\nTransfer-Encoding: chunked\r\n\r\n", status=304),
    Accepted(rules.BODILESS, b"HTTP/1.1 304 OK\r\n\r\n", status=304),
    Accepted(rules.BODILESS, b"HTTP/1.1 305 OK\r\nContent-Length: 1\r\n\r\nx", b"x", status=305),
    Accepted(rules.BODILESS, b"HTTP/1.1 205 OK\r\nContent-Length: 1\r\n\r\nx", b"x", status=205),
    *(
        Refused(rules.CONTENT_LENGTH, answer(b"Content-Length: " + length, body=b"hello"))
        for length in (
            b"",
            b"+5",
            b"-5",
            b"0x5",
            b"5.0",
            b"5 5",
            b"0_5",
            b"5_0",
            b"five",
            b"\xb25",
            b"5\x0b",
            b"5;",
            b"5~",
            b"~5",
            b",",
            b"5,",
            b",5",
            b"5,,5",
            b"5, x",
            b"1" * 19,
            b"0" * 18 + b"5",
            b"9" * 5000,
        )
    ),
    Refused(rules.CONTENT_LENGTH, answer(b"Content-Length: x"), method="HEAD"),
    Refused(rules.CONTENT_LENGTH, answer(b"Content-Length: 5", b"Content-Length: x", body=b"hello")),
    Accepted(rules.CONTENT_LENGTH, answer(b"content-LENGTH:\t5 ", body=b"hello"), b"hello"),
    Accepted(rules.CONTENT_LENGTH, answer(b"Content-Length: 000000000000000005", body=b"hello"), b"hello"),
    Accepted(rules.CONTENT_LENGTH, answer(b"Content-Length: 10", body=b"0123456789"), b"0123456789"),
    Accepted(rules.CONTENT_LENGTH, answer(b"Content-Length: " + b"9" * 18), method="HEAD"),
    Accepted(rules.LENGTHS_EQUAL, answer(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), b"hello"),
    Accepted(rules.LENGTHS_EQUAL, answer(b"Content-Length: 5, 5", body=b"hello"), b"hello"),
    Accepted(rules.LENGTHS_EQUAL, answer(b"Content-Length: 5,\t05", b"Content-Length: 5", body=b"hello"), b"hello"),
    Refused(rules.LENGTHS_DIFFER, answer(b"Content-Length: 5", b"Content-Length: 6", body=b"hello")),
    Refused(rules.LENGTHS_DIFFER, answer(b"Content-Length: 5, 6", body=b"hello")),
    Refused(rules.LENGTHS_DIFFER, answer(b"Content-Length: 5, 5", b"content-length: 0", body=b"hello")),
    *(
        Refused(rules.CODINGS, answer(b"Transfer-Encoding: " + coding, body=END))
        for coding in (
            b"",
            b"gzip",
            b"gzip, chunked",
            b"chunked, gzip",
            b"chunked, chunked",
            b"identity",
            b"chunked;q=1",
            b"\x0bchunked",
            b"xchunked",
            b"chunked,",
            b"chun\xb5ed",
            b"chun\xe2\x84\xaaed",
        )
    ),
    Refused(rules.CODINGS, answer(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=END)),
    Refused(rules.CODINGS, answer(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=END)),
    Refused(rules.CODINGS, answer(b"Transfer-Encoding: gzip"), method="HEAD"),
    Accepted(rules.CODINGS, answer(b"TRANSFER-encoding:  Chunked ", body=b"2\r\nhi\r\n" + END), b"hi"),
    Refused(rules.LENGTH_AND_CODING, answer(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=END)),
    Refused(rules.LENGTH_AND_CODING, answer(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=END)),
    Refused(rules.CODING_1_0, b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + END),
    Accepted(
        rules.UNTIL_CLOSE, answer(body=b"0\r\n\r\nall of it"), b"0\r\n\r\nall of it", reusable=False, framed=False
    ),
    Accepted(rules.UNTIL_CLOSE, answer(), reusable=False, framed=False),
    Refused(rules.EARLY_END, b""),
    Refused(rules.EARLY_END, b"H"),
    Refused(rules.EARLY_END, b"HTTP/1.1 200 OK\r\n"),
    Refused(rules.EARLY_END, _INTERIM),
    Refused(rules.EARLY_END, _INTERIM + b"HTTP/1.1 200 OK\r\nA: b\r\n"),
    Refused(rules.EARLY_END, answer(b"Content-Length: 5", body=b"hell"), b"hell"),
    Refused(rules.EARLY_END, answer(b"Content-Length: 5")),
    *(
        Refused(rules.EARLY_END, CHUNKED + wire, b"hi" if b"hi" in wire else b"")
        for wire in (b"", b"2", b"2\r", b"2\r\n", b"2\r\nhi", b"2\r\nhi\r", b"2\r\nhi\r\n", b"2\r\nhi\r\n0")
    ),
    *(Refused(rules.EARLY_END, CHUNKED + wire) for wire in (b"0", b"0\r\n", b"0\r\n\r", b"0\r\nA: b\r\n", b"000\r\n")),
    # Chunks.
    *(
        Refused(rules.CHUNK_SIZE, CHUNKED + size + b"\r\nhi\r\n" + END)
        for size in (
            b"+2",
            b"-2",
            b"0x2",
            b"0X2",
            b"0_2",
            b" 2",
            b"\t2",
            b"",
            b";a=b",
            b"2 2",
            b"2x",
            b"g",
            b"\r2",
            b"2\r",
            b"2\xb2",
            b"\0002",
            b"0" * 16 + b"2",
            b"1" * 17,
        )
    ),
    Accepted(rules.CHUNK_SIZE, CHUNKED + b"0000000000000002\r\nhi\r\n" + END, b"hi"),
    Accepted(rules.CHUNK_SIZE, CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n00" + END, b"0123456789" * 2),
    Accepted(rules.CHUNK_SIZE, CHUNKED + b"fF\r\n" + b"x" * 255 + b"\r\n" + b"0" * 16 + b"\r\n\r\n", b"x" * 255),
    Accepted(rules.CHUNK_SIZE, CHUNKED + END),
    Accepted(rules.CHUNK_PADDING, CHUNKED + b"2 \t \r\nhi\r\n0 \r\n\r\n", b"hi"),
    Accepted(rules.CHUNK_PADDING, CHUNKED + b"2 ;a\r\nhi\r\n0\t;\r\n\r\n", b"hi"),
    Accepted(rules.CHUNK_EXTENSION, CHUNKED + b'2;a=b;c="d\xe9;~"\t \r\nhi\r\n0;e\r\n\r\n', b"hi"),
    *(
        Refused(rules.CHUNK_EXTENSION, CHUNKED + b"2;a%bb\r\nhi\r\n" % control + END)
        for control in (b"\0", b"\r", b"\x08", b"\x0b", b"\x1f", b"\x7f")
    ),
    *(Refused(rules.CHUNK_LINE_END, CHUNKED + size + b"\nhi\r\n" + END) for size in (b"2", b"2;a", b"", b"x", b"2 ")),
    Refused(rules.CHUNK_LINE_END, CHUNKED + b"2\r\nhi\r\n0\n\r\n", b"hi"),
    Refused(rules.CHUNK_LINE_SIZE, CHUNKED + b"1" * (rules.MAX_CHUNK_LINE + 2)),
    Refused(rules.CHUNK_LINE_SIZE, CHUNKED + b"2;".ljust(rules.MAX_CHUNK_LINE + 1, b"x") + b"\r\nhi\r\n" + END),
    Accepted(rules.CHUNK_LINE_SIZE, CHUNKED + b"2;".ljust(rules.MAX_CHUNK_LINE, b"x") + b"\r\nhi\r\n" + END, b"hi"),
    Refused(
        rules.EXTENSION_FLOOD,
        CHUNKED + extended(b"x", b";".ljust(128, b"e")) * 130 + END,
        b"x" * 129,
    ),
    Accepted(
        rules.EXTENSION_FLOOD,
        CHUNKED + extended(b"x", b";".ljust(128, b"e")) * 129 + END,
        b"x" * 129,
    ),
    Accepted(
        rules.EXTENSION_FLOOD, CHUNKED + extended(b"x" * 129, b";".ljust(129, b"e")) * 300 + END, b"x" * 129 * 300
    ),
    Refused(
        rules.EXTENSION_FLOOD,
        CHUNKED + extended(b"x", b";".ljust(1000, b"e")) * 16 + extended(b"yz", b" " * 401),
        b"x" * 16,
    ),
    Accepted(
        rules.EXTENSION_FLOOD,
        CHUNKED + extended(b"x", b";".ljust(1000, b"e")) * 16 + extended(b"yz", b" " * 400) + END,
        b"x" * 16 + b"yz",
    ),
    *(
        Refused(rules.CHUNK_END, CHUNKED + b"2\r\nhi" + wire, b"hi")
        for wire in (b"XX", b"X", b"\n", b"\rX", b"\r\r\n", b"\n\r\n", b"0\r\n\r\n", b"\n\n")
    ),
    Accepted(rules.TRAILERS, CHUNKED + b"2\r\nhi\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n", b"hi"),
    Refused(rules.TRAILER_SIZE, CHUNKED + b"0\r\n" + _trailers_of(rules.MAX_TRAILERS + 1)),
    Refused(rules.TRAILER_SIZE, CHUNKED + b"0\r\n" + b"A: ".ljust(rules.MAX_TRAILERS + 1, b"a")),
    Refused(rules.TRAILER_SIZE, CHUNKED + b"0\r\n" + b"A: b\r\n" * 11_000),
    Accepted(rules.TRAILER_SIZE, CHUNKED + b"0\r\n" + _trailers_of(rules.MAX_TRAILERS)),
    # Keeping the connection.
    *(
        Accepted(rules.PERSISTENCE, answer(_FIELD, b"Connection: " + options), reusable=reusable)
        for options, reusable in (
            (b"keep-alive", True),
            (b"close", False),
            (b"Close", False),
            (b"upgrade,\tCLOSE , x", False),
            (b"keep-alive, close", False),
            (b"not-close", True),
            (b"close-not", True),
            (b"close~", True),
            (b"~close", True),
            (b"", True),
        )
    ),
    Accepted(rules.PERSISTENCE, answer(_FIELD, b"Connection: x", b"connection: close"), reusable=False),
    Accepted(rules.PERSISTENCE, answer(_FIELD, b"X-Connection: close", b"Proxy-Connection: close")),
    *(
        Accepted(
            rules.PERSISTENCE,
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n" + field + b"\r\nhi",
            b"hi",
            reusable=reusable,
            version="1.0",
        )
        for field, reusable in (
            (b"", False),
            (b"Connection: Keep-Alive\r\n", True),
            (b"Connection: not-keep-alive\r\n", False),
            (b"Connection: keep-alive, close\r\n", False),
        )
    ),
    Accepted(
        rules.PERSISTENCE,
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhi",
        b"hi",
        reusable=False,
        version="1.0",
        framed=False,
    ),
    Accepted(rules.PERSISTENCE, CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + END, reusable=False),
    Accepted(rules.PERSISTENCE, answer(b"Connection: close"), method="HEAD", reusable=False),
    Accepted(rules.PERSISTENCE, b"HTTP/1.1 204 OK\r\nConnection: close\r\n\r\n", status=204, reusable=False),
    Accepted(rules.SURPLUS, answer(b"Content-Length: 2", body=b"hi!"), b"hi", reusable=False),
    Accepted(rules.SURPLUS, answer(_FIELD, body=b"\r\n"), reusable=False),
    Accepted(rules.SURPLUS, CHUNKED + END + b"H", reusable=False),
    Accepted(rules.SURPLUS, CHUNKED + END + b"HTTP/1.1 204 OK\n\n", reusable=False),
    Accepted(rules.SURPLUS, answer(_FIELD, body=b"HTTP/1.1 204 OK\n\n"), reusable=False),
    Accepted(rules.SURPLUS, CHUNKED + b"0\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", reusable=False),
    Accepted(rules.SURPLUS, answer(b"Content-Length: 2", body=b"hi"), method="HEAD", reusable=False),
    Accepted(rules.SURPLUS, b"HTTP/1.1 204 OK\r\n\r\nhi", status=204, reusable=False),
    Accepted(rules.SURPLUS, b"HTTP/1.1 304 OK\r\nContent-Length: 2\r\n\r\nhi", status=304, reusable=False),
    Accepted(rules.FRAMED_204, b"HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n", status=204, reusable=False),
    Accepted(rules.FRAMED_204, b"HTTP/1.1 204 OK\r\nContent-Length: 2\r\n\r\n", status=204, reusable=False),
]
