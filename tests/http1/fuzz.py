"""A target for fuzzers: any bytes whatever are read alike however they are cut, refused by a rule, and held in bounds.

Under atheris: ``atheris.Setup(sys.argv, fuzz_target); atheris.Fuzz()``. The tests run it over bytes of their own.
"""

from __future__ import annotations

import random

from muxi_transports.http1 import AnswerError, AnswerReader
from tests.http1.reading import cut_at_random, every_byte, read

_METHODS = ("GET", "HEAD", "POST", "DELETE")


def fuzz_target(data: bytes) -> None:
    """Read bytes as an answer: the first names the method and seeds the cuts, the rest is the wire.

    Raises:
        AssertionError: the reading depends on the cuts, or breaks a promise of the reader.
        Exception: anything but an :class:`~muxi_transports.http1.AnswerError` comes out.
    """
    seed, wire = data[0] if data else 0, data[1:]
    method = _METHODS[seed % len(_METHODS)]
    whole = read([wire], method)
    assert read(cut_at_random(wire, random.Random(seed)), method) == whole
    if len(wire) < 2000:
        assert read(every_byte(wire), method) == whole
    assert len(whole.content) <= len(wire)
    assert whole.ended == (whole.error is None)
    assert whole.head is not None or not whole.content
    assert whole.ended or not whole.reusable
    _stop_at_the_first_fault(wire, method)


def _stop_at_the_first_fault(wire: bytes, method: str) -> None:
    """After a fault nothing comes out any more, and it is raised again and again."""
    reader = AnswerReader(method)
    if (fault := _fault_of(reader, wire)) is not None:
        assert _fault_of(reader, b"0\r\n\r\n") is fault, "a fault is raised once only"
        assert _fault_of(reader, b"") is fault, "a fault is raised once only"


def _fault_of(reader: AnswerReader, wire: bytes) -> AnswerError | None:
    try:
        reader.feed(wire)
        reader.eof()
    except AnswerError as fault:
        return fault
    return None
