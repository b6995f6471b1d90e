"""The transport to an ASGI application in this process, for sync clients: the application has a loop and a thread."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from muxi.clock import Clock
from muxi.errors import ConfigurationError, ConnectionError
from muxi.transport import AsyncResponse, Request, Response, Transport
from muxi.transport.arguments import check_arguments
from muxi_transports.asgi.transport import AsgiTransport, LifespanMode
from muxi_transports.asgi.visit import App

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["SyncAsgiTransport"]

T = TypeVar("T")


@check_arguments("app")
class SyncAsgiTransport(Transport):
    """Has requests answered by an ASGI application in this process, in an event loop of its own in the background.

    The loop and its thread begin with the first request and end with :meth:`close`.

    Args:
        app: the application (ASGI 3).
        lifespan: as for :class:`~muxi_transports.asgi.AsgiTransport`.
        raise_app_exceptions: likewise.
        grace: likewise.
        clock: likewise.

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
        self.clock: Clock | None = clock
        self._make = partial(
            AsgiTransport, app, lifespan=lifespan, raise_app_exceptions=raise_app_exceptions, grace=grace, clock=clock
        )
        self._shown = repr(self._make())
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._background: _Background | None = None

    def send(self, request: Request) -> Response:
        """Send and return with the head of the answer; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConnectionError, TimeoutError, ConfigurationError: as by :meth:`AsgiTransport.send`; also where the
                application itself, in its loop, calls this.
        """
        if self._pid != os.getpid():
            self._start()  # a fork takes no threads along
        with self._lock:
            background = self._background = self._background or _Background(self._make())
        return _Response(background.run(background.transport.send(request)), background)

    def close(self) -> None:
        """End all answers that are still being read, shut the application down, and end its thread."""
        if self._pid != os.getpid():
            self._start()
        with self._lock:
            background, self._background = self._background, None
        if background is not None:
            background.run(background.transport.close())
            background.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Sync{self._shown}"


class _Background:
    """An event loop in a thread, and the transport that lives in it."""

    def __init__(self, transport: AsgiTransport) -> None:
        self.transport: AsgiTransport = transport
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="muxi-asgi", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done in the loop, and wait for it.

        Raises:
            ConfigurationError: this is the loop's own thread, which would wait for itself.
            ConnectionError: the transport was closed meanwhile.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise ConfigurationError(
                "the application calls itself through a sync transport, in its own event loop, which would wait for "
                "itself; call it from another thread, or with an async client and AsgiTransport"
            )
        try:
            future = asyncio.run_coroutine_threadsafe(work, self.loop)
        except RuntimeError as error:  # the loop is closed
            work.close()
            raise _closed_error() from error
        try:
            return future.result()
        except CancelledError as error:
            raise _closed_error() from error
        except BaseException:
            future.cancel()  # an interrupt: the caller is gone
            raise

    def call(self, function: Any, *args: object) -> None:
        """Have a function called in the loop, if there still is one, without waiting."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return  # the loop is closed, and with it whatever it held

    def stop(self) -> None:
        """Cancel what is left, and end the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            if tasks := asyncio.all_tasks(self.loop):
                for task in tasks:
                    task.cancel()
                self.loop.run_until_complete(asyncio.wait(tasks))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


class _Response(Response):
    """An answer that is made in the background."""

    def __init__(self, response: AsyncResponse, background: _Background) -> None:
        super().__init__(response.status, response.headers, reason=response.reason, http_version=response.http_version)
        self._response = response
        self._background = background
        self._ended = False

    def chunks(self) -> Iterator[bytes]:
        """The body as it is made; see :meth:`muxi.transport.Response.chunks`."""
        chunks = self._response.chunks()
        while not self._ended:
            piece = self._background.run(_next(chunks))
            if piece is None:
                self._ended = True
                break
            yield piece

    def close(self) -> None:
        """Let the application go; see :meth:`muxi.transport.Response.close`."""
        self._ended = True
        self._background.call(_end, self._response)


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


def _end(response: Any) -> None:
    response.end("caller")


def _closed_error() -> ConnectionError:
    return ConnectionError("CONNECTION_LOST", "the connection to the application broke: the transport was closed")
