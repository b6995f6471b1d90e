"""Downloads: bodies written to disk as they arrive. A file is complete or not there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TypedDict
from urllib.parse import unquote

from muxi.errors import ConnectionError, ValidationError
from muxi.exchange.identifiers import random_id
from muxi.transport import AsyncResponse, BufferedResponse, Response

__all__ = [
    "Downloaded",
    "Progress",
    "check_target",
    "copy_mode",
    "describe",
    "name_errors",
    "resolve_target",
    "save",
    "save_async",
]

#: Called with the bytes written so far and the total, or None if the total is unknown.
Progress = Callable[[int, int | None], None]


class Downloaded(TypedDict):
    """Result of a download."""

    #: The path that the caller has given.
    path: str
    #: Size in bytes.
    size: int
    #: Media type, without parameters; empty without one.
    content_type: str
    #: The platform's name for it, without folders; None without one, and for one that a system would read as a path.
    filename: str | None


class _PartialFile:
    """A temporary file beside its target, which it replaces once it is complete, with the target's mode."""

    def __init__(self, into: str, response: Response | AsyncResponse | BufferedResponse, progress: Progress | None):
        self._into = into
        self._target = resolve_target(into)
        self._partial = os.path.join(os.path.dirname(self._target), f".{random_id('')}.part")
        self._expected = _length(response)
        self._progress = progress
        self._size = 0
        with name_errors(into):
            self._file: IO[bytes] = open(self._partial, "xb")  # noqa: SIM115  open over several calls
            try:
                copy_mode(self._target, self._partial)
            except BaseException:
                self.discard()
                raise

    def write(self, chunk: bytes) -> None:
        with name_errors(self._into):
            self._file.write(chunk)

    def count(self, chunk: bytes) -> None:
        """Count written bytes and report progress, in the thread that drives the call."""
        self._size += len(chunk)
        if self._progress:
            self._progress(self._size, self._expected)

    def complete(self) -> int:
        """Move the file to its target.

        Raises:
            ConnectionError: it is shorter or longer than announced.
            ValidationError: it cannot be written, or something else than a file has taken the place of the target.
        """
        with name_errors(self._into):
            self._file.close()
        if self._expected is not None and self._size != self._expected:
            raise ConnectionError(
                "TRUNCATED",
                f"the download has {self._size} bytes, and {self._expected} were announced; nothing was kept of it",
            )
        resolve_target(self._into)
        with name_errors(self._into):
            os.replace(self._partial, self._target)
        return self._size

    def discard(self) -> None:
        """Close and delete the temporary file, if there still is one."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._partial)


@contextmanager
def name_errors(into: str) -> Iterator[None]:
    """Turn errors of the file system into a :class:`ValidationError` that names the file."""
    try:
        yield
    except OSError as error:
        raise _refuse_path(f"{into!r} cannot be written: {error.strerror or error}") from error


def copy_mode(target: str, partial: str) -> None:
    """Give a new file the mode of the file that it will replace, if there is one."""
    with suppress(FileNotFoundError):
        os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))


def check_target(into: str | os.PathLike[str]) -> None:
    """Refuse a target that cannot be written, before anything is sent.

    Raises:
        ValidationError: it is a folder, a device or a pipe, or its folder does not exist.
    """
    resolve_target(into)


#: Characters that separate the parts of a path on this system.
_SEPARATORS = (os.sep, os.altsep or os.sep)


def resolve_target(into: str | os.PathLike[str]) -> str:
    """Return the file that a download replaces: the path itself, or the end of the links that it is.

    Raises:
        ValidationError: it is a folder, a device or a pipe, or its folder does not exist.
    """
    path = os.fspath(into)
    if not path:
        raise _refuse_path("takes the name of a file")
    if path.endswith(_SEPARATORS) and not os.path.isdir(path):
        raise _refuse_path(f"takes the name of a file, and {path!r} is that of a folder, which does not exist")
    target = path
    try:
        target = os.path.realpath(path)
        kind = os.stat(target).st_mode
    except FileNotFoundError:
        kind = stat.S_IFREG
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _refuse_path(f"{path!r} cannot be written: {getattr(error, 'strerror', None) or error}") from None
    if stat.S_ISDIR(kind):
        raise _refuse_path(f"takes the name of a file, and {path!r} is a folder")
    if not stat.S_ISREG(kind):
        raise _refuse_path(f"takes the name of a file, and {path!r} is a device, a pipe or a socket")
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise _refuse_path(f"is in a folder that does not exist: {os.path.dirname(path) or folder!r}")
    return target


def save(response: Response | BufferedResponse, into: str | os.PathLike[str], progress: Progress | None = None) -> int:
    """Write the body of an answer to a file, as it arrives.

    Args:
        response: the answer; it is closed at the end.
        into: the file. Links are followed; a file that is there is replaced at the end, and its mode kept.
        progress: called after each piece.

    Returns:
        The size in bytes.

    Raises:
        ConnectionError: the body ended too soon.
        ValidationError: the file cannot be written.
    """
    file = None
    try:
        file = _PartialFile(os.fspath(into), response, progress)
        for chunk in _pieces(response):
            file.write(chunk)
            file.count(chunk)
        return file.complete()
    finally:
        if not isinstance(response, BufferedResponse):
            response.close()
        if file:
            file.discard()


async def save_async(
    response: AsyncResponse | BufferedResponse, into: str | os.PathLike[str], progress: Progress | None = None
) -> int:
    """As :func:`save`; a thread writes to the disk, so that the event loop is not blocked."""
    from asyncio import to_thread

    file = None
    try:
        # Not in the thread: a cancellation meanwhile would leave the file behind.
        file = _PartialFile(os.fspath(into), response, progress)
        async for chunk in _pieces_async(response):
            await to_thread(file.write, chunk)
            file.count(chunk)
        return await to_thread(file.complete)
    finally:
        if file:
            file.discard()
        if not isinstance(response, BufferedResponse):
            await response.close()


def describe(response: Response | AsyncResponse | BufferedResponse, path: str, size: int) -> Downloaded:
    """Return the result of a download."""
    return {
        "path": path,
        "size": size,
        "content_type": response.content_type,
        "filename": _filename(response.headers.get("content-disposition") or ""),
    }


#: The parameters of a ``Content-Disposition`` (RFC 6266): ``filename*=UTF-8''r%C3%A4port.txt``, ``filename="a.txt"``.
_PARAMETER = re.compile(r';[ \t]*([\w!#$%&\'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')

#: The value of an extended parameter (RFC 8187), in the charsets that it may have.
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE)

#: Longest name that file systems take, in bytes.
_MAX_NAME = 255

#: Names of devices on Windows, with any extension.
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def _filename(disposition: str) -> str | None:
    """Return the file name in a ``Content-Disposition``; None without one, and for one that is not only a name."""
    found: dict[str, str] = {}
    for name, quoted, token in _PARAMETER.findall(disposition):
        found.setdefault(name.lower(), token or re.sub(r"\\(.)", r"\1", quoted))
    name = found.get("filename", "")
    if extended := _EXTENDED.fullmatch(found.get("filename*", "")):
        try:
            name = unquote(extended[2], extended[1], "strict")
        except UnicodeDecodeError:
            name = ""
    name = name.replace("\\", "/").rpartition("/")[2].strip()
    return name if _is_file_name(name) else None


def _is_file_name(name: str) -> bool:
    """Tell whether every system takes a text for the name of a file, and not for a path or a device."""
    printable = all(char.isprintable() for char in name)
    if not printable or ":" in name or name.strip(". ") == "" or name.endswith((".", " ")) or _DEVICES.fullmatch(name):
        return False
    return len(name.encode("utf-8", "surrogatepass")) <= _MAX_NAME


def _length(response: Response | AsyncResponse | BufferedResponse) -> int | None:
    """Return the length of the body, or None if it is unknown or the body is decoded on the way."""
    headers = response.headers
    if isinstance(response, BufferedResponse) or headers.get("content-encoding", "identity") != "identity":
        return None
    length = headers.get("content-length") or ""
    # More digits than any file has bytes; int() refuses to convert thousands.
    return int(length) if length.isascii() and length.isdigit() and len(length) <= 18 else None


def _pieces(response: Response | BufferedResponse) -> Iterator[bytes]:
    return iter((response.content,)) if isinstance(response, BufferedResponse) else response.chunks()


async def _pieces_async(response: AsyncResponse | BufferedResponse) -> AsyncIterator[bytes]:
    if isinstance(response, BufferedResponse):
        yield response.content
        return
    async for chunk in response.chunks():
        yield chunk


def _refuse_path(problem: str) -> ValidationError:
    return ValidationError(
        "INVALID_PATH", f"path {problem}", details={"validation_errors": [{"field": "path", "msg": problem}]}
    )
