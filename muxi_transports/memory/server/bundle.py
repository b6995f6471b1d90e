"""The bundle of a formation: a gzipped tar, unpacked as the server unpacks it."""

from __future__ import annotations

import gzip
import hashlib
import io
import posixpath
import tarfile
import zlib
from dataclasses import dataclass

from muxi_transports.memory.server.files import Files

__all__ = ["Bundle", "BundleError", "read_bundle"]

_GZIP = b"\x1f\x8b"


class BundleError(Exception):
    """The error of a bundle that cannot be unpacked, in the server's words."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been unpacked.

    Args:
        digest: SHA-256 of its bytes, in hex; this is what the server calls a version.
        files: what is below its top directory.
    """

    digest: str
    files: Files


def read_bundle(content: bytes) -> Bundle:
    """Unpack a bundle. The directory of its first entry is its top one; links and what is beside that are ignored.

    Raises:
        BundleError: it is no gzip, no tar, or reaches out of its directory.
    """
    if len(content) < 10 or not content.startswith(_GZIP):
        reason = "EOF" if not content else "unexpected EOF" if _GZIP.startswith(content[:2]) else "gzip: invalid header"
        raise BundleError(f"failed to create gzip reader: {reason}")
    files: dict[str, bytes] = {}
    top: str | None = None
    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(content)) as unzipped,
            tarfile.open(fileobj=unzipped, mode="r|") as archive,
        ):
            for member in archive:
                path = _check_member(member)
                if top is None:
                    top = member.name.split("/")[0]
                below = posixpath.relpath(path, posixpath.normpath(top)) if "/" in member.name else ""
                if member.isfile() and below and below.split("/")[0] != "..":
                    opened = archive.extractfile(member)
                    files[below] = opened.read() if opened else b""
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = "unexpected EOF" if isinstance(error, EOFError) else str(error)
        raise BundleError(f"failed to read tar header: {reason}") from error
    try:
        return Bundle(hashlib.sha256(content).hexdigest(), Files(files))
    except OSError as error:
        raise BundleError(f"failed to create file: {error} is a file and a directory") from error


def _check_member(member: tarfile.TarInfo) -> str:
    """The clean path of an entry.

    Raises:
        BundleError: it leads out of the archive, or is the archive's own root.
    """
    path = posixpath.normpath(member.name.lstrip("/"))
    if path == "." or path.split("/")[0] == "..":
        name = member.name + "/" if member.isdir() else member.name
        raise BundleError(f"invalid file path in archive: {name}")
    return path
