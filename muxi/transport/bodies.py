"""The content of requests: in memory, on disk, or made on the fly."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

from muxi.errors import ConfigurationError, ValidationError
from muxi.transport.arguments import check_arguments

__all__ = ["Body", "BytesBody", "FileBody", "IterableBody", "as_body"]

#: How much of a file is read at a time, in bytes.
CHUNK_BYTES = 64 * 1024


class Body(ABC):
    """The content of a request."""

    #: In bytes; None where it is not known beforehand (the transport then sends it in chunks).
    length: int | None = None
    #: Whether it can be sent a second time. A call whose body cannot is never repeated.
    repeatable: bool = True

    @abstractmethod
    def chunks(self) -> Iterator[bytes]:
        """The content from its beginning, piece by piece."""


class BytesBody(Body):
    """Content that is in memory."""

    def __init__(self, content: bytes) -> None:
        if not isinstance(content, bytes):  # the shorter way of the check below: every call with a body has one
            raise ConfigurationError(f"content= takes bytes, got {type(content).__name__}")
        self.content = content
        self.length: int | None = len(content)

    def chunks(self) -> Iterator[bytes]:
        yield self.content


class FileBody(Body):
    """A file on disk, sent with its length and read as it is sent.

    Args:
        path: the file; it is opened anew for each attempt.
        progress: called with the bytes sent so far and the length, from the thread that sends.
    """

    @check_arguments()
    def __init__(self, path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> None:
        self.path: str = os.fspath(path)
        self.progress = progress
        try:
            self.length: int | None = os.stat(self.path).st_size
        except OSError as error:
            raise _unreadable(self.path, f"cannot be read: {error.strerror}") from None

    def chunks(self) -> Iterator[bytes]:
        sent = 0
        length = self.length or 0
        try:
            file = open(self.path, "rb")  # noqa: SIM115  closed below; only its opening is tried
        except OSError as error:
            raise _unreadable(self.path, f"cannot be read: {error.strerror}") from None
        with file:
            while sent < length:
                try:
                    chunk = file.read(min(CHUNK_BYTES, length - sent))
                except OSError as error:
                    raise _unreadable(self.path, f"cannot be read: {error.strerror}") from None
                if not chunk:
                    raise _unreadable(self.path, f"became shorter while it was sent: it has {sent} of {length} bytes")
                yield chunk
                sent += len(chunk)
                if self.progress:
                    self.progress(sent, length)


def _unreadable(path: str, problem: str) -> ValidationError:
    return ValidationError("BODY_UNREADABLE", f"the file {path} {problem}")


class IterableBody(Body):
    """Content made on the fly.

    Args:
        source: a function that returns a fresh iterable each time, or an iterator. The latter can be sent
            only once, which makes the whole call unrepeatable.
        length: in bytes, where it is known.
    """

    @check_arguments()
    def __init__(self, source: Callable[[], Iterable[bytes]] | Iterator[bytes], length: int | None = None) -> None:
        self._source = source
        self._spent = False
        self.length: int | None = length
        self.repeatable: bool = callable(source)

    def chunks(self) -> Iterator[bytes]:
        if callable(self._source):
            yield from self._source()
            return
        if self._spent:
            raise ValidationError("BODY_SPENT", "the body is an iterator and has been sent already")
        self._spent = True
        yield from self._source


@check_arguments()
def as_body(
    source: bytes | bytearray | memoryview | os.PathLike[str] | Callable[[], Iterable[bytes]] | Iterator[bytes] | Body,
) -> Body:
    """A body out of what a caller may give: bytes, a path, a function that returns iterables, an iterator."""
    if isinstance(source, Body):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return BytesBody(bytes(source))
    if isinstance(source, os.PathLike):
        return FileBody(os.fspath(source))
    return IterableBody(source)
