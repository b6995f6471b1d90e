"""One request on its way over aiohttp: the connections that carry it, and the bound of the wait for its head."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from muxi_transports.http.attempt import Attempt
from muxi_transports.http1 import MalformedAnswer

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

__all__ = ["Carriage", "carrying"]

#: The request that this task is sending.
carrying: ContextVar[Carriage] = ContextVar("carrying")


class Carriage:
    """A request being sent by the current task: the connections that it has been written to, and their end.

    Args:
        attempt: what is sent.
    """

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self._protocols: list[ResponseHandler] = []
        # A protocol that has been closed does not know its transport any more, which may be writing still.
        self._transports: list[asyncio.Transport] = []
        self._timer: asyncio.TimerHandle | None = None
        self._task = asyncio.current_task()
        self._is_cancelled_by_close = False
        self._cancellations = _count_cancellations(self._task)

    def add(self, protocol: ResponseHandler | None) -> None:
        """Note a connection that carries the request from here on."""
        if protocol is not None:
            self._protocols.append(protocol)
            if protocol.transport is not None:
                self._transports.append(protocol.transport)

    def await_head(self) -> None:
        """Note that the request is out: ``timeouts.head`` bounds the wait for the head from here on."""
        attempt = self.attempt
        attempt.await_head()
        if attempt.timeouts.head is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(attempt.timeouts.head, self.abort)

    def finish(self) -> None:
        """Note that the head has come, or that the request has failed."""
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Drop the connections: merely closed, they would wait until the peer has read a body on its way."""
        for transport in self._transports:
            transport.abort()

    def end(self) -> None:
        """End the wait for the head because the transport is closed, whatever it waits for: a name, a connection."""
        if self.attempt.ended_by is not None:
            return
        self.attempt.ended_by = "transport"
        if self._protocols:
            self.abort()
        elif self._task is not None:
            self._is_cancelled_by_close = True
            self._task.cancel()

    def take_back_cancellation(self) -> bool:
        """Return whether :meth:`end` alone has cancelled the task, which may go on then."""
        if not self._is_cancelled_by_close:
            return False
        uncancel = getattr(self._task, "uncancel", None)  # Python 3.10 does not count
        return uncancel is None or uncancel() <= self._cancellations

    @property
    def fault(self) -> MalformedAnswer | None:
        """The rule of HTTP/1.1 that the answer breaks."""
        found: Any = (getattr(protocol, "fault", None) for protocol in self._protocols)
        return next((fault for fault in found if fault is not None), None)


def _count_cancellations(task: asyncio.Task[Any] | None) -> int:
    cancelling = getattr(task, "cancelling", None)
    return 0 if cancelling is None else cancelling()
