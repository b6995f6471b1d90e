"""The rules on timeouts."""

from __future__ import annotations

import socket
import sys
import threading
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from muxi.testing.transport_suite.handlers import Received, Reply
from muxi.testing.transport_suite.rules import rule
from muxi.testing.transport_suite.scenarios.material import CHUNKED, chunk, get
from muxi.testing.transport_suite.server import Peer
from muxi.testing.transport_suite.stage import Stage, WireStage
from muxi.transport import IterableBody, Request, Timeouts

__all__ = ["Times", "WireTimes"]

#: A bound that is to be broken, in seconds, and one that is not.
SHORT, LONG = 0.1, 60.0


class Times(Stage):
    """Bounds of waiting, by whatever way an answer comes."""

    @rule(
        "`timeouts.head` bounds the wait for the head of the answer; without it, `timeouts.read` does. "
        "The TimeoutError names the bound (`head`, `read`).",
        "A server that hangs must not hang its clients, and a user has to know which setting to raise.",
    )
    def test_the_wait_for_the_head_is_bounded(self) -> None:
        for timeouts, bound in (
            (Timeouts(LONG, SHORT, LONG), "read"),
            (Timeouts(LONG, LONG, LONG, head=SHORT), "head"),
            (Timeouts(LONG, None, None, head=SHORT), "head"),
        ):
            link = self.connect(self._silent)
            call = self.reading(link.transport, get(link.url + "/", timeouts=timeouts))
            self.times_out(call, f"no answer for longer than {timeouts}", bound, connected=True)

    @rule(
        "`timeouts.read` bounds each silence in the body.",
        "As above.",
    )
    def test_silence_in_the_body_is_bounded(self) -> None:
        for timeouts in (Timeouts(LONG, SHORT, LONG), Timeouts(LONG, SHORT, None, head=LONG)):
            link = self.connect(self._stuck)
            response = link.transport.send(get(link.url + "/", stream=True, timeouts=timeouts))
            chunks = response.chunks()
            self.expect(next(chunks), b"first", "the first piece")
            self.times_out(partial(next, chunks), f"silence longer than {timeouts}", "read", connected=True)

    @rule(
        "`timeouts.total` bounds everything until the last byte; its TimeoutError names the bound `timeout`.",
        "A caller who gives 30 seconds wants to have an answer, or an error, after 30 seconds.",
    )
    def test_everything_together_is_bounded(self) -> None:
        for handler in (self._silent, self._stuck):
            link = self.connect(handler)
            call = self.reading(link.transport, get(link.url + "/", timeouts=Timeouts(LONG, LONG, SHORT)))
            self.times_out(call, f"an answer incomplete after {SHORT:g} s", "timeout", connected=True)

    @rule(
        "`timeouts.head` says nothing of the body, and without `timeouts.read` it may be silent for any time.",
        "A stream of events may be silent for hours, but must begin.",
    )
    def test_the_bound_of_the_head_is_none_of_the_body(self) -> None:
        pause = threading.Event()

        def pieces() -> Iterator[bytes]:
            yield b"first"
            pause.wait(3 * SHORT)  # never set: this is the silence
            yield b"other"

        for read in (None, LONG):
            link = self.connect(lambda _: Reply(body=pieces()))
            timeouts = Timeouts(LONG, read, None, head=2 * SHORT)
            response = link.transport.send(get(link.url + "/", stream=True, timeouts=timeouts))
            self.expect(response.read(), b"firstother", "the body")

    def _silent(self, request: Received) -> Reply:
        self.gate().wait(self.patience)
        return Reply(body=b"late")

    def _stuck(self, request: Received) -> Reply:
        gate = self.gate()

        def pieces() -> Iterator[bytes]:
            yield b"first"
            gate.wait(self.patience)
            yield b"late"

        return Reply(body=pieces())


class WireTimes(WireStage):
    """Bounds of what there is only over a wire."""

    @rule(
        "`timeouts.connect` bounds connecting, and `timeouts.total` too; nothing is `connected` then.",
        "A call that was never received may be repeated always.",
    )
    def test_connecting_is_bounded(self) -> None:
        if sys.platform != "linux":
            raise unittest.SkipTest("an address that answers no attempt to connect is only made on Linux")
        with _deaf_address() as url:
            for timeouts, bound in ((Timeouts(SHORT, LONG, LONG), "connect"), (Timeouts(LONG, LONG, SHORT), "timeout")):
                call = self.reading(self.transport, get(url, timeouts=timeouts))
                self.times_out(call, f"connecting for longer than {timeouts}", bound, connected=False)

    @rule(
        "`timeouts.total` holds against a server that sends a byte now and then: in the head, in a chunk, in a length.",
        "No single wait is long, and the answer never ends.",
    )
    def test_the_total_holds_against_a_trickle(self) -> None:
        for part, beginning in {
            "the head": b"HTTP/1.1 200 OK\r\nX-Long: ",
            "a chunk": CHUNKED + b"ffff\r\n",
            "the size of a chunk": CHUNKED + b"5\r\nfirst\r\n5;",
            "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
        }.items():
            stopped = self.gate()

            def script(peer: Peer, beginning: bytes = beginning, stopped: threading.Event = stopped) -> None:
                peer.request()
                peer.send(beginning)
                for _ in range(int(self.patience / 0.01)):
                    peer.send(b"x")
                    stopped.wait(0.01)

            server = self.serve(script)
            request = get(server.url + "/", stream="chunk" in part, timeouts=Timeouts(LONG, LONG, 2 * SHORT))
            call = self.reading(self.transport, request)
            self.times_out(call, f"a server that trickles in {part}", "timeout", connected=True)

    @rule(
        "`timeouts.total` bounds sending.",
        "A server that does not read holds an upload up for ever.",
    )
    def test_sending_is_bounded(self) -> None:
        gate = self.gate()

        late = self.gate()

        def script(peer: Peer) -> None:
            peer.head()
            if not gate.wait(self.patience):  # and read nothing of the body
                late.set()

        endless = IterableBody(lambda: iter(lambda: b"x" * 65536, b""))
        url = self.serve(script).url + "/"
        request = Request("POST", url, body=endless, timeouts=Timeouts(LONG, LONG, 2 * SHORT))
        self.times_out(self.reading(self.transport, request), "an upload that is stuck", "timeout", connected=True)
        self.require(not late.is_set(), "the error came when the server had given up, not when the bound was broken")

    @rule(
        "After a timeout the connection is closed, and the transport works.",
        "The late answer would be taken for that to the next request.",
    )
    def test_a_connection_that_timed_out_is_not_used_again(self) -> None:
        gate = self.gate()

        def script(peer: Peer) -> None:
            while True:
                if peer.request().target == "/late":
                    peer.send(CHUNKED + chunk(b"first"))
                    peer.wait_for_end()
                    gate.set()
                    return
                peer.answer()

        server = self.serve(script)
        call = self.reading(self.transport, get(server.url + "/late", timeouts=Timeouts(LONG, SHORT, LONG)))
        self.times_out(call, "a stream that is stuck", "read", connected=True)
        self.require(gate.wait(self.patience), "the connection is still open after the timeout")
        self.expect(self.sent(get(server.url + "/")), b"ok", "the answer to the next request")


@contextmanager
def _deaf_address() -> Iterator[str]:
    """An address that answers no attempt to connect: its queue of them is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for client in waiting:
            client.close()
