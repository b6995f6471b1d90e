"""The contract of transports: what a request, a response and a transport are. No I/O happens here.

A transport knows HTTP and nothing else: it sends a :class:`Request`, returns a :class:`Response` whose body
has not been read yet, and turns every failure of its HTTP library into an error of :mod:`muxi.errors`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from muxi.clock import Clock
from muxi.errors import ConfigurationError, ServerError, TimeoutError
from muxi.records import Record, field
from muxi.redact import redact_text
from muxi.transport.bodies import Body
from muxi.transport.headers import Headers

__all__ = [
    "AnyResponse",
    "AsyncResponse",
    "AsyncTransport",
    "BufferedResponse",
    "Request",
    "Response",
    "ResponseHead",
    "Timeouts",
    "Transport",
    "UnreadResponse",
    "refuse_wrong_colour",
    "replayed",
    "replayed_async",
]


class Timeouts(Record, frozen=True):
    """The bounds of one attempt, in seconds; None is no bound.

    ``connect`` bounds making a connection, over all addresses, proxies and handshakes; ``read`` the wait for the next
    bytes; ``total`` everything from connecting to the last byte.
    """

    connect: float | None = None
    read: float | None = None
    total: float | None = None
    #: The longest wait for the head of the answer; None is as ``read``.
    head: float | None = None
    #: The longest wait for content once the head is there. Framing and empty compressed members are not content.
    stall: float | None = None


class Request(Record):
    """One attempt to send something. Plugins may change it until it is sent.

    Args:
        method: ``GET``, ``POST``, …
        url: absolute, percent-encoded, with its query.
        headers: values are text and sent as UTF-8.
        body: the content, or None.
        timeouts: the bounds of this attempt.
        stream: whether the body of the answer will be consumed as it arrives.
        secrets: keys that the request was signed with, and that none of its headers has; what records requests and
            answers takes them out wherever a server repeats them.
    """

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: Body | None = None
    timeouts: Timeouts = Timeouts()
    stream: bool = False
    secrets: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path of the URL, percent-decoded, without the query: what the server's HMAC signs."""
        from urllib.parse import unquote, urlsplit

        return unquote(urlsplit(self.url).path)

    def __repr__(self) -> str:
        return f"Request({self.method} {redact_text(self.url)}, {self.headers!r})"


#: The longest wait that ``Retry-After`` can ask for, in seconds (some 30 years): infinity is no number to wait for.
_LONGEST_WAIT = 1e9


def parse_date(value: str) -> float | None:
    """Return a date of a header (RFC 9110, section 5.6.7) in seconds since the Unix epoch; None for anything else."""
    from datetime import timezone
    from email.utils import parsedate_to_datetime  # slow to load and rarely needed

    try:
        at = parsedate_to_datetime(value)
        # A date without a zone is in GMT, and not in the machine's local time.
        return (at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


class ResponseHead:
    """Status, headers and HTTP version of an answer, of either colour.

    Args:
        status: the HTTP status.
        headers: names and values.
        reason: the phrase that came with the status.
        http_version: such as ``1.1``.
    """

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
        """Seconds that ``Retry-After`` asks for, or None.

        RFC 9110, section 10.2.3, has digits or a date; a fraction, which some gateways send, is taken too. A sign, an
        exponent, ``inf`` and the like are not.

        Args:
            now: seconds since the Unix epoch.
        """
        value = (self.headers.get("retry-after") or "").strip()
        if not value:
            return None
        if value.isascii() and value.replace(".", "", 1).isdigit():
            return min(float(value), _LONGEST_WAIT)  # int() refuses thousands of digits, float() gives infinity
        at = parse_date(value)
        return None if at is None else max(0.0, at - now)

    def _check_size(self, size: int, limit: int) -> None:
        """Refuse content of more bytes than a limit.

        Raises:
            ServerError: ``ANSWER_TOO_LARGE``.
        """
        if size > limit:
            raise ServerError(
                "ANSWER_TOO_LARGE",
                f"the body of the answer is larger than max_answer_bytes = {limit:,}; raise it with max_answer_bytes= "
                "on the client or with_options(max_answer_bytes=…), or ask for less",
                self.status,
            )

    def _announced_size(self) -> int:
        """Return the length that the head announces for a body without content coding; 0 where it has none."""
        length = (self.headers.get("content-length") or "").strip()
        coded = (self.headers.get("content-encoding") or "identity").strip().lower() != "identity"
        # A longer number is no length of a body, and int() refuses thousands of digits.
        return 0 if coded or not (length.isascii() and length.isdigit() and len(length) < 19) else int(length)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.reason}>".replace(" >", ">")


class Response(ResponseHead, ABC):
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

    def read(self, within: float | None = None, *, limit: int | None = None) -> bytes:
        """The whole body.

        Args:
            within: the longest time that it may take, in seconds. A transport over a network bounds each wait by it;
                here it is checked between two chunks.
            limit: the largest body, in bytes after decompression. Nothing beyond the chunk that exceeds it is read.

        Raises:
            TimeoutError: ``TIMEOUT``, the body was not complete in that time.
            ServerError: ``ANSWER_TOO_LARGE``, the body has more bytes.
        """
        try:
            chunks = self.chunks() if within is None else _bound_chunks(self.chunks(), within)
            if limit is None:
                return b"".join(chunks)
            self._check_size(self._announced_size(), limit)
            content: list[bytes] = []
            size = 0
            for chunk in chunks:
                size += len(chunk)
                self._check_size(size, limit)
                content.append(chunk)
            return b"".join(content)
        finally:
            self.close()


class AsyncResponse(ResponseHead, ABC):
    """An answer whose body has not been read yet, for async clients."""

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """As :meth:`Response.chunks`."""

    @abstractmethod
    async def close(self) -> None:
        """Free the connection at once."""

    async def read(self, within: float | None = None, *, limit: int | None = None) -> bytes:
        """As :meth:`Response.read`.

        Raises:
            TimeoutError: ``TIMEOUT``, the body was not complete in that time.
            ServerError: ``ANSWER_TOO_LARGE``, the body has more bytes.
        """
        deadline = None if within is None else time.monotonic() + within
        content: list[bytes] = []
        size = 0
        try:
            if limit is not None:
                self._check_size(self._announced_size(), limit)
            async for chunk in self.chunks():
                size += len(chunk)
                if limit is not None:
                    self._check_size(size, limit)
                content.append(chunk)
                if within is not None and deadline is not None and time.monotonic() > deadline:
                    raise _too_slow(within)
            return b"".join(content)
        finally:
            await self.close()


def _bound_chunks(chunks: Iterator[bytes], within: float) -> Iterator[bytes]:
    deadline = time.monotonic() + within
    for chunk in chunks:
        yield chunk
        if time.monotonic() > deadline:
            raise _too_slow(within)


def _too_slow(within: float) -> TimeoutError:
    return TimeoutError("TIMEOUT", f"the body of the answer was not complete within {within:g} s", bound="timeout")


class BufferedResponse(ResponseHead):
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
        for name, value, kind in (
            ("status", status, int),
            ("content", content, bytes),
            ("reason", reason, str),
            ("http_version", http_version, str),
        ):
            if not isinstance(value, kind) or value is True or value is False:
                raise ConfigurationError(f"{name}= takes {kind.__name__}, got {type(value).__name__}")
        self.content = content


#: An answer of either colour whose body has not been read yet.
UnreadResponse = Response | AsyncResponse
#: An answer of either colour, or one that has been read.
AnyResponse = BufferedResponse | UnreadResponse


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

    @property
    def private(self) -> bool:
        """True if requests stay in this process, so that no other program can read a key on its way."""
        return False

    @property
    def defaults(self) -> Mapping[str, str]:
        """Settings of clients that are given none, by argument name: ``url``, ``client_key``, ``key_id``, ….

        For transports that lead to one place, such as a world in memory; arguments and environment come first.
        """
        return {}

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

    @property
    def private(self) -> bool:
        """True if requests stay in this process, so that no other program can read a key on its way."""
        return False

    @property
    def defaults(self) -> Mapping[str, str]:
        """Settings of clients that are given none, by argument name: ``url``, ``client_key``, ``key_id``, ….

        For transports that lead to one place, such as a world in memory; arguments and environment come first.
        """
        return {}

    @abstractmethod
    async def send(self, request: Request) -> AsyncResponse:
        """As :meth:`Transport.send`."""

    async def close(self) -> None:  # noqa: B027  a transport that holds nothing has nothing to free
        """Free all connections. A closed transport may be used again."""


def refuse_wrong_colour(transport: object, wanted: type[Transport] | type[AsyncTransport]) -> None:
    """Refuse a sync transport on an async client and the other way round.

    Raises:
        ConfigurationError: its message names the remedy.
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
