"""Every rule of answers, on bytes alone."""

from __future__ import annotations

import pytest

from muxi_transports.http1 import RULES, IncompleteAnswer, MalformedAnswer, NoAnswer, rules
from tests.http1.reading import cut, every_byte, read
from tests.http1.table import ROWS, Accepted, Refused


def _name(row: Refused | Accepted) -> str:
    wire = row.wire if len(row.wire) < 100 else row.wire[:40] + b"..." + row.wire[-20:]
    return f"{row.rule.name}-{row.method}-{wire!r}"


def test_every_rule_has_its_rows_and_every_row_its_rule() -> None:
    assert {row.rule for row in ROWS} == set(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_every_rule_names_its_section() -> None:
    for rule in RULES:
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


def test_no_byte_of_an_answer_is_told_from_some() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"

    assert read([]).error == (NoAnswer, "early-end")
    assert read([b""]).error == (NoAnswer, "early-end")
    assert read([b"H"]).error == (IncompleteAnswer, "early-end")
    assert read([interim]).error == (IncompleteAnswer, "early-end")
    assert read([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"]).error == (IncompleteAnswer, "early-end")
    assert issubclass(NoAnswer, IncompleteAnswer)
