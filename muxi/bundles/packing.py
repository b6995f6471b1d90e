"""Packing a folder into a bundle: the same folder gives the same bytes."""

from __future__ import annotations

import gzip
import logging
import os
import stat
import tarfile
from typing import IO, BinaryIO, cast

from muxi.bundles.contents import FORMATION_FILES, Contents, decoded
from muxi.bundles.fields import read_fields
from muxi.bundles.identity import Progress
from muxi.bundles.planning import plan
from muxi.bundles.refusal import refused
from muxi.bundles.report import BundlePlan, PlannedFile
from muxi.bundles.rules import SECRET_FILES
from muxi.bundles.stopping import check_stopped
from muxi.errors import ValidationError
from muxi.transport.arguments import check_arguments

__all__ = ["pack", "read_folder"]

logger: logging.Logger = logging.getLogger("muxi.bundles")

#: Modification time of all entries: 1980, the earliest that all tools can show.
_MTIME = 315532800


def read_folder(folder: str) -> Contents:
    """Read the parts of a folder that the server checks.

    Raises:
        ValidationError: it has no formation file, or that cannot be read.
    """
    for name in FORMATION_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            try:
                with open(path, "rb") as file:
                    text = decoded(file.read(), folder, name)
            except OSError as error:
                raise refused("bundle_path", f"{path} cannot be read: {error.strerror}") from None
            secret = {name for name in SECRET_FILES if os.path.isfile(os.path.join(folder, name))}
            return Contents(folder, path, text, frozenset(secret))
    raise refused("bundle_path", f"{folder} has no formation file (looked for {', '.join(FORMATION_FILES)})")


@check_arguments()
def pack(folder: str | os.PathLike[str], to: BinaryIO | IO[bytes], *, progress: Progress | None = None) -> BundlePlan:
    """Pack a folder into a gzip tar, under one top directory named after its formation's id.

    The bytes depend only on the names, the contents and the executable bits of the files, so that an unchanged folder
    is an unchanged bundle to the server (it answers an update with ``NoChange``).

    Left out are the files that :data:`IGNORED` names (version control, caches, virtual environments, ``.env`` files,
    credentials of well-known tools, private keys, state files), at the top ``memory.db`` and ``secrets``, and what
    ``.gitignore`` and ``.muxiignore`` exclude. ``secrets.enc`` **and** ``.key`` at the top travel: the server takes no
    secrets without both. The logger ``muxi.bundles`` gets a line about it at INFO.

    Args:
        folder: a directory with a formation file.
        to: a binary file to write to.
        progress: called after each file with the bytes packed so far and their number.

    Returns:
        The files that travel, and those that are left out with the reasons; :func:`plan` returns it without packing.

    Raises:
        ValidationError: it has no formation file; an entry cannot be read, changes meanwhile, is neither a file nor a
            directory, or is a link that the server would leave out; or the bundle cannot be written.
        ConfigurationError: the folder has an ignore file, and pathspec (extra ``[bundles]``) is not installed.
    """
    folder = os.fspath(folder)
    top = _top_name(read_folder(folder))
    planned = plan(folder)
    if not any(name in FORMATION_FILES for name in planned.files):
        raise refused("bundle_path", f"the formation file of {folder} is excluded by its ignore files")
    logger.info("packing %s", planned)
    try:
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=cast(BinaryIO, _Target(to)), mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            done = 0
            for entry in planned.entries:
                _add(archive, entry, os.path.join(folder, entry.name), f"{top}/{entry.name}")
                done += entry.size
                if progress and not entry.is_directory:
                    progress(done, planned.size)
    except OSError as error:
        raise refused("bundle_path", f"the bundle of {folder} cannot be written: {error.strerror or error}") from None
    return planned


class _Target:
    """The file that is written. After a failure it swallows the rest: gzip tries to write it when it is collected."""

    def __init__(self, file: BinaryIO | IO[bytes]) -> None:
        self._file = file
        self._failed = False

    def write(self, data: bytes) -> int:
        if self._failed:
            return len(data)
        try:
            return self._file.write(data)
        except BaseException:
            self._failed = True
            raise

    def flush(self) -> None:
        if not self._failed:
            self._file.flush()


def _add(archive: tarfile.TarFile, entry: PlannedFile, path: str, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.mtime = _MTIME
    if entry.is_directory:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
        return
    file = _SourceFile(path)
    try:
        info.size, info.mode = file.size, file.mode
        archive.addfile(info, file)  # type: ignore[arg-type]  # it asks for read() only
    finally:
        file.close()


class _SourceFile:
    """A file that is packed. Its errors name it, and differ from those of writing the bundle."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file: IO[bytes] = open(path, "rb")  # noqa: SIM115  closed by its owner
            found = os.fstat(self._file.fileno())
        except OSError as error:
            raise self._refusal(f"cannot be read: {error.strerror}") from None
        self.size = self._left = found.st_size
        self.mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644

    def read(self, size: int) -> bytes:
        """Read so many bytes, all of which the file had when it was opened."""
        check_stopped()
        try:
            content = self._file.read(size)
        except OSError as error:
            raise self._refusal(f"cannot be read: {error.strerror}") from None
        self._left -= len(content)
        if len(content) < size and self._left > 0:
            raise self._refusal("became shorter while it was packed; try again")
        return content

    def close(self) -> None:
        self._file.close()

    def _refusal(self, problem: str) -> ValidationError:
        return refused("bundle_path", f"{self._path} {problem}")


def _top_name(contents: Contents) -> str:
    try:
        found = read_fields(contents.text).get("id")
    except ValueError:
        found = None
    return found if isinstance(found, str) and found.replace("-", "").isalnum() else "formation"
