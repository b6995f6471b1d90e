"""The target for fuzzers, over bytes of several kinds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi_transports.http1 import AnswerReader, IncompleteAnswer
from tests.http1.fuzz import fuzz_target
from tests.http1.generated import generate
from tests.http1.table import ROWS

_WORDS = st.sampled_from(
    [b"HTTP/1.1 ", b"HTTP/1.", b"200", b"103", b" OK", b"\r\n", b"\n", b"\r", b" ", b":", b",", b"Content-Length: ",
     b"Transfer-Encoding: chunked", b"Connection: close", b"0", b"5", b"ff", b"\0", b";", b"A: b", b"\r\n\r\n"]
)  # fmt: skip


@given(data=st.binary(max_size=300))
def test_any_bytes_keep_the_promises(data: bytes) -> None:
    fuzz_target(data)


@given(seed=st.integers(0, 255), words=st.lists(_WORDS, max_size=30))
def test_words_of_http_in_any_order_keep_the_promises(seed: int, words: list[bytes]) -> None:
    fuzz_target(bytes([seed]) + b"".join(words))


@given(
    seed=st.integers(0, 255),
    words=st.lists(
        st.sampled_from([b"5\r\nhello\r\n", b"0\r\n", b"\r\n", b"A: b\r\n", b"2", b"hi", b"\r", b"\n", b";x"])
    ),
)
def test_pieces_of_chunks_in_any_order_keep_the_promises(seed: int, words: list[bytes]) -> None:
    fuzz_target(bytes([seed]) + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(words))


def test_damaged_rows_of_the_table_keep_the_promises() -> None:
    dice = random.Random(7)
    wires = [row.wire for row in ROWS if len(row.wire) < 1000]
    for _ in range(3000):
        wire = bytearray(dice.choice(wires))
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(wire) + 1)
            wire[at : at + dice.randrange(3)] = dice.choice([b"", b"\r", b"\n", b"0", b" ", dice.choice(wires)[:20]])
        fuzz_target(bytes([dice.randrange(256)]) + wire)


@pytest.mark.parametrize("seed", range(5000, 5400))
def test_generated_answers_keep_the_promises(seed: int) -> None:
    fuzz_target(bytes([seed % 256]) + generate(seed).wire)


def test_the_target_notices_a_reading_that_depends_on_the_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    real = AnswerReader.feed

    def feed(self: AnswerReader, data: bytes) -> bytes:
        return real(self, data[:-1] if data == b"\r" else data)

    monkeypatch.setattr(AnswerReader, "feed", feed)

    with pytest.raises(AssertionError):
        fuzz_target(b"\0HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


def test_the_target_notices_a_fault_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def eof(self: AnswerReader) -> None:
        raise IncompleteAnswer

    monkeypatch.setattr(AnswerReader, "eof", eof)

    with pytest.raises(AssertionError):
        fuzz_target(b"\0HTTP/1.1 200 OK\r\n")
