"""Requests as they arrive and answers as they are made, where it does not matter by which way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Handler", "Received", "Reply"]


@dataclass
class Received:
    """A request as it arrived."""

    method: str
    #: The request target with its query, percent-encoded.
    target: str
    #: Names and values in order; values decoded as UTF-8.
    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    #: The body with its framing, where there is a wire.
    framed: bytes = b""

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for found, value in self.headers if found.lower() == name.lower()]

    @classmethod
    def from_head(cls, head: bytes) -> Received:
        """A request out of its head as it came over the wire."""
        first, *lines = head.decode("utf-8", "surrogateescape").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ", 2)
        parted = (line.partition(":") for line in lines)
        return cls(method, target, [(name, value.strip()) for name, _, value in parted])


@dataclass
class Reply:
    """An answer."""

    status: int = 200
    #: Names and values in order.
    headers: Sequence[tuple[str, str]] = ()
    #: Bytes, which go with their length, or pieces that are sent one by one as they are made. One that blocks, blocks.
    body: bytes | Iterable[bytes] = b""
    reason: str = ""


#: Answers requests. It may block, and is called from several threads at once.
Handler = Callable[[Received], Reply]
