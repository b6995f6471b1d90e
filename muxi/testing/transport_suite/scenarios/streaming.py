"""Bodies of answers that are still being made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from muxi.testing.transport_suite.handlers import Received, Reply
from muxi.testing.transport_suite.rules import rule
from muxi.testing.transport_suite.scenarios.material import CHUNKED, CLOSE_DELIMITED, chunk, compressed, get, of_length
from muxi.testing.transport_suite.server import Peer
from muxi.testing.transport_suite.stage import Stage, WireStage

__all__ = ["Streaming", "WireStreaming"]


class Streaming(Stage):
    """Streams, by whatever way."""

    @rule(
        "The answer is handed over when its head is there; its body may begin much later.",
        "A caller wants to know that a chat was accepted while the formation still thinks.",
    )
    def test_the_head_is_handed_over_before_the_body(self) -> None:
        begin = self.gate()

        def pieces(request: Received) -> Iterator[bytes]:
            begin.wait(self.patience)
            self.require(begin.is_set(), "the answer was handed over only when its body began")
            yield b"body"

        link = self.connect(
            lambda request: Reply(headers=[("Content-Type", "text/event-stream")], body=pieces(request))
        )
        response = link.transport.send(get(link.url + "/", stream=True))
        self.require(not self._gates_are_open(), "the answer came only with the end of patience")
        begin.set()
        self.expect(b"".join(response.chunks()), b"body", "the body")
        response.close()

    @rule(
        "Each piece of a body is handed over when it has arrived.",
        "A chat is shown while it is made.",
    )
    def test_pieces_are_handed_on_as_they_arrive(self) -> None:
        go_on = self.gate()

        def pieces(request: Received) -> Iterator[bytes]:
            yield b"first"
            go_on.wait(self.patience)
            self.require(go_on.is_set(), "the second piece was asked for, and the first had not been handed on")
            yield b"other"

        link = self.connect(
            lambda request: Reply(headers=[("Content-Type", "text/event-stream")], body=pieces(request))
        )
        response = link.transport.send(get(link.url + "/", stream=True))
        chunks = response.chunks()
        self.expect(next(chunks, None), b"first", "the first piece")
        self.require(not self._gates_are_open(), "the first piece came only with the end of patience")
        go_on.set()
        self.expect(b"".join(chunks), b"other", "the rest")
        response.close()

    @rule(
        "Closing an answer ends the making of it, and reading on ends silently; it may be closed again.",
        "A chat without a reader must not go on: it costs.",
    )
    def test_closing_early_ends_the_answer(self) -> None:
        ended = threading.Event()

        def endless() -> Iterator[bytes]:
            try:
                while True:
                    yield b"x" * 65536
            finally:
                ended.set()

        link = self.connect(lambda _: Reply(body=endless()))
        response = link.transport.send(get(link.url + "/", stream=True))
        chunks = response.chunks()
        self.require(bool(next(chunks, b"")), "there is no first piece")
        response.close()
        response.close()
        self.expect(list(chunks), [], "what comes from the iterator that was being read")
        self.expect(list(response.chunks()), [], "what comes after close()")
        # A server gives up by itself after as long as patience lasts, and that is no close().
        self.require(ended.wait(self.patience / 2), "the answer is still being made after close()")

    @rule(
        "Many streams are open at once.",
        "A service answers many users through one client, and a stream may be silent for minutes.",
    )
    def test_many_streams_are_open_at_once(self) -> None:
        count = 12
        go_on = self.gate()

        def pieces(number: bytes) -> Iterator[bytes]:
            yield number
            go_on.wait(self.patience)
            self.require(go_on.is_set(), "a stream had to wait for the others to end")
            yield b"!"

        link = self.connect(lambda request: Reply(body=pieces(request.target[1:].encode())))
        with ThreadPoolExecutor(count) as pool:
            responses, rest = [], []
            for number in range(count):
                responses.append(link.transport.send(get(f"{link.url}/{number}", stream=True)))
                chunks = responses[-1].chunks()
                self.expect(next(chunks, None), b"%d" % number, f"the first piece of stream {number}")
                rest.append(pool.submit(next, chunks, None))  # waits for more, while the next one is opened
            go_on.set()
            self.expect([reading.result() for reading in rest], [b"!"] * count, "the second pieces")
        for response in responses:
            response.close()

    @rule(
        "Requests of many threads or tasks get each its own answer.",
        "One client serves a whole program; an answer in the wrong hands discloses one user's data to another.",
    )
    def test_answers_are_not_mixed_up(self) -> None:
        link = self.connect(lambda request: Reply(headers=[("X-Echo", request.target)], body=request.target.encode()))

        def call(number: int) -> bool:
            response = link.transport.send(get(f"{link.url}/{number}"))
            return (response.headers.get("X-Echo"), response.read()) == (f"/{number}", b"/%d" % number)

        with ThreadPoolExecutor(12) as pool:
            right = list(pool.map(call, range(120)))
        self.expect(right.count(False), 0, "the number of answers in wrong hands")

    def _gates_are_open(self) -> bool:
        return all(gate.is_set() for gate in self._gates)


class WireStreaming(WireStage):
    """The rules on parsing streamed responses."""

    @rule(
        "What has arrived is handed on in every framing, in the middle of a chunk too.",
        "Proxies cut streams anywhere; an event would be held back until the next one comes.",
    )
    def test_bytes_are_handed_on_in_the_middle_of_a_chunk(self) -> None:
        framings = {
            "half a chunk": (CHUNKED + b"a\r\nfirst", b"other\r\n0\r\n\r\n"),
            "a chunk": (CHUNKED + chunk(b"first"), chunk(b"other") + b"0\r\n\r\n"),
            "half of a length": (of_length(10, b"first"), b"other"),
            "until the connection ends": (CLOSE_DELIMITED + b"first", b"other"),
        }
        for framing, (beginning, rest) in framings.items():
            for stream in (True, False):
                self._is_handed_on(framing, beginning, rest, stream=stream)

    @rule(
        "A compressed stream is unpacked as it arrives.",
        "A proxy may compress what the client has not asked to be compressed.",
    )
    def test_compressed_streams_are_unpacked_as_they_arrive(self) -> None:
        for head in (CHUNKED, CLOSE_DELIMITED):
            first, other = compressed("gzip", b"first", b"other")
            if head is CHUNKED:
                first, other = chunk(first), chunk(other) + b"0\r\n\r\n"
            beginning = head[:-2] + b"Content-Encoding: gzip\r\n\r\n" + first
            self._is_handed_on("gzip", beginning, other, stream=True)

    def _is_handed_on(self, framing: str, beginning: bytes, rest: bytes, *, stream: bool) -> None:
        go_on = self.gate()

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(beginning)
            go_on.wait(self.patience)
            peer.send(rest)

        response = self.transport.send(get(self.serve(script).url + "/", stream=stream))
        chunks = response.chunks()
        self.expect(next(chunks, None), b"first", f"the first piece ({framing}, stream={stream})")
        go_on.set()
        self.expect(b"".join(chunks), b"other", f"the rest ({framing}, stream={stream})")
        response.close()
