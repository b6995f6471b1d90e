"""The conformance suite of transports: what any transport has to do, as tests that its author can run.

Needs pytest (or :mod:`unittest`) and nothing else. A sync transport over sockets::

    from muxi.testing import transport_suite

    class TestMyTransport(transport_suite.TransportSuite):
        def make_transport(self):
            return MyTransport()

:class:`AsyncTransportSuite` is for async ones, :class:`InProcessSuite` and :class:`AsyncInProcessSuite` are for
transports that reach no socket. :func:`rules` lists what they hold a transport to.
"""

from __future__ import annotations

from muxi.testing.transport_suite.applications import (
    AsgiApplication,
    WsgiApplication,
    asgi_application,
    wsgi_application,
)
from muxi.testing.transport_suite.catalogue import rules
from muxi.testing.transport_suite.handlers import Handler, Received, Reply
from muxi.testing.transport_suite.rules import Rule, RuleBroken
from muxi.testing.transport_suite.suites import (
    AsyncInProcessSuite,
    AsyncTransportSuite,
    InProcessSuite,
    TransportSuite,
)

__all__ = [
    "AsgiApplication",
    "AsyncInProcessSuite",
    "AsyncTransportSuite",
    "Handler",
    "InProcessSuite",
    "Received",
    "Reply",
    "Rule",
    "RuleBroken",
    "TransportSuite",
    "WsgiApplication",
    "asgi_application",
    "rules",
    "wsgi_application",
]
