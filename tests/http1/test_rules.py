"""Every rule of answers, on bytes alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from muxi_transports.http1 import RULES, IncompleteAnswer, MalformedAnswer, NoAnswer, rules
from tests.http1.reading import cut, every_byte, read
from tests.http1.table import CHUNKED, ROWS, Accepted, Refused, answer, starting


def _name(row: Refused | Accepted) -> str:
    wire = row.wire if len(row.wire) < 100 else row.wire[:40] + b"..." + row.wire[-20:]
    return f"{row.rule.name}-{row.method}-{wire!r}"


def test_every_rule_has_its_rows_and_every_row_its_rule() -> None:
    assert {row.rule for row in ROWS} == set(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_documentation_has_every_part_in_the_order_of_the_rules() -> None:
    page = Path(__file__).parents[2] / "docs/transports/http1.md"
    documented = re.findall(r"^```\{muxi-http1\} (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert documented == list(dict.fromkeys(rule.part for rule in RULES))


def test_every_rule_names_its_section_and_says_why_in_a_sentence() -> None:
    for rule in RULES:
        assert not rule.why or rule.why.endswith("."), rule.name
        assert rule.section.startswith(("RFC 9110, ", "RFC 9112, ")), rule.name


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, Refused)], ids=_name)
def test_an_answer_that_breaks_a_rule_is_refused_by_that_rule(row: Refused) -> None:
    reading = read([row.wire], row.method)

    assert reading.error is not None
    kind, rule = reading.error
    assert rule == row.rule.name
    assert kind in ((IncompleteAnswer, NoAnswer) if row.rule is rules.EARLY_END else (MalformedAnswer,))
    assert reading.content == row.content
    assert not reading.ended
    assert not reading.reusable


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, Accepted)], ids=_name)
def test_an_answer_that_keeps_the_rules_is_read(row: Accepted) -> None:
    reading = read([row.wire], row.method)

    assert reading.error is None
    assert reading.head is not None
    assert (reading.head.version, reading.head.status, reading.head.reason) == (row.version, row.status, row.reason)
    assert set(row.headers) <= set(reading.head.headers)
    assert (reading.content, reading.ended, reading.reusable) == (row.content, True, row.reusable)


_LARGE = 5000


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.wire) < _LARGE], ids=_name)
def test_a_row_reads_the_same_wherever_its_bytes_are_cut(row: Refused | Accepted) -> None:
    whole = read([row.wire], row.method)

    assert read(every_byte(row.wire), row.method) == whole
    for place in (
        range(len(row.wire)) if len(row.wire) < 500 else (*range(100), *range(len(row.wire) - 60, len(row.wire)))
    ):
        assert read(cut(row.wire, [place]), row.method) == whole
    for size in (2, 3, 7):
        assert read(cut(row.wire, range(size, len(row.wire), size)), row.method) == whole


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.wire) >= _LARGE], ids=_name)
def test_a_large_row_reads_the_same_whatever_the_size_of_its_pieces(row: Refused | Accepted) -> None:
    whole = read([row.wire], row.method)

    for size in (97, 1000, 4096, 65_536, len(row.wire) - 1):
        assert read(cut(row.wire, range(size, len(row.wire), size)), row.method) == whole
    for place in range(1, 60, 7):
        assert read(cut(row.wire, [place, len(row.wire) - place]), row.method) == whole


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, Accepted)], ids=_name)
def test_the_end_of_an_answer_is_seen_without_the_end_of_the_connection(row: Accepted) -> None:
    framed = read([row.wire], row.method, close=False)

    assert framed == read([row.wire], row.method)._replace(ended=row.framed)


@pytest.mark.parametrize(
    ("wire", "refused_at"),
    [
        (b"SSH-2.0", 1),
        (b"HTTP/0.9", 6),
        (b"HTTP/2 200", 6),
        (b"HTTP/11", 7),
        (b"HTTP/1.1 abc\r\nA", 14),
        (b"HTTP/1.1 000\r\nA", 14),
        (b"HTTP/1.1 abc".ljust(rules.MAX_LINE, b"x") + b"\nA", rules.MAX_LINE + 1),
        (b"HTTP/1.1 200 " + b"x" * 70_000, rules.MAX_LINE + 1),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, 17 + rules.MAX_LINE + 1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi", 49),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxy\r\nhi", 51),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiX", 53),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\rX", 54),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 2000, 47 + rules.MAX_CHUNK_LINE + 2),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else str(value),
)
def test_a_fault_is_raised_at_the_byte_that_decides_it(wire: bytes, refused_at: int) -> None:
    assert read(every_byte(wire[: refused_at - 1]), close=False).error is None
    assert read(every_byte(wire[:refused_at]), close=False).error is not None


_BYTES = [bytes([byte]) for byte in range(256)]
_DIGITS = [b"%c" % digit for digit in b"0123456789abcdefABCDEF"]
_CONTROLS = [byte for byte in _BYTES if (byte < b" " and byte != b"\t") or byte == b"\x7f"]
_PUNCTUATION = [b"%c" % mark for mark in b"!#$%&'*+-.^_`|~"]


@pytest.mark.parametrize("extension", [b"", b";e"])
def test_a_size_has_hexadecimal_digits_and_after_them_padding_or_an_extension(extension: bytes) -> None:
    def is_read(size: bytes) -> bool:
        error = read([CHUNKED + size + extension + b"\r\n" + b"x" * 1000]).error
        return error == (MalformedAnswer, "chunk-end")

    assert [byte for byte in _BYTES if is_read(byte + b"2")] == sorted(_DIGITS)
    assert [byte for byte in _BYTES if is_read(b"2" + byte)] == sorted([*_DIGITS, b" ", b"\t", b";"])


def test_an_extension_has_any_characters_but_controls() -> None:
    refused = [byte for byte in _BYTES if read([CHUNKED + b"1;" + byte + b"\r\nx\r\n0\r\n\r\n"]).error is not None]

    assert refused == _CONTROLS


def test_each_byte_in_a_name_a_value_and_a_reason_is_read_or_refused() -> None:
    def is_read(wire: bytes) -> bool:
        return read([wire]).error is None

    names = [byte for byte in _BYTES if is_read(answer(b"Content-Length: 0", b"a" + byte + b"b: c"))]
    values = [byte for byte in _BYTES if is_read(answer(b"Content-Length: 0", b"A: b" + byte + b"c"))]
    reasons = [byte for byte in _BYTES if is_read(starting(b"HTTP/1.1 200 a" + byte + b"b"))]

    assert names == sorted([*(byte for byte in _BYTES if byte.isalnum()), *_PUNCTUATION, b":"])
    # A line feed begins another line, which has no colon.
    assert [byte for byte in _BYTES if byte not in values] == [b"\0", b"\n", b"\r"]
    assert [byte for byte in _BYTES if byte not in reasons] == _CONTROLS


@pytest.mark.parametrize("name", [b"a", b"z", b"A", b"Z", b"0", b"9", *_PUNCTUATION])
def test_a_fault_in_a_value_is_one_whatever_the_name(name: bytes) -> None:
    assert read([answer(name + b": \0")]).error == (MalformedAnswer, "field-value")
    assert read([answer(name + b" : b")]).error == (MalformedAnswer, "space-before-colon")


def test_the_limits_are_those_of_the_documentation() -> None:
    limits = {name: value for name, value in vars(rules).items() if name.startswith("MAX_")}

    assert limits == {
        "MAX_LINE": 65_536,
        "MAX_HEAD": 262_144,
        "MAX_FIELDS": 500,
        "MAX_INTERIM": 100,
        "MAX_CHUNK_LINE": 1024,
        "MAX_EXTENSIONS": 16_384,
        "MAX_TRAILERS": 65_536,
    }
    assert "a line of more than 64 KiB; a head of more than 256 KiB" in rules.HEAD_SIZE.received
    assert "than 16 KiB and" in rules.EXTENSION_FLOOD.received
    assert "more than 64 KiB" in rules.TRAILER_SIZE.received


def test_no_byte_of_an_answer_is_told_from_some() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"

    assert read([]).error == (NoAnswer, "early-end")
    assert read([b""]).error == (NoAnswer, "early-end")
    assert read([b"H"]).error == (IncompleteAnswer, "early-end")
    assert read([interim]).error == (IncompleteAnswer, "early-end")
    assert read([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"]).error == (IncompleteAnswer, "early-end")
    assert issubclass(NoAnswer, IncompleteAnswer)
