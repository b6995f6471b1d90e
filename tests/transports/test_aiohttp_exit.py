"""A program that ends without closing an async transport: one warning of ours, or silence, and never a traceback."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import warnings

import pytest

from muxi.transport import Request
from muxi_transports.aiohttp import AiohttpTransport
from tests.transports.conftest import ServerFactory
from tests.transports.scripts import ok

_PROGRAM = """
import asyncio, socket, threading
from muxi.transport import Request
from muxi_transports.aiohttp import AiohttpTransport

listener = socket.create_server(("127.0.0.1", 0))
kept = []

def answer(sock):
    while head := sock.recv(65536):
        if b"/stream" in head:
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nfirst\\r\\n")
        else:
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")

def serve():
    while True:
        sock, _ = listener.accept()
        kept.append(sock)
        threading.Thread(target=answer, args=(sock,), daemon=True).start()

threading.Thread(target=serve, daemon=True).start()
url = f"http://127.0.0.1:{listener.getsockname()[1]}"

async def main():
    {globals}
    transport = AiohttpTransport()
    await (await transport.send(Request("GET", url + "/call"))).read()
    stream = await transport.send(Request("GET", url + "/stream", stream=True))
    chunks = stream.chunks()
    print((await chunks.__anext__()).decode())

asyncio.run(main())
print("over")
"""


@pytest.mark.slow  # each case starts an interpreter
@pytest.mark.parametrize("kept", ["global transport, stream, chunks", "pass"], ids=["globals", "locals"])
def test_a_program_that_closes_nothing_ends_without_complaints(kept: str) -> None:
    program = _PROGRAM.replace("{globals}", kept)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)

    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["first", "over"], "")


@pytest.mark.slow  # each case starts an interpreter
def test_a_transport_that_was_not_closed_is_named_where_such_warnings_are_shown() -> None:
    program = _PROGRAM.replace("{globals}", "pass")
    done = subprocess.run(
        [sys.executable, "-W", "default::ResourceWarning", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.stdout.split() == ["first", "over"]
    assert done.stderr.count("an AiohttpTransport was not closed") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("in_cycle", [False, True], ids=["by its last reference", "by the collector"])
def test_a_transport_that_outlives_its_loop_is_closed_with_one_warning_of_ours(
    in_cycle: bool, serve: ServerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    transports: list[object] = []
    if in_cycle:
        transports.append(transports)

    async def use() -> None:
        transport = AiohttpTransport()
        transports.append(transport)
        await (await transport.send(Request("GET", serve(ok).url))).read()

    asyncio.run(use())
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG, "asyncio"):
        warnings.simplefilter("always")
        if in_cycle:
            del transports
        else:
            transports.clear()
        gc.collect()

    assert sum("an AiohttpTransport was not closed" in str(one.message) for one in caught) == 1
    # Where such warnings are shown, Python itself names the sockets that a closed loop has left open.
    assert {one.category for one in caught} == {ResourceWarning}
    assert caplog.messages == []
