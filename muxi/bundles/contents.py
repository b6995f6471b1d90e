"""The check of a bundle before it is sent, by the rules of the server (its package ``formation``)."""

from __future__ import annotations

import gzip
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from muxi.bundles.fields import FieldValue, Unread, is_pyyaml_installed, read_fields
from muxi.bundles.identity import Identity, check_id, refused
from muxi.errors import ValidationError

__all__ = ["FORMATION_FILES", "SECRET_FILES", "Contents", "check", "decoded", "read_archive"]

#: Names of a formation file, in the order in which the server looks for them.
FORMATION_FILES = ("formation.afs", "formation.yaml", "formation.yml")

#: Version of a formation whose file names none.
DEFAULT_VERSION = "1.0.0"

#: Largest formation file that is read, in bytes.
MAX_FORMATION_FILE = 16 * 1024 * 1024

_PIECE = 1024 * 1024

#: Delimiters of a reference to a secret; the server looks for them in comments too.
_SECRET_START, _SECRET_END = "${{ secrets.", "}}"
#: Files of the top directory that the server requires of a formation that uses secrets.
SECRET_FILES = ("secrets.enc", ".key")


@dataclass(frozen=True)
class Contents:
    """The parts of a bundle that the server checks before it unpacks it."""

    #: The bundle's name in messages.
    where: str
    #: The formation file's name in messages.
    file: str
    #: Text of the formation file.
    text: str
    #: Which of :data:`SECRET_FILES` the bundle has.
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
    """Refuse a bundle that the server would refuse, and return the identity of its formation.

    Args:
        contents: the bundle.
        formation_id: id that it is sent under; by default the one in the formation file.
        version: version that it is sent under; likewise.

    Raises:
        ValidationError: names the file and the field.
    """
    file = contents.file
    try:
        fields = read_fields(contents.text)
    except ValueError as error:
        if formation_id is None or version is None:
            raise refused("id", f"{file} cannot be read: {error}") from None
        # The server's parser may accept what PyYAML refuses.
        check_id(formation_id)
        return Identity(formation_id, version)
    if fields.get("description", "") == "":
        raise refused("description", f"{file} has no 'description', which the server requires")
    found_id, found_version = fields.get("id", ""), fields.get("version", "") or DEFAULT_VERSION
    if found_id == "":
        raise refused("id", f"{file} has no 'id'")
    identity = Identity(
        _agree("id", "formation_id", formation_id, found_id, file),
        _agree("version", "version", version, found_version, file),
    )
    check_id(identity.id, f"{file}: ")
    _check_secrets(contents)
    return identity


def _agree(field: str, argument: str, given: str | None, found: FieldValue, file: str) -> str:
    """Return the value of a field, and refuse an argument that contradicts the formation file."""
    if isinstance(found, Unread):
        if given is None:
            remedy = "" if is_pyyaml_installed() else ", or pip install 'muxi-client[bundles]'"
            raise refused(field, f"the {field!r} of {file} cannot be read here; give {argument}={remedy}")
        return given
    if given is not None and given != found:
        raise refused(field, f"{argument}={given!r} was given, and {file} has {field}: {found!r}")
    return found


def _check_secrets(contents: Contents) -> None:
    used = list(dict.fromkeys(find_secrets(contents.text)))
    missing = [name for name in SECRET_FILES if name not in contents.secret_files]
    if used and missing:
        raise refused(
            "secrets",
            f"{contents.file} uses secrets ({', '.join(used)}), and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not beside it",
        )


def find_secrets(text: str) -> Iterator[str]:
    """Yield the name of each secret that a formation file refers to, as the server finds them."""
    end = 0
    while (start := text.find(_SECRET_START, end)) >= 0:
        start += len(_SECRET_START)
        if (end := text.find(_SECRET_END, start)) < 0:
            return
        yield text[start:end].strip()
        end += len(_SECRET_END)
