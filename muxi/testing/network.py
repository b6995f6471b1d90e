"""Keeping tests off the network: clients reach no host but this machine, except those that a test allows.

It is done where clients take their transports, so that sockets, other libraries and the in-memory world are left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from muxi.clock import Clock
from muxi.registry import interpose
from muxi.transport import AsyncResponse, AsyncTransport, Request, Response, Transport

__all__ = ["NetworkBlocked", "blocked_network"]

#: The modules of the transports that open connections; classes derived from theirs do so too.
_OF_THE_NETWORK = frozenset({"muxi_transports.requests", "muxi_transports.urllib3", "muxi_transports.aiohttp"})

#: The hosts that each block in force allows.
_blocks: list[Collection[str]] = []


class NetworkBlocked(RuntimeError):
    """A request to a host that the test does not allow. Nothing has been sent, and the SDK does not try again."""


@contextmanager
def blocked_network(allowed: Collection[str] = ()) -> Iterator[None]:
    """Refuse requests of the SDK to other hosts than this machine.

    It holds for the transports of the SDK that open connections (requests, urllib3, aiohttp) and those that derive from
    them, however they are given, as long as a client takes them inside the block.

    Args:
        allowed: hosts that may be reached.
    """
    end = interpose(_guard_transport)
    _blocks.append(allowed)
    try:
        yield
    finally:
        _blocks.remove(allowed)
        end()


def _guard_transport(transport: Transport | AsyncTransport) -> Transport | AsyncTransport:
    if not any(_module(kind) in _OF_THE_NETWORK for kind in type(transport).__mro__):
        return transport
    return NetworkGuard(transport) if isinstance(transport, Transport) else AsyncNetworkGuard(transport)


def _module(kind: type) -> str:
    # muxi_transports.urllib3 may be a package with a module for each colour.
    return ".".join(kind.__module__.split(".")[:2])


def check_host(request: Request) -> None:
    """Refuse a request to a host that a block in force does not allow.

    Raises:
        NetworkBlocked: says how to allow it.
    """
    __tracebackhide__ = True
    host = urlsplit(request.url).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost"):
        return
    if any(host not in allowed for allowed in _blocks):
        raise NetworkBlocked(
            f"this test may not send {request.method} to {host}: tests reach no host but this machine. To allow it, "
            f'mark the test with @pytest.mark.muxi_network("{host}"), or with @pytest.mark.muxi_network for any host; '
            "to reach the embedded formation, make the client in the test and without transport="
        )


class NetworkGuard(Transport):
    """A transport that checks the host before it sends."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.clock: Clock | None = inner.clock

    def send(self, request: Request) -> Response:
        check_host(request)
        return self.inner.send(request)

    def close(self) -> None:
        self.inner.close()


class AsyncNetworkGuard(AsyncTransport):
    """As :class:`NetworkGuard`, for async clients."""

    def __init__(self, inner: AsyncTransport) -> None:
        self.inner = inner
        self.clock: Clock | None = inner.clock

    async def send(self, request: Request) -> AsyncResponse:
        check_host(request)
        return await self.inner.send(request)

    async def close(self) -> None:
        await self.inner.close()
