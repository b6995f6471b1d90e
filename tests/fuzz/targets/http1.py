"""Target: the SDK's own reader of HTTP/1.1, without a connection; see :mod:`tests.http1.fuzz`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.registry import goes_on, target
from tests.fuzz.targets.wire import TOKENS, wire_answers
from tests.http1.fuzz import fuzz_target
from tests.http1.reading import read


def _answers() -> Iterator[bytes]:
    return (b"\0" + data for data in wire_answers())


@target("http1", _answers, *TOKENS)
def http1(data: bytes) -> None:
    if goes_on(data):
        fuzz_target(data)  # cut in several ways
    else:
        read([data[1:]])
