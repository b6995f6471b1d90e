"""Bodies of requests."""

from __future__ import annotations

import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from muxi.errors import ValidationError
from muxi.testing.transport_suite.handlers import Received, Reply
from muxi.testing.transport_suite.rules import rule
from muxi.testing.transport_suite.scenarios.material import ok, pieces
from muxi.testing.transport_suite.server import Peer
from muxi.testing.transport_suite.stage import Stage, WireStage
from muxi.transport import Body, BytesBody, FileBody, Headers, IterableBody, Request

__all__ = ["MIB", "PIECE", "Bodies", "WireBodies", "measured"]

MIB = 1024 * 1024
PIECE = 64 * 1024


def _length_of(received: Received) -> Reply:
    return Reply(body=b"%d" % len(received.body))


class Bodies(Stage):
    """The rules on request bodies that hold for every transport."""

    @rule(
        "A body arrives whole, whatever its kind: bytes, a file, something iterable with or without a length, none.",
        "Chats, bundles and files go out as each of these.",
    )
    def test_bodies_of_every_kind_arrive(self) -> None:
        link = self.connect(_length_of)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bundle")
            path.write_bytes(bytes(range(256)) * 1000)
            kinds: dict[str, tuple[Body | None, bytes]] = {
                "none": (None, b""),
                "empty bytes": (BytesBody(b""), b""),
                "bytes": (BytesBody(b"content\0\xff"), b"content\0\xff"),
                "a file": (FileBody(path), bytes(range(256)) * 1000),
                "an iterable of known length": (IterableBody(pieces, 6), b"onetwo"),
                "an iterable": (IterableBody(pieces), b"onetwo"),
                "an iterator": (IterableBody(pieces()), b"onetwo"),
                "an empty iterable": (IterableBody(lambda: ()), b""),
                "an empty iterable of known length": (IterableBody(lambda: (), 0), b""),
            }
            for kind, (body, content) in kinds.items():
                for method in ("POST", "PUT", "DELETE"):
                    if kind == "an iterator" and method != "POST":
                        continue  # it can be sent once
                    answer = link.transport.send(Request(method, link.url + "/", body=body)).read()
                    self.expect(link.requests[-1].body, content, f"the body ({kind}) of {method}")
                    self.expect(answer, b"%d" % len(content), f"the answer to {method} ({kind})")

    @rule(
        "A large body arrives whole.",
        "Bundles of formations have many megabytes.",
    )
    def test_a_large_body_arrives(self) -> None:
        link = self.connect(_length_of)
        content = bytes(range(256)) * (16 * 1024)
        for body in (BytesBody(content), IterableBody(lambda: _slice_body(content), len(content))):
            answer = link.transport.send(Request("POST", link.url + "/", body=body)).read()
            self.expect(answer, b"%d" % len(content), "the length that arrived")
            self.require(link.requests.pop().body == content, "other bytes arrived than were sent")

    @rule(
        "A body that is longer or shorter than the length it declares fails with a ValidationError, "
        "and the server never gets a complete request.",
        "A server acts on what is complete, and takes what is too much for the next request.",
    )
    def test_a_body_is_held_to_its_length(self) -> None:
        link = self.connect(_length_of)
        for length in (3, 5, 9):
            request = Request("POST", link.url + "/", body=IterableBody(pieces, length))
            self.fails(
                ValidationError,
                self.reading(link.transport, request),
                f"a body of 6 bytes that declares {length}",
            )
        self.expect(len(link.requests), 0, "the number of complete requests")

    @rule(
        "What a body raises while it is read comes out as it is.",
        "The caller's own error would pass for one of the network, and be retried.",
    )
    def test_what_a_body_raises_comes_out(self) -> None:
        link = self.connect(_length_of)
        for error in (FileNotFoundError("gone"), KeyError("odd"), ValueError("bad"), OSError(5, "broken disk")):

            def broken(error: Exception = error) -> Iterator[bytes]:
                yield b"beginning"
                raise error

            request = Request("POST", link.url + "/", body=IterableBody(broken))
            caught = self.fails(
                type(error),
                self.reading(link.transport, request),
                f"a body that raises {error!r}",
            )
            self.require(caught is error, f"another {type(error).__name__} came out than the body's: {caught}")


class WireBodies(WireStage):
    """The rules on the framing of request bodies."""

    @rule(
        "A body of known length goes with Content-Length, one of unknown length in chunks, and never both; a request "
        "without a body has no Transfer-Encoding.",
        "Where server and proxy read the length of a body differently, one smuggles a request past the other.",
    )
    def test_bodies_are_framed_by_what_is_known(self) -> None:
        server = self.serve(ok)
        chunked = b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
        cases: list[tuple[str, str, Body | None, list[str], bytes]] = [
            ("GET", "none", None, [], b""),
            ("POST", "none", None, ["0"], b""),
            ("POST", "empty bytes", BytesBody(b""), ["0"], b""),
            ("DELETE", "bytes", BytesBody(b"content"), ["7"], b"content"),
            ("POST", "an iterable of known length", IterableBody(pieces, 6), ["6"], b"onetwo"),
            ("POST", "an iterable", IterableBody(pieces), [], chunked),
            ("POST", "an empty iterable of known length", IterableBody(lambda: (), 0), ["0"], b""),
            ("PUT", "an empty iterable", IterableBody(lambda: ()), [], b"0\r\n\r\n"),
        ]
        for method, kind, body, lengths, framed in cases:
            self.sent(Request(method, server.url + "/", body=body))
            request = server.requests[-1]
            self.expect(request.values("content-length"), lengths, f"Content-Length of {method} ({kind})")
            coded = ["chunked"] if framed.endswith(b"0\r\n\r\n") else []
            self.expect(request.values("transfer-encoding"), coded, f"Transfer-Encoding of {method} ({kind})")
            self.expect(request.framed, framed, f"the body of {method} ({kind}) on the wire")

    @rule(
        "The framing is stated truthfully whatever the request's headers say of it.",
        "As above: a wrong length hides a request in a body.",
    )
    def test_framing_is_truthful(self) -> None:
        server = self.serve(ok)
        headers = Headers({"content-length": "1", "transfer-encoding": "chunked", "Content-Type": "text/plain"})
        self.sent(Request("POST", server.url + "/", headers, BytesBody(b"content")))
        request = server.requests[0]
        self.expect(request.values("content-length"), ["7"], "Content-Length")
        self.expect(request.values("transfer-encoding"), [], "Transfer-Encoding")
        self.expect(request.values("content-type"), ["text/plain"], "Content-Type")

    @rule(
        "A body is sent while it is made.",
        "A body made on the fly may not go on before the server has seen its beginning, and may not fit into memory.",
    )
    def test_bodies_are_sent_while_they_are_made(self) -> None:
        for length in (3 * PIECE, None):
            arrived = self.gate()

            server = self.serve(partial(_note_beginning, arrived))
            made = partial(self._made_with_a_wait, arrived)
            request = Request("POST", server.url + "/", body=IterableBody(made, length))
            self.expect(self.sent(request), b"ok", "the answer")

    def _made_with_a_wait(self, arrived: threading.Event) -> Iterator[bytes]:
        yield b"x" * PIECE
        self.require(
            arrived.wait(self.patience), "nothing of the body had arrived when its second piece was to be made"
        )
        yield b"x" * PIECE
        yield b"x" * PIECE

    @rule(
        "An upload takes no memory by its size.",
        "Bundles of formations have many megabytes, and many may be on their way.",
    )
    def test_uploads_take_little_memory(self) -> None:
        def script(peer: Peer) -> None:
            for _ in range(2):
                missing = int(peer.head().values("content-length")[0])
                while missing:
                    missing -= len(peer.exactly(min(missing, PIECE)))
                peer.answer()

        server = self.serve(script)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bundle")
            with path.open("wb") as file:
                file.truncate(24 * MIB)
            # The first warms up what is made once.
            self.sent(Request("POST", server.url + "/", body=BytesBody(b"x")))
            with measured() as peak:
                self.sent(Request("POST", server.url + "/", body=FileBody(path)))
        self.require(peak[0] < 8 * MIB, f"sending a file of 24 MiB took {peak[0] / MIB:.1f} MiB of memory")

    @rule(
        "An answer that comes before the request is complete is the answer.",
        "A server that refuses an upload says why, and does not read the rest of it.",
    )
    def test_an_early_answer_counts(self) -> None:
        def script(peer: Peer) -> None:
            target = peer.head().target
            peer.answer(b"too large", "413 Content Too Large", "Connection: close")
            if target == "/patient":
                peer.wait_for_end()

        server = self.serve(script)
        # Where a server closes with bytes unread, other systems than Linux may drop the answer that has arrived.
        for path in ("/patient", "/abrupt") if sys.platform == "linux" else ("/patient",):
            for body in (BytesBody(b"x" * 4 * MIB), IterableBody(lambda: _slice_body(b"x" * 4 * MIB), 4 * MIB)):
                response = self.transport.send(Request("POST", server.url + path, body=body))
                self.expect(
                    (response.status, response.read()), (413, b"too large"), f"the answer of {path[1:]} servers"
                )


def _note_beginning(arrived: threading.Event, peer: Peer) -> None:
    chunked = bool(peer.head().values("transfer-encoding"))
    peer.exactly(PIECE)
    arrived.set()
    if chunked:
        peer.until(b"\r\n0\r\n\r\n")
    else:
        peer.exactly(2 * PIECE)
    peer.answer()


class _Peak:
    def __enter__(self) -> list[int]:
        self._was_on = tracemalloc.is_tracing()
        tracemalloc.start()
        tracemalloc.reset_peak()
        self._before = tracemalloc.get_traced_memory()[0]
        self._peak = [0]
        return self._peak

    def __exit__(self, *exception: object) -> None:
        self._peak[0] = tracemalloc.get_traced_memory()[1] - self._before
        if not self._was_on:
            tracemalloc.stop()


def measured() -> _Peak:
    """Measure how much memory is taken at most, in bytes, while the block runs."""
    return _Peak()


def _slice_body(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]
