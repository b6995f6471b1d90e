"""Makes new inputs of old ones at random, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

__all__ = ["COMMON", "LONG", "inputs"]

#: Pieces that are hard to bear wherever they are put.
COMMON: tuple[bytes, ...] = (
    b"",
    b"\0",
    b"\r\n",
    b"\n\n",
    b"\r",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc3\xa9",
    b"\xe2\x80\xa8",
    b"\\ud800",
    b"\\u0000",
    b"-1",
    b"0",
    b"1e400",
    b"253402300800000",
    b"-62135596800001",
    b"9" * 25,
    b"NaN",
    b"Infinity",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b'"',
    b":",
    b";",
    b"%",
    b"%00",
    b"%zz",
    b" " * 100,
    b"../",
    b"://",
)

#: Long pieces, of which one of so many is put in: each makes an input a hundred times as long.
LONG: tuple[bytes, ...] = (b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"A" * 1000)
_ONE_OF = 50

_MOST = 64 * 1024

Mutation = Callable[[random.Random, bytearray, Sequence[bytes], Sequence[bytes]], None]


def inputs(seed: int, seeds: Sequence[bytes], tokens: Sequence[bytes] = ()) -> Iterator[bytes]:
    """Inputs without end: the seeds as they are, and then what mutations make of them.

    Args:
        seed: of the random numbers.
        seeds: inputs to start from.
        tokens: pieces to put in, beside the common ones.
    """
    draw = random.Random(seed)
    corpus = list(seeds) or [b""]
    short = [*COMMON, *tokens]
    yield from corpus
    while True:
        pieces = LONG if draw.randrange(_ONE_OF) == 0 else short
        data = bytearray(draw.choice(corpus))
        for _ in range(min(8, 1 + int(draw.expovariate(0.7)))):
            draw.choice(_MUTATIONS)(draw, data, pieces, corpus)
        yield bytes(data[:_MOST])


def _place(draw: random.Random, data: bytearray) -> int:
    return draw.randint(0, len(data))


def _span(draw: random.Random, data: bytearray) -> tuple[int, int]:
    start = _place(draw, data)
    return start, min(len(data), start + min(len(data), int(draw.expovariate(0.1))))


def _flip(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _overwrite(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] = draw.randrange(256)


def _insert(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    place = _place(draw, data)
    data[place:place] = draw.choice(pieces)


def _replace(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    start, end = _span(draw, data)
    data[start:end] = draw.choice(pieces)


def _replace_value(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    """Replace what stands between two delimiters: a value of JSON, a header's value, a word."""
    if not data:
        return
    at = draw.randrange(len(data))
    start = max(data.rfind(mark, 0, at) for mark in b':,"= \n') + 1
    ends = [place for mark in b',"}; \r\n' if (place := data.find(mark, at)) >= 0]
    data[start : min(ends, default=len(data))] = draw.choice(pieces)


def _delete(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    start, end = _span(draw, data)
    del data[start:end]


def _cut(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    del data[_place(draw, data) :]


def _double(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    start, end = _span(draw, data)
    data[start:start] = data[start:end] * draw.choice((1, 2, 50))


def _splice(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    other = draw.choice(corpus)
    start, end = _span(draw, bytearray(other))
    place = _place(draw, data)
    data[place:place] = other[start:end]


def _cross(draw: random.Random, data: bytearray, pieces: Sequence[bytes], corpus: Sequence[bytes]) -> None:
    other = draw.choice(corpus)
    data[_place(draw, data) :] = other[draw.randint(0, len(other)) :]


_MUTATIONS: tuple[Mutation, ...] = (
    _flip, _overwrite, _insert, _replace, _replace_value, _replace_value, _delete, _cut, _double, _splice, _cross,
)  # fmt: skip
