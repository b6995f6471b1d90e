"""The check of a bundle before it is sent, by the rules of the server (its package ``formation``)."""

from __future__ import annotations

import gzip
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from muxi.bundles.fields import FieldValue, Unread, is_pyyaml_installed, read_fields
from muxi.bundles.identity import Identity, check_id
from muxi.bundles.refusal import refused
from muxi.bundles.report import PlannedFile
from muxi.bundles.rules import REFUSED_REASONS, SECRET_FILES, is_private_key, reason_never
from muxi.errors import ValidationError

__all__ = ["FORMATION_FILES", "SECRET_FILES", "Contents", "check", "decoded", "list_archive", "read_archive"]

#: Names of a formation file, in the order in which the server looks for them.
FORMATION_FILES = ("formation.afs", "formation.yaml", "formation.yml")

#: Version of a formation whose file names none.
DEFAULT_VERSION = "1.0.0"

#: Largest formation file that is read, in bytes.
MAX_FORMATION_FILE = 16 * 1024 * 1024

_PIECE = 1024 * 1024

#: Largest size of an entry's extended headers (pax, GNU), in bytes.
_MAX_EXTENSIONS = 1024 * 1024

#: Bytes of a file that are searched for the head of a private key.
_HEAD = 128

#: Formats that are mistaken for a bundle, by their first bytes.
_FORMATS = (
    (b"PK\x03\x04", "a zip"),
    (b"PK\x05\x06", "an empty zip"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"7z\xbc\xaf", "a 7z file"),
)

#: Delimiters of a reference to a secret; the server looks for them in comments too.
_SECRET_START, _SECRET_END = "${{ secrets.", "}}"


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


class _BoundedTarInfo(tarfile.TarInfo):
    """A header of an archive, with bounded extensions, which :mod:`tarfile` reads into memory whatever their size."""

    _EXTENSIONS = (
        *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    )

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in self._EXTENSIONS:
            archive.extension_bytes = getattr(archive, "extension_bytes", 0) + self.size  # type: ignore[attr-defined]
            if archive.extension_bytes > _MAX_EXTENSIONS:  # type: ignore[attr-defined]  # an attribute of our own
                raise tarfile.ReadError(f"its extended headers have more than {_MAX_EXTENSIONS} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # typeshed leaves it out
        return member


def read_archive(file: IO[bytes], where: str) -> Contents:
    """Read a gzip tar to its end, and keep its formation file.

    Args:
        file: positioned at its beginning.
        where: name of the bundle in messages.

    Raises:
        ValidationError: it is not a gzip tar, has an entry that the server would refuse or that must not travel, or has
            no formation file in its top directory.
    """
    top: str | None = None
    texts: dict[str, bytes] = {}
    present: set[str] = set()
    with _open_archive(file, where) as archive:
        for member in _members(archive):
            _check_name(member, where)
            path = posixpath.normpath(member.name)
            if top is None:
                top = member.name.split("/", 1)[0]
            _check_entry(member, path, where, top)
            content = archive.extractfile(member) if member.isreg() else None
            head = content.read(_HEAD) if content else b""
            if is_private_key(head) and posixpath.relpath(path, top) not in SECRET_FILES:
                raise _must_not_travel(where, member.name, "private key")
            if content is not None and posixpath.dirname(path) in (top, ""):
                present.add(path)
                if posixpath.basename(path) in FORMATION_FILES:
                    texts[path] = head + content.read(MAX_FORMATION_FILE)
    for name in FORMATION_FILES:
        path = posixpath.normpath(posixpath.join(top or "", name))
        if top and path in texts and (top == "." or "/" in path):
            secret = {name for name in SECRET_FILES if posixpath.normpath(posixpath.join(top, name)) in present}
            return Contents(where, f"{where}: {path}", decoded(texts[path], where, path), frozenset(secret))
    raise _no_formation_file(where, top, texts)


def list_archive(file: IO[bytes], where: str) -> list[PlannedFile]:
    """Return the entries of a gzip tar, whatever they are.

    Args:
        file: positioned at its beginning.
        where: name of the bundle in messages.

    Raises:
        ValidationError: it is not a gzip tar.
    """
    with _open_archive(file, where) as archive:
        return [PlannedFile(member.name, member.size, member.isdir()) for member in _members(archive)]


@contextmanager
def _open_archive(file: IO[bytes], where: str) -> Iterator[tarfile.TarFile]:
    """Open a gzip tar with bounded headers; afterwards the rest of the file is read.

    Raises:
        ValidationError: it is not a gzip tar, or was cut off.
    """
    try:
        with (
            gzip.GzipFile(fileobj=file) as unzipped,
            tarfile.open(fileobj=unzipped, mode="r|", tarinfo=_BoundedTarInfo) as archive,
        ):
            yield archive
            while unzipped.read(_PIECE):
                pass  # up to the checksum, which reveals a bundle that was cut off
    except (tarfile.TarError, EOFError, OSError, zlib.error, RecursionError, ValueError) as error:
        if isinstance(error, ValidationError):
            raise
        raise refused("bundle_path", f"{where} is not a readable .tar.gz: {_explain(error)}") from None


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        archive.members.clear()  # type: ignore[attr-defined]  # it would keep every name of a large bundle
        archive.extension_bytes = 0  # type: ignore[attr-defined]  # of this entry, not of all
        yield member


def check_format(head: bytes, where: str) -> None:
    """Refuse a file that is not gzip by its first bytes, and name what it is.

    Raises:
        ValidationError: it is empty, or of another format.
    """
    if head.startswith(b"\x1f\x8b"):
        return
    known = next((name for magic, name in _FORMATS if head.startswith(magic)), None)
    if known is None and head[257:262] == b"ustar":
        known = "a tar that is not compressed"
    kind = known or ("a file of another kind" if head else "an empty file")
    raise refused(
        "bundle_path", f"{where} is {kind}; a bundle is a .tar.gz (tar -czf my-bot.tar.gz my-bot), or give the folder"
    )


def _check_name(member: tarfile.TarInfo, where: str) -> None:
    parts = member.name.split("/")
    if member.name.startswith("/") or "\0" in member.name or re.match(r"[A-Za-z]:", member.name):
        raise refused("bundle_path", f"{where} has the entry {member.name!r}, which is not relative to its directory")
    if ".." in parts:
        raise refused("bundle_path", f"{where} has the entry {member.name!r}, which leads out of its directory")
    if posixpath.normpath(member.name) == ".":
        raise refused(
            "bundle_path",
            f"{where} has an entry './', which the server refuses; pack the directory by its name (tar -czf … my-bot) "
            "or give its path here",
        )


def _check_entry(member: tarfile.TarInfo, path: str, where: str, top: str) -> None:
    """Refuse an entry that a folder would not have packed either."""
    if member.issym() or member.islnk():
        raise refused(
            "bundle_path",
            f"{where} has the link {member.name!r} to {member.linkname!r}, which the server would leave out; pack the "
            "file itself (tar --dereference --hard-dereference)",
        )
    if not member.isreg() and not member.isdir():
        raise refused("bundle_path", f"{where} has the entry {member.name!r}, which is neither a file nor a directory")
    parts = path.split("/")
    if top != ".":
        if parts[0] != top:
            raise refused(
                "bundle_path",
                f"{where} has {member.name!r} beside its top directory {top!r}; everything must be under one",
            )
        parts = parts[1:]
    for level, part in enumerate(parts):
        reason = reason_never(part, at_top=level == 0)
        if reason in REFUSED_REASONS:
            raise _must_not_travel(where, member.name, reason or "")


def _must_not_travel(where: str, name: str, reason: str) -> ValidationError:
    return refused(
        "bundle_path",
        f"{where} has the entry {name!r} ({reason}), which must not travel to a server; give the folder, of which such "
        "files are left out, or pack it without (tar --exclude)",
    )


def _explain(error: BaseException) -> str:
    return "its headers are nested too deeply" if isinstance(error, RecursionError) else str(error)


def _no_formation_file(where: str, top: str | None, texts: dict[str, bytes]) -> ValidationError:
    looked = ", ".join(FORMATION_FILES)
    if top is None:
        return refused("bundle_path", f"{where} is empty")
    if loose := sorted(path for path in texts if "/" not in path):
        problem = f"{where} has {loose[0]} outside of any directory; everything must be under one top directory"
        return refused("bundle_path", problem)
    return refused("bundle_path", f"{where} has no formation file in its top directory {top!r} (looked for {looked})")


def decoded(content: bytes, where: str, path: str) -> str:
    """Decode the text of a formation file.

    Raises:
        ValidationError: it is not UTF-8, or too large.
    """
    if len(content) >= MAX_FORMATION_FILE:
        raise refused("bundle_path", f"{where}: {path} is too large for a formation file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        # Not `from error`: it holds the whole file.
        raise refused("bundle_path", f"{where}: {path} is not UTF-8: {error}") from None


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
