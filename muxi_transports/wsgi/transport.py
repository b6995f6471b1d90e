"""The transport to a WSGI application in this process."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from muxi.clock import Clock
from muxi.errors import ConfigurationError, MuxiError
from muxi.forks import renew_after_fork
from muxi.transport import Request, Response, Transport
from muxi.transport.finisher import finish_later, start_finisher
from muxi_transports.http.application import WHERE, begin, describe_request
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import Content
from muxi_transports.http.wire import received_headers
from muxi_transports.wsgi.conversation import Complete, WsgiHead
from muxi_transports.wsgi.environ import RequestBody, environ_of
from muxi_transports.wsgi.source import HereSource, Source, ThreadSource

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication
    from typing_extensions import Self
else:
    WSGIApplication = Callable[..., Iterable[bytes]]  # when annotations are evaluated

__all__ = ["WsgiResponse", "WsgiTransport"]


class WsgiTransport(Transport):
    """Has requests answered by a WSGI application (PEP 3333) in this process. Every origin is accepted.

    Args:
        app: the application.
        same_thread: whether it is called by the thread that sends and reads, instead of in a thread of its own for
            each request. Bounds of time are then noticed late, or not at all.
        raise_app_exceptions: whether an exception of the application comes out as it is, instead of as a
            :class:`muxi.ConnectionError`.
        clock: the time of the world that the application lives in, for the client to go by.

    Raises:
        ConfigurationError: ``app`` cannot be called.
    """

    @property
    def private(self) -> bool:
        """True: requests stay in this process."""
        return True

    @property
    def defaults(self) -> Mapping[str, str]:
        """An address, for clients that are given none: all lead to the application."""
        return {"url": "http://application"}

    def __init__(
        self,
        app: WSGIApplication,
        *,
        same_thread: bool = False,
        raise_app_exceptions: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if not callable(app):
            raise ConfigurationError(f"app takes a WSGI application, which can be called; got {type(app).__name__}")
        self.clock: Clock | None = clock
        self._app = app
        self._same_thread = same_thread
        self._raise_app_exceptions = raise_app_exceptions
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._headless: set[Source] = set()
        self._open: weakref.WeakSet[WsgiResponse] = weakref.WeakSet()

    def send(self, request: Request) -> Response:
        """Send and return with the head of the answer; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConnectionError: ``CONNECTION_LOST`` or ``INVALID_RESPONSE``: the application failed.
            TimeoutError: ``READ_TIMEOUT`` or ``TIMEOUT``.
            ConfigurationError: the URL or the method is of no use.
        """
        attempt = Attempt(request, WHERE)
        source = self._start(request, attempt)
        try:
            response = WsgiResponse(request, _head_of(source, attempt), source, attempt)
            with self._lock:
                self._open.add(response)
        except BaseException:
            source.leave()
            raise
        finally:
            with self._lock:
                self._headless.discard(source)
        return response

    def _start(self, request: Request, attempt: Attempt) -> Source:
        """Call the application. Its environ has keys in it, and is no local variable of a frame that can fail later."""
        body = RequestBody(attempt)
        environ = environ_of(describe_request(request), body, multithread=not self._same_thread)
        make = HereSource if self._same_thread else ThreadSource
        begin(attempt)
        with self._lock:  # before the application is at work, so that close() knows of it
            source = make(self._app, environ, body, attempt, as_it_is=self._raise_app_exceptions)
            self._headless.add(source)
        return source

    def close(self) -> None:
        """End all answers that are awaited or being read: who does gets a ``ConnectionError``."""
        with self._lock:
            headless, responses = list(self._headless), list(self._open)
        for source in headless:
            source.leave()
        for response in responses:
            response.end("transport")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"WsgiTransport({self._app!r})"


def _head_of(source: Source, attempt: Attempt) -> WsgiHead:
    head = source.take()
    if attempt.body_error is not None:
        raise attempt.body_error  # the application made an answer of it; the caller wants to know
    attempt.headless = False
    if not isinstance(head, WsgiHead):
        raise attempt.failed("it did not begin with a status", code="INVALID_RESPONSE")
    return head


class WsgiResponse(Response):
    """An answer that a WSGI application is making.

    Args:
        request: what was asked.
        head: how it begins.
        source: where the rest comes from.
        attempt: the bounds to keep.
    """

    def __init__(self, request: Request, head: WsgiHead, source: Source, attempt: Attempt) -> None:
        code, _, reason = head.status.partition(" ")
        if not (code.isascii() and code.isdigit() and len(code) == 3):
            raise attempt.failed(f"{head.status!r} is not a status", code="INVALID_RESPONSE")
        super().__init__(int(code), received_headers(head.headers), reason=reason)
        self._source = source
        self._attempt = attempt
        self._content = Content(request, self.status, self.headers, attempt)
        self._finished = False
        # An answer that is no longer referenced releases its application. The finalizer keeps the source out of what is
        # collected with the answer; a collector would close the application at once.
        start_finisher()
        self._dropped = weakref.finalize(self, finish_later, source.leave)
        self._dropped.atexit = False

    def chunks(self) -> Iterator[bytes]:
        """The body as it is made; see :meth:`muxi.transport.Response.chunks`."""
        attempt = self._attempt
        while not self._finished and not self._is_ended():
            try:
                piece = self._content.take()
                if not piece:
                    item = self._source.take()
                    if self._is_ended():
                        break
                    if isinstance(item, Complete):
                        self._finished = True
                        self._dropped.detach()
                        if attempt.body_error is not None:
                            raise attempt.body_error
                        self._content.finish()
                        break
                    if isinstance(item, bytes):
                        self._content.add(item)
                        piece = self._content.take()
            except BaseException as error:
                if self._is_ended() and isinstance(error, MuxiError):
                    break
                self.end("failure")
                raise
            if piece:
                yield piece
        if attempt.ended_by == "transport":
            raise attempt.failed("the transport was closed")

    def _is_ended(self) -> bool:
        return self._attempt.ended_by is not None

    def close(self) -> None:
        """Disconnect from the application; see :meth:`muxi.transport.Response.close`."""
        self.end("caller")

    def end(self, by: str) -> None:
        """Disconnect from the application, on behalf of the caller or the transport."""
        if self._attempt.ended_by is None and not self._finished:
            self._attempt.ended_by = by
            self._dropped.detach()
            self._source.leave()
