"""The conversion of a caller's bundle (a path, bytes, an open file) into a body that can be sent."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import IO, BinaryIO, TypeVar, cast

from muxi.bundles.contents import Contents, check, check_format, read_archive
from muxi.bundles.identity import BundleSource, Identity, Prepared, Progress
from muxi.bundles.packing import pack, read_folder
from muxi.bundles.refusal import refused
from muxi.errors import ConfigurationError
from muxi.transport import Body, FileBody
from muxi.transport.bodies import CHUNK_BYTES

__all__ = ["OpenFileBody", "prepare"]

T = TypeVar("T")

#: Bytes read to detect the format of a file.
_HEAD = 512


class OpenFileBody(Body):
    """An open file, from its position to its end, sent with its length.

    Args:
        file: binary and seekable.
        progress: called with the bytes sent so far and the length, from the thread that sends.
        name: the file's name in errors.
    """

    def __init__(
        self, file: BinaryIO | IO[bytes], progress: Progress | None = None, *, name: str = "the bundle"
    ) -> None:
        self.file = file
        self.progress = progress
        self._name = name
        self._start = file.tell()
        self.length: int | None = file.seek(0, os.SEEK_END) - self._start
        file.seek(self._start)

    def chunks(self) -> Iterator[bytes]:
        length = self.length or 0
        sent = 0
        while sent < length:
            try:
                # An abandoned attempt may have left the file at any position.
                self.file.seek(self._start + sent)
                chunk = self.file.read(min(CHUNK_BYTES, length - sent))
            except (OSError, ValueError) as error:  # ValueError: it was closed
                raise refused("bundle_path", f"{self._name} cannot be read: {error}") from None
            if not chunk:
                raise refused("bundle_path", f"{self._name} became shorter while it was sent")
            yield chunk
            sent += len(chunk)
            if self.progress:
                self.progress(sent, length)


class _PackedBody(OpenFileBody):
    """A folder packed into an unnamed temporary file, which is removed with this object."""

    def __init__(self, folder: str, progress: Progress | None = None, packing: Progress | None = None) -> None:
        self._folder = folder
        file, self.plan = _temporary(lambda file: pack(folder, file, progress=packing), self)
        super().__init__(file, progress, name=f"the bundle of {folder}")

    def __reduce__(self) -> tuple[object, ...]:
        # The temporary file is not pickled; the folder is packed again.
        return _PackedBody, (self._folder, self.progress)


class _CopiedBody(OpenFileBody):
    """The content of a pipe, copied into a temporary file, because it is read twice: to check it and to send it.

    Its beginning is checked before the rest is read: a device may have no end.
    """

    def __init__(self, source: BinaryIO | IO[bytes], progress: Progress | None, where: str) -> None:
        head = b""
        while len(head) < _HEAD and (piece := source.read(_HEAD - len(head))):
            head += piece
        check_format(head, where)

        def copy(file: BinaryIO) -> None:
            file.write(head)
            shutil.copyfileobj(source, file)

        file, _ = _temporary(copy, self)
        super().__init__(file, progress)


def _temporary(write: Callable[[BinaryIO], T], owner: object) -> tuple[BinaryIO, T]:
    try:
        file = cast(BinaryIO, tempfile.TemporaryFile(prefix="muxi-bundle-"))  # noqa: SIM115  closed with its owner
        weakref.finalize(owner, file.close)
        written = write(file)
        file.seek(0)
    except OSError as error:
        problem = f"the bundle cannot be written to {tempfile.gettempdir()}: {error.strerror or error}"
        raise refused("bundle_path", problem) from None
    return file, written


def prepare(
    bundle: BundleSource | Prepared,
    *,
    formation_id: str | None = None,
    version: str | None = None,
    progress: Progress | None = None,
    packing: Progress | None = None,
) -> Prepared:
    """Check a bundle by the server's rules, and make a body of it.

    Args:
        bundle: a path, bytes, an open binary file (read from its position), or an earlier result of this function. A
            folder is packed into a temporary file; see :func:`muxi.bundles.pack`.
        formation_id: id that it is sent under; by default the one in the formation file.
        version: version that it is sent under; likewise.
        progress: called while it is sent, with the bytes so far and their number.
        packing: called while a folder is packed, after each file, with the bytes so far and their number.

    Returns:
        The identity of its formation, the body, and of a folder the plan: the files that travel, and those left out.

    Raises:
        ValidationError: the server would refuse it, or a file in it must not travel; names the file and the field.
        ConfigurationError: the folder has an ignore file, and pathspec (extra ``[bundles]``) is not installed.
    """
    for name, text in (("formation_id", formation_id), ("version", version)):
        if text is not None and not isinstance(text, str):
            raise refused(name, f"{name}= takes a text, got {type(text).__name__}")
    for name, function in (("progress", progress), ("packing", packing)):
        if function is not None and not callable(function):
            raise ConfigurationError(f"{name}= takes a function, got {type(function).__name__}")
    if isinstance(bundle, Prepared):
        return _check_again(bundle, formation_id, version)
    if isinstance(bundle, str | os.PathLike):
        return _prepare_path(os.fspath(bundle), formation_id, version, progress, packing)
    if isinstance(bundle, bytes | bytearray | memoryview):
        body = OpenFileBody(io.BytesIO(bundle), progress)
        return Prepared(check(_read_open(body.file, "the bundle"), formation_id, version), body)
    if not hasattr(bundle, "read"):
        problem = f"a bundle is a path, bytes or a binary file, not {type(bundle).__name__}"
        if isinstance(bundle, Mapping):  # as the official SDK sends it
            problem += (
                "; a server takes no JSON: deploy_formation('my-bot.tar.gz', formation_id='my-bot'), "
                "update_formation('my-bot', 'my-bot.tar.gz')"
            )
        raise refused("bundle_path", problem)
    if isinstance(bundle, io.TextIOBase):
        raise refused("bundle_path", "the file is open for text; open it with 'rb'")
    where = str(getattr(bundle, "name", "the bundle"))
    try:
        seekable = not hasattr(bundle, "seekable") or bundle.seekable()
        body = OpenFileBody(bundle, progress, name=where) if seekable else _CopiedBody(bundle, progress, where)
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise refused("bundle_path", f"{where} cannot be read: {error}") from None
    return Prepared(check(_read_open(body.file, where), formation_id, version), body)


def _prepare_path(
    path: str, formation_id: str | None, version: str | None, progress: Progress | None, packing: Progress | None
) -> Prepared:
    if not path:
        raise refused("bundle_path", "the path is empty; give that of a .tar.gz, or of a folder")
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            identity = check(read_folder(path), formation_id, version)
            packed = _PackedBody(path, progress, packing)
            return Prepared(identity, packed, packed.plan)
        with open(path, "rb") as file:
            if stat.S_ISREG(kind):
                return Prepared(check(_read_open(file, path), formation_id, version), FileBody(path, progress))
            # A pipe gives its content once.
            body = _CopiedBody(file, progress, path)
        return Prepared(check(_read_open(body.file, path), formation_id, version), body)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, OSError):
            raise refused("bundle_path", f"{path} cannot be read: {error.strerror or error}") from None
        if type(error) is ValueError or isinstance(error, UnicodeEncodeError):
            raise refused("bundle_path", f"{path!r} is not a path: {error}") from None
        raise


def _read_open(file: BinaryIO | IO[bytes], where: str) -> Contents:
    """Check the format of an open file and read it, from its position."""
    try:
        start = file.tell()
        head = file.read(_HEAD)
        file.seek(start)
    except OSError as error:
        raise refused("bundle_path", f"{where} cannot be read: {error.strerror or error}") from None
    check_format(head, where)
    return read_archive(file, where)


def _check_again(prepared: Prepared, formation_id: str | None, version: str | None) -> Prepared:
    """Return what was prepared before, if it is the formation that is wanted."""
    wanted = Identity(formation_id or prepared.identity.id, version or prepared.identity.version)
    if wanted != prepared.identity:
        raise refused("id", f"the prepared bundle is {'@'.join(prepared.identity)}, and {'@'.join(wanted)} is wanted")
    return prepared
