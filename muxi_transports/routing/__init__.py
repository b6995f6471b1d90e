"""A transport that leads each host or route to a transport of its own."""

from __future__ import annotations

from muxi_transports.routing.transport import AsyncRoutingTransport, RoutingTransport

__all__ = ["AsyncRoutingTransport", "RoutingTransport"]
