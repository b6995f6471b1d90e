"""Every way in which requests are carried: over a network, within the process, and by transports around others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from muxi import AsyncFormationClient, AsyncServerClient, FormationClient, ServerClient
from muxi.testing.transport_suite import Handler, Received, Reply, asgi_application, wsgi_application
from muxi.transport import AsyncTransport, Transport
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.asgi import AsgiTransport, SyncAsgiTransport
from muxi_transports.failover import AsyncFailoverTransport, FailoverTransport
from muxi_transports.faulty import AsyncFaultyTransport, Fault, Faults, FaultyTransport
from muxi_transports.memory import AsyncMemoryTransport, MemoryTransport
from muxi_transports.recorded import AsyncRecordedTransport, RecordedTransport
from muxi_transports.requests import RequestsTransport
from muxi_transports.routing import AsyncRoutingTransport, RoutingTransport
from muxi_transports.urllib3 import Urllib3Transport
from muxi_transports.wsgi import WsgiTransport
from tests.transports.raw_server import Peer, serving
from tests.transports.test_suite import HandlerWorld

__all__ = ["AROUND", "IN_PROCESS", "WIRE", "Carrier", "Receiver", "Script", "carrier"]

Script = Callable[[Peer], None]


def _harmless() -> Faults:
    faults = Faults()
    faults.on("*", Fault())
    return faults


def _over_session(proxies: dict[str, str] | None = None) -> Transport:
    session = requests.Session()
    session.trust_env = False
    session.proxies.update(proxies or {})
    return RequestsTransport(session=session)


#: Transports over a network, by name.
WIRE: dict[str, Callable[..., Transport | AsyncTransport]] = {
    "requests": RequestsTransport,
    "requests, full": lambda **rest: RequestsTransport(direct=False, **rest),
    "requests, own session": _over_session,
    "urllib3": Urllib3Transport,
    "urllib3, full": lambda **rest: Urllib3Transport(direct=False, **rest),
    "aiohttp": AiohttpTransport,
}

#: Transports around one over a network: of a URL, and a folder for what they write.
AROUND: dict[str, Callable[[str, Path], Transport | AsyncTransport]] = {
    "recorded": lambda url, folder: RecordedTransport(folder / "cassette.yaml", "urllib3", "all"),
    "recorded, async": lambda url, folder: AsyncRecordedTransport(folder / "cassette.yaml", "aiohttp", "all"),
    "failover": lambda url, folder: FailoverTransport([url], transport="urllib3"),
    "failover, async": lambda url, folder: AsyncFailoverTransport([url], transport="aiohttp"),
    "faulty": lambda url, folder: FaultyTransport("urllib3", _harmless()),
    "faulty, async": lambda url, folder: AsyncFaultyTransport("aiohttp", _harmless()),
    "routing": lambda url, folder: RoutingTransport({"*": "urllib3"}),
    "routing, async": lambda url, folder: AsyncRoutingTransport({"*": "aiohttp"}),
}

#: Transports within the process, to a handler of requests.
IN_PROCESS: dict[str, Callable[[Handler], Transport | AsyncTransport]] = {
    "memory": lambda handler: MemoryTransport(HandlerWorld(handler)),
    "memory, async": lambda handler: AsyncMemoryTransport(HandlerWorld(handler)),
    "wsgi": lambda handler: WsgiTransport(wsgi_application(handler)),
    "wsgi, same thread": lambda handler: WsgiTransport(wsgi_application(handler), same_thread=True),
    "asgi": lambda handler: AsgiTransport(asgi_application(handler)),
    "asgi, sync": lambda handler: SyncAsgiTransport(asgi_application(handler)),
}


class Receiver:
    """A formation that gives one answer to every request: bytes on a connection, or a reply of an application.

    Args:
        script: what is done with each connection.
        reply: the same answer as an application gives it; None where none can give it.
    """

    def __init__(self, script: Script, reply: Reply | None = None) -> None:
        self.script = script
        self.reply = reply

    def handle(self, received: Received) -> Reply:
        assert self.reply is not None
        return self.reply


class Carrier:
    """One transport and its client: makes both, calls, and exhausts what comes back.

    Args:
        name: the transport's.
        transport: the transport.
        url: where the receiver is.
    """

    def __init__(self, name: str, transport: Transport | AsyncTransport, url: str) -> None:
        self.name = name
        self.transport = transport
        self.url = url

    @property
    def asynchronous(self) -> bool:
        """True if its clients are async ones."""
        return isinstance(self.transport, AsyncTransport)

    def run(self, kind: str, settings: dict[str, Any], work: Callable[[Any], Any]) -> Any:
        """Make a client of a kind, let ``work`` call it, and return all that comes of it."""
        settings = {"url": self.url, "max_retries": 0, "timeout": 5, **settings}
        if not self.asynchronous:
            cls = FormationClient if kind == "formation" else ServerClient
            with contextlib.closing(self.transport), cls(transport=self.transport, **settings) as client:
                found = work(client)
                return list(found) if hasattr(found, "__next__") else found

        async def run() -> Any:
            cls = AsyncFormationClient if kind == "formation" else AsyncServerClient
            try:
                async with cls(transport=self.transport, **settings) as client:
                    found = work(client)
                    return [item async for item in found] if hasattr(found, "__anext__") else await found
            finally:
                await self.transport.close()  # type: ignore[misc]  # an async one

        return asyncio.run(run())


@contextlib.contextmanager
def carrier(name: str, receiver: Receiver, folder: Path, **settings: Any) -> Iterator[Carrier]:
    """A carrier to a receiver, which is there as long as the block runs.

    Args:
        name: of a transport in one of the tables.
        receiver: what answers.
        folder: for what the transport writes.
        settings: of a transport over a network.
    """
    if name in IN_PROCESS:
        yield Carrier(name, IN_PROCESS[name](receiver.handle), "http://formation.example")
        return
    with serving(receiver.script, None, None) as server:
        made = WIRE[name](**settings) if name in WIRE else AROUND[name](server.url, folder)
        yield Carrier(name, made, server.url)
