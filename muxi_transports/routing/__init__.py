"""A transport that sends each request by a transport of its own, chosen by host, path or method."""

from __future__ import annotations

from muxi_transports.routing.transport import AsyncRoutingTransport, Routing, RoutingTransport

__all__ = ["AsyncRoutingTransport", "Routing", "RoutingTransport"]
