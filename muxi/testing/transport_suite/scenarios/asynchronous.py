"""The rules for async transports: cancellation and the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

from muxi.testing.transport_suite.facade import FacadeTransport
from muxi.testing.transport_suite.rules import rule
from muxi.testing.transport_suite.scenarios.material import CHUNKED, chunk, get, ok
from muxi.testing.transport_suite.server import Peer
from muxi.testing.transport_suite.stage import AsyncStage, WireStage
from muxi.transport import AsyncTransport, IterableBody, Request

__all__ = ["Asynchronous"]


class Asynchronous(AsyncStage, WireStage):
    """Event loops and cancellation."""

    @rule(
        "The event loop runs on while an answer is awaited.",
        "A call would stop everything else in the program.",
    )
    def test_the_loop_runs_on_while_an_answer_is_awaited(self) -> None:
        arrived, begin = self.gate(), self.gate()

        def script(peer: Peer) -> None:
            peer.request()
            arrived.set()
            peer.answer(b"begun" if begin.wait(self.patience) else b"late")

        server = self.serve(script)

        async def begin_when_arrived() -> None:
            await asyncio.to_thread(arrived.wait, self.patience)
            begin.set()

        async def scenario() -> bytes:
            other = asyncio.ensure_future(begin_when_arrived())
            content = await _read(self._inner(), get(server.url + "/"))
            await other
            return content

        self.expect(self.loop.run(scenario()), b"begun", "the answer to a request that waited for another task")

    @rule(
        "The event loop runs on while a body is made.",
        "Bodies come from disks and from what else blocks; their `chunks()` is an ordinary iterator.",
    )
    def test_the_loop_runs_on_while_a_body_is_made(self) -> None:
        go_on = self.gate()

        def waiting() -> Iterator[bytes]:
            self.require(go_on.wait(self.patience), "no other task ran while the body was being made")
            yield b"content"

        server = self.serve(ok)

        async def scenario() -> bytes:
            asyncio.get_running_loop().call_later(0.01, go_on.set)
            return await _read(self._inner(), Request("POST", server.url + "/", body=IterableBody(waiting)))

        self.expect(self.loop.run(scenario()), b"ok", "the answer")

    @rule(
        "A task that is cancelled while it waits for the head releases its connection.",
        "Cancelled calls would pile up, and the server would work in vain.",
    )
    def test_cancelling_before_the_head_frees_the_connection(self) -> None:
        self._is_cancelled(b"")

    @rule(
        "A task that is cancelled while it reads the body releases its connection.",
        "As above.",
    )
    def test_cancelling_in_the_body_frees_the_connection(self) -> None:
        self._is_cancelled(CHUNKED + chunk(b"first"))

    def _is_cancelled(self, beginning: bytes) -> None:
        arrived = threading.Event()

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(beginning)
            arrived.set()
            peer.wait_for_end()

        server = self.serve(script)

        async def scenario() -> bool:
            got = asyncio.Event()
            task = asyncio.ensure_future(_read(self._inner(), get(server.url + "/", stream=True), got))
            await asyncio.to_thread(arrived.wait, self.patience)
            if beginning:
                await asyncio.wait_for(got.wait(), self.patience)
            for _ in range(10):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task], timeout=self.patience)
            return task.cancelled()

        self.require(self.loop.run(scenario()), "the task did not end as cancelled")
        self.require(server.is_left(), "the connection is still open after the task was cancelled")

    def _inner(self) -> AsyncTransport:
        transport = self.transport
        assert isinstance(transport, FacadeTransport)  # noqa: S101  made so by this stage
        return transport.transport


async def _read(transport: AsyncTransport, request: Request, got: asyncio.Event | None = None) -> bytes:
    """Read an answer, and leave it as it is where that is cancelled: the transport has to notice by itself."""
    content = b""
    async for data in (await transport.send(request)).chunks():
        content += data
        if got is not None:
            got.set()
    return content
