"""One attempt as the HTTP transports see it: where it goes, its time bounds, how far it came, how it failed."""

from __future__ import annotations

import builtins
import errno
import http.client
import socket
import ssl
import time
from collections.abc import Generator, Sequence
from typing import cast

from muxi.errors import ConfigurationError, ConnectionError, MuxiError, TimeoutError, ValidationError
from muxi.redact import redact_text
from muxi.transport import Body, Request, Timeouts

__all__ = ["Attempt"]

# A socket's wait ends up to this many seconds before the deadline that it was cut to.
_ROUNDING = 0.002


class Attempt:
    """What is known about sending one request.

    Args:
        request: what is sent.
        where: the host and port it goes to, for messages.
    """

    __slots__ = (
        "_head_deadline",
        "body",
        "body_error",
        "connected",
        "deadline",
        "ended_by",
        "headless",
        "proxy",
        "timeouts",
        "where",
    )

    def __init__(self, request: Request, where: str) -> None:
        self.where: str = where
        self.body: Body | None = request.body
        self.timeouts: Timeouts = request.timeouts
        total = self.timeouts.total
        #: The hour by ``time.monotonic`` at which ``timeouts.total`` has passed.
        self.deadline: float | None = None if total is None else time.monotonic() + total
        #: Whether there was a connection, so that something can have been received.
        self.connected: bool = False
        #: Whether the request is out and the head of its answer is not there yet.
        self.headless: bool = False
        self._head_deadline: float | None = None
        #: The proxy it goes through, as host and port.
        self.proxy: str | None = None
        #: What the body raised while it was being sent.
        self.body_error: BaseException | None = None
        #: Who closed the answer before its end: the ``caller`` of close(), or the ``transport`` when it was closed.
        self.ended_by: str | None = None

    def next_wait(self) -> float | None:
        """How long the next read or write may block, in seconds; None is without bound.

        Raises:
            builtins.TimeoutError: ``timeouts.total`` has passed.
        """
        waiting_for_head = self.headless and self._head_deadline is not None
        if self.deadline is None and not waiting_for_head:
            return self.timeouts.read
        now = time.monotonic()
        bounds = [None if self.deadline is None else self.deadline - now]
        bounds.append(cast(float, self._head_deadline) - now if waiting_for_head else self.timeouts.read)
        wait = min(bound for bound in bounds if bound is not None)
        if wait <= 0:
            raise builtins.TimeoutError("timed out")
        return wait

    def await_head(self) -> None:
        """Note that the request is out: from now on ``timeouts.head`` runs."""
        self.headless = True
        if self.timeouts.head is not None:
            self._head_deadline = time.monotonic() + self.timeouts.head

    @property
    def longest_silence(self) -> float | None:
        """How long nothing may come at first, for libraries that know one bound for the head and for the body."""
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

    def timed_out(self) -> MuxiError:
        """The error for a wait that was too long: the bound that it broke."""
        timeouts, where = self.timeouts, self._where_with_proxy()
        if self.deadline is not None and time.monotonic() >= self.deadline - _ROUNDING:
            return TimeoutError(
                "TIMEOUT",
                f"{where} did not answer completely within {timeouts.total:g} s",
                bound="timeout",
                connected=self.connected,
            )
        if not self.connected:
            within = "in the time that the system allows" if timeouts.connect is None else f"in {timeouts.connect:g} s"
            return TimeoutError(
                "CONNECT_TIMEOUT", f"no connection to {where} {within}", bound="connect", connected=False
            )
        if self.headless and timeouts.head is not None:
            message = f"{where} did not begin to answer within {timeouts.head:g} s"
            return TimeoutError("READ_TIMEOUT", message, bound="head")
        if timeouts.read is None:
            return self.failed("the system gave up waiting for the peer")
        return TimeoutError("READ_TIMEOUT", f"nothing came from {where} for {timeouts.read:g} s", bound="read")

    def failed(self, reason: str, *, code: str | None = None) -> ConnectionError:
        """The error for a connection that broke, or never came about.

        Args:
            reason: why, in the system's words; secrets are removed here.
            code: where it is more specific than ``CONNECTION_FAILED`` and ``CONNECTION_LOST``.
        """
        code = code or ("CONNECTION_LOST" if self.connected else "CONNECTION_FAILED")
        return ConnectionError(
            code,
            redact_text(_SENTENCES[code].format(where=self._where_with_proxy(), reason=reason)),
            connected=self.connected,
        )

    def failed_by(self, found: Sequence[BaseException], *, invalid: bool = False) -> MuxiError:
        """The error for what the operating system, TLS or the HTTP parser reported.

        Args:
            found: the exceptions behind the failure, the outermost first.
            invalid: whether they mean an answer that is not HTTP.
        """
        if _any(found, builtins.TimeoutError):
            return self.timed_out()
        reason = reason_of(found)
        if self.connected:
            # The peer may refuse a client's certificate after the handshake; a mere end of file is no word on TLS.
            if _any(found, ssl.SSLError) and not _any(found, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return self.failed(reason, code="TLS_ERROR")
            return self.failed(reason, code="INVALID_RESPONSE" if invalid else None)
        if any("Tunnel connection failed" in str(e) for e in found):
            return self.failed(reason, code="PROXY_ERROR")
        if _any(found, ssl.SSLError, ssl.CertificateError):
            return self.failed(reason, code="TLS_ERROR")
        if self.proxy is not None:
            return self.failed(reason, code="PROXY_ERROR")
        if _any(found, socket.gaierror):
            return self.failed(reason, code="DNS_ERROR")
        if any(isinstance(e, OSError) and e.errno == errno.ECONNREFUSED for e in found):
            return self.failed(reason, code="CONNECTION_REFUSED")
        return self.failed(reason)

    def _where_with_proxy(self) -> str:
        return self.where if self.proxy is None else f"{self.where} (through the proxy {self.proxy})"


_SENTENCES = {
    "CONNECTION_FAILED": "no connection to {where}: {reason}",
    "CONNECTION_LOST": "the connection to {where} broke: {reason}",
    "CONNECTION_REFUSED": "{where} refused the connection; is it running there?",
    "DNS_ERROR": "the name in {where} could not be resolved: {reason}",
    "INVALID_RESPONSE": "{where} sent what is not an HTTP response: {reason}",
    "PROXY_ERROR": "the proxy did not connect to {where}: {reason}",
    "TLS_ERROR": "no secure connection to {where}: {reason}",
}


def _any(found: Sequence[BaseException], *types: type[BaseException]) -> bool:
    return any(isinstance(error, types) for error in found)


def reason_of(found: Sequence[BaseException]) -> str:
    """The innermost exception in one line of the system's words."""
    if not found:
        return "the connection was closed"
    error = found[-1]
    if isinstance(error, http.client.IncompleteRead):
        return "it ended before the answer did"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def invalid_request(error: BaseException) -> ConfigurationError:
    """The error for a URL, a proxy or a setting that the HTTP library refuses."""
    return ConfigurationError(redact_text(f"the request cannot be sent: {' '.join(str(error).split())}"))
