"""A file of JSON lines, each with a hash over itself and the line before, so that changes can be detected."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from muxi.forks import renew_after_fork

__all__ = ["START", "Chain", "Verdict", "verify"]

#: Hash that precedes the first line.
START = "0" * 64

#: Block size for reading the end of the file, in bytes.
_BLOCK = 4096


@dataclass(frozen=True)
class Verdict:
    """The result of :func:`verify`."""

    #: Number of unaltered lines from the beginning.
    lines: int
    #: Hash of the last of these; stored elsewhere, it reveals lines that are removed from the end later.
    head: str
    #: Number of calls among these whose start has a line and whose end has none.
    unfinished: int
    #: Number of the first altered line, from 1; None without one.
    bad_line: int | None = None
    #: The problem of that line; empty without one.
    problem: str = ""

    @property
    def ok(self) -> bool:
        """True if no line was altered."""
        return not self.problem


class Chain:
    """A file to which threads and processes append records in one chain.

    The file is locked while a line is appended (``flock``, or ``msvcrt.locking`` on Windows), so it belongs on a local
    disk. It is opened anew for each line: one that was moved away is followed by a new one, with a chain of its own.

    Args:
        path: the file; it is made where there is none, readable by its owner alone.
        key: makes the hashes keyed (HMAC), so that lines cannot be forged without it.
        fsync: whether a line has reached the disk before :meth:`append` returns.
    """

    def __init__(self, path: str, *, key: bytes | None = None, fsync: bool = False) -> None:
        self.path: str = path
        self._key = key
        self._fsync = fsync
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        #: Hash of the last line written by this instance; empty before the first.
        self.head: str = ""
        #: Inode, size and last line of the file after this instance's last write; saves reading it again.
        self._end: tuple[int, int, _Last] | None = None

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record as the next line.

        Raises:
            OSError: it could not be written; the file is as before.
            ValueError: the last line of the file is not a record.
        """
        with self._lock, _lock_file(self.path) as file:
            status = os.fstat(file)
            last = self._last(file, status)
            lines = b""
            if last.torn:
                torn = {"event": "torn", "bytes": len(last.torn), "sha256": hashlib.sha256(last.torn).hexdigest()}
                lines, last = self._line(torn, last)
                lines = b"\n" + lines
            line, last = self._line(record, last)
            _write(file, lines + line, status.st_size)
            if self._fsync:
                os.fsync(file)
            self._end = (status.st_ino, status.st_size + len(lines) + len(line), last)
            self.head = last.hash

    def _last(self, file: int, status: os.stat_result) -> _Last:
        if self._end is not None and self._end[:2] == (status.st_ino, status.st_size):
            return self._end[2]
        whole, torn = _ending(file, status.st_size)
        if not whole:
            return _Last(0, START, torn)
        try:
            record = json.loads(whole)
            return _Last(int(record["seq"]), str(record["hash"]), torn)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise ValueError(f"the last line of {self.path} is no line of an audit trail") from None

    def _line(self, record: Mapping[str, Any], last: _Last) -> tuple[bytes, _Last]:
        linked = {"seq": last.seq + 1, **record, "prev": last.hash}
        linked["hash"] = _hash(linked, self._key)
        return _encode_line(linked) + b"\n", _Last(last.seq + 1, linked["hash"], b"")


@dataclass(frozen=True)
class _Last:
    """The end of the file: its last whole line, and a torn line after it."""

    seq: int
    hash: str
    torn: bytes


def verify(path: str | os.PathLike[str], *, key: bytes | str | None = None, head: str | None = None) -> Verdict:
    """Check a file for lines that are missing, altered, added or out of order.

    Args:
        path: the file.
        key: key of the hashes, if they are keyed.
        head: an earlier hash, stored elsewhere, which must be in the file. Without it, lines that were removed from
            the end cannot be detected.

    Raises:
        OSError: the file cannot be read.
    """
    secret = key.encode() if isinstance(key, str) else key
    last = _Last(0, START, b"")
    #: A malformed line, which may be a torn write: the next line then accounts for it.
    torn: tuple[int, bytes] | None = None
    running: set[object] = set()
    seen = head is None or head == START
    number, problem = 0, ""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            record, problem = _read(line, last, secret)
            if torn is not None:
                if problem or not _accounts_for(record, torn[1]):
                    break
                torn = None
            elif record.get("event") == "torn" and not problem:
                problem = "the torn line that it accounts for is missing"
            elif problem == _NO_LINE and line.endswith(b"\n"):
                torn = (number, line[:-1])
                continue
            if problem:
                break
            last = _Last(record["seq"], record["hash"], b"")
            seen = seen or last.hash == head
            if record.get("event") == "started":
                running.add(record.get("call"))
            elif record.get("event") == "finished":
                running.discard(record.get("call"))
    if torn is not None:
        number, problem = torn[0], _NO_LINE
    elif not problem and not seen:
        number, problem = number + 1, f"lines are missing at the end: there is none with the hash {head}"
    return Verdict(last.seq, last.hash, len(running), number if problem else None, problem)


_NO_LINE = "it is not a whole line of an audit trail"


def _read(line: bytes, last: _Last, key: bytes | None) -> tuple[dict[str, Any], str]:
    """Return the record of a line, and its problem, if any."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("hash"), str) or not line.endswith(b"\n"):
        return {}, _NO_LINE
    # The same content in another spelling would have the same hash.
    if _encode_line(record) + b"\n" != line:
        return record, "its spelling has been altered"
    claimed = record["hash"]
    content = {name: value for name, value in record.items() if name != "hash"}
    if not hmac.compare_digest(claimed.encode(), _hash(content, key).encode()):
        return record, "its content has been altered, or the key is another"
    if record.get("prev") != last.hash or record.get("seq") != last.seq + 1:
        return record, f"it does not follow line {last.seq} of the trail: one is missing, added or out of order"
    return record, ""


def _accounts_for(record: Mapping[str, Any], torn: bytes) -> bool:
    """Tell whether a record accounts for the torn line before it."""
    return record.get("event") == "torn" and record.get("sha256") == hashlib.sha256(torn).hexdigest()


def _hash(record: Mapping[str, Any], key: bytes | None) -> str:
    content = _encode_line(record)
    return hashlib.sha256(content).hexdigest() if key is None else hmac.new(key, content, hashlib.sha256).hexdigest()


def _encode_line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def _ending(file: int, size: int) -> tuple[bytes, bytes]:
    """Return the last whole line of a file, and the bytes after it."""
    block = min(_BLOCK, size)
    while True:
        os.lseek(file, size - block, os.SEEK_SET)
        content = _read_exactly(file, block)
        if block == size or content.count(b"\n") >= 2:
            break
        # All of it again, and twice as much: in pieces a long line would be copied once for each of them.
        block = min(2 * block, size)
    whole, _, torn = content.rpartition(b"\n")
    return whole.rpartition(b"\n")[2], torn


def _read_exactly(file: int, length: int) -> bytes:
    """Read so many bytes, fewer at the end of the file only."""
    pieces: list[bytes] = []
    while length > 0 and (piece := os.read(file, length)):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _write(file: int, content: bytes, size: int) -> None:
    """Append the whole content, or nothing."""
    os.lseek(file, size, os.SEEK_SET)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(file, left) :]
    except BaseException:
        os.ftruncate(file, size)
        raise


@contextmanager
def _lock_file(path: str) -> Iterator[int]:
    """Open a file and lock it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            # One byte far behind the end: locked bytes cannot be read there by others.
            os.lseek(file, 1 << 40, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        # Closing unlocks.
        os.close(file)
