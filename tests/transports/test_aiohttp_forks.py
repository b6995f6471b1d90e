"""A child of a fork that drops an async client: the parent's connections go on, and the child ends without a word."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from muxi.errors import ConnectionError
from muxi.transport import Request
from muxi_transports.aiohttp import AiohttpTransport
from tests.streaming.test_forked_streams import in_child
from tests.transports.conftest import ServerFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import CHUNKED, chunk

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


class Scene:
    """A transport with an idle connection, a stream that is read, and a call that waits for its answer."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.connections = 0

    def serve(self, peer: Peer) -> None:
        self.connections += 1
        while target := peer.request().target:
            if target == "/stream":
                peer.send(CHUNKED + chunk(b"first"))
                assert self.may_go_on.wait(PATIENCE)
                peer.send(chunk(b"second") + b"0\r\n\r\n")
                continue
            if target == "/slow":
                assert self.may_go_on.wait(PATIENCE)
            peer.answer()

    async def play(
        self, url: str, context: ssl.SSLContext | bool, in_between: Callable[[dict[str, Any]], None]
    ) -> None:
        """Fork in the middle of it; ``in_between`` gets all that may be dropped."""
        held: dict[str, Any] = {"transport": AiohttpTransport(verify=context)}
        transport = held["transport"]

        async def get(path: str) -> bytes:
            return bytes(await (await transport.send(Request("GET", url + path))).read())

        idle = await asyncio.gather(get("/a"), get("/b"), get("/c"))
        stream = held["stream"] = await transport.send(Request("GET", f"{url}/stream", stream=True))
        chunks = held["chunks"] = stream.chunks()
        assert [*idle, await anext(chunks)] == [b"ok", b"ok", b"ok", b"first"]
        slow = asyncio.ensure_future(get("/slow"))
        await asyncio.sleep(0.05)  # it is on its way
        in_between(held)
        self.may_go_on.set()
        rest = [piece async for piece in chunks]
        assert (rest, await slow, await get("/d")) == ([b"second"], b"ok", b"ok")
        assert self.connections == 3, "all connections are those from before the fork"
        await transport.close()


def drop(held: dict[str, Any]) -> None:
    """Run every finalizer that there is."""
    for name, kept in held.items():
        if name != "chunks":
            kept.__del__()
    held.clear()
    for thing in gc.get_objects():
        if type(thing).__module__.startswith("aiohttp.") and hasattr(type(thing), "__del__"):
            thing.__del__()
    gc.collect()


def end(held: dict[str, Any]) -> None:
    """End what the parent goes on with."""
    held["stream"].end("caller")
    closing = held["transport"].close()
    with pytest.raises(StopIteration):
        closing.send(None)


def read(held: dict[str, Any]) -> None:
    """Read on."""
    with pytest.raises(ConnectionError, match=r"CONNECTION_LOST.*forked while the answer was read"):
        held["stream"].chunks().__anext__().send(None)


def use(held: dict[str, Any]) -> None:
    """Use the transport in a loop of its own, over connections of its own."""

    async def call() -> None:
        with pytest.raises(ConnectionError, match="CONNECTION_REFUSED"):
            await held["transport"].send(Request("GET", "http://127.0.0.1:1/"))
        await held["transport"].close()

    asyncio.run(call())


@pytest.mark.parametrize("work", [drop, end, read, use])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_child_disturbs_no_connection_of_its_parent(
    serve: ServerFactory,
    authority: trustme.CA,
    scheme: str,
    work: Callable[[dict[str, Any]], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    scene = Scene()
    context: ssl.SSLContext | bool = True
    tls: ssl.SSLContext | None = None
    if scheme == "https":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        context = ssl.create_default_context()
        authority.configure_trust(context)
    url = re.sub("^http:", f"{scheme}:", serve(scene.serve, tls).url)

    asyncio.run(asyncio.wait_for(scene.play(url, context, lambda held: in_child(lambda: work(held))), PATIENCE))
    assert capfd.readouterr().err == ""


def test_a_child_lets_go_of_its_copies_of_the_connections(serve: ServerFactory) -> None:
    ended = threading.Event()
    told, tell = os.pipe()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        peer.wait_for_end()
        ended.set()

    async def scenario() -> None:
        transport = AiohttpTransport()
        stream = await transport.send(Request("GET", serve(script).url, stream=True))
        assert await anext(stream.chunks()) == b"first"
        child = os.fork()
        if child == 0:
            os.close(tell)
            os.read(told, 1)
            os._exit(0)
        await transport.close()
        assert await asyncio.to_thread(ended.wait, PATIENCE), "the server hears of the end though a child lives"
        os.close(tell)

    asyncio.run(scenario())
    os.close(told)
    os.wait()
