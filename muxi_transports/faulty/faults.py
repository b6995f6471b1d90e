"""Faults as values: each changes a request, the head of its answer, or the body.

No fault waits or sends by itself. It yields the pauses that it wants, and the transports of both colours keep them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import urlsplit

from muxi.errors import ConfigurationError, ConnectionError, TimeoutError
from muxi.redact import show_value
from muxi.transport import BufferedResponse, Headers, Request
from muxi_transports.around.pause import Pause

__all__ = [
    "BadTls",
    "Cut",
    "CutBetweenEvents",
    "Duplicate",
    "Ended",
    "Fault",
    "Refuse",
    "ResetAnswer",
    "ResetRequest",
    "Shaper",
    "SlowBytes",
    "Stall",
    "Status",
    "Unreachable",
    "WrongContentType",
]


class Ended(Exception):
    """The body ends here, as if it had been complete."""


class Shaper:
    """A change of a body: takes the pieces as they arrive, and yields those that the reader gets."""

    def begin(self) -> None:
        """Look before the first piece; raises as :meth:`feed` does where not even that is to come."""

    def feed(self, piece: bytes) -> Iterator[bytes | Pause]:
        """Yield what the reader gets of the next piece.

        Raises:
            Ended: nothing more comes.
            ConnectionError: the connection breaks here.
        """
        yield piece


class Fault:
    """One thing that goes wrong with one request. Derive from it for a fault of your own."""

    #: How often the request is sent; the last answer counts.
    sends: int = 1

    def before(self, request: Request) -> Iterator[Pause]:
        """Yield the pauses before the request is sent, or raise the error that comes in its place."""
        return iter(())

    def instead(self, request: Request, now: float) -> BufferedResponse | None:
        """The answer that is given without sending; None sends the request."""
        return None

    def answered(self, request: Request) -> Iterator[Pause]:
        """Yield the pauses between the answer and its delivery, or raise an error in its place."""
        return iter(())

    def head(self, headers: Headers) -> Headers:
        """The headers that the caller sees."""
        return headers

    def shaper(self, request: Request) -> Shaper:
        """The change of the body."""
        return Shaper()


def _name_host(request: Request) -> str:
    return urlsplit(request.url).netloc.rpartition("@")[2]


def _make_lost(request: Request, reason: str) -> ConnectionError:
    return ConnectionError("CONNECTION_LOST", f"the connection to {_name_host(request)} broke: {reason}")


@dataclass(frozen=True)
class Refuse(Fault):
    """The connection is refused. Nothing is sent."""

    def before(self, request: Request) -> Iterator[Pause]:
        message = f"{_name_host(request)} refused the connection; is it running there?"
        raise ConnectionError("CONNECTION_REFUSED", message, connected=False)


@dataclass(frozen=True)
class BadTls(Fault):
    """No connection is made: the certificate is not trusted. Nothing is sent, and the client does not try again."""

    reason: str = "certificate verify failed: self-signed certificate"

    def before(self, request: Request) -> Iterator[Pause]:
        message = f"no secure connection to {_name_host(request)}: {self.reason}"
        raise ConnectionError("TLS_ERROR", message, connected=False, permanent=True)


@dataclass(frozen=True)
class Unreachable(Fault):
    """The connection is never answered: the bound for connecting passes. Nothing is sent."""

    def before(self, request: Request) -> Iterator[Pause]:
        bound = request.timeouts.connect
        if bound is None:
            # Without a bound of the caller's it is the system that gives up.
            message = f"no connection to {_name_host(request)}: Connection timed out"
            raise ConnectionError("CONNECTION_FAILED", message, connected=False)
        yield Pause(bound)
        message = f"no connection to {_name_host(request)} in {bound:g} s"
        raise TimeoutError("CONNECT_TIMEOUT", message, bound="connect", connected=False)


@dataclass(frozen=True)
class ResetRequest(Fault):
    """The connection breaks while the request is being sent; the server does not act on it.

    Args:
        after: how many bytes of the body have gone out by then.
    """

    after: int = 0

    def __post_init__(self) -> None:
        _check("after", self.after)

    def before(self, request: Request) -> Iterator[Pause]:
        sent = 0
        pieces = request.body.chunks() if request.body else iter(())
        while sent < self.after and (piece := next(pieces, b"")):
            sent += len(piece)
        raise _make_lost(request, f"connection reset by peer after {min(sent, self.after)} bytes of the request's body")


@dataclass(frozen=True)
class ResetAnswer(Fault):
    """The request arrives and is worked on, and then the connection breaks.

    Args:
        after: how many bytes of the answer's body have come by then; with 0 not even its head has.
    """

    after: int = 0

    def __post_init__(self) -> None:
        _check("after", self.after)

    def answered(self, request: Request) -> Iterator[Pause]:
        if not self.after:
            raise _make_lost(request, "connection reset by peer before the answer")
        return iter(())

    def shaper(self, request: Request) -> Shaper:
        return _Limited(self.after, _make_lost(request, f"connection reset by peer after {self.after} bytes"))


@dataclass(frozen=True)
class Cut(Fault):
    """The body of the answer ends too soon, and nothing says so: a proxy in between closed it in good order.

    Args:
        after: how many bytes of it come.
    """

    after: int = 0

    def __post_init__(self) -> None:
        _check("after", self.after)

    def head(self, headers: Headers) -> Headers:
        return _drop_length(headers)

    def shaper(self, request: Request) -> Shaper:
        return _Limited(self.after, Ended())


@dataclass(frozen=True)
class CutBetweenEvents(Fault):
    """A stream ends between two events, and nothing says so. Keepalives are no events.

    Args:
        after: how many events come.
    """

    after: int = 0

    def __post_init__(self) -> None:
        _check("after", self.after)

    def shaper(self, request: Request) -> Shaper:
        return _Events(self.after)


@dataclass(frozen=True)
class Stall(Fault):
    """Nothing comes for some seconds, or until a bound of the request ends the wait.

    Args:
        seconds: how long, on the clock.
        after: how many bytes of the answer's body come before; with 0 not even its head does.
    """

    seconds: float
    after: int = 0

    def __post_init__(self) -> None:
        _check("after", self.after)
        _check("seconds", self.seconds)

    def answered(self, request: Request) -> Iterator[Pause]:
        if not self.after:
            yield Pause(self.seconds)

    def shaper(self, request: Request) -> Shaper:
        return _Paused(self.seconds, self.after) if self.after else Shaper()


@dataclass(frozen=True)
class SlowBytes(Fault):
    """The body of the answer comes in drops.

    Args:
        per_second: how many bytes come in a second.
        piece: how many come at a time.
    """

    per_second: float
    piece: int = 1

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.piece < 1:
            raise ConfigurationError("SlowBytes takes a rate above 0 and pieces of 1 byte or more")

    def shaper(self, request: Request) -> Shaper:
        return _Drops(self.piece, self.piece / self.per_second)


@dataclass(frozen=True)
class Duplicate(Fault):
    """The request arrives twice, as a proxy in between may send it again; the caller gets the second answer."""

    sends = 2


@dataclass(frozen=True)
class Status(Fault):
    """An error of something in between, or of a platform that is too busy. Nothing is sent.

    Args:
        status: the HTTP status, from 400 up.
        retry_after: ``Retry-After`` in seconds; None leaves it out.
        as_date: whether ``Retry-After`` is a date.
        content: the body; by default a page, as proxies send them.
        content_type: its media type.
    """

    status: int = 503
    retry_after: float | None = None
    as_date: bool = False
    content: bytes = b"<html><body>Service unavailable</body></html>"
    content_type: str = "text/html"

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ConfigurationError(f"Status takes an HTTP status from 400 to 599, got {show_value(self.status)}")

    def instead(self, request: Request, now: float) -> BufferedResponse | None:
        headers = Headers([("Content-Type", self.content_type), ("Content-Length", str(len(self.content)))])
        if self.retry_after is not None:
            headers["Retry-After"] = (
                formatdate(now + self.retry_after, usegmt=True) if self.as_date else f"{self.retry_after:g}"
            )
        return BufferedResponse(self.status, headers, b"" if request.method == "HEAD" else self.content)


@dataclass(frozen=True)
class WrongContentType(Fault):
    """The answer says that it is something else: a login page of the company's network, for example.

    Args:
        content_type: what it says that it is.
        content: what comes in place of the body; None leaves the body as it is.
    """

    content_type: str = "text/html"
    content: bytes | None = None

    def head(self, headers: Headers) -> Headers:
        changed = headers.copy() if self.content is None else _drop_length(headers)
        changed["Content-Type"] = self.content_type
        return changed

    def shaper(self, request: Request) -> Shaper:
        return Shaper() if self.content is None else _Replaced(self.content)


# -- bodies --------------------------------------------------------------------------------------------------------


class _Limited(Shaper):
    """So many bytes, then an end of one kind or the other."""

    def __init__(self, limit: int, end: Exception) -> None:
        self._left = limit
        self._end = end

    def feed(self, piece: bytes) -> Iterator[bytes | Pause]:
        if self._left:
            yield piece[: self._left]
        self._left = max(0, self._left - len(piece))
        if not self._left:
            raise self._end

    def begin(self) -> None:
        if not self._left:
            raise self._end


class _Events(Shaper):
    """So many events, each with the empty line that ends it."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._unfinished = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes | Pause]:
        # What has been searched before is not searched again, except for the bytes in which an end may have begun.
        at, begin = 0, max(0, len(self._unfinished) - 3)
        self._unfinished += piece
        while end := _BLOCK_END.search(self._unfinished, begin):
            block = bytes(self._unfinished[at : end.end()])
            at = begin = end.end()
            if _EVENT_LINE.search(block):
                if not self._left:
                    raise Ended
                self._left -= 1
            yield block
        del self._unfinished[:at]
        if not self._left and _EVENT_LINE.search(self._unfinished, max(0, begin - at)):
            raise Ended


class _Paused(Shaper):
    """One pause, after so many bytes."""

    def __init__(self, seconds: float, after: int) -> None:
        self._seconds: float | None = seconds
        self._left = after

    def feed(self, piece: bytes) -> Iterator[bytes | Pause]:
        if self._seconds is None or len(piece) < self._left:
            self._left -= len(piece)
            yield piece
            return
        yield piece[: self._left]
        yield Pause(self._seconds)
        self._seconds = None
        if len(piece) > self._left:
            yield piece[self._left :]


class _Drops(Shaper):
    """So many bytes at a time, with a pause before each."""

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds

    def feed(self, piece: bytes) -> Iterator[bytes | Pause]:
        for start in range(0, len(piece), self._size):
            yield Pause(self._seconds)
            yield piece[start : start + self._size]


class _Replaced(Shaper):
    """Something else altogether."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def feed(self, piece: bytes) -> Iterator[bytes | Pause]:
        yield self._content
        raise Ended


#: The empty line at the end of an event, and a line that makes a block one (comments begin with a colon).
_BLOCK_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_EVENT_LINE = re.compile(rb"(?:^|[\r\n])[^:\r\n]")


def _drop_length(headers: Headers) -> Headers:
    changed = headers.copy()
    changed.pop("Content-Length")
    return changed


def _check(name: str, value: float) -> None:
    if value < 0:
        raise ConfigurationError(f"{name} cannot be negative, got {show_value(value)}")
