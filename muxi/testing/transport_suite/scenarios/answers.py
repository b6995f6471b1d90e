"""Answers: their head, and bodies that are there."""

from __future__ import annotations

import gzip

from muxi.errors import ServerError
from muxi.testing.transport_suite.handlers import Received, Reply
from muxi.testing.transport_suite.rules import rule
from muxi.testing.transport_suite.scenarios.bodies import MIB, PIECE, measured
from muxi.testing.transport_suite.scenarios.material import CHUNKED, CLOSE_DELIMITED, chunk, get, of_length
from muxi.testing.transport_suite.server import Peer
from muxi.testing.transport_suite.stage import Stage, WireStage
from muxi.transport import BytesBody, Request

__all__ = ["Answers", "WireAnswers"]


class Answers(Stage):
    """The rules on responses that hold for every transport."""

    @rule(
        "Status, headers and body arrive as they were sent; names of headers compare without regard to case.",
        "Everything that the SDK knows of an answer is in these.",
    )
    def test_status_headers_and_body_arrive(self) -> None:
        for status in (200, 201, 206, 302, 400, 404, 418, 429, 500, 503):
            reply = Reply(status, [("Content-Type", "text/plain"), ("X-Request-Id", f"req_{status}")], b"text")
            link = self.connect(lambda _, reply=reply: reply)  # type: ignore[misc]  # bound
            response = link.transport.send(get(link.url + "/"))
            self.expect(response.status, status, "the status")
            self.expect(response.headers.get("x-REQUEST-id"), f"req_{status}", "the header X-Request-Id")
            self.expect(response.content_type, "text/plain", "the content type")
            self.expect(response.read(), b"text", "the body")

    @rule(
        "A body is read up to a limit: with ``read(limit=…)`` a larger one fails with ``ANSWER_TOO_LARGE``, and one of "
        "just that size is read.",
        "Clients bound what they read into memory by ``max_answer_bytes``.",
    )
    def test_a_body_is_read_up_to_a_limit(self) -> None:
        link = self.connect(lambda _: Reply(body=b"x" * 1000))
        self.expect(link.transport.send(get(link.url + "/")).read(limit=1000), b"x" * 1000, "a body of the limit")
        error = self.fails(
            ServerError, lambda: link.transport.send(get(link.url + "/")).read(limit=999), "a larger one"
        )
        self.expect(error.code, "ANSWER_TOO_LARGE", "the code")
        self.expect(link.transport.send(get(link.url + "/")).read(), b"x" * 1000, "the body after it, without a limit")

    @rule(
        "A header that comes several times keeps all its values, in order.",
        "Values joined by a library cannot be parted again where they contain commas, as cookies and dates do.",
    )
    def test_duplicates_of_headers_are_kept(self) -> None:
        sent = [("Set-Cookie", "a=1; Expires=Thu, 01 Jan 2032 00:00:00 GMT"), ("Set-Cookie", "b=2"), ("X-Other", "c")]
        link = self.connect(lambda _: Reply(headers=sent, body=b"ok"))
        response = link.transport.send(get(link.url + "/"))
        seen = response.headers.get_all("Set-Cookie")
        self.expect(seen, [value for name, value in sent if name == "Set-Cookie"], "the values of Set-Cookie")
        response.close()

    @rule(
        "A header's value beyond ASCII is read as UTF-8.",
        "Names of users and files come back as they were sent.",
    )
    def test_header_values_beyond_ascii_arrive(self) -> None:
        link = self.connect(lambda _: Reply(headers=[("X-Name", "Grüße 🙂")], body=b"ok"))
        response = link.transport.send(get(link.url + "/"))
        self.expect(response.headers.get("X-Name"), "Grüße 🙂", "the header X-Name")
        response.close()

    @rule(
        "A redirect is an answer and is not followed.",
        "The keys would go along to wherever it leads; the SDK follows within one origin, and signs anew.",
    )
    def test_redirects_are_not_followed(self) -> None:
        for status in (301, 302, 303, 307, 308):
            link = self.connect(
                lambda request, status=status: (  # type: ignore[misc]  # bound
                    Reply(status, [("Location", "/elsewhere")]) if request.target == "/" else Reply(body=b"elsewhere")
                )
            )
            for request in (get(link.url + "/"), Request("POST", link.url + "/", body=BytesBody(b"x"))):
                response = link.transport.send(request)
                self.expect((response.status, response.read()), (status, b""), f"the answer to {request.method}")
                self.expect(link.requests[-1].target, "/", "the last request")

    @rule(
        "Each request is sent once: an answer that says «try again» is an answer.",
        "Whether a request may be repeated is for the caller to know; a transport would send a chat twice.",
    )
    def test_nothing_is_retried(self) -> None:
        for status in (408, 429, 500, 502, 503):
            link = self.connect(lambda _, status=status: Reply(status, [("Retry-After", "0")], b"busy"))  # type: ignore[misc]  # bound
            response = link.transport.send(get(link.url + "/"))
            self.expect((response.status, response.read()), (status, b"busy"), "the answer")
            self.expect(len(link.requests), 1, f"the number of requests after {status}")

    @rule(
        "An answer to HEAD, and one of status 204 or 304, has no body, whatever its headers say.",
        "Waiting for a body that never comes, a call would hang.",
    )
    def test_answers_without_a_body_are_empty(self) -> None:
        link = self.connect(
            lambda request: Reply(int(request.target[1:]), body=b"" if "204" in request.target else b"x")
        )
        for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)):
            response = link.transport.send(Request(method, f"{link.url}/{status}"))
            self.expect((response.status, response.read()), (status, b""), f"the answer to {method} ({status})")

    @rule(
        "An empty body has no chunks, no chunk is empty, and after its end there is nothing more.",
        "Readers take an empty chunk for the end.",
    )
    def test_empty_chunks_are_not_handed_on(self) -> None:
        link = self.connect(lambda request: Reply(body=b"" if request.target == "/" else iter([b"", b"a", b"", b"b"])))
        response = link.transport.send(get(link.url + "/"))
        self.expect(list(response.chunks()), [], "the chunks of an empty body")
        self.expect(list(response.chunks()), [], "what comes after the end")
        response.close()
        response = link.transport.send(get(link.url + "/pieces", stream=True))
        chunks = list(response.chunks())
        self.expect((b"".join(chunks), b"" in chunks), (b"ab", False), "the body, and whether a chunk is empty")
        response.close()

    @rule(
        "A compressed body arrives unpacked.",
        "The layers above a transport know of no compression.",
    )
    def test_compressed_bodies_are_unpacked(self) -> None:
        content = b"muxi " * 20_000

        def compressed(request: Received) -> Reply:
            packed = gzip.compress(content)
            pieces = iter([packed[:100], packed[100:]])
            return Reply(200, [("Content-Encoding", "gzip")], packed if request.target == "/" else pieces)

        link = self.connect(compressed)
        for path in ("/", "/pieces"):
            self.require(link.transport.send(get(link.url + path)).read() == content, "the body is not what was packed")

    @rule(
        "A large answer arrives whole.",
        "Artifacts have many megabytes.",
    )
    def test_a_large_answer_arrives(self) -> None:
        content = bytes(range(256)) * (16 * 1024)

        def large(request: Received) -> Reply:
            slices = (content[at : at + PIECE] for at in range(0, len(content), PIECE))
            return Reply(body=content if request.target == "/" else slices)

        link = self.connect(large)
        for path in ("/", "/pieces"):
            self.require(link.transport.send(get(link.url + path)).read() == content, "the body is not what was sent")


class WireAnswers(WireStage):
    """The rules on parsing responses."""

    @rule(
        "The reason phrase and the version of HTTP are handed on.",
        "Where an error page says nothing of use, the reason does.",
    )
    def test_the_reason_arrives(self) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.answer(b"no", "418 I'm a teapot")

        response = self.transport.send(get(self.serve(script).url + "/"))
        self.expect(response.reason, "I'm a teapot", "the reason")
        self.expect(response.http_version, "1.1", "the version")
        response.close()

    @rule(
        "Interim answers (100, 103) are passed over; what follows is the answer.",
        "A proxy may send some before every answer (RFC 9110, section 15.2).",
    )
    def test_interim_answers_are_passed_over(self) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
            peer.answer()

        response = self.transport.send(Request("POST", self.serve(script).url + "/", body=BytesBody(b"x")))
        self.expect((response.status, response.read()), (200, b"ok"), "the answer")

    @rule(
        "A body may be framed by its length, by chunks (with extensions and trailers, cut wherever) or by the end of "
        "the connection.",
        "Servers and proxies use each of these.",
    )
    def test_every_framing_is_understood(self) -> None:
        chunked = chunk(b"hello") + b"6;ext=1\r\n world\r\n" + chunk(b"!" * 300) + b"0\r\nTrailer: x\r\n\r\n"
        content = b"hello world" + b"!" * 300

        def script(peer: Peer) -> None:
            while (target := peer.request().target) != "/close":
                step = int(target.rpartition("/")[2])
                body = chunked if target.startswith("/chunked") else content
                peer.send(CHUNKED if target.startswith("/chunked") else of_length(len(content)))
                for at in range(0, len(body), step):
                    peer.send(body[at : at + step])
            peer.send(CLOSE_DELIMITED + content)

        server = self.serve(script)
        for path in ("/length/7", "/chunked/1", "/chunked/2", "/chunked/3", "/chunked/7", "/chunked/1000", "/close"):
            self.expect(self.sent(get(server.url + path, stream=True)), content, f"the body of {path}")

    @rule(
        "A connection serves again after an answer without a body, even where its headers announce one.",
        "The next answer would be taken for the body.",
    )
    def test_announced_bodies_of_head_are_not_awaited(self) -> None:
        def script(peer: Peer) -> None:
            while True:
                method = peer.request().method
                framing = b"Content-Length: 100" if method == "HEAD" else b"Content-Length: 0"
                peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")

        server = self.serve(script)
        for method in ("HEAD", "HEAD", "GET"):
            self.expect(self.sent(Request(method, server.url + "/")), b"", f"the body of the answer to {method}")

    @rule(
        "A download takes no memory by its size.",
        "Artifacts have many megabytes, and many may be on their way.",
    )
    def test_downloads_take_little_memory(self) -> None:
        piece = b"x" * PIECE

        def script(peer: Peer) -> None:
            while True:
                count = int(peer.request().target[1:])
                peer.send(of_length(count * PIECE))
                peer.send(*[piece] * count)

        server = self.serve(script)
        self.sent(get(server.url + "/1"))  # warms up what is made once
        with measured() as peak:
            response = self.transport.send(get(f"{server.url}/{24 * MIB // PIECE}", stream=True))
            length = sum(len(data) for data in response.chunks())
            response.close()
        self.expect(length, 24 * MIB, "the length of the body")
        self.require(peak[0] < 8 * MIB, f"receiving 24 MiB took {peak[0] / MIB:.1f} MiB of memory")
