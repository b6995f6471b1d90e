"""The transport to an ASGI application in this process, for async clients."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, TypeAlias

from muxi.clock import Clock
from muxi.errors import ConfigurationError, MuxiError
from muxi.redact import show_value
from muxi.transport import AsyncResponse, AsyncTransport, Request
from muxi.transport.arguments import check_arguments
from muxi_transports.asgi.lifespan import Lifespan
from muxi_transports.asgi.visit import App, AsgiHead, Visit, http_scope
from muxi_transports.http.application import WHERE, begin, describe_request
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import Content
from muxi_transports.http.wire import received_headers

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["AsgiResponse", "AsgiTransport", "LifespanMode"]

LifespanMode: TypeAlias = Literal["auto", "on", "off"]


@check_arguments("app")
class AsgiTransport(AsyncTransport):
    """Has requests answered by an ASGI application in this process and this event loop. Every origin is accepted.

    Args:
        app: the application (ASGI 3).
        lifespan: whether the application is started at the first request and shut down by :meth:`close`: ``"auto"``
            if it knows how, ``"on"`` always, ``"off"`` never.
        raise_app_exceptions: whether an exception of the application comes out as it is, instead of as a
            :class:`muxi.ConnectionError`. An answer ends then when the application is through with it.
        grace: how long :meth:`close` lets the application finish what it is at, and shut down, in seconds each; then
            it is cancelled.
        clock: the time of the world that the application lives in, for the client to go by.

    Raises:
        ConfigurationError: ``app`` cannot be called, or there is no such ``lifespan``.
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
        app: App,
        *,
        lifespan: LifespanMode = "auto",
        raise_app_exceptions: bool = False,
        grace: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        if not callable(app):
            raise ConfigurationError(f"app takes an ASGI application, which can be called; got {type(app).__name__}")
        if lifespan not in ("auto", "on", "off"):
            raise ConfigurationError(f"lifespan takes 'auto', 'on' or 'off'; got {show_value(lifespan)}")
        self.clock: Clock | None = clock
        self._app = app
        self._mode = lifespan
        self._raise_app_exceptions = raise_app_exceptions
        self._grace = grace
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lifespan: Lifespan | None = None
        self._visits: dict[asyncio.Task[None], Visit] = {}
        self._open: weakref.WeakSet[AsgiResponse] = weakref.WeakSet()

    async def send(self, request: Request) -> AsyncResponse:
        """Send and return with the head of the answer; see :meth:`muxi.transport.AsyncTransport.send`.

        Raises:
            ConnectionError: ``CONNECTION_LOST`` or ``INVALID_RESPONSE``: the application failed;
                ``CONNECTION_FAILED``: it did not start.
            TimeoutError: ``READ_TIMEOUT`` or ``TIMEOUT``.
            ConfigurationError: the URL or the method is of no use, or this transport belongs to another loop.
        """
        described, attempt = describe_request(request), Attempt(request, WHERE)
        lifespan = await self._start_lifespan(attempt)
        begin(attempt)
        visit = Visit(request, attempt, as_it_is=self._raise_app_exceptions)
        # The scope has the keys in it: no frame that can fail later has it among its locals.
        state = None if lifespan is None else lifespan.state
        task = asyncio.ensure_future(visit.run(self._app, http_scope(described, state)))
        self._visits[task] = visit
        task.add_done_callback(self._forget)
        try:
            response = AsgiResponse(request, await visit.head(), visit, attempt)
        except BaseException:
            visit.leave()
            raise
        self._open.add(response)
        return response

    async def close(self) -> None:
        """End all answers that are awaited or being read, and shut the application down."""
        here = self._loop is asyncio.get_running_loop()
        lifespan, self._lifespan = self._lifespan, None
        visits, self._visits = self._visits, {}
        self._loop = None
        if not here:
            return  # nothing was begun, or its loop is no more
        for response in list(self._open):
            response.end("transport")
        for visit in visits.values():
            visit.leave()
        if visits:
            _, late = await asyncio.wait(visits, timeout=self._grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if lifespan is not None:
            await lifespan.stop(self._grace)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._visits.pop(task, None)

    async def _start_lifespan(self, attempt: Attempt) -> Lifespan | None:
        """The life of the application, which begins with the first request."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise ConfigurationError(
                    "this async transport belongs to the event loop that first used it, and this is another one; "
                    "make one per loop, or close() it there before using it here"
                )
            # What ran in a loop that is no more has ended with it.
            self._loop, self._lifespan, self._visits = loop, None, {}
        if self._mode == "off":
            return None
        if self._lifespan is None:
            self._lifespan = Lifespan(self._app, required=self._mode == "on")
        lifespan = self._lifespan
        bounds = [bound for bound in (attempt.timeouts.connect, attempt.timeouts.total) if bound is not None]
        try:
            await lifespan.start(min(bounds, default=None))
        except asyncio.TimeoutError:
            raise attempt.timed_out() from None
        except MuxiError:
            if self._lifespan is lifespan:
                self._lifespan = None  # the next request tries anew
            raise
        return lifespan

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsgiTransport({self._app!r})"


class AsgiResponse(AsyncResponse):
    """An answer that an ASGI application is making.

    Args:
        request: what was asked.
        head: how it begins.
        visit: where the rest comes from.
        attempt: the bounds to keep.
    """

    def __init__(self, request: Request, head: AsgiHead, visit: Visit, attempt: Attempt) -> None:
        super().__init__(head.status, received_headers(head.headers), reason=_reason(head.status))
        attempt.headless = False
        self._visit = visit
        self._attempt = attempt
        self._content = Content(request, self.status, self.headers, attempt)
        self._finished = False
        # An answer that is no longer referenced releases its application.
        self._dropped = weakref.finalize(self, _leave_later, asyncio.get_running_loop(), visit)
        self._dropped.atexit = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it is made; see :meth:`muxi.transport.AsyncResponse.chunks`."""
        attempt = self._attempt
        while not self._finished and not self._is_ended():
            try:
                piece = self._content.take()
                if not piece:
                    taken = await self._visit.take()
                    if self._is_ended():
                        break
                    if taken is None:
                        self._finished = True
                        self._dropped.detach()
                        if attempt.body_error is not None:
                            raise attempt.body_error
                        self._content.finish()
                        break
                    self._content.add(taken)
                    piece = self._content.take()
            except BaseException:
                self.end("failure")
                raise
            if piece:
                yield piece
        if attempt.ended_by == "transport":
            raise attempt.failed("the transport was closed")

    def _is_ended(self) -> bool:
        return self._attempt.ended_by is not None

    async def close(self) -> None:
        """Disconnect from the application; see :meth:`muxi.transport.AsyncResponse.close`."""
        self.end("caller")

    def end(self, by: str) -> None:
        """Disconnect from the application, on behalf of the caller or the transport; in the loop."""
        if self._attempt.ended_by is None and not self._finished:
            self._attempt.ended_by = by
            self._dropped.detach()
            self._visit.leave()


def _leave_later(loop: asyncio.AbstractEventLoop, visit: Visit) -> None:
    with suppress(RuntimeError):  # the loop is closed, and the application gone with it
        loop.call_soon_threadsafe(visit.leave)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
