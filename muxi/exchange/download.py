"""Downloads: bodies written to disk as they arrive. A file is complete or not there."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import IO, TypedDict
from urllib.parse import unquote

from muxi.errors import ConnectionError, ValidationError
from muxi.exchange.identifiers import random_id
from muxi.transport import AsyncResponse, BufferedResponse, Response

__all__ = ["Downloaded", "Progress", "check_target", "describe", "save", "save_async"]

#: Called with the bytes written so far and the total, or None if the total is unknown.
Progress = Callable[[int, int | None], None]


class Downloaded(TypedDict):
    """Result of a download."""

    #: Where it is.
    path: str
    #: Its size in bytes.
    size: int
    #: Its media type, without parameters; empty where the platform named none.
    content_type: str
    #: What the platform calls it, without any folders; None where it named none.
    filename: str | None


class _PartialFile:
    """A temporary file beside its target, which it replaces once it is complete."""

    def __init__(self, into: str, response: Response | AsyncResponse | BufferedResponse, progress: Progress | None):
        self._into = into
        self._partial = os.path.join(os.path.dirname(into), f".{random_id('')}.part")
        self._expected = _length(response)
        self._progress = progress
        self._size = 0
        self._file: IO[bytes] = open(self._partial, "xb")  # noqa: SIM115  open over several calls

    def write(self, chunk: bytes) -> None:
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
        """
        self._file.close()
        if self._expected is not None and self._size != self._expected:
            raise ConnectionError(
                "TRUNCATED",
                f"the download has {self._size} bytes, and {self._expected} were announced; nothing was kept of it",
            )
        os.replace(self._partial, self._into)
        return self._size

    def discard(self) -> None:
        """Close and delete the temporary file, if there still is one."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._partial)


def check_target(into: str | os.PathLike[str]) -> None:
    """Refuse a target that cannot be written, before anything is sent.

    Raises:
        ValidationError: it is a folder, or its folder does not exist.
    """
    path = os.fspath(into)
    folder = os.path.dirname(path) or "."
    if not path or os.path.isdir(path):
        raise _refused(f"takes the name of a file, and {path!r} is a folder" if path else "takes the name of a file")
    if not os.path.isdir(folder):
        raise _refused(f"is in a folder that does not exist: {folder!r}")


def save(response: Response | BufferedResponse, into: str | os.PathLike[str], progress: Progress | None = None) -> int:
    """Write the body of an answer to a file, as it arrives.

    Args:
        response: the answer; it is closed at the end.
        into: the file; replaced if there is one, once all has arrived.
        progress: called after each piece.

    Returns:
        The size in bytes.

    Raises:
        ConnectionError: the body ended too soon.
        OSError: the file cannot be written.
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


#: ``filename*=UTF-8''r%C3%A4port.txt`` and ``filename="report.txt"`` (RFC 6266).
_EXTENDED_NAME = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^\s;]+)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)


def _filename(disposition: str) -> str | None:
    """Return the file name in a ``Content-Disposition``, without any folder."""
    if found := _EXTENDED_NAME.search(disposition):
        name = unquote(found[1])
    elif found := _PLAIN_NAME.search(disposition):
        name = found[2] or re.sub(r"\\(.)", r"\1", found[1] or "")
    else:
        return None
    name = name.replace("\\", "/").rpartition("/")[2]
    return None if name in ("", ".", "..") else name


def _length(response: Response | AsyncResponse | BufferedResponse) -> int | None:
    """Return the length of the body, or None if it is unknown or the body is decoded on the way."""
    headers = response.headers
    if isinstance(response, BufferedResponse) or headers.get("content-encoding", "identity") != "identity":
        return None
    length = headers.get("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() else None


def _pieces(response: Response | BufferedResponse) -> Iterator[bytes]:
    return iter((response.content,)) if isinstance(response, BufferedResponse) else response.chunks()


async def _pieces_async(response: AsyncResponse | BufferedResponse) -> AsyncIterator[bytes]:
    if isinstance(response, BufferedResponse):
        yield response.content
        return
    async for chunk in response.chunks():
        yield chunk


def _refused(problem: str) -> ValidationError:
    return ValidationError(
        "INVALID_PATH", f"path {problem}", details={"validation_errors": [{"field": "path", "msg": problem}]}
    )
