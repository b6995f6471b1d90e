"""One attempt as the HTTP transports see it: where it goes, its time bounds, how far it came, how it failed."""

from __future__ import annotations

import builtins
import errno
import http.client
import re
import socket
import ssl
import time
from collections.abc import Generator, Sequence
from typing import Protocol

from muxi.errors import ConfigurationError, ConnectionError, MuxiError, TimeoutError, ValidationError
from muxi.redact import keys_in, redact_text
from muxi.transport import Body, Request, Timeouts
from muxi_transports.http.tls import advice_for

__all__ = ["Attempt", "NameLookupTimeout", "Waiter", "invalid_request", "reason_of", "text_of"]

# How proxies refuse a client that they do not know, in the words of http.client, aiohttp (as put here), PySocks and
# python-socks.
_PROXY_WANTS_USER = re.compile(
    "Tunnel connection failed: 407|SOCKS5 authentication (?:failed|methods were)|"
    "No username/password supplied|No acceptable authentication methods|Username and password authentication failure"
)
# A socket's wait ends up to this many seconds before the deadline that it was cut to.
_ROUNDING = 0.002


class NameLookupTimeout(builtins.TimeoutError):
    """A host name was not looked up in time.

    Args:
        host: the name.
    """

    def __init__(self, host: str) -> None:
        super().__init__(f"the lookup of the name {host} took too long")
        self.host = host


class Waiter(Protocol):
    """A wait that another thread can end: a ``threading.Event``, or a socket that is shut down."""

    def set(self) -> None:
        """End the wait."""


class Attempt:
    """The state of sending one request: its deadline, its progress and its errors.

    Args:
        request: what is sent.
        where: the host and port it goes to, or the socket, for messages.
        proxy: the proxy it goes through, as host and port.
        trust: which certificate authorities count, in words.
    """

    __slots__ = (
        "_connect_deadline",
        "_content_deadline",
        "_head_deadline",
        "_headers",
        "_within",
        "body",
        "body_error",
        "connected",
        "deadline",
        "ended_by",
        "headless",
        "observed",
        "proxy",
        "queued",
        "timeouts",
        "trust",
        "waiter",
        "where",
    )

    def __init__(self, request: Request, where: str, proxy: str | None = None, trust: str = "") -> None:
        self.where: str = where
        self.body: Body | None = request.body
        self.timeouts: Timeouts = request.timeouts
        self._headers = request.headers
        total = self.timeouts.total
        #: Deadline of the attempt on ``time.monotonic()``, or None.
        self.deadline: float | None = None if total is None else time.monotonic() + total
        #: The seconds between the beginning and that deadline.
        self._within: float | None = total
        #: Whether there was a connection, so that something can have been received.
        self.connected: bool = False
        #: Whether the request is out and the head of its answer is not there yet.
        self.headless: bool = False
        #: Whether :attr:`connected` is known, also where the connection is not one of the transport's.
        self.observed: bool = False
        self._connect_deadline: float | None = None
        self._head_deadline: float | None = None
        self._content_deadline: float | None = None
        self.proxy: str | None = proxy
        self.trust: str = trust
        #: Whether it waits for one of the pool's connections to become free.
        self.queued: bool = False
        #: What the body raised while it was being sent.
        self.body_error: BaseException | None = None
        #: ``caller`` or ``transport``: whose close() ended the answer early.
        self.ended_by: str | None = None
        #: Ends what the attempt waits for while it has no connection; another thread may set it.
        self.waiter: Waiter | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys in the headers of the request, for texts that must not show them."""
        return keys_in(self._headers.items())

    def next_wait(self) -> float | None:
        """Return the timeout of the next read or write, in seconds; None is without bound.

        Raises:
            builtins.TimeoutError: ``timeouts.total`` has passed.
        """
        if not self.connected and self._connect_deadline is not None:
            return self._until(self._connect_deadline)
        if self.headless and self._head_deadline is not None:
            return self._until(self._head_deadline)
        wait = self.timeouts.read
        first = self.deadline
        content = self._content_deadline
        if content is not None and (first is None or content < first):
            first = content
        if first is None:
            return wait
        left = first - time.monotonic()
        if left <= 0:
            raise builtins.TimeoutError("timed out")
        return left if wait is None or left < wait else wait

    def _until(self, phase: float) -> float:
        """Seconds until the deadline of a phase, or that of the attempt."""
        left = (phase if self.deadline is None or phase < self.deadline else self.deadline) - time.monotonic()
        if left <= 0:
            raise builtins.TimeoutError("timed out")
        return left

    def begin_connecting(self) -> None:
        """Note that a connection is made from here on: ``timeouts.connect`` bounds all of it."""
        if self.timeouts.connect is not None:
            self._connect_deadline = time.monotonic() + self.timeouts.connect

    def observe(self) -> None:
        """Note that the transport sees each phase of a connection that is not its own."""
        self.observed, self.headless = True, False

    def await_content(self) -> None:
        """Note that the reader waits for content from here on: ``timeouts.stall`` bounds it."""
        if self.timeouts.stall is not None:
            self._content_deadline = time.monotonic() + self.timeouts.stall

    @property
    def next_deadline(self) -> float | None:
        """The deadline of the present wait on ``time.monotonic()``, or None."""
        phase = self._head_deadline if self.headless else self._content_deadline
        if phase is None or (self.deadline is not None and self.deadline < phase):
            return self.deadline
        return phase

    @property
    def time_left(self) -> float | None:
        """Seconds until that deadline."""
        deadline = self.next_deadline
        return None if deadline is None else deadline - time.monotonic()

    @property
    def is_overdue(self) -> bool:
        """True if that deadline has passed, or will within the rounding of a timer."""
        left = self.time_left
        return left is not None and left <= _ROUNDING

    def finish_within(self, seconds: float) -> None:
        """Bound what is left of the answer."""
        deadline = time.monotonic() + seconds
        if self.deadline is None or deadline < self.deadline:
            self.deadline, self._within = deadline, seconds

    def await_head(self) -> None:
        """Note that the request is out: ``timeouts.head`` bounds the wait for the head from here on."""
        self.headless = True
        if self.timeouts.head is not None:
            self._head_deadline = time.monotonic() + self.timeouts.head

    @property
    def time_to_connect(self) -> float | None:
        """Return the timeout for connecting, in seconds: at most the rest of the attempt."""
        connect = self.timeouts.connect
        if self._connect_deadline is not None:
            connect = max(self._connect_deadline - time.monotonic(), _ROUNDING)
        if self.deadline is None:
            return connect
        left = max(self.deadline - time.monotonic(), _ROUNDING)
        return left if connect is None or left < connect else connect

    @property
    def longest_silence(self) -> float | None:
        """Return the read timeout for libraries that have one for head and body together."""
        return self.timeouts.read if self.timeouts.head is None else self.timeouts.head

    def pieces(self) -> Generator[bytes, None, None]:
        """The body piece by piece, held to the length it declares: more would be read as another request.

        Raises:
            ValidationError: the body is shorter or longer than its ``length``.
        """
        if self.body is None:
            return
        length, sent = self.body.length, 0
        try:
            pieces = iter(self.body.chunks())
            for piece in pieces:
                sent += len(piece)
                if length is not None and sent >= length:
                    # Look for the end before the last piece is out: a server acts on what is complete.
                    for surplus in pieces:
                        sent += len(surplus)
                        if sent > length:
                            break
                    if sent > length:
                        break
                if piece:
                    yield piece
            if length is not None and sent != length:
                had = "more" if sent > length else f"only {sent}"
                raise ValidationError("BODY_LENGTH", f"the body was to have {length} bytes and had {had}")
        except GeneratorExit:
            raise
        except BaseException as error:
            # An OSError from a file must not pass for one from the socket.
            self.body_error = error
            raise

    # -- failures ----------------------------------------------------------------------------------------------

    def closed_by_transport(self) -> ConnectionError:
        """The error for whoever still waits when the transport is closed."""
        return self.failed("the transport was closed", code="CONNECTION_LOST")

    def timed_out(self) -> MuxiError:
        """The error for a wait that was too long: the bound that it broke."""
        timeouts, where = self.timeouts, self._where_with_proxy()
        if self.deadline is not None and time.monotonic() >= self.deadline - _ROUNDING:
            return TimeoutError(
                "TIMEOUT",
                f"{where} did not answer completely within {self._within or 0:g} s",
                bound="timeout",
                connected=self.connected,
            )
        if self.queued:
            return TimeoutError(
                "POOL_TIMEOUT",
                f"all connections to {where} were at work for {timeouts.connect or 0:g} s; pool_size= allows more",
                bound="connect",
                connected=False,
            )
        if not self.connected:
            within = "in the time that the system allows" if timeouts.connect is None else f"in {timeouts.connect:g} s"
            return TimeoutError(
                "CONNECT_TIMEOUT", f"no connection to {where} {within}", bound="connect", connected=False
            )
        if self.headless and timeouts.head is not None:
            message = f"{where} did not begin to answer within {timeouts.head:g} s"
            return TimeoutError("READ_TIMEOUT", message, bound="head")
        if self._content_deadline is not None and time.monotonic() >= self._content_deadline - _ROUNDING:
            message = f"{where} sent nothing but framing for {timeouts.stall or 0:g} s"
            return TimeoutError("READ_TIMEOUT", message, bound="stall")
        if timeouts.read is None:
            return self.failed("the system gave up waiting for the peer")
        return TimeoutError("READ_TIMEOUT", f"nothing came from {where} for {timeouts.read:g} s", bound="read")

    def failed(self, reason: str, *, code: str | None = None, permanent: bool = False) -> ConnectionError:
        """The error for a connection that broke, or never came about.

        Args:
            reason: why, in the system's words; secrets are removed here.
            code: where it is more specific than ``CONNECTION_FAILED`` and ``CONNECTION_LOST``.
            permanent: whether trying again cannot help.
        """
        code = code or ("CONNECTION_LOST" if self.connected else "CONNECTION_FAILED")
        return ConnectionError(
            code,
            redact_text(_SENTENCES[code].format(where=self._where_with_proxy(), reason=reason)),
            connected=self.connected,
            permanent=permanent,
        )

    def failed_by(self, found: Sequence[BaseException], *, invalid: bool = False) -> MuxiError:
        """The error for what the operating system, TLS or the HTTP parser reported.

        Args:
            found: the exceptions behind the failure, the outermost first.
            invalid: whether they mean an answer that is not HTTP.
        """
        if _any(found, builtins.TimeoutError):
            failure = self.timed_out()
            host = next((error.host for error in found if isinstance(error, NameLookupTimeout)), None)
            return failure if host is None else self._lookup_timed_out(host, failure)
        reason = reason_of(found)
        if self.connected:
            # The peer may refuse a client's certificate after the handshake; a mere end of file is no word on TLS.
            if _any(found, ssl.SSLError) and not _any(found, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return self._no_trust(found, reason)
            return self.failed(reason, code="INVALID_RESPONSE" if invalid else None)
        if any(_PROXY_WANTS_USER.search(text_of(e)) for e in found):
            return self.refused_by_proxy(reason)
        if any("Tunnel connection failed" in text_of(e) for e in found):
            return self.failed(reason, code="PROXY_ERROR")
        if _any(found, ssl.SSLError, ssl.CertificateError):
            return self._no_trust(found, reason)
        if self.proxy is not None:
            return self.failed(reason, code="PROXY_ERROR")
        if _any(found, socket.gaierror):
            return self.failed(reason, code="DNS_ERROR")
        if any(isinstance(e, OSError) and e.errno == errno.ECONNREFUSED for e in found):
            return self.failed(reason, code="CONNECTION_REFUSED")
        return self.failed(reason + _advice_on_socket(found))

    def _lookup_timed_out(self, host: str, failure: MuxiError) -> MuxiError:
        """The error for a name that was not looked up in time, with the bound that was broken."""
        if not isinstance(failure, TimeoutError):
            return failure
        within = self._within if failure.bound == "timeout" else self.timeouts.connect
        setting = "timeout" if failure.bound == "timeout" else "connect_timeout"
        message = (
            f"no connection to {self._where_with_proxy()}: the name {host} was not looked up within {within or 0:g} s "
            f"({setting}); is the resolver of this machine reachable?"
        )
        return TimeoutError(failure.code, redact_text(message), bound=failure.bound, connected=False)

    def refused_by_proxy(self, reason: str) -> ConnectionError:
        """The error for a proxy that asks for a user and a password: nothing went on to the server."""
        self.connected = False
        return self.failed(reason, code="PROXY_AUTHENTICATION", permanent=True)

    def _no_trust(self, found: Sequence[BaseException], reason: str) -> ConnectionError:
        """The error for a handshake that failed: for good, unless the connection merely broke in the middle of it."""
        advice = advice_for(found, self.trust)
        permanent = bool(advice) or _any(found, ssl.SSLCertVerificationError)
        return self.failed(reason + advice, code="TLS_ERROR", permanent=permanent)

    def _where_with_proxy(self) -> str:
        return self.where if self.proxy is None else f"{self.where} (through the proxy {self.proxy})"


_SENTENCES = {
    "CONNECTION_FAILED": "no connection to {where}: {reason}",
    "CONNECTION_LOST": "the connection to {where} broke: {reason}",
    "CONNECTION_REFUSED": "{where} refused the connection; is it running there?",
    "DNS_ERROR": "the name in {where} could not be resolved: {reason}",
    "INVALID_RESPONSE": "{where} sent what is not an HTTP response: {reason}",
    "PROXY_AUTHENTICATION": (
        "the proxy did not connect to {where}: {reason}. It wants a user and a password, or does not accept those "
        "that it was sent; they go into the proxy's URL, percent-encoded (user:password@host:port)"
    ),
    "PROXY_ERROR": "the proxy did not connect to {where}: {reason}",
    "TLS_ERROR": "no secure connection to {where}: {reason}",
}


def _any(found: Sequence[BaseException], *types: type[BaseException]) -> bool:
    return any(isinstance(error, types) for error in found)


def _advice_on_socket(found: Sequence[BaseException]) -> str:
    """Return advice on a Unix socket that cannot be connected to; TCP does not fail in these ways."""
    for error in found:
        if isinstance(error, FileNotFoundError):
            return "; is the server running, and is this where it has its socket?"
        if isinstance(error, PermissionError):
            return "; may this user write to the socket, and look into the folders above it?"
        if isinstance(error, NotADirectoryError) or getattr(error, "errno", None) == errno.ENOTSOCK:
            return "; is this the path of a socket?"
    return ""


def reason_of(found: Sequence[BaseException]) -> str:
    """The innermost exception in one line of the system's words."""
    if not found:
        return "the connection was closed"
    error = found[-1]
    if isinstance(error, http.client.IncompleteRead):
        return "it ended before the answer did"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return error.strerror
    return " ".join(text_of(error).split()) or type(error).__name__


def text_of(error: BaseException) -> str:
    """The text of an exception; empty where the class of a library or a tool cannot make one."""
    try:
        return str(error)
    except Exception:
        return ""


def invalid_request(error: BaseException) -> ConfigurationError:
    """The error for a URL, a proxy or a setting that the HTTP library refuses."""
    return ConfigurationError(redact_text(f"the request cannot be sent: {' '.join(str(error).split())}"))
