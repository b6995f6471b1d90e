"""Target: the SDK's own reader of HTTP/1.1, without a connection; see :mod:`tests.http1.fuzz`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.registry import target
from tests.fuzz.targets.wire import TOKENS, wire_answers
from tests.http1.fuzz import fuzz_target


def _answers() -> Iterator[bytes]:
    return (b"\0" + data for data in wire_answers())


@target("http1", _answers, *TOKENS)
def http1(data: bytes) -> None:
    fuzz_target(data)
