"""Connections of aiohttp that check each answer before its parser gets it, and that are not used with bytes on them."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

from aiohttp.client_proto import ResponseHandler

from muxi_transports.aiohttp.forks import leave_after_fork, release_descriptors
from muxi_transports.http.polling import wait_for
from muxi_transports.http.reframing import Reframer
from muxi_transports.http1 import MalformedAnswer

if TYPE_CHECKING:
    import asyncio

    import aiohttp
    from aiohttp.connector import Connection

__all__ = ["CheckedProtocol", "check_answers"]


class CheckedProtocol(ResponseHandler):
    """A connection whose answers are checked by the rules of HTTP/1.1 that the sync transports keep.

    Args:
        loop: the event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._reframer: Reframer | None = None
        #: The rule that the answer breaks.
        self.fault: MalformedAnswer | None = None
        #: The claim of a request on this connection.
        self.claim: weakref.ref[Connection] | None = None
        leave_after_fork(self)

    def leave_to_parent(self) -> None:
        """Give the connection up in the child of a fork, so that nothing there closes it or complains about it."""
        transport = self.transport
        self.transport: asyncio.Transport | None = None
        sock = None if transport is None else transport.get_extra_info("socket")
        if sock is not None:
            release_descriptors(sock.fileno())
        connection = None if self.claim is None else self.claim()
        if connection is not None and hasattr(connection, "_protocol"):
            connection._protocol = None

    def set_response_params(self, *, skip_payload: bool = False, **options: Any) -> None:  # Any: handed on
        """Begin an answer."""
        self._reframer = Reframer("HEAD" if skip_payload else "GET")
        self.fault = None
        super().set_response_params(skip_payload=skip_payload, **options)

    def data_received(self, data: bytes) -> None:
        """Hand on what has arrived, checked and framed anew."""
        reframer = self._reframer
        if reframer is None or not data:  # nothing asked for, or aiohttp goes on with what it has
            super().data_received(data)
            return
        if reframer.ended:
            self.force_close()  # an answer without a request
            return
        try:
            ready = reframer.feed(data)
        except MalformedAnswer as fault:
            self._fail(fault)
            return
        if ready:
            super().data_received(ready)
        else:
            self.start_timeout()  # the peer is alive
        if reframer.fault is not None:
            self._fail(reframer.fault)
        elif reframer.ended and not reframer.reusable:
            self.force_close()

    def is_connected(self) -> bool:
        """Return whether it is open and, between two requests, nothing has arrived; the pool drops it otherwise."""
        if not super().is_connected():
            return False
        if self._reframer is None or not self._reframer.ended:
            return True
        transport = self.transport
        sock = None if transport is None else transport.get_extra_info("socket")
        return not self.should_close and (sock is None or not wait_for(sock.fileno(), 0, write=False))

    def _fail(self, fault: MalformedAnswer) -> None:
        self.fault = fault
        if self.transport is not None:
            self.transport.abort()


def check_answers(connector: aiohttp.BaseConnector, loop: asyncio.AbstractEventLoop) -> None:
    """Have a connector make connections that check their answers.

    There is no public way to choose the class of its connections. Where it is not chosen as expected, aiohttp's own
    parser alone decides what an answer is.
    """
    if hasattr(connector, "_factory"):
        connector._factory = functools.partial(CheckedProtocol, loop=loop)  # type: ignore[assignment]  # a subclass
