"""An exchange while it is being recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from muxi.clock import Clock
from muxi.errors import ConfigurationError, MuxiError, ValidationError
from muxi.transport import AsyncResponse, Response
from muxi_transports.recorded.exchange import Chunk, Exchange, RecordedError, RecordedRequest, RecordedResponse

__all__ = ["Take"]


class Take:
    """An exchange while it is being recorded. What ends it first counts.

    Args:
        request: the request.
        clock: measures when what came.
        finish: given this, and the exchange once it has ended; None where nothing came that could be played.
    """

    def __init__(self, request: RecordedRequest, clock: Clock, finish: Callable[[Take, Exchange | None], None]) -> None:
        #: What of it is in the file; None while it has not ended.
        self.exchange: Exchange | None = None
        #: The same as it is written there.
        self.text: str = ""
        self._request = request
        self._clock = clock
        self._began = clock.monotonic()
        self._finish = finish
        self._head: RecordedResponse | None = None
        self._chunks: list[Chunk] = []

    @contextmanager
    def until_answered(self) -> Iterator[None]:
        """Record the error that comes in place of an answer."""
        try:
            yield
        except (ConfigurationError, ValidationError):
            # Nothing was sent.
            self._finish(self, None)
            raise
        except MuxiError as error:
            self.failed(error)
            raise
        except BaseException:
            self._finish(self, None)
            raise

    def answered(self, response: Response | AsyncResponse) -> None:
        """The head of the answer is there."""
        self._head = RecordedResponse(
            response.status,
            response.headers.copy(),
            reason=response.reason,
            http_version=response.http_version,
            at=self._now(),
        )

    def arrived(self, content: bytes) -> None:
        """A piece of the body is there."""
        self._chunks.append(Chunk(self._now(), content))

    def ended(self) -> None:
        """The body has ended."""
        self._end(ended=self._now())

    def closed(self) -> None:
        """The reader has left; before the end, unless it has ended already."""
        self._end(closed=self._now())

    def failed(self, error: MuxiError) -> None:
        """There is an error, in place of an answer or in the middle of it."""
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
        # A millisecond is as exact as anybody looks, and keeps the file readable.
        return round(self._clock.monotonic() - self._began, 3)
