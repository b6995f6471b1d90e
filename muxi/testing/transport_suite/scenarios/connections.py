"""Connections: kept, closed, used again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from muxi.testing.transport_suite.handlers import Reply
from muxi.testing.transport_suite.rules import rule
from muxi.testing.transport_suite.scenarios.material import CHUNKED, CLOSE_DELIMITED, chunk, get, of_length, ok
from muxi.testing.transport_suite.server import Peer
from muxi.testing.transport_suite.stage import Stage, WireStage

__all__ = ["ClosingTransports", "WireConnections"]


class ClosingTransports(Stage):
    """The rules on close() that hold for every transport."""

    @rule(
        "A closed transport may be used again, and may be closed again.",
        "A transport is shared between clients, and each may close it.",
    )
    def test_a_closed_transport_works_again(self) -> None:
        link = self.connect(lambda _: Reply(body=b"ok"))
        for _ in range(2):
            self.expect(link.transport.send(get(link.url + "/")).read(), b"ok", "the answer")
            link.transport.close()
            link.transport.close()


class WireConnections(WireStage):
    """The rules on connections: reuse, release, close."""

    @rule(
        "A connection serves again once its answer has been read, whether that is closed afterwards or not.",
        "Connecting anew for each request costs more than most requests.",
    )
    def test_connections_are_kept(self) -> None:
        def script(peer: Peer) -> None:
            while True:
                if peer.request().target == "/chunked":
                    peer.send(CHUNKED + chunk(b"ok") + b"0\r\n\r\n")
                else:
                    peer.answer()

        server = self.serve(script)
        for path, closed in (("/", False), ("/chunked", False), ("/", True), ("/chunked", True), ("/", True)):
            response = self.transport.send(get(server.url + path))
            self.expect(b"".join(response.chunks()), b"ok", "the body")
            if closed:  # the end is enough
                response.close()
        self.expect(server.connections, 1, "the number of connections")

    @rule(
        "A kept connection that the server has closed meanwhile is not used.",
        "Servers close idle connections after seconds; each pause would cost a failure.",
    )
    def test_closed_idle_connections_are_not_used(self) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.answer()

        server = self.serve(script)
        for _ in range(3):
            self.expect(self.sent(get(server.url + "/")), b"ok", "the answer")
            self.require(server.is_left(), "the server did not close its connection")
            self.settle()

    @rule(
        "A connection whose answer says «Connection: close» is not used again.",
        "The server does not read it any more.",
    )
    def test_connection_close_is_respected(self) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.answer(b"ok", "200 OK", "Connection: close")
            peer.wait_for_end()

        server = self.serve(script)
        for _ in range(2):
            self.expect(self.sent(get(server.url + "/")), b"ok", "the answer")
        self.expect(server.connections, 2, "the number of connections")

    @rule(
        "An answer that has been read to its end closes a connection that cannot serve again, without close().",
        "File descriptors run out while programs hold on to answers, and servers wait for clients that are gone.",
    )
    def test_the_end_of_an_answer_frees_its_connection(self) -> None:
        for framing in (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            CHUNKED[:-2] + b"Connection: close\r\n\r\n" + chunk(b"ok") + b"0\r\n\r\n",
        ):

            def script(peer: Peer, framing: bytes = framing) -> None:
                peer.request()
                peer.send(framing)
                peer.wait_for_end()

            server = self.serve(script)
            response = self.transport.send(get(server.url + "/"))
            self.expect(b"".join(response.chunks()), b"ok", "the body")
            self.require(server.is_left(), "the connection is still open after the end of its answer")

    @rule(
        "An answer that is closed before its end takes its connection along at once.",
        "The rest of it would be taken for the next answer, and the server would go on making it.",
    )
    def test_closing_early_closes_the_connection(self) -> None:
        for framing in (CHUNKED + chunk(b"first"), of_length(10, b"first"), CLOSE_DELIMITED + b"first"):
            for read in (True, False):

                def script(peer: Peer, framing: bytes = framing) -> None:
                    peer.request()
                    peer.send(framing)
                    peer.wait_for_end()

                server = self.serve(script)
                response = self.transport.send(get(server.url + "/", stream=True))
                if read:
                    self.expect(next(response.chunks(), None), b"first", "the first piece")
                response.close()
                self.require(server.is_left(), f"the connection is still open after close() (read: {read})")

    @rule(
        "Closing an answer from another thread or task frees it at once, also while another waits for its next bytes; "
        "the reading ends silently.",
        "Who reads a silent stream could not be stopped.",
    )
    def test_closing_wakes_the_reader(self) -> None:
        for framing in (CHUNKED + chunk(b"first"), CLOSE_DELIMITED + b"first"):

            def script(peer: Peer, framing: bytes = framing) -> None:
                peer.request()
                peer.send(framing)
                peer.wait_for_end()

            server = self.serve(script)
            response = self.transport.send(get(server.url + "/", stream=True))
            first = threading.Event()
            with ThreadPoolExecutor(1) as pool:
                reader = pool.submit(_read, response.chunks(), first)
                self.require(first.wait(self.patience), "there is no first piece")
                response.close()
                self.require(server.is_left(), "the connection is still open after close()")
                self.expect(reader.result(), [b"first"], "what the reader got")

    @rule(
        "Closing a transport closes all its connections; who reads from one gets a ConnectionError (CONNECTION_LOST).",
        "A program that ends leaves nothing behind, and no truncated answer passes for a whole one.",
    )
    def test_closing_the_transport_ends_what_is_at_work(self) -> None:
        def script(peer: Peer) -> None:
            while peer.request().target != "/endless":
                peer.answer()
            peer.send(CLOSE_DELIMITED + b"first")
            peer.wait_for_end()

        server = self.serve(script)
        chunks = self.transport.send(get(server.url + "/endless", stream=True)).chunks()
        self.expect(next(chunks, None), b"first", "the first piece")
        self.transport.close()
        self.loses(lambda: next(chunks), "reading on after the transport was closed", "CONNECTION_LOST", connected=True)
        self.require(server.is_left(), "a connection at work is still open after close()")
        self.expect(self.sent(get(server.url + "/")), b"ok", "the answer afterwards")

    @rule(
        "Closing a transport closes its idle connections.",
        "File descriptors run out, and servers wait for clients that are gone.",
    )
    def test_closing_the_transport_leaves_no_connection(self) -> None:
        server = self.serve(ok)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: self.sent(get(server.url + "/")), range(12)))
        self.transport.close()
        self.require(server.is_left(), "a connection is still open after close()")


def _read(chunks: Iterator[bytes], first: threading.Event) -> list[bytes]:
    """All that comes; tells when there is something."""
    got = [next(chunks)]
    first.set()
    return got + list(chunks)
