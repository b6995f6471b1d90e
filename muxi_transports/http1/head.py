"""Heads of answers: the status line and the field lines, in time linear in their bytes."""

from __future__ import annotations

import re
from typing import NamedTuple

from muxi_transports.http1 import rules
from muxi_transports.http1.errors import MalformedAnswer

__all__ = ["Block", "Head", "HeadBlock", "find_end", "parse_fields", "parse_head"]

_START = b"HTTP/1."
# No two repetitions that can match the same characters stand side by side: nothing is tried twice.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUS_LINE = re.compile(r"HTTP/(1\.[0-9]) ([0-9]{3})(?: ([\t\x20-\x7e\x80-\xff]*))?\r?\n")
_FIELD_LINE = re.compile(rf"^({_TOKEN.pattern}):([^\0\r\n]*)\r?\n", re.MULTILINE)
_FOLD = re.compile(r"\r?\n[ \t]+")


class Head(NamedTuple):
    """The head of an answer."""

    #: ``1.1``, or what else the status line has.
    version: str
    status: int
    reason: str
    #: Names as they were sent, and values as ISO 8859-1.
    headers: list[tuple[str, str]]


def find_end(data: bytes | bytearray, start: int = 0) -> int:
    """The place behind the first empty line; -1 where there is none.

    Args:
        data: lines, of which the first is not empty.
        start: where the search begins.
    """
    crlf = data.find(b"\n\r\n", start)
    # The LF of a bare line may be the one before the CR.
    lf = data.find(b"\n\n", start) if crlf < 0 else data.find(b"\n\n", start, crlf + 1)
    if lf >= 0:
        return lf + 2
    return crlf + 3 if crlf >= 0 else -1


class Block:
    """Lines that arrive in pieces, up to the first empty one, read in time linear in their bytes.

    Args:
        limit: the most bytes.
        rule: the rule that a larger block breaks.
        beginning: the bytes that have arrived already.
    """

    __slots__ = ("_at", "_limit", "_line", "_rule", "content")

    def __init__(self, limit: int, rule: rules.FramingRule, beginning: bytes = b"") -> None:
        self._limit = limit
        self._rule = rule
        #: Where the next search begins: an empty line may have begun in the last two bytes.
        self._at = 0
        #: Where the line begins that is not complete.
        self._line = 0
        #: The bytes that have arrived, and once it is complete the whole block.
        self.content: bytearray = bytearray(beginning)

    def add(self, data: bytes) -> int:
        """Add bytes, and return how many of them do not belong to the block; -1 while it is not complete.

        Raises:
            MalformedAnswer: the block is larger than its limit, or has a line that is too long.
        """
        content = self.content
        content += data
        end = find_end(content, self._at)
        surplus = len(content) - end if end >= 0 else -1
        if surplus > 0:
            del content[end:]
        self._check()
        self._at = max(0, len(content) - 2)
        return surplus

    def _check(self) -> None:
        content, line = self.content, self._line
        newline = content.find(b"\n", max(line, self._at))
        while 0 <= newline <= line + rules.MAX_LINE:
            line = newline + 1
            newline = content.find(b"\n", line)
        self._line = line
        end = newline if newline >= 0 else len(content)
        if end - line > rules.MAX_LINE or len(content) > self._limit:
            raise MalformedAnswer(self._rule, bytes(content[line:]))


class HeadBlock(Block):
    """The bytes of a head. It is refused as soon as its beginning, or its complete status line, breaks a rule.

    Args:
        limit: the most bytes.
    """

    __slots__ = ()

    def __init__(self, limit: int) -> None:
        super().__init__(limit, rules.HEAD_SIZE)

    def _check(self) -> None:
        if not self._line:
            content = self.content
            start = bytes(content[:7])
            if not _START.startswith(start):
                raise _unsupported_coding(start)
            newline = content.find(b"\n", self._at, rules.MAX_LINE + 1)
            if newline >= 0:
                _parse_status_line(content[: newline + 1].decode("latin-1"))
        super()._check()


def parse_head(data: bytes | bytearray) -> Head:
    """A head out of its bytes, the empty line included.

    Raises:
        MalformedAnswer: it breaks a rule.
    """
    text = data.decode("latin-1")
    version, status, reason, end = _parse_status_line(text)
    return Head(version, status, reason, parse_fields(text, end))


def _parse_status_line(text: str) -> tuple[str, int, str, int]:
    """Version, status and reason, and the place behind the line."""
    found = _STATUS_LINE.match(text)
    if found is None:
        start = text[:7].encode("latin-1")
        raise MalformedAnswer(rules.STATUS_LINE, text) if start == _START else _unsupported_coding(start)
    version, status, reason = found.groups("")
    if status[0] == "0":
        raise MalformedAnswer(rules.STATUS_CODE, text)
    return version, int(status), reason.strip(" \t"), found.end()


def _unsupported_coding(start: bytes) -> MalformedAnswer:
    return MalformedAnswer(rules.VERSION if start.startswith(_START[:5]) else rules.NOT_HTTP, start)


def parse_fields(text: str, start: int) -> list[tuple[str, str]]:
    """The fields in lines up to an empty one: names, and values without the white space around them.

    Args:
        text: the lines, decoded as ISO 8859-1.
        start: where the first field line begins.

    Raises:
        MalformedAnswer: a line breaks a rule, or there are too many.
    """
    lines = text.count("\n", start) - 1
    if lines > rules.MAX_FIELDS:
        raise MalformedAnswer(rules.FIELD_COUNT)
    found = _FIELD_LINE.findall(text, start)
    if len(found) != lines:
        # Each match takes a line, so that one of them is folded or breaks a rule.
        found = _parse_folded(text[start:])
    return [(name, value.strip(" \t")) for name, value in found]


def _parse_folded(text: str) -> list[tuple[str, str]]:
    if text[0] in " \t":
        raise MalformedAnswer(rules.FOLDED_START, text)
    unfolded = _FOLD.sub(" ", text)
    found: list[tuple[str, str]] = _FIELD_LINE.findall(unfolded)
    if len(found) != unfolded.count("\n") - 1:
        raise next(filter(None, map(_fault_in, unfolded.split("\n"))))
    return found


def _fault_in(line: str) -> MalformedAnswer | None:
    """The fault of a field line; None where it has none."""
    line = line.removesuffix("\r")
    name, colon, value = line.partition(":")
    if not colon:
        return MalformedAnswer(rules.NO_COLON, line) if name else None
    if not _TOKEN.fullmatch(name):
        bare = name.rstrip(" \t")
        return MalformedAnswer(rules.SPACE_BEFORE_COLON if _TOKEN.fullmatch(bare) else rules.FIELD_NAME, line)
    return MalformedAnswer(rules.FIELD_VALUE, line) if "\r" in value or "\0" in value else None
