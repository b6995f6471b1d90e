"""Reading trace files line by line in bounded memory, whatever is in them, to their end or while they grow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

from muxi.tracefile import MAX_LINE, VERSION
from muxi.tracefile.writing import rotated_files

__all__ = ["LineParser", "LineTally", "TraceFollower", "TraceLine", "read_trace"]

#: A line of a trace, checked for the fields that every line has.
TraceLine = dict[str, Any]

#: Bytes that are read at once.
_CHUNK = 1024 * 1024


@dataclass
class LineTally:
    """Numbers of lines by how they could be read."""

    lines: int = 0
    #: Lines that are not lines of a trace.
    junk: int = 0
    #: Lines that were skipped because they exceed ``MAX_LINE``.
    long: int = 0
    #: Lines in a later version of the format.
    newer: int = 0
    #: Lines at the end of a file without a line feed that could not be read: the writer has crashed, or is at work.
    cut: int = 0
    bytes: int = 0


class LineParser:
    """Splits chunks of a file into lines, and parses those that are lines of a trace."""

    def __init__(self) -> None:
        self.tally: LineTally = LineTally()
        self._rest = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> Iterator[TraceLine]:
        """Add a chunk; yield the records of the lines that it completes."""
        self.tally.bytes += len(chunk)
        if b"\n" in chunk:
            self._rest += chunk
            lines = bytes(self._rest).split(b"\n")
            self._rest = bytearray(lines.pop())
        else:
            lines = []
            self._rest += chunk
        if self._skipping and lines:
            lines.pop(0)
            self._skipping = False
        for line in lines:
            if len(line) > MAX_LINE:
                self.tally.long += 1
            elif line.strip():
                record = self._parse(line)
                if record is not None:
                    yield record
        if len(self._rest) > MAX_LINE or self._skipping:
            self.tally.long += not self._skipping
            self._rest, self._skipping = bytearray(), True

    def finish(self) -> Iterator[TraceLine]:
        """Yield the record of a last line without a line feed, if it is whole."""
        line, self._rest = bytes(self._rest), bytearray()
        if self._skipping or not line.strip():
            self._skipping = False
            return
        junk = self.tally.junk
        record = self._parse(line)
        if record is not None:
            yield record
        elif self.tally.junk > junk:
            self.tally.junk -= 1
            self.tally.cut += 1

    def _parse(self, line: bytes) -> TraceLine | None:
        self.tally.lines += 1
        try:
            record = _decode(line.decode())
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not _has_common_fields(record):
            self.tally.junk += 1
            return None
        if record["v"] > VERSION:
            self.tally.newer += 1
            return None
        return record


def _has_common_fields(record: dict[str, Any]) -> bool:
    # type() rather than isinstance(): this runs for each of millions of lines, and bool is no number here.
    call, version = record.get("call"), record.get("v")
    return (
        type(version) is int
        and version >= 1
        and type(call) is str
        and 0 < len(call) <= 64
        and type(record.get("event")) is str
        and _is_time(record.get("t"))
        and _is_time(record.get("at"))
    )


def _is_time(value: object) -> bool:
    # NaN is not JSON, and infinity is no smaller than anything.
    return (type(value) is float or type(value) is int) and -1e13 < value < 1e13


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


#: Made once: ``json.loads`` with an argument makes a decoder for each line.
_decode: Callable[[str], object] = json.JSONDecoder(parse_constant=_refuse_constant).decode


def read_trace(path: str, parser: LineParser) -> Iterator[TraceLine]:
    """Yield the records of a trace file and of those that were renamed before it, the oldest first.

    Raises:
        OSError: the file cannot be read.
    """
    for name in rotated_files(path):
        with open(name, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield from parser.feed(chunk)
        yield from parser.finish()


class TraceFollower:
    """Reads what has been appended to a file since the last look, also after the file was renamed or replaced.

    Args:
        path: the file; it need not be there yet.
        parser: parses its lines.
    """

    def __init__(self, path: str, parser: LineParser) -> None:
        self._path = path
        self._parser = parser
        self._file: BinaryIO | None = None
        self._earlier = rotated_files(path)[:-1]

    def read(self) -> Iterator[TraceLine]:
        """Yield the records that are new."""
        for name in self._earlier:
            with open(name, "rb") as file:
                while chunk := file.read(_CHUNK):
                    yield from self._parser.feed(chunk)
            yield from self._parser.finish()
        self._earlier = []
        yield from self._read_open()
        if self._file is not None and self._is_replaced(self._file):
            # The lines between the last look and the renaming.
            yield from self._read_open()
            yield from self._parser.finish()
            self.close()
        if self._file is None:
            try:
                self._file = open(self._path, "rb")  # noqa: SIM115  it is read again at the next look
            except FileNotFoundError:
                return
            yield from self._read_open()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_open(self) -> Iterator[TraceLine]:
        while self._file is not None and (chunk := self._file.read(_CHUNK)):
            yield from self._parser.feed(chunk)

    def _is_replaced(self, file: BinaryIO) -> bool:
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            return True
        then = os.fstat(file.fileno())
        return not os.path.samestat(now, then) or then.st_size < file.tell()
