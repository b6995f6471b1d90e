"""The journal of a batch: what has been begun and done, on disk, so that another run goes on from there."""

from __future__ import annotations

import os
import stat
import threading
import uuid
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from muxi.batch.errors import JournalBusy, JournalError, JournalMismatch
from muxi.batch.locking import lock
from muxi.batch.records import MAX_LINE, BegunRecord, DoneRecord, JournalHeader, UnsentRecord, header_line, parse
from muxi.forks import renew_after_fork
from muxi.transport.arguments import check_arguments

__all__ = ["Journal", "JournalFile"]

#: Beginning of every journal, as it is written.
_MAGIC = b'{"muxi-batch":'


@check_arguments()
@dataclass(frozen=True)
class Journal:
    """Settings of a journal, for ``journal=``; a path alone has the defaults.

    A result is in the file before it is yielded. A process that is killed loses nothing then. With ``fsync`` it is on
    the disk too, so that a power cut loses nothing either; results that are there at the same time share one sync.

    Args:
        path: the file; made if it is missing.
        fsync: whether the disk is waited for.
    """

    path: str | os.PathLike[str]
    fsync: bool = True


class JournalFile:
    """An open and locked journal.

    Args:
        journal: its settings.
        client: identity of the client.

    Raises:
        JournalBusy: it is in use.
        JournalMismatch: it belongs to another client.
        JournalError: it cannot be opened, or is no journal. A file that is no journal is left as it was.
    """

    def __init__(self, journal: Journal, client: str) -> None:
        self.path: str = os.fspath(journal.path)
        self._fsync = journal.fsync
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        #: Where the line of each call with an outcome is, by position: its offset and its length.
        self.done: dict[int, tuple[int, int]] = {}
        #: Digests of calls that were in flight when an earlier run ended, by position.
        self.begun: dict[int, str] = {}
        #: Number of positions that the journal knows.
        self.count: int = 0
        #: Length of what is whole.
        self._end = 0
        self._descriptor = self._open()
        _opened.add(self)
        try:
            self.id: str = self._read(client)
        except BaseException:
            self.close()
            raise

    def _open(self) -> int:
        try:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            descriptor = os.open(self.path, flags, 0o600)
        except (OSError, ValueError) as error:
            raise self._error("JOURNAL_UNREADABLE", f"cannot be opened: {error}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise self._error("JOURNAL_INVALID", "is no regular file")
            if not lock(descriptor):
                raise JournalBusy(
                    "JOURNAL_BUSY",
                    f"the journal {self.path} is used by another process, or by another batch of this one; wait for "
                    "its end, or give another journal",
                )
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise self._error("JOURNAL_UNREADABLE", f"cannot be locked: {error}") from error
            raise
        return descriptor

    def _read(self, client: str) -> str:
        """Read all lines, cut off a last one that is not whole, and return the id."""
        header: JournalHeader | None = None
        number = 0
        try:
            for line in self._lines():
                number += 1
                record = parse(line[:-1], number)
                if (header is None) is not isinstance(record, JournalHeader):
                    raise JournalError("JOURNAL_INVALID", f"line {number} is in the wrong place")
                if isinstance(record, JournalHeader):
                    header = record
                else:
                    self._index(record, len(line), number)
                self._end += len(line)
            if header is None:
                header = self._begin(client)
            elif os.fstat(self._descriptor).st_size > self._end:
                os.ftruncate(self._descriptor, self._end)
        except JournalError as error:
            error.message = f"the journal {self.path}: {error.message}; nothing has been sent"
            raise
        except OSError as error:
            raise self._error("JOURNAL_UNREADABLE", f"cannot be read: {error}") from error
        if header.client != client:
            raise JournalMismatch(
                "JOURNAL_OF_ANOTHER_CLIENT",
                f"the journal {self.path} belongs to the client {header.client!r}, and this is {client!r}; give the "
                "same client or another journal",
            )
        return header.id

    def _lines(self) -> Iterator[bytes]:
        """Yield the whole lines; a last one without an end is left out."""
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            while line := file.readline(MAX_LINE + 1):
                if line.endswith(b"\n"):
                    yield line
                elif len(line) > MAX_LINE:
                    raise JournalError("JOURNAL_INVALID", f"a line is longer than {MAX_LINE} bytes")
                elif self._end == 0 and not _is_torn_header(line):
                    raise JournalError("JOURNAL_INVALID", "the file is not the journal of a batch")
                else:
                    return

    def _begin(self, client: str) -> JournalHeader:
        """Write the first line into an empty file."""
        header = JournalHeader(uuid.uuid4().hex, client)
        os.ftruncate(self._descriptor, 0)
        self.write([header_line(header)], sync=True)
        with suppress(OSError):  # not every system can open folders
            folder = os.open(os.path.dirname(self.path) or ".", os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return header

    def _index(self, record: JournalHeader | BegunRecord | DoneRecord | UnsentRecord, length: int, number: int) -> None:
        if isinstance(record, BegunRecord):
            if record.position in self.done or record.position in self.begun:
                raise JournalError("JOURNAL_INVALID", f"line {number} begins a call a second time")
            self.begun[record.position] = record.digest
            self.count = max(self.count, record.position + 1)
        elif isinstance(record, DoneRecord):
            if self.begun.pop(record.position, None) != record.digest:
                raise JournalError("JOURNAL_INVALID", f"line {number} ends a call that was not begun")
            self.done[record.position] = self._end, length
        elif isinstance(record, UnsentRecord) and self.begun.pop(record.position, None) is None:
            raise JournalError("JOURNAL_INVALID", f"line {number} takes back a call that was not begun")

    def look_up(self, position: int) -> DoneRecord | None:
        """Return the outcome of a position from an earlier run, or None.

        Raises:
            JournalError: the file has been changed.
        """
        place = self.done.get(position)
        if place is None:
            return None
        offset, length = place
        with self._lock:
            try:
                os.lseek(self._descriptor, offset, os.SEEK_SET)
                line = _read_exactly(self._descriptor, length)
            except OSError as error:
                raise self._error("JOURNAL_UNREADABLE", f"cannot be read: {error}") from error
        record = parse(line[:-1], position) if line.endswith(b"\n") else None
        if not isinstance(record, DoneRecord) or record.position != position:
            raise self._error("JOURNAL_INVALID", "has been changed while it was in use")
        return record

    def write(self, lines: Sequence[bytes], *, sync: bool) -> None:
        """Append lines.

        Args:
            lines: whole lines.
            sync: whether they have to be on the disk on return, where the journal waits for the disk at all.

        Raises:
            JournalError: the file cannot be written. What was written of these lines is removed again.
        """
        data = memoryview(b"".join(lines))
        with self._lock:
            if self._descriptor < 0:
                raise self._error("JOURNAL_UNWRITABLE", "is closed, or belongs to the parent of this process")
            try:
                os.lseek(self._descriptor, self._end, os.SEEK_SET)
                rest = data
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
                if sync and self._fsync:
                    os.fsync(self._descriptor)
            except BaseException as error:
                with suppress(OSError):  # what is left is no whole line, and cut off at the next start
                    os.ftruncate(self._descriptor, self._end)
                if isinstance(error, OSError):
                    raise self._error("JOURNAL_UNWRITABLE", f"cannot be written: {error}") from error
                raise
            self._end += len(data)

    def close(self) -> None:
        """Close the file, which releases its lock."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _close_in_child(self) -> None:
        # The lock belongs to the open file: a child that kept it open would keep the lock after the parent's end.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _error(self, code: str, problem: str) -> JournalError:
        return JournalError(code, f"the journal {self.path} {problem}")


def _is_torn_header(line: bytes) -> bool:
    """Return whether a file of one unfinished line was begun as a journal."""
    return line.startswith(_MAGIC) or _MAGIC.startswith(line)


def _read_exactly(descriptor: int, length: int) -> bytes:
    pieces: list[bytes] = []
    while length > 0 and (piece := os.read(descriptor, length)):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


#: Journals that are open in this process.
_opened: weakref.WeakSet[JournalFile] = weakref.WeakSet()


def _close_in_child() -> None:
    for file in list(_opened):
        file._close_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
