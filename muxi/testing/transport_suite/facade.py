"""An async transport behind the face of a sync one, so that each scenario is written once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from muxi.transport import AsyncResponse, AsyncTransport, Request, Response, Transport

__all__ = ["FacadeResponse", "FacadeTransport", "Loop"]

T = TypeVar("T")


class Loop:
    """An event loop in a thread.

    Args:
        patience: how long, in seconds, anything that it is given may take.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine as a task; its result comes later."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for its result.

        Raises:
            AssertionError: there is none after the loop's patience.
        """
        future = self.start(coroutine)
        done, _ = concurrent.futures.wait([future], self._patience)
        if not done:
            future.cancel()
            name = getattr(coroutine, "__qualname__", "a coroutine")
            raise AssertionError(
                f"{name}() did not end within {self._patience:g} s: it hangs, or blocks the event loop"
            )
        return future.result()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function inside the loop."""

        async def call() -> T:
            return function()

        return self.run(call())

    def stop(self) -> None:
        """End the loop and its thread."""
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class FacadeTransport(Transport):
    """Sends over an async transport that lives in a loop of its own.

    Args:
        transport: the async transport.
        loop: where it lives.
    """

    def __init__(self, transport: AsyncTransport, loop: Loop) -> None:
        self.transport = transport
        self.loop = loop

    def send(self, request: Request) -> Response:
        return FacadeResponse(self.loop.run(self.transport.send(request)), self.loop)

    def close(self) -> None:
        self.loop.run(self.transport.close())


class FacadeResponse(Response):
    """An async answer, read in its loop.

    Args:
        response: the async answer.
        loop: where it lives.
    """

    def __init__(self, response: AsyncResponse, loop: Loop) -> None:
        super().__init__(response.status, response.headers, reason=response.reason, http_version=response.http_version)
        self._response = response
        self._loop = loop

    def chunks(self) -> Iterator[bytes]:
        chunks = self._response.chunks()
        while (chunk := self._loop.run(_next(chunks))) is not None:
            yield chunk

    def close(self) -> None:
        self._loop.run(self._response.close())


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    async for chunk in chunks:
        return chunk
    return None
