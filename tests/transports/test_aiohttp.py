"""What is particular to the transport over aiohttp: event loops, cancellation, uploads beside a running loop."""

from __future__ import annotations

import ast
import asyncio
import gc
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import muxi_transports.aiohttp as aiohttp_room
from muxi.errors import ConfigurationError, ConnectionError, TimeoutError
from muxi.transport import BytesBody, FileBody, IterableBody, Request, Timeouts
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.aiohttp.protocol import check_answers
from tests.transports.conftest import ServerFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import CHUNKED, chunk, ok


def test_without_aiohttp_it_says_what_to_install() -> None:
    code = """
        import sys
        sys.modules["aiohttp"] = None
        from muxi.errors import ConfigurationError
        try:
            import muxi_transports.aiohttp
        except ConfigurationError as error:
            print(error)
    """
    said = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)

    assert "pip install 'muxi-client[async]'" in said.stdout


def test_it_belongs_to_one_loop_until_it_is_closed(serve: ServerFactory) -> None:
    url = serve(ok).url
    transport = AiohttpTransport()

    async def call() -> bytes:
        return await (await transport.send(Request("GET", url))).read()

    async def call_and_close() -> bytes:
        try:
            return await call()
        finally:
            await transport.close()

    assert asyncio.run(call_and_close()) == b"ok"
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(call()) == b"ok"
    with pytest.raises(ConfigurationError, match="another one"):
        asyncio.run(call())
    loop.run_until_complete(transport.close())
    loop.close()


@pytest.mark.parametrize("moment", ["head", "body"])
def test_a_cancelled_call_lets_go_of_its_connection(serve: ServerFactory, moment: str) -> None:
    arrived, ended = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        if moment == "body":
            peer.send(CHUNKED + chunk(b"first"))
        arrived.set()
        peer.wait_for_end()
        ended.set()

    async def scenario() -> None:
        transport = AiohttpTransport()

        async def call() -> None:
            async for _ in (await transport.send(Request("GET", serve(script).url, stream=True))).chunks():
                pass

        task = asyncio.create_task(call())
        await asyncio.to_thread(arrived.wait, PATIENCE)
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(ended.wait, PATIENCE)
        await transport.close()

    asyncio.run(scenario())


def test_a_cancelled_upload_lets_go_of_its_connection(serve: ServerFactory) -> None:
    started, ended = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        started.set()
        peer.wait_for_end()
        ended.set()

    async def scenario() -> None:
        transport = AiohttpTransport()
        endless = IterableBody(lambda: iter(lambda: b"x" * 1024, b""))
        task = asyncio.create_task(transport.send(Request("POST", serve(script).url, body=endless)))
        assert await asyncio.to_thread(started.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(ended.wait, PATIENCE)
        await transport.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("answered", [False, True])
def test_an_upload_that_is_stuck_leaves_nothing_open(serve: ServerFactory, answered: bool) -> None:
    looked = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        if answered:
            peer.send(CHUNKED + chunk(b"first"))
        looked.wait(PATIENCE)  # and read nothing of the body: what is on its way stays there

    async def scenario() -> None:
        transport = AiohttpTransport()
        endless = IterableBody(lambda: iter(lambda: b"x" * 65536, b""))
        with pytest.raises(TimeoutError):
            await (
                await transport.send(Request("POST", serve(script).url, body=endless, timeouts=Timeouts(total=0.3)))
            ).read()
        await transport.close()

    asyncio.run(scenario())
    gc.collect()  # complains of what is still open
    looked.set()


def test_the_loop_runs_on_while_a_body_is_made(serve: ServerFactory) -> None:
    go_on = threading.Event()

    def waiting() -> Iterator[bytes]:
        assert go_on.wait(PATIENCE)
        yield b"content"

    async def scenario() -> bytes:
        transport = AiohttpTransport()
        asyncio.get_running_loop().call_later(0.01, go_on.set)  # only runs if the loop does
        answer = await transport.send(Request("POST", serve(ok).url, body=IterableBody(waiting)))
        content = await answer.read()
        await transport.close()
        return content

    assert asyncio.run(scenario()) == b"ok"


def test_many_streams_run_at_once(serve: ServerFactory) -> None:
    count = 200  # each is a thread of the server
    together = threading.Barrier(count)

    def script(peer: Peer) -> None:
        number = peer.request().target[1:].encode()
        peer.send(CHUNKED + chunk(number))
        together.wait(PATIENCE)
        peer.send(chunk(b"!") + b"0\r\n\r\n")

    async def scenario() -> list[bytes]:
        transport = AiohttpTransport()
        url = serve(script).url

        async def call(number: int) -> bytes:
            return await (await transport.send(Request("GET", f"{url}/{number}", stream=True))).read()

        try:
            return await asyncio.gather(*(call(number) for number in range(count)))
        finally:
            await transport.close()

    assert asyncio.run(scenario()) == [b"%d!" % number for number in range(count)]


def test_large_bodies_raise_no_warning(serve: ServerFactory, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(b"x" * 2_000_000)
    server = serve(ok)

    async def scenario() -> None:
        transport = AiohttpTransport()
        for body in (BytesBody(b"x" * 2_000_000), FileBody(path)):
            await (await transport.send(Request("POST", server.url, body=body))).read()
        await transport.close()

    asyncio.run(scenario())

    assert [len(request.framed) for request in server.requests] == [2_000_000, 2_000_000]


def test_what_arrived_before_a_failure_is_handed_on_first(serve: ServerFactory) -> None:
    sent = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        peer.send(b"first")
        peer.close()
        sent.set()

    async def scenario() -> bytes:
        transport = AiohttpTransport()
        answer = await transport.send(Request("GET", serve(script).url, stream=True))
        assert await asyncio.to_thread(sent.wait, PATIENCE)
        await asyncio.sleep(0.02)
        chunks = answer.chunks()
        first = await anext(chunks)
        with pytest.raises(ConnectionError):
            await anext(chunks)
        await transport.close()
        return first

    assert asyncio.run(scenario()) == b"first"


# -- private attributes --------------------------------------------------------------------------------------------


def _private_names(sources: list[str]) -> set[str]:
    """The private names of other packages' classes that the modules of a room use."""
    own, used, of_bases = set(), set(), set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own.add(node.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            name = ast.literal_eval(node.args[1])
            used |= {name} if name.startswith("_") else set()
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            holder = ast.unparse(node.value)
            if holder == "super()":
                of_bases.add(node.attr)
            elif holder == "self" and isinstance(node.ctx, ast.Store):
                own.add(node.attr)
            else:
                used.add(node.attr)
    return (used - own) | of_bases


def test_every_private_attribute_of_aiohttp_that_is_used_is_in_the_documentation() -> None:
    folder = Path(aiohttp_room.__path__[0])
    used = _private_names([path.read_text("utf-8") for path in folder.glob("*.py")])
    page = (Path(__file__).parents[2] / "docs" / "transports" / "http.md").read_text("utf-8")
    table = page.partition("## Private parts of aiohttp")[2]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]

    assert used == set(re.findall(r"\.(_[a-z_]+)`", "".join(cells)))


def test_a_connector_whose_connections_cannot_be_chosen_is_left_as_it_is() -> None:
    connector, loop = SimpleNamespace(), asyncio.new_event_loop()
    check_answers(cast(Any, connector), loop)
    loop.close()

    assert vars(connector) == {}
