"""The contract of transports: what a request, a response and a transport are. No I/O happens here.

A transport knows HTTP and nothing else: it sends a :class:`Request`, returns a :class:`Response` whose body
has not been read yet, and turns every failure of its HTTP library into an error of :mod:`muxi.errors`.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast
from urllib.parse import unquote, urlsplit

from muxi.clock import Clock
from muxi.errors import ConfigurationError, ValidationError
from muxi.redact import REDACTED, is_secret_header, redact_text

__all__ = [
    "AnyResponse",
    "AsyncResponse",
    "AsyncTransport",
    "Body",
    "BufferedResponse",
    "BytesBody",
    "FileBody",
    "Headers",
    "IterableBody",
    "Request",
    "Response",
    "Timeouts",
    "Transport",
    "as_body",
]

#: How much of a file is read at a time, in bytes.
CHUNK_BYTES = 64 * 1024


#: A header's name (RFC 9110, section 5.1), and what must not be in its value.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_BREAKS_OUT = re.compile(r"[\r\n\0]").search


class Headers:
    """HTTP headers: names compare without regard to case, a name may come more than once, order is kept.

    Args:
        items: a mapping, or pairs of name and value.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Headers | Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._items: dict[str, list[tuple[str, str]]] = {}
        if isinstance(items, Headers):
            self._items = {key: list(pairs) for key, pairs in items._items.items()}
        else:
            pairs = cast(Mapping[str, str], items).items() if isinstance(items, Mapping) else items
            for name, value in pairs:
                self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Add a value, beside those that the name may have already.

        Raises:
            ValidationError: the name or the value would break out of its line (RFC 9110, section 5.5).
        """
        _check_header(name, value)
        self._items.setdefault(name.lower(), []).append((name, value))

    def __setitem__(self, name: str, value: str) -> None:
        _check_header(name, value)
        self._items[name.lower()] = [(name, value)]

    def setdefault(self, name: str, value: str) -> str:
        """Set a value unless the name has one; return the one it has now."""
        if name not in self:
            self[name] = value
        return self[name]

    def __getitem__(self, name: str) -> str:
        return ", ".join(value for _, value in self._items[name.lower()])

    def get(self, name: str, default: str | None = None) -> str | None:
        """All values of a name joined by commas, or the default."""
        pairs = self._items.get(name.lower())
        return default if pairs is None else ", ".join(value for _, value in pairs)

    def get_all(self, name: str) -> list[str]:
        """The values of a name, one by one."""
        return [value for _, value in self._items.get(name.lower(), ())]

    def pop(self, name: str, default: str | None = None) -> str | None:
        """Remove a name; return what it had."""
        value = self.get(name, default)
        self._items.pop(name.lower(), None)
        return value

    def __delitem__(self, name: str) -> None:
        del self._items[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return (pairs[0][0] for pairs in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> Iterator[tuple[str, str]]:
        """Every name and value, duplicates one by one."""
        for pairs in self._items.values():
            yield from pairs

    def copy(self) -> Headers:
        """The same headers, independent of these."""
        return Headers(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return {key: self.get_all(key) for key in self._items} == {key: other.get_all(key) for key in other._items}

    __hash__: ClassVar[None]  # type: ignore[assignment]  # mutable, so not to be hashed

    def __repr__(self) -> str:
        shown = ((name, REDACTED if is_secret_header(name) else value) for name, value in self.items())
        return f"Headers({list(shown)!r})"


def _check_header(name: str, value: str) -> None:
    if not _NAME(name):
        raise ValidationError("INVALID_HEADER", f"{name!r} is not a header name")
    if _BREAKS_OUT(value):
        raise ValidationError(
            "INVALID_HEADER",
            f"the value of the header {name} has a line break or a NUL in it",
            details={"validation_errors": [{"field": name, "msg": "line breaks are not allowed in a header"}]},
        )


@dataclass(frozen=True)
class Timeouts:
    """How long a transport may take, in seconds; None is no bound.

    ``read`` bounds the wait for the next bytes, ``total`` everything from connecting to the last byte.
    """

    connect: float | None = None
    read: float | None = None
    total: float | None = None
    #: The longest wait for the head of the answer; None is as ``read``.
    head: float | None = None


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

    def __init__(self, path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> None:
        self.path: str = os.fspath(path)
        self.progress = progress
        self.length: int | None = os.stat(self.path).st_size

    def chunks(self) -> Iterator[bytes]:
        sent = 0
        length = self.length or 0
        with open(self.path, "rb") as file:
            while sent < length and (chunk := file.read(min(CHUNK_BYTES, length - sent))):
                yield chunk
                sent += len(chunk)
                if self.progress:
                    self.progress(sent, length)


class IterableBody(Body):
    """Content made on the fly.

    Args:
        source: a function that returns a fresh iterable each time, or an iterator. The latter can be sent
            only once, which makes the whole call unrepeatable.
        length: in bytes, where it is known.
    """

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


def as_body(source: bytes | os.PathLike[str] | Callable[[], Iterable[bytes]] | Iterator[bytes] | Body) -> Body:
    """A body out of what a caller may give: bytes, a path, a function that returns iterables, an iterator."""
    if isinstance(source, Body):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return BytesBody(bytes(source))
    if isinstance(source, os.PathLike):
        return FileBody(os.fspath(source))
    return IterableBody(source)


@dataclass
class Request:
    """One attempt to send something. Plugins may change it until it is sent.

    Args:
        method: ``GET``, ``POST``, …
        url: absolute, percent-encoded, with its query.
        headers: values are text and sent as UTF-8.
        body: the content, or None.
        timeouts: the bounds of this attempt.
        stream: whether the body of the answer will be consumed as it arrives.
    """

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: Body | None = None
    timeouts: Timeouts = Timeouts()
    stream: bool = False

    @property
    def path(self) -> str:
        """The path of the URL, percent-decoded, without the query: what the server's HMAC signs."""
        return unquote(urlsplit(self.url).path)

    def __repr__(self) -> str:
        return f"Request({self.method} {redact_text(self.url)}, {self.headers!r})"


class _ResponseHead:
    """What both colours of response have in common."""

    def __init__(
        self,
        status: int,
        headers: Headers | Iterable[tuple[str, str]] = (),
        *,
        reason: str = "",
        http_version: str = "1.1",
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers: Headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.http_version = http_version

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()

    def retry_after(self, now: float) -> float | None:
        """Seconds that ``Retry-After`` asks for (RFC 9110: a number or a date), or None.

        Args:
            now: seconds since the Unix epoch.
        """
        value = (self.headers.get("retry-after") or "").strip()
        if not value:
            return None
        try:
            seconds = float(value)
        except ValueError:
            from email.utils import parsedate_to_datetime  # slow to load and rarely needed

            try:
                seconds = parsedate_to_datetime(value).timestamp() - now
            except ValueError:
                return None
        return max(0.0, seconds) if seconds < float("inf") else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.reason}>".replace(" >", ">")


class Response(_ResponseHead, ABC):
    """An answer whose body has not been read yet."""

    @abstractmethod
    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives, decoded (gzip), without waiting for more than there is.

        Raises:
            ConnectionError: the connection broke before the body's end.
            TimeoutError: nothing arrived for ``timeouts.read``, or ``timeouts.total`` passed.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the connection at once, from any thread, also while another one waits in :meth:`chunks`."""

    def read(self) -> bytes:
        """The whole body."""
        try:
            return b"".join(self.chunks())
        finally:
            self.close()


class AsyncResponse(_ResponseHead, ABC):
    """An answer whose body has not been read yet, for async clients."""

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """As :meth:`Response.chunks`."""

    @abstractmethod
    async def close(self) -> None:
        """Free the connection at once."""

    async def read(self) -> bytes:
        """The whole body."""
        try:
            return b"".join([chunk async for chunk in self.chunks()])
        finally:
            await self.close()


class BufferedResponse(_ResponseHead):
    """An answer whose body is in memory: what plugins see, and what they return to answer by themselves.

    Args:
        content: the body.
    """

    def __init__(
        self,
        status: int,
        headers: Headers | Iterable[tuple[str, str]] = (),
        content: bytes = b"",
        *,
        reason: str = "",
        http_version: str = "1.1",
    ) -> None:
        super().__init__(status, headers, reason=reason, http_version=http_version)
        self.content = content


#: An answer of either colour, or one that has been read.
AnyResponse = BufferedResponse | Response | AsyncResponse


class _Replayed(Response):
    def __init__(self, buffered: BufferedResponse) -> None:
        super().__init__(buffered.status, buffered.headers, reason=buffered.reason, http_version=buffered.http_version)
        self._content = buffered.content

    def chunks(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        self._content = b""


class _AsyncReplayed(AsyncResponse):
    def __init__(self, buffered: BufferedResponse) -> None:
        super().__init__(buffered.status, buffered.headers, reason=buffered.reason, http_version=buffered.http_version)
        self._content = buffered.content

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._content

    async def close(self) -> None:
        self._content = b""


def replayed(response: BufferedResponse) -> Response:
    """A buffered answer as one that is still to be read: a stream that a plugin answers."""
    return _Replayed(response)


def replayed_async(response: BufferedResponse) -> AsyncResponse:
    """As :func:`replayed`, for async clients."""
    return _AsyncReplayed(response)


class Transport(ABC):
    """Sends requests. One instance serves many threads at once."""

    #: The clock of the world this transport lives in; None is the machine's own time.
    clock: Clock | None = None

    @abstractmethod
    def send(self, request: Request) -> Response:
        """Send and return as soon as the head of the answer is there. Redirects are not followed.

        Raises:
            ConnectionError: no answer came; ``connected`` tells whether anything can have been received.
            TimeoutError: likewise, for lack of time.
        """

    def close(self) -> None:  # noqa: B027  a transport that holds nothing has nothing to free
        """Free all connections. A closed transport may be used again."""


class AsyncTransport(ABC):
    """Sends requests for async clients. One instance belongs to one event loop."""

    #: The clock of the world this transport lives in; None is the machine's own time.
    clock: Clock | None = None

    @abstractmethod
    async def send(self, request: Request) -> AsyncResponse:
        """As :meth:`Transport.send`."""

    async def close(self) -> None:  # noqa: B027  a transport that holds nothing has nothing to free
        """Free all connections. A closed transport may be used again."""


def refuse_wrong_colour(transport: object, wanted: type[Transport] | type[AsyncTransport]) -> None:
    """Refuse a sync transport on an async client and the other way round.

    Raises:
        ConfigurationError: always with a word on what to give instead.
    """
    if isinstance(transport, wanted):
        return
    colour, other = ("a sync", "an async") if wanted is Transport else ("an async", "a sync")
    if isinstance(transport, Transport | AsyncTransport):
        raise ConfigurationError(
            f"{type(transport).__name__} is {other} transport and this is {colour} client; "
            f"give {colour} transport, or a name, which stands for both"
        )
    raise ConfigurationError(
        f"transport= takes a name, an instance of muxi.transport.{wanted.__name__}, or a function that returns one; "
        f"got {type(transport).__name__}"
    )
