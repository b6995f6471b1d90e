"""A transport over several addresses of one server, which sends to one that works."""

from __future__ import annotations

from muxi_transports.failover.addresses import AddressStatus
from muxi_transports.failover.transport import AsyncFailoverTransport, Failover, FailoverTransport

__all__ = ["AddressStatus", "AsyncFailoverTransport", "Failover", "FailoverTransport"]
