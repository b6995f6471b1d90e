"""An async transport behind the face of a sync one, so that one scenario runs over both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from muxi.transport import AsyncResponse, AsyncTransport, Request, Response, Transport

T = TypeVar("T")


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def stop(self) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class FacadeTransport(Transport):
    """Sends over an async transport that lives in a loop of its own."""

    def __init__(self, transport: AsyncTransport, loop: Loop) -> None:
        self.transport = transport
        self._loop = loop

    def send(self, request: Request) -> Response:
        return FacadeResponse(self._loop.run(self.transport.send(request)), self._loop)

    def close(self) -> None:
        self._loop.run(self.transport.close())


class FacadeResponse(Response):
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


async def _next(chunks: Any) -> bytes | None:
    return await anext(chunks, None)
