"""The report on a bundle: the files that travel, and those that are left out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BundlePlan", "LeftOut", "PlannedFile"]

#: Number of files that the line about a plan names.
_MAX_NAMED = 8


@dataclass(frozen=True)
class PlannedFile:
    """A file or directory that travels."""

    #: Path in the folder, with slashes.
    name: str
    #: Size in bytes; 0 for a directory.
    size: int
    is_directory: bool = False


@dataclass(frozen=True)
class LeftOut:
    """A file or directory that does not travel."""

    #: Path in the folder, with slashes.
    name: str
    #: ``version control``, ``cache``, ``environment``, ``credentials``, ``private key``, ``state``,
    #: ``local file``, ``memory``, ``editor``, or the ignore file that excludes it.
    reason: str


@dataclass(frozen=True)
class BundlePlan:
    """The files of a folder that travel, and those that are left out. ``str()`` gives one line about it."""

    folder: str
    #: Files and directories in the order of the archive.
    entries: tuple[PlannedFile, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files that travel."""
        return tuple(entry.name for entry in self.entries if not entry.is_directory)

    @property
    def size(self) -> int:
        """Sum of their sizes in bytes."""
        return sum(entry.size for entry in self.entries)

    def __str__(self) -> str:
        count = len(self.files)
        line = f"{self.folder}: {count} file{'' if count == 1 else 's'}, {self.size:,} bytes"
        if self.left_out:
            named = ", ".join(f"{item.name} ({item.reason})" for item in self.left_out[:_MAX_NAMED])
            more = len(self.left_out) - _MAX_NAMED
            line += f"; left out: {named}{f' and {more} more' if more > 0 else ''}"
        return line
