"""Answers that are recorded as they are read."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator

from muxi.clock import Clock, SystemClock
from muxi.errors import MuxiError
from muxi.transport import AsyncResponse, Response
from muxi_transports.around.waiting import finished
from muxi_transports.recorded.cassette import Cassette
from muxi_transports.recorded.exchange import RecordedRequest
from muxi_transports.recorded.take import Take

__all__ = ["AsyncRecordingResponse", "OpenTakes", "RecordingResponse"]


class OpenTakes:
    """What one transport is recording."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._takes: list[Take] = []

    def begin(self, cassette: Cassette, request: RecordedRequest, clock: Clock | None) -> Take:
        """Begin to record what comes of a request."""
        take = cassette.begin(request, clock or SystemClock())
        with self._lock:
            self._takes = [*(take for take in self._takes if take.exchange is None), take]
        return take

    def close(self) -> None:
        """Record what is still open as far as it came."""
        with self._lock:
            takes, self._takes = self._takes, []
        for take in takes:
            take.closed()


class RecordingResponse(Response):
    """An answer of another transport.

    Args:
        inner: the answer.
        take: where it is recorded.
    """

    def __init__(self, inner: Response, take: Take) -> None:
        super().__init__(inner.status, inner.headers, reason=inner.reason, http_version=inner.http_version)
        self._inner = inner
        self._take = take
        take.answered(inner)

    def chunks(self) -> Iterator[bytes]:
        try:
            for piece in self._inner.chunks():
                self._take.arrived(piece)
                yield piece
        except MuxiError as error:
            self._take.failed(error)
            raise
        self._take.ended()

    def close(self) -> None:
        # First, because the one who is reading meanwhile learns of it as of an error, or an end.
        try:
            self._take.closed()
        finally:
            self._inner.close()


class AsyncRecordingResponse(AsyncResponse):
    """As :class:`RecordingResponse`, for async clients.

    Args:
        inner: the answer.
        take: where it is recorded.
    """

    def __init__(self, inner: AsyncResponse, take: Take) -> None:
        super().__init__(inner.status, inner.headers, reason=inner.reason, http_version=inner.http_version)
        self._inner = inner
        self._take = take
        take.answered(inner)

    async def chunks(self) -> AsyncIterator[bytes]:
        pieces = self._inner.chunks()
        try:
            async for piece in pieces:
                self._take.arrived(piece)
                yield piece
        except MuxiError as error:
            self._take.failed(error)
            raise
        finally:
            await finished(pieces)
        self._take.ended()

    async def close(self) -> None:
        try:
            self._take.closed()
        finally:
            await self._inner.close()
