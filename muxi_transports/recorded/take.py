"""An exchange while it is being recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from muxi.clock import Clock
from muxi.errors import MuxiError
from muxi.transport import UnreadResponse
from muxi_transports.recorded.exchange import Chunk, Exchange, RecordedError, RecordedRequest, RecordedResponse

__all__ = ["Take"]


class Take:
    """An exchange while it is being recorded. Of several ends the first counts.

    Args:
        request: the request.
        clock: measures when each part came.
        finish: called with this and the exchange once it has ended, or with None where there is nothing to play.
    """

    def __init__(self, request: RecordedRequest, clock: Clock, finish: Callable[[Take, Exchange | None], None]) -> None:
        #: The exchange as it is in the file; None while it has not ended.
        self.exchange: Exchange | None = None
        #: Its text in the file.
        self.text: str = ""
        self._request = request
        self._clock = clock
        self._began = clock.monotonic()
        self._finish = finish
        self._head: RecordedResponse | None = None
        self._chunks: list[Chunk] = []

    def drop(self) -> None:
        """Record nothing: the request was not sent, or was interrupted."""
        self._finish(self, None)

    def answered(self, response: UnreadResponse) -> None:
        """Keep the head of the answer."""
        self._head = RecordedResponse(
            response.status,
            response.headers.copy(),
            reason=response.reason,
            http_version=response.http_version,
            at=self._now(),
        )

    def arrived(self, content: bytes) -> None:
        """Keep a chunk of the body."""
        self._chunks.append(Chunk(self._now(), content))

    def ended(self) -> None:
        """Record that the body has ended."""
        self._end(ended=self._now())

    def closed(self) -> None:
        """Record that the reader has left before the end."""
        self._end(closed=self._now())

    def failed(self, error: MuxiError) -> None:
        """Record an error, in place of an answer or in the middle of it."""
        self._end(error=RecordedError.of(error, self._now()))

    def _end(
        self, *, ended: float | None = None, closed: float | None = None, error: RecordedError | None = None
    ) -> None:
        if self._head is not None:
            response = replace(self._head, chunks=tuple(self._chunks), ended=ended, closed=closed, error=error)
            self._finish(self, Exchange(self._request, response))
        else:
            self._finish(self, None if error is None else Exchange(self._request, error=error))

    def _now(self) -> float:
        # Milliseconds are exact enough, and keep the file readable.
        return round(self._clock.monotonic() - self._began, 3)
