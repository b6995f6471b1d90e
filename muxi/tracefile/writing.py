"""Appending lines to a file that other threads and processes append to as well, with rotation by size."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from muxi.forks import renew_after_fork

__all__ = ["TraceWriter", "rotated_files"]

#: Serializes rotation among the threads of this process; other processes are kept out by a lock of the file.
_rotating = threading.Lock()
renew_after_fork(sys.modules[__name__], "_rotating")


class TraceWriter:
    """Appends whole lines to a file.

    Each line is one ``write`` to a file opened with ``O_APPEND``, so that lines of several threads and processes do not
    mix. The file is opened for each line: a process that forks, or a file that is moved away, needs no attention.

    Args:
        path: the file; it is created for its owner only.
        max_bytes: size from which on the file is renamed to ``path.1`` before the next line.
        backups: number of renamed files that are kept.
    """

    def __init__(self, path: str, *, max_bytes: int, backups: int) -> None:
        self.path: str = path
        self._max_bytes = max_bytes
        self._backups = backups

    def write(self, line: bytes) -> None:
        """Append a line, which ends with a line feed.

        Raises:
            OSError: it could not be written, or only in part; the next line begins on a line of its own.
        """
        file = self._open()
        try:
            size = os.fstat(file).st_size
            if size + len(line) > self._max_bytes and size:
                rotated = self._rotate(file)
                if rotated:
                    os.close(file)
                    file = self._open()
                    size = os.fstat(file).st_size
            if size and not _ends_with_line(file):
                # A process has crashed, or the disk was full, in the middle of the line before.
                line = b"\n" + line
            written = os.write(file, line)
            if written < len(line):
                raise OSError(f"only {written} of {len(line)} bytes were written")
        finally:
            os.close(file)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        return os.open(self.path, flags, 0o600)

    def _rotate(self, file: int) -> bool:
        """Rename the full file, unless another thread or process has done so. Return whether a new one is due."""
        with _rotating:
            if sys.platform != "win32":
                import fcntl

                # Released when the file is closed.
                fcntl.flock(file, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                now = os.stat(self.path)
                if not os.path.samestat(now, os.fstat(file)) or now.st_size < self._max_bytes // 2:
                    return True
                try:
                    _shift(self.path, self._backups)
                except PermissionError:
                    # On Windows a file that another process has open cannot be renamed; it grows until it can.
                    return False
            return True


def _ends_with_line(file: int) -> bool:
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1) == b"\n"


def _shift(path: str, backups: int) -> None:
    """Rename ``path`` to ``path.1``, ``path.1`` to ``path.2``, and so on; the last one is overwritten."""
    for number in range(backups - 1, 0, -1):
        with suppress(FileNotFoundError):
            os.replace(f"{path}.{number}", f"{path}.{number + 1}")
    if backups:
        os.replace(path, f"{path}.1")
    else:
        os.remove(path)


def rotated_files(path: str) -> list[str]:
    """Return a trace file with those that were renamed before it, the oldest first."""
    found = [path]
    while os.path.exists(older := f"{path}.{len(found)}"):
        found.insert(0, older)
    return found
