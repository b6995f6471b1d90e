"""Answers framed anew for the parsers of HTTP libraries, so that those accept what HTTP/1.1 allows and nothing else."""

from __future__ import annotations

from muxi_transports.http1 import AnswerReader, Head, MalformedAnswer

__all__ = ["Reframer"]

_CHUNKED, _PLAIN, _NONE = "chunked", "plain", "none"


class Reframer:
    """Takes the bytes of one answer, and gives them in a form that leaves nothing to interpret.

    The reader of HTTP/1.1 refuses what breaks its rules. What it accepts comes out as one head without folded lines and
    with one length, and content in one chunk for each piece, where the answer came in chunks.

    Args:
        method: of the request; an answer to HEAD has no body.
    """

    def __init__(self, method: str) -> None:
        self._reader = AnswerReader(method)
        self._method = method
        self._framing = _NONE

    @property
    def ended(self) -> bool:
        """True if the answer is complete."""
        return self._reader.ended

    @property
    def reusable(self) -> bool:
        """True if another request may follow on the connection."""
        return self._reader.reusable

    @property
    def fault(self) -> MalformedAnswer | None:
        """The rule that the answer breaks behind what came out already."""
        fault = self._reader.fault
        return fault if isinstance(fault, MalformedAnswer) else None

    def feed(self, data: bytes) -> bytes:
        """The bytes for the parser of the library out of the next bytes of the connection; may be empty.

        Raises:
            MalformedAnswer: the answer breaks a rule.
        """
        reader = self._reader
        headless = reader.head is None
        if reader.ended:
            reader.feed(data)  # noted as surplus
            return b""
        content = reader.feed(data)
        ready = b""
        if headless:
            if reader.head is None:
                return b""
            self._framing = _framing_of(reader.head, self._method)
            ready = _render(reader.head)
        if content:
            ready += content if self._framing == _PLAIN else b"%x\r\n%b\r\n" % (len(content), content)
        if reader.ended and self._framing == _CHUNKED:
            ready += b"0\r\n\r\n"
        return ready

    def eof(self) -> None:
        """Note the end of the connection.

        Raises:
            AnswerError: it is not the end of the answer.
        """
        self._reader.eof()


def _framing_of(head: Head, method: str) -> str:
    if method == "HEAD" or head.status in (204, 304):
        return _NONE
    return _CHUNKED if any(name.lower() == "transfer-encoding" for name, _ in head.headers) else _PLAIN


def _render(head: Head) -> bytes:
    lines = [f"HTTP/{head.version} {head.status} {head.reason}"]
    has_length = False
    for name, value in head.headers:
        if name.lower() == "content-length":
            if has_length:
                continue
            has_length, value = True, value.partition(",")[0].strip()
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
