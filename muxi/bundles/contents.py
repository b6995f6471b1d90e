"""What a bundle holds, and what the server would refuse of it: found out before anything is sent.

The rules are the server's own (the wire's ``server.md``, section 2, and its package ``formation``).
"""

from __future__ import annotations

import gzip
import posixpath
import re
import tarfile
import zlib
from dataclasses import dataclass
from typing import IO

from muxi.bundles.fields import Unread, read_fields
from muxi.bundles.identity import Identity, check_id, refused
from muxi.errors import ValidationError

__all__ = ["FORMATION_FILES", "SECRET_FILES", "Contents", "check", "decoded", "read_archive"]

#: The names a formation file may have, in the order the server looks for them.
FORMATION_FILES = ("formation.afs", "formation.yaml", "formation.yml")

#: The version of a formation whose file has none.
DEFAULT_VERSION = "1.0.0"

#: No formation file is larger, in bytes; a larger one is not read.
MAX_FORMATION_FILE = 16 * 1024 * 1024

_PIECE = 1024 * 1024

#: What the server looks for in the text of a formation file, comments included.
_SECRET = re.compile(r"\$\{\{ secrets\.(.*?)\}\}", re.DOTALL)
#: Without both of these in the top directory, a formation file cannot use secrets.
SECRET_FILES = ("secrets.enc", ".key")


@dataclass(frozen=True)
class Contents:
    """As much of a bundle as the server looks at before it unpacks it."""

    #: The bundle, for messages.
    where: str
    #: The path of the formation file, for messages.
    file: str
    #: What is in it.
    text: str
    #: Which of the files that secrets take are there.
    secret_files: frozenset[str]


def read_archive(file: IO[bytes], where: str) -> Contents:
    """Read a gzip tar to its end, keeping nothing but its formation file.

    Args:
        file: positioned at its beginning.
        where: what errors call it.

    Raises:
        ValidationError: it is no gzip tar, leads out of its directory, or has no formation file in its top one.
    """
    top: str | None = None
    texts: dict[str, bytes] = {}
    present: set[str] = set()
    try:
        with gzip.GzipFile(fileobj=file) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined]  # it would keep every name of a large bundle
                _check_name(member, where)
                if top is None:
                    top = member.name.split("/", 1)[0]
                path = posixpath.normpath(member.name)
                if member.isreg() and posixpath.dirname(path) in (top, ""):
                    present.add(path)
                    if posixpath.basename(path) in FORMATION_FILES:
                        opened = archive.extractfile(member)
                        texts[path] = opened.read(MAX_FORMATION_FILE) if opened else b""
            while unzipped.read(_PIECE):
                pass  # up to the checksum, so that a bundle which was cut off is found out
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise refused("bundle_path", f"{where} is not a readable .tar.gz: {error}") from error
    for name in FORMATION_FILES:
        path = posixpath.normpath(posixpath.join(top or "", name))
        if top and path in texts and (top == "." or "/" in path):
            secret = {name for name in SECRET_FILES if posixpath.normpath(posixpath.join(top, name)) in present}
            return Contents(where, f"{where}: {path}", decoded(texts[path], where, path), frozenset(secret))
    raise _no_formation_file(where, top, texts)


def _check_name(member: tarfile.TarInfo, where: str) -> None:
    parts = member.name.split("/")
    if ".." in parts:
        raise refused("bundle_path", f"{where} has the entry {member.name!r}, which leads out of its directory")
    if posixpath.normpath(member.name) == ".":
        raise refused(
            "bundle_path",
            f"{where} has an entry './', which the server refuses; pack the directory by its name (tar -czf … my-bot) "
            "or give its path here",
        )


def _no_formation_file(where: str, top: str | None, texts: dict[str, bytes]) -> ValidationError:
    looked = ", ".join(FORMATION_FILES)
    if top is None:
        return refused("bundle_path", f"{where} is empty")
    if loose := sorted(path for path in texts if "/" not in path):
        problem = f"{where} has {loose[0]} outside of any directory; everything must be under one top directory"
        return refused("bundle_path", problem)
    return refused("bundle_path", f"{where} has no formation file in its top directory {top!r} (looked for {looked})")


def decoded(content: bytes, where: str, path: str) -> str:
    """The text of a formation file.

    Raises:
        ValidationError: it is not UTF-8, or too large.
    """
    if len(content) >= MAX_FORMATION_FILE:
        raise refused("bundle_path", f"{where}: {path} is too large for a formation file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused("bundle_path", f"{where}: {path} is not UTF-8: {error}") from error


def check(contents: Contents, formation_id: str | None = None, version: str | None = None) -> Identity:
    """Refuse what the server would refuse, and say which formation the bundle holds.

    What the formation file says in a way that takes a whole YAML parser to read is left to the server.

    Args:
        contents: the bundle.
        formation_id: the id that it is sent under; the one in the formation file if not given.
        version: likewise.

    Raises:
        ValidationError: names the file and the field.
    """
    file = contents.file
    try:
        fields = read_fields(contents.text)
    except ValueError as error:
        if formation_id is None or version is None:
            raise refused("id", f"{file} cannot be read here ({error}); give formation_id= and version=") from error
        check_id(formation_id)
        return Identity(formation_id, version)
    if fields.get("description", "") == "":
        raise refused("description", f"{file} has no 'description', which the server requires")
    found_id, found_version = fields.get("id", ""), fields.get("version", "") or DEFAULT_VERSION
    if found_id == "":
        raise refused("id", f"{file} has no 'id'")
    identity = Identity(
        _agreed("id", "formation_id", formation_id, found_id, file),
        _agreed("version", "version", version, found_version, file),
    )
    check_id(identity.id, f"{file}: ")
    _check_secrets(contents)
    return identity


def _agreed(field: str, argument: str, given: str | None, found: str | Unread, file: str) -> str:
    """What was given, if the formation file says the same or cannot be read there; else what it says."""
    if isinstance(found, Unread):
        if given is None:
            raise refused(field, f"the {field!r} of {file} cannot be read here; give {argument}=")
        return given
    if given is not None and given != found:
        raise refused(field, f"{argument}={given!r} was given, and {file} has {field}: {found!r}")
    return found


def _check_secrets(contents: Contents) -> None:
    used = list(dict.fromkeys(name.strip() for name in _SECRET.findall(contents.text)))
    missing = [name for name in SECRET_FILES if name not in contents.secret_files]
    if used and missing:
        raise refused(
            "secrets",
            f"{contents.file} uses secrets ({', '.join(used)}), and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not beside it",
        )
