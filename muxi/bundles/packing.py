"""Packing a folder into a bundle: the same folder gives the same bytes."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import IO, BinaryIO, NamedTuple

from muxi.bundles.contents import FORMATION_FILES, SECRET_FILES, Contents, decoded
from muxi.bundles.fields import read_fields
from muxi.bundles.identity import refused

__all__ = ["IGNORED", "pack", "read_folder"]

#: What does not travel, by the name of a file or directory wherever it is. ``secrets`` and ``memory.db`` are
#: left out at the top only, and ``.key`` is taken along there (see :func:`pack`).
IGNORED = (
    *(".git", ".hg", ".svn", ".jj", ".bzr", "CVS"),
    *("__pycache__", "*.pyc", "*.pyo", ".*_cache", ".cache", "*.egg-info", ".tox", ".nox", "node_modules"),
    *(".venv", "venv"),
    *(".env", ".env.*", "*.key", "*.pem", "*.p12", "*.pfx", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"),
    *(".idea", ".vscode", "*.swp", "*.swo", "*~", ".#*", "#*#", ".DS_Store", "Thumbs.db", "desktop.ini"),
    *("*.log", "*.tmp", ".muxi"),
)
_IGNORED_AT_TOP = ("secrets", "memory.db", "memory.db-*")
_KEPT_AT_TOP = frozenset(SECRET_FILES)

#: Fixed, so that the time of packing leaves no trace: 1980, the earliest that all tools can show.
_MTIME = 315532800


class _Entry(NamedTuple):
    """A file or directory that travels."""

    name: str
    path: str
    is_directory: bool


def read_folder(folder: str) -> Contents:
    """What :func:`pack` would make of a folder, as far as the server looks at it.

    Raises:
        ValidationError: there is no formation file in it.
    """
    for name in FORMATION_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            try:
                with open(path, "rb") as file:
                    text = decoded(file.read(), folder, name)
            except OSError as error:
                raise refused("bundle_path", f"{path} cannot be read: {error.strerror}") from error
            secret = {name for name in SECRET_FILES if os.path.isfile(os.path.join(folder, name))}
            return Contents(folder, path, text, frozenset(secret))
    raise refused("bundle_path", f"{folder} has no formation file (looked for {', '.join(FORMATION_FILES)})")


def pack(folder: str | os.PathLike[str], to: BinaryIO | IO[bytes]) -> None:
    """Pack a folder into a gzip tar, under one top directory named after its formation's id.

    The bytes depend on nothing but the names, the contents and the executable bits of the files, so that an
    unchanged folder is an unchanged bundle to the server (it answers an update with ``NoChange``).

    Left out is what :data:`IGNORED` names: version control, caches, virtual environments (whatever they are
    called), ``.env`` files, private keys, what editors leave behind, logs; and at the top ``memory.db``, which
    would replace what the live formation remembers, and ``secrets``, the template in plain text. ``secrets.enc``
    **and** ``.key`` at the top travel: the server takes no secrets without both.

    Args:
        folder: a directory with a formation file in it.
        to: a binary file to write to.

    Raises:
        ValidationError: it has no formation file, or something in it is neither a file nor a directory, or is
            a link that the server would not follow.
    """
    folder = os.fspath(folder)
    top = _top_name(read_folder(folder))
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=to, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in _walk(folder):
            info = tarfile.TarInfo(f"{top}/{entry.name}")
            info.mtime = _MTIME
            if entry.is_directory:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
                continue
            with open(entry.path, "rb") as file:
                found = os.fstat(file.fileno())
                info.size = found.st_size
                info.mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
                archive.addfile(info, file)


def _top_name(contents: Contents) -> str:
    try:
        found = read_fields(contents.text).get("id")
    except ValueError:
        found = None
    return found if isinstance(found, str) and found.replace("-", "").isalnum() else "formation"


def _walk(folder: str, prefix: str = "") -> Iterator[_Entry]:
    """All that travels, sorted by name; directories before what is in them."""
    root = os.path.join(folder, prefix)
    with os.scandir(root) as found:
        items = sorted(found, key=lambda item: item.name)
    for item in items:
        name = prefix + item.name
        if _is_ignored(item.name, at_top=not prefix):
            continue
        if item.is_symlink():
            _check_link(item, folder)
        if item.is_dir(follow_symlinks=False):
            if not os.path.exists(os.path.join(item.path, "pyvenv.cfg")):
                yield _Entry(name, item.path, True)
                yield from _walk(folder, f"{name}/")
        elif item.is_file():
            yield _Entry(name, item.path, False)
        else:
            raise refused("bundle_path", f"{item.path} is neither a file nor a directory, and cannot travel")


def _is_ignored(name: str, *, at_top: bool) -> bool:
    if at_top and name in _KEPT_AT_TOP:
        return False
    return any(fnmatchcase(name, pattern) for pattern in (IGNORED + _IGNORED_AT_TOP if at_top else IGNORED))


def _check_link(item: os.DirEntry[str], folder: str) -> None:
    """A link to a file of the same folder travels as that file; the server would leave any link out."""
    target = os.path.realpath(item.path)
    inside = os.path.commonpath([os.path.realpath(folder), target]) == os.path.realpath(folder)
    if not inside or not os.path.isfile(target):
        raise refused(
            "bundle_path",
            f"{item.path} is a link to {os.readlink(item.path)!r}, which the server would leave out; "
            "put the file itself there",
        )
