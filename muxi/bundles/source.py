"""Whatever a caller may give as a bundle, as something that can be sent."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, cast

from muxi.bundles.contents import Contents, check, read_archive
from muxi.bundles.identity import BundleSource, Identity, Prepared, Progress, refused
from muxi.bundles.packing import pack, read_folder
from muxi.transport import Body, FileBody
from muxi.transport.bodies import CHUNK_BYTES

__all__ = ["OpenFileBody", "prepare"]


class OpenFileBody(Body):
    """An open file, from where it stands to its end, sent with its length.

    Args:
        file: binary and seekable.
        progress: called with the bytes sent so far and the length, from the thread that sends.
    """

    def __init__(self, file: BinaryIO | IO[bytes], progress: Progress | None = None) -> None:
        self.file = file
        self.progress = progress
        self._start = file.tell()
        self.length: int | None = file.seek(0, os.SEEK_END) - self._start
        file.seek(self._start)

    def chunks(self) -> Iterator[bytes]:
        length = self.length or 0
        sent = 0
        while sent < length:
            # An attempt that was given up may have left the file anywhere.
            self.file.seek(self._start + sent)
            chunk = self.file.read(min(CHUNK_BYTES, length - sent))
            if not chunk:
                return
            yield chunk
            sent += len(chunk)
            if self.progress:
                self.progress(sent, length)


class _PackedBody(OpenFileBody):
    """A folder, packed into a temporary file without a name, which goes when this goes."""

    def __init__(self, folder: str, progress: Progress | None = None) -> None:
        self._folder = folder
        super().__init__(_temporary(lambda file: pack(folder, file), self), progress)

    def __reduce__(self) -> tuple[object, ...]:
        # The temporary file stays behind; the folder is packed anew.
        return _PackedBody, (self._folder, self.progress)


class _CopiedBody(OpenFileBody):
    """What came out of a pipe, kept in a temporary file, because it is looked at before it is sent."""

    def __init__(self, source: BinaryIO | IO[bytes], progress: Progress | None = None) -> None:
        super().__init__(_temporary(lambda file: shutil.copyfileobj(source, file), self), progress)


def _temporary(write: Callable[[BinaryIO], None], owner: object) -> BinaryIO:
    file = cast(BinaryIO, tempfile.TemporaryFile(prefix="muxi-bundle-"))  # noqa: SIM115  closed with its owner
    weakref.finalize(owner, file.close)
    write(file)
    file.seek(0)
    return file


def prepare(
    bundle: BundleSource | Prepared,
    *,
    formation_id: str | None = None,
    version: str | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Look at a bundle, refuse what the server would refuse, and make of it what is sent.

    Args:
        bundle: a path, bytes, an open binary file (read from where it stands), or what this function has
            returned before. A folder is packed into a temporary file; see :func:`muxi.bundles.pack`.
        formation_id: the id it is sent under; read from its formation file if not given.
        version: likewise.
        progress: called while it is sent, with the bytes so far and their number.

    Raises:
        ValidationError: the server would refuse it; names the file and the field.
    """
    if isinstance(bundle, Prepared):
        return _again(bundle, formation_id, version)
    if isinstance(bundle, str | os.PathLike):
        path = os.fspath(bundle)
        if os.path.isdir(path):
            identity = check(read_folder(path), formation_id, version)
            return Prepared(identity, _PackedBody(path, progress))
        return Prepared(check(_read_path(path), formation_id, version), FileBody(path, progress))
    if isinstance(bundle, bytes | bytearray | memoryview):
        body = OpenFileBody(io.BytesIO(bundle), progress)
        return Prepared(check(read_archive(body.file, "the bundle"), formation_id, version), body)
    if not hasattr(bundle, "read"):
        raise refused("bundle_path", f"a bundle is a path, bytes or a binary file, not {type(bundle).__name__}")
    if isinstance(bundle, io.TextIOBase):
        raise refused("bundle_path", "the file is open for text; open it with 'rb'")
    seekable = not hasattr(bundle, "seekable") or bundle.seekable()
    body = OpenFileBody(bundle, progress) if seekable else _CopiedBody(bundle, progress)
    where = str(getattr(bundle, "name", "the bundle"))
    return Prepared(check(read_archive(body.file, where), formation_id, version), body)


def _read_path(path: str) -> Contents:
    try:
        with open(path, "rb") as file:
            return read_archive(file, path)
    except OSError as error:
        raise refused("bundle_path", f"{path} cannot be read: {error.strerror or error}") from error


def _again(prepared: Prepared, formation_id: str | None, version: str | None) -> Prepared:
    """What was prepared before, if it is what is wanted now."""
    wanted = Identity(formation_id or prepared.identity.id, version or prepared.identity.version)
    if wanted != prepared.identity:
        raise refused("id", f"the prepared bundle is {'@'.join(prepared.identity)}, and {'@'.join(wanted)} is wanted")
    return prepared
