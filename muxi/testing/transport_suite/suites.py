"""The suites: subclass one, say how the transport is made, and have pytest collect the rest."""

from __future__ import annotations

from muxi.testing.transport_suite.handlers import Handler, Received, Reply
from muxi.testing.transport_suite.scenarios.answers import Answers, WireAnswers
from muxi.testing.transport_suite.scenarios.asynchronous import Asynchronous
from muxi.testing.transport_suite.scenarios.bodies import Bodies, WireBodies
from muxi.testing.transport_suite.scenarios.connections import ClosingTransports, WireConnections
from muxi.testing.transport_suite.scenarios.failures import WireFailures
from muxi.testing.transport_suite.scenarios.requests import Requests, WireRequests
from muxi.testing.transport_suite.scenarios.streaming import Streaming, WireStreaming
from muxi.testing.transport_suite.scenarios.timeouts import Times, WireTimes
from muxi.testing.transport_suite.stage import AsyncStage, Link
from muxi.transport import AsyncTransport, Transport

__all__ = ["AsyncInProcessSuite", "AsyncTransportSuite", "InProcessSuite", "TransportSuite"]


class _Anywhere(Requests, Bodies, Answers, Streaming, Times, ClosingTransports):
    """The rules for every transport."""


class _OverWires(
    WireRequests, WireBodies, WireAnswers, WireStreaming, WireFailures, WireTimes, WireConnections, _Anywhere
):
    """The rules for transports over sockets."""


class TransportSuite(_OverWires):
    """The rules for a sync transport over sockets. Subclass it in a test module and define ``make_transport``."""

    def make_transport(self) -> Transport:
        """A new transport, as its users would make one."""
        raise NotImplementedError(f"{type(self).__name__} has no make_transport()")

    def made(self) -> object:
        return self.make_transport()


class AsyncTransportSuite(Asynchronous, _OverWires):
    """The same for an async transport."""

    def make_transport(self) -> AsyncTransport:
        """A new transport, as its users would make one; called inside the event loop that it is used from."""
        raise NotImplementedError(f"{type(self).__name__} has no make_transport()")

    def made(self) -> object:
        return self.make_transport()


class _InProcess(_Anywhere):
    #: The address that requests go to, without a path.
    url: str = "http://127.0.0.1"

    def made_for(self, handler: Handler) -> object:
        """Return what ``make_transport`` returns."""
        raise NotImplementedError

    def connect(self, handler: Handler) -> Link:
        requests: list[Received] = []

        def recorded(received: Received) -> Reply:
            requests.append(received)
            return handler(received)

        return Link(self.held(lambda: self.made_for(recorded)), self.url, requests)


class InProcessSuite(_InProcess):
    """The rules for a sync transport that reaches a server in the same process."""

    def make_transport(self, handler: Handler) -> Transport:
        """A new transport whose requests a handler answers; see :func:`wsgi_application` for one that calls WSGI."""
        raise NotImplementedError(f"{type(self).__name__} has no make_transport()")

    def made_for(self, handler: Handler) -> object:
        return self.make_transport(handler)


class AsyncInProcessSuite(AsyncStage, _InProcess):
    """The same for an async transport."""

    def make_transport(self, handler: Handler) -> AsyncTransport:
        """As :meth:`InProcessSuite.make_transport`; called inside the event loop. A handler may block."""
        raise NotImplementedError(f"{type(self).__name__} has no make_transport()")

    def made_for(self, handler: Handler) -> object:
        return self.make_transport(handler)
