"""Time in proportion to the bytes, and memory in bounds, whatever a server sends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice, repeat

import pytest

from muxi_transports.http1 import AnswerError, AnswerReader, rules
from tests.http1.reading import every_byte, read
from tests.http1.table import CHUNKED, OK, answer, extended

# Each builds bytes of about a size that the reader works through.
_ATTACKS: dict[str, Callable[[int], bytes]] = {
    "spaces after a status": lambda size: b"HTTP/1.1 200" + b" " * size + b"\r\r\n\r\n",
    "spaces in a reason": lambda size: b"HTTP/1.1 200 O" + b" " * size + b"\0\r\n\r\n",
    "a reason": lambda size: b"HTTP/1.1 200 " + b"x" * size + b"\r\n\r\n",
    "spaces in a value": lambda size: answer(b"A:" + b" " * size + b"\0"),
    "tabs in a value": lambda size: answer(b"A: b" + b"\t" * size + b"c\0"),
    "carriage returns": lambda size: answer(b"A: b" + b"\r" * size),
    "a name without a colon": lambda size: answer(b"a" * size),
    "spaces before a colon": lambda size: answer(b"a" + b" " * size + b":"),
    "folds": lambda size: answer(b"A: b", *[b" "] * (min(size, 1400) // 3)) + b"\r\n" * (size > 1400),
    "spaces in folds": lambda size: answer(b"A: b" + b" " * (size // 2), b" " * (size // 2) + b"\0"),
    "lengths": lambda size: answer(b"Content-Length: " + b"0," * (size // 2) + b"0"),
    "lengths that differ": lambda size: answer(b"Content-Length: " + b",".join(b"%d" % n for n in range(size // 5))),
    "options": lambda size: answer(b"Content-Length: 0", b"Connection: " + b"a, " * (size // 3)),
    "digits": lambda size: answer(b"Content-Length: " + b"9" * size),
    "chunks": lambda size: CHUNKED + b"1\r\nx\r\n" * (size // 6) + b"0\r\n\r\n",
    "extensions": lambda size: CHUNKED + extended(b"x" * 90, b";" + b"e" * 90) * (size // 186) + b"0\r\n\r\n",
    "content": lambda size: answer(b"Content-Length: %d" % size, body=b"x" * size),
    "trailers": lambda size: CHUNKED + b"0\r\nA:" + b" " * size + b"\r\n\r\n",
}


def _seconds(wire: bytes, pieces: Callable[[bytes], list[bytes]], times: int) -> float:
    """The processor time of reading bytes some times; the least of three measurements."""
    cut = pieces(wire)
    least = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in range(times):
            read(cut)
        least = min(least, time.process_time() - start)
    return least


def _at_once(wire: bytes) -> list[bytes]:
    return [wire]


@pytest.mark.parametrize("arriving", ["at once", pytest.param("byte by byte", marks=pytest.mark.slow)])
@pytest.mark.parametrize("attack", _ATTACKS)
def test_the_time_is_in_proportion_to_the_bytes(attack: str, arriving: str) -> None:
    one_by_one = arriving == "byte by byte"
    pieces = every_byte if one_by_one else _at_once
    build = _ATTACKS[attack]

    # As many bytes each time, in answers of three sizes: as much work, unless it grows with the size of an answer.
    # The third is read byte by byte five times as often as the others.
    one, ten, hundred = (
        _seconds(build(size), pieces, times)
        for size, times in zip((640, 6_400, 64_000), (20, 2, 1) if one_by_one else (300, 30, 3), strict=True)
    )

    assert ten < one * 4
    assert hundred < one * 4 * (5 if one_by_one else 1)


def _fed_until_refused(pieces: Iterator[bytes], most: int) -> int:
    reader = AnswerReader("GET")
    fed = 0
    for piece in islice(pieces, most):
        fed += len(piece)
        try:
            reader.feed(piece)
        except AnswerError:
            return fed
    raise AssertionError("it is never refused")


@pytest.mark.parametrize(
    ("beginning", "piece", "bound"),
    [
        (b"HTTP/1.1 200 ", b"x" * 1000, rules.MAX_LINE),
        (OK, b"x" * 1000, rules.MAX_LINE),
        (OK, b"A: b\r\n" * 100, rules.MAX_HEAD),
        (OK + b"A: b\r\n", b" b\r\n" * 100, rules.MAX_HEAD),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 25 * (rules.MAX_INTERIM + 1)),
        (b"", b"HTTP/1.1 100 Continue\r\nA: " + b"b" * 60_000 + b"\r\n\r\n", rules.MAX_HEAD),
        (CHUNKED, b"0" * 100, rules.MAX_CHUNK_LINE),
        (CHUNKED + b"1;", b"e" * 100, rules.MAX_CHUNK_LINE),
        (CHUNKED, extended(b"x", b";" + b"e" * 500), rules.MAX_EXTENSIONS * 2),
        (CHUNKED, extended(b"x", b" " * 500), rules.MAX_EXTENSIONS * 2),
        (CHUNKED + b"0\r\n", b"A: b\r\n" * 100, rules.MAX_TRAILERS),
        (CHUNKED + b"0\r\n", b"x" * 1000, rules.MAX_TRAILERS),
    ],
)
def test_what_never_ends_is_refused_at_its_bound(beginning: bytes, piece: bytes, bound: int) -> None:
    def pieces() -> Iterator[bytes]:
        yield beginning
        yield from repeat(piece)

    assert _fed_until_refused(pieces(), 5000) <= bound + len(beginning) + 2 * len(piece)
