"""The files of a formation on a server: a directory that is held in memory."""

from __future__ import annotations

import hashlib
import io
import posixpath
import zipfile
from collections.abc import Iterator, Mapping

__all__ = ["Files"]

#: The time of zip entries without one; the format begins there.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Files:
    """A directory with files and directories. Paths are relative, clean, and ``.`` is the directory itself.

    Args:
        contents: files by path; their directories are made.
    """

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        self._files: dict[str, bytes] = {}
        self._directories: set[str] = {"."}
        for path, content in (contents or {}).items():
            self.write(path, content)

    def copy(self) -> Files:
        """The same files once more."""
        copy = Files(self._files)
        copy._directories |= self._directories
        return copy

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def is_directory(self, path: str) -> bool:
        """True if there is a directory of this path."""
        return path in self._directories

    def read(self, path: str) -> bytes:
        """A file.

        Raises:
            KeyError: there is none.
        """
        return self._files[path]

    def write(self, path: str, content: bytes) -> None:
        """Write a file; its directories are made.

        Raises:
            IsADirectoryError: there is a directory of this path.
            NotADirectoryError: one of its directories is a file.
        """
        if path in self._directories:
            raise IsADirectoryError(path)
        parents = list(_parents(path))
        if any(parent in self._files for parent in parents):
            raise NotADirectoryError(path)
        self._directories.update(parents)
        self._files[path] = content

    def delete(self, path: str) -> bool:
        """Remove a file, or a directory with all that is in it; False where there was neither."""
        found = path in self._files or path in self._directories
        self._files = {name: content for name, content in self._files.items() if not _within(name, path)}
        self._directories = {name for name in self._directories if not _within(name, path)} | {"."}
        return found

    def listed(self, path: str) -> list[dict[str, object]]:
        """List a directory as the server does; empty files have no size."""
        entries: dict[str, dict[str, object]] = {}
        for name in self._directories - {"."}:
            if posixpath.dirname(name) == ("" if path == "." else path):
                entries[name] = {"name": posixpath.basename(name) + "/", "type": "dir"}
        for name, content in self._files.items():
            if posixpath.dirname(name) == ("" if path == "." else path):
                size = {"size": len(content)} if content else {}
                entries[name] = {"name": posixpath.basename(name), "type": "file", **size}
        return [entries[name] for name in sorted(entries)]

    def digest(self) -> str:
        """SHA-256 over names and contents, in hex."""
        whole = hashlib.sha256()
        for path in self:
            whole.update(f"{path}\0{len(self._files[path])}\0".encode("utf-8", "surrogateescape"))
            whole.update(self._files[path])
        return whole.hexdigest()

    def zipped(self, *, database: bool) -> bytes:
        """A zip of all that is not hidden; ``.env`` is there all the same.

        Args:
            database: whether ``memory.db`` is taken along.
        """
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted({*self._files, *self._directories} - {"."}):
                if any(part.startswith(".") and part != ".env" for part in path.split("/")):
                    continue
                if path == "memory.db" and not database:
                    continue
                name = path + "/" if path in self._directories else path
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), self._files.get(path, b""))
        return buffer.getvalue()


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _within(name: str, path: str) -> bool:
    return path == "." or name == path or name.startswith(path + "/")
