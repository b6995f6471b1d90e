"""The rules on failed connections and on their errors."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable

from muxi.errors import ConnectionError
from muxi.testing.transport_suite.rules import rule
from muxi.testing.transport_suite.scenarios.material import CHUNKED, chunk, get, of_length
from muxi.testing.transport_suite.server import Peer, unused_port
from muxi.testing.transport_suite.stage import WireStage
from muxi.transport import BytesBody, Request

__all__ = ["WireFailures"]


#: A gzip without its last bytes.
_CUT = gzip.compress(b"first")[:-4]


class WireFailures(WireStage):
    """Failures, as errors of :mod:`muxi.errors` that say whether anything can have been received."""

    @rule(
        "Where no connection was made there is a ConnectionError whose `connected` is false (CONNECTION_REFUSED, "
        "DNS_ERROR), and its message names host and port.",
        "Such a call may be repeated always, since no server can have acted on it.",
    )
    def test_no_connection_is_told_as_such(self) -> None:
        where = f"127.0.0.1:{unused_port()}"
        call = self.reading(self.transport, get(f"http://{where}/"))
        error = self.loses(call, "a port without a listener", "CONNECTION_REFUSED", connected=False)
        self.require(where in error.message, f"the message does not say where: {error.message}")
        call = self.reading(self.transport, get("http://unknown.invalid:8000/"))
        error = self.loses(call, "a name that does not exist", "DNS_ERROR", connected=False)
        self.require("unknown.invalid:8000" in error.message, f"the message does not say where: {error.message}")

    @rule(
        "A connection that ends or is reset before the answer's head is complete is a ConnectionError "
        "(CONNECTION_LOST) whose `connected` is true.",
        "The server may have acted on the request: only what is safe to repeat is repeated.",
    )
    def test_no_answer_is_told_as_such(self) -> None:
        for what, sent in {"nothing": b"", "half a head": b"HTTP/1.1 200 OK\r\nX: "}.items():
            for reset in (False, True):

                def script(peer: Peer, sent: bytes = sent, reset: bool = reset) -> None:
                    peer.request()
                    peer.send(sent)
                    if reset:
                        peer.reset()

                call = self.reading(self.transport, get(self.serve(script).url + "/"))
                ending = "a reset" if reset else "the end"
                self.loses(call, f"{what}, then {ending} of the connection", "CONNECTION_LOST", connected=True)

    @rule(
        "What is no HTTP is a ConnectionError (INVALID_RESPONSE) whose `connected` is true.",
        "The address is wrong, or something in between answers.",
    )
    def test_garbage_is_told_as_such(self) -> None:
        for what, sent in {
            "a line of SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
            "a body that is not gzip": CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(b"no") + b"0\r\n\r\n",
        }.items():
            self.loses(self._answer_script(sent), what, "INVALID_RESPONSE", connected=True)
        for what, sent in {
            "a chunk without a size": CHUNKED + b"zz\r\n",
            "a chunk without a line break": CHUNKED + b"5\r\nfirstXX\r\n",
        }.items():
            self.loses(self._answer_script(sent), what, "INVALID_RESPONSE", "CONNECTION_LOST", connected=True)

    @rule(
        "A body that ends before its end is a ConnectionError (CONNECTION_LOST), never a short body; what had arrived "
        "before is handed on first.",
        "Half an answer would pass for a whole one.",
    )
    def test_a_truncated_body_never_ends_silently(self) -> None:
        for what, sent in {
            "a length": of_length(10, b"first"),
            "a chunk": CHUNKED + b"a\r\nfirst",
            "a chunk's end": CHUNKED + b"5\r\nfirst",
            "the next chunk": CHUNKED + b"5\r\nfirst\r\n",
            "the size of a chunk": CHUNKED + b"5\r\nfirst\r\n5",
            "a packed stream": CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(gzip.compress(b"first")),
        }.items():
            for stream in (True, False):
                self._is_truncated(what, sent, stream=stream)

    @rule(
        "A compressed body whose end is missing is a ConnectionError (CONNECTION_LOST) too, even where its framing is "
        "complete.",
        "A proxy that compresses may lose its server, and end its own answer properly.",
    )
    def test_a_truncated_packed_body_never_ends_silently(self) -> None:
        head = b"Content-Encoding: gzip\r\n\r\n"
        for what, sent in {
            "a length": of_length(len(_CUT))[:-2] + head + _CUT,
            "chunks": CHUNKED[:-2] + head + chunk(_CUT) + b"0\r\n\r\n",
        }.items():
            self._is_truncated(f"a gzip within {what}", sent, stream=True)

    @rule(
        "A connection that is reset in the body is a ConnectionError (CONNECTION_LOST), as above.",
        "As above.",
    )
    def test_a_reset_in_the_body_is_told_as_such(self) -> None:
        read = self.gate()

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED + chunk(b"first"))
            read.wait(self.patience)
            peer.reset()

        response = self.transport.send(get(self.serve(script).url + "/", stream=True))
        chunks = response.chunks()
        self.expect(next(chunks, None), b"first", "the first piece")
        read.set()
        self.loses(lambda: next(chunks), "a reset in the body", "CONNECTION_LOST", connected=True)

    @rule(
        "A request is not sent again when a kept connection breaks under it.",
        "The server may have acted on it; whether it may be repeated is not for a transport to guess.",
    )
    def test_nothing_is_sent_twice(self) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.answer()
            peer.request()  # and hang up without a word

        for method in ("GET", "PUT", "POST"):
            server = self.serve(script)
            self.sent(get(server.url + "/"))
            body = None if method == "GET" else BytesBody(b"x")
            call = self.reading(self.transport, Request(method, server.url + "/", body=body))
            self.loses(call, f"a kept connection that ends under a {method}", "CONNECTION_LOST", connected=True)
            self.expect(len(server.requests), 2, "the number of requests")

    @rule(
        "After a failure the transport works, over a new connection.",
        "A client lives as long as its program.",
    )
    def test_it_works_after_a_failure(self) -> None:
        def script(peer: Peer) -> None:
            while True:
                target = peer.request().target
                if target == "/cut":
                    peer.send(of_length(10, b"first"))
                    return
                if target == "/garbage":
                    peer.send(CHUNKED + b"zz\r\n")
                    peer.wait_for_end()
                    return
                peer.answer()

        server = self.serve(script)
        for path in ("/cut", "/garbage"):
            self.loses(self.reading(self.transport, get(server.url + path)), path, connected=True)
            self.expect(self.sent(get(server.url + "/")), b"ok", f"the answer after {path}")

    @rule(
        "Errors can be pickled, and contain no secrets.",
        "They travel between processes and end up in logs.",
    )
    def test_errors_can_be_pickled_and_keep_secrets(self) -> None:
        where = f"127.0.0.1:{unused_port()}"
        call = self.reading(self.transport, get(f"http://me:hunter2@{where}/", {"X-Muxi-Client-Key": "fmc_hunter2"}))
        error = self.loses(call, "a port without a listener", connected=False)
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
        self.require(
            isinstance(copy, ConnectionError)
            and (str(copy), copy.code, copy.connected) == (str(error), error.code, False),
            f"the error comes back as {copy!r}",
        )
        self.require("hunter2" not in f"{error} {error!r} {error.details}", f"the error discloses a secret: {error}")

    @rule(
        "No connection is left open by an answer that failed.",
        "File descriptors run out.",
    )
    def test_failures_leave_no_connection(self) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED + b"zz\r\n")
            peer.wait_for_end()

        server = self.serve(script)
        for _ in range(3):
            self.loses(self.reading(self.transport, get(server.url + "/")), "garbage", connected=True)
        self.require(server.is_left(), "a connection is still open after its answer failed")

    def _answer_script(self, sent: bytes) -> Callable[[], bytes]:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(sent)
            peer.wait_for_end()

        return self.reading(self.transport, get(self.serve(script).url + "/"))

    def _is_truncated(self, what: str, sent: bytes, *, stream: bool) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(sent)

        chunks = self.transport.send(get(self.serve(script).url + "/", stream=stream)).chunks()
        self.expect(next(chunks, None), b"first", f"the first piece before the end in {what}")
        self.loses(lambda: next(chunks), f"the end of the connection in {what}", "CONNECTION_LOST", connected=True)
