"""A platform that answers when the test says so, in both colours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from muxi.transport import AsyncResponse, AsyncTransport, Request, Response, Transport
from tests.answers import answer

#: Longer than anything takes, in seconds; what exceeds it has failed.
PATIENCE = 10.0


class Gate(Transport):
    """Holds every request until :meth:`open`, and counts how many are inside at once."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.users: list[str | None] = []
        self._may = threading.Semaphore(0)
        self._changed = threading.Condition()

    def send(self, request: Request) -> Response:
        with self._changed:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.users.append(request.headers.get("X-Muxi-User-ID"))
            self._changed.notify_all()
        try:
            assert self._may.acquire(timeout=PATIENCE)
        finally:
            with self._changed:
                self.inside -= 1
                self._changed.notify_all()
        return _Whole()

    def open(self, times: int = 1) -> None:
        self._may.release(times)

    def until(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds; it is looked at whenever a request comes or goes."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE)


class _Whole(Response):
    def __init__(self) -> None:
        found = answer({})
        super().__init__(found.status, found.headers)
        self._content = found.content

    def chunks(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None: ...


class AsyncGate(AsyncTransport):
    """As :class:`Gate`, on one event loop."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.users: list[str | None] = []
        self._may = asyncio.Semaphore(0)
        self._arrived = asyncio.Event()

    async def until_inside(self, many: int) -> None:
        """Return once that many requests are inside."""
        while self.inside < many:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), PATIENCE)

    async def send(self, request: Request) -> AsyncResponse:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.users.append(request.headers.get("X-Muxi-User-ID"))
        self._arrived.set()
        try:
            await self._may.acquire()
        finally:
            self.inside -= 1
        return _AsyncWhole()

    def open(self, times: int = 1) -> None:
        for _ in range(times):
            self._may.release()


class _AsyncWhole(AsyncResponse):
    def __init__(self) -> None:
        found = answer({})
        super().__init__(found.status, found.headers)
        self._content = found.content

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._content

    async def close(self) -> None: ...


async def until(condition: Callable[[], Any]) -> None:
    """Let the other tasks go on until the condition holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
