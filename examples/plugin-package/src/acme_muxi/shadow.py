"""A transport that repeats reads at a second address, to see whether a candidate for a release bears real traffic."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from muxi.registry import DEFAULT_TRANSPORT, TransportPair, TransportRegistry
from muxi.transport import AsyncResponse, AsyncTransport, Request, Response, Transport

__all__ = ["SHADOW", "AsyncShadowTransport", "ShadowCount", "ShadowTransport"]

#: How many repetitions may be under way; beyond that they are dropped, not queued.
AT_ONCE = 16


@dataclass
class ShadowCount:
    """What became of the repetitions."""

    answered: int = 0
    failed: int = 0
    dropped: int = 0


class ShadowTransport(Transport):
    """Sends over another transport, and repeats each GET at a second address in the background.

    Only reads are repeated (the platform's GETs change nothing), and no streams (they may never end). The repetition
    has all headers of the request, keys included: the second address has to be as trustworthy as the first.

    Args:
        url: the second address, without a path; None for no shadow. Keys are sent to it.
        inner: what sends; by default what the SDK uses by default. It is closed with this one.
    """

    def __init__(self, url: str | None, inner: Transport | None = None) -> None:
        self._inner = inner or TransportRegistry().make_sync(DEFAULT_TRANSPORT)[0]
        self._url = url
        self._lock = threading.Lock()
        self._under_way: set[Future[None]] = set()
        self._pool: ThreadPoolExecutor | None = None
        self.clock = self._inner.clock
        #: What became of the repetitions so far.
        self.count: ShadowCount = ShadowCount()

    def send(self, request: Request) -> Response:
        """Send; what the second address says changes nothing."""
        repetition = _repetition(request, self._url)
        response = self._inner.send(request)
        if repetition is not None:
            self._start(repetition)
        return response

    def close(self) -> None:
        """Wait for the repetitions under way, within their bounds, and free all connections."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)
        self._inner.close()

    def _start(self, repetition: Request) -> None:
        with self._lock:
            if len(self._under_way) >= AT_ONCE:
                self.count.dropped += 1
                return
            self._pool = self._pool or ThreadPoolExecutor(AT_ONCE, "acme-shadow")
            future = self._pool.submit(self._repeat, repetition)
            self._under_way.add(future)
        future.add_done_callback(self._done)

    def _repeat(self, repetition: Request) -> None:
        self._inner.send(repetition).read()

    def _done(self, future: Future[None]) -> None:
        with self._lock:
            self._under_way.discard(future)
            _note(self.count, future.exception())


class AsyncShadowTransport(AsyncTransport):
    """As :class:`ShadowTransport`, for async clients.

    Args:
        url: the second address, without a path; None for no shadow. Keys are sent to it.
        inner: what sends; by default what the SDK uses by default. It is closed with this one.
    """

    def __init__(self, url: str | None, inner: AsyncTransport | None = None) -> None:
        self._inner = inner or TransportRegistry().make_async(DEFAULT_TRANSPORT)[0]
        self._url = url
        self._under_way: set[asyncio.Task[None]] = set()
        self.clock = self._inner.clock
        #: What became of the repetitions so far.
        self.count: ShadowCount = ShadowCount()

    async def send(self, request: Request) -> AsyncResponse:
        """Send; what the second address says changes nothing."""
        repetition = _repetition(request, self._url)
        response = await self._inner.send(request)
        if repetition is not None:
            self._start(repetition)
        return response

    async def close(self) -> None:
        """Wait for the repetitions under way, within their bounds, and free all connections."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._inner.close()

    def _start(self, repetition: Request) -> None:
        if len(self._under_way) >= AT_ONCE:
            self.count.dropped += 1
            return
        # Kept, because the event loop itself holds tasks only weakly.
        task = asyncio.ensure_future(self._repeat(repetition))
        self._under_way.add(task)
        task.add_done_callback(self._done)

    async def _repeat(self, repetition: Request) -> None:
        await (await self._inner.send(repetition)).read()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        _note(self.count, asyncio.CancelledError() if task.cancelled() else task.exception())


def _repetition(request: Request, url: str | None) -> Request | None:
    """The request for the second address, if it is to be repeated."""
    if url is None or request.method != "GET" or request.stream or request.body is not None:
        return None
    first, second = urlsplit(request.url), urlsplit(url)
    address = first._replace(scheme=second.scheme, netloc=second.netloc).geturl()
    return replace(request, url=address, headers=request.headers.copy())


def _note(count: ShadowCount, error: BaseException | None) -> None:
    if error is None:
        count.answered += 1
    else:
        count.failed += 1


def _from_environment() -> ShadowTransport:
    return ShadowTransport(os.environ.get("ACME_SHADOW_URL") or None)


def _async_from_environment() -> AsyncShadowTransport:
    return AsyncShadowTransport(os.environ.get("ACME_SHADOW_URL") or None)


#: What the entry point names: how to make the transport of each colour.
SHADOW: TransportPair = TransportPair(_from_environment, _async_from_environment)
