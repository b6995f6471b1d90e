"""Requests: their line and their headers."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path

from muxi.config import FormationConfig
from muxi.errors import ConfigurationError
from muxi.formation import AsyncFormationClient, FormationClient
from muxi.testing.transport_suite.facade import FacadeTransport
from muxi.testing.transport_suite.handlers import Received, Reply
from muxi.testing.transport_suite.rules import rule
from muxi.testing.transport_suite.scenarios.material import get, ok
from muxi.testing.transport_suite.stage import Stage, WireStage
from muxi.transport import BytesBody, Headers, Request

__all__ = ["Requests", "WireRequests"]

#: What a transport may add: where the request goes, how its body is framed, and what the transport itself can do.
_ADDED = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "user-agent"}


def _fine(received: Received) -> Reply:
    return Reply(body=b"ok")


class Requests(Stage):
    """The rules on request heads that hold for every transport."""

    @rule(
        "A transport has one colour, and clients of the other colour refuse it.",
        "A sync transport on an async client would block its event loop.",
    )
    def test_it_has_one_colour(self) -> None:
        transport = self.connect(_fine).transport
        made = transport.transport if isinstance(transport, FacadeTransport) else transport
        other = AsyncFormationClient if made is transport else FormationClient
        config = FormationConfig(url="http://127.0.0.1", client_key="any", transport=made)
        self.fails(ConfigurationError, lambda: other(config), f"{other.__name__}(transport=…)")

    @rule(
        "Method, path and query arrive as they are in the request.",
        "Nothing works without them.",
    )
    def test_method_path_and_query_arrive(self) -> None:
        link = self.connect(_fine)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            body = None if method == "GET" else BytesBody(b"x")
            link.transport.send(Request(method, f"{link.url}/v1/a?limit=1&q=b", body=body)).read()
            request = link.requests[-1]
            self.expect((request.method, request.target), (method, "/v1/a?limit=1&q=b"), "method and target")

    @rule(
        "Every header arrives, in UTF-8; several values of a name come joined by a comma, or one by one.",
        "User ids, keys and signatures travel in headers, and names of users are not ASCII.",
    )
    def test_request_headers_arrive(self) -> None:
        link = self.connect(_fine)
        headers = Headers({"X-Muxi-User-Id": "Grüße 🙂", "X-Plain": "a b", "Accept": "text/event-stream"})
        headers.add("X-Many", "one")
        headers.add("X-Many", "two")
        link.transport.send(Request("GET", link.url + "/", headers)).read()
        request = link.requests[0]
        for name, value in headers.items():
            if name != "X-Many":
                self.expect(request.values(name), [value], f"the header {name}")
        self.expect(", ".join(request.values("x-many")), "one, two", "the header X-Many")

    @rule(
        "No header is added but Host, Connection, User-Agent, Accept-Encoding and the framing of the body.",
        "Whatever else is added is not signed, or says something that the caller has not said.",
    )
    def test_no_header_is_invented(self) -> None:
        link = self.connect(_fine)
        for request in (
            Request("GET", link.url + "/"),
            Request("POST", link.url + "/", body=BytesBody(b"{}")),
            Request("POST", link.url + "/"),
        ):
            link.transport.send(request).read()
            added = {name.lower() for name, _ in link.requests[-1].headers} - _ADDED
            self.expect(sorted(added), [], f"what was added to {request.method}")

    @rule(
        "A header of the request takes the place of the transport's own.",
        "Streams are asked for uncompressed, and proxies tell clients by their User-Agent.",
    )
    def test_given_headers_win(self) -> None:
        link = self.connect(_fine)
        link.transport.send(get(link.url + "/", {"user-agent": "mine/1", "accept-encoding": "identity"})).read()
        for name, value in (("User-Agent", "mine/1"), ("Accept-Encoding", "identity")):
            self.expect(link.requests[0].values(name), [value], f"the header {name}")

    @rule(
        "The request that was given is not changed.",
        "An attempt that failed is made again from what the caller has kept.",
    )
    def test_the_request_is_left_as_it_is(self) -> None:
        link = self.connect(_fine)
        headers = Headers({"X-Mine": "1"})
        request = Request("POST", link.url + "/a?b=1", headers, BytesBody(b"x"))
        link.transport.send(request).read()
        self.expect(
            (request.method, request.url, list(request.headers.items())),
            ("POST", link.url + "/a?b=1", [("X-Mine", "1")]),
            "the request afterwards",
        )

    @rule(
        "Cookies are not kept.",
        "A client serves many users; the cookie of one would go along with another's request.",
    )
    def test_cookies_are_not_kept(self) -> None:
        link = self.connect(lambda _: Reply(headers=[("Set-Cookie", "a=1; Path=/")], body=b"ok"))
        for _ in range(2):
            link.transport.send(get(link.url + "/")).read()
        self.expect(link.requests[1].values("Cookie"), [], "the header Cookie of the second request")


class WireRequests(WireStage):
    """The rules on the wire format of request heads."""

    @rule(
        "The request target is sent exactly as it stands in the URL: nothing is decoded, encoded or tidied up.",
        "Ids may contain what looks like a path, and signatures cover the bytes.",
    )
    def test_the_target_is_sent_as_given(self) -> None:
        server = self.serve(ok)
        for path, target in (
            ("/a%2Fb%23c%3F?q=%26&r=a+b", "/a%2Fb%23c%3F?q=%26&r=a+b"),
            ("/a%2fb", "/a%2fb"),
            ("/a/../b/./c//d", "/a/../b/./c//d"),
            ("/%7Euser/~user;x=1/'()*!", "/%7Euser/~user;x=1/'()*!"),
            ("?only=query", "/?only=query"),
            ("", "/"),
            ("/with#fragment", "/with"),
            ("/100%", "/100%"),
        ):
            self.sent(get(server.url + path))
            self.expect(server.requests[-1].target, target, f"the target of …{path}")

    @rule(
        "There is one Host header, with the host and port of the URL.",
        "Servers and proxies choose by it whom a request is for.",
    )
    def test_the_host_is_named_once(self) -> None:
        server = self.serve(ok)
        self.sent(get(server.url + "/"))
        host = server.url.partition("://")[2]
        self.expect(server.requests[0].values("Host"), [host], "the header Host")

    @rule(
        "A user and password in the URL become Basic authentication, unless the request has an Authorization header.",
        "It is what every HTTP client does with them; in the Host header or in the target they would be disclosed.",
    )
    def test_userinfo_becomes_basic_authentication(self) -> None:
        server = self.serve(ok)
        url = server.url.replace("://", "://me:p%40ss@")
        self.sent(get(url + "/"))
        self.sent(get(url + "/", {"Authorization": "MUXI-HMAC x"}))
        basic = "Basic " + base64.b64encode(b"me:p@ss").decode()
        seen = [request.values("Authorization") for request in server.requests]
        self.expect(seen, [[basic], ["MUXI-HMAC x"]], "the header Authorization")
        self.expect(server.requests[0].values("Host"), [server.url.partition("://")[2]], "the header Host")

    @rule(
        "`.netrc` is never read.",
        "A password for another service on the same host would be sent in place of the key.",
    )
    def test_netrc_is_not_read(self) -> None:
        server = self.serve(ok)
        with tempfile.TemporaryDirectory() as folder:
            netrc = Path(folder, "netrc")
            netrc.write_text("machine 127.0.0.1 login me password secret\n")
            netrc.chmod(0o600)
            os.environ["NETRC"] = str(netrc)
            self.sent(get(server.url + "/"))
        self.expect(server.requests[0].values("Authorization"), [], "the header Authorization")

    @rule(
        "What is no absolute, percent-encoded http(s) URL is refused with a ConfigurationError, and nothing is sent.",
        "A space or a line break in it would begin another header, or another request.",
    )
    def test_what_is_no_url_is_refused(self) -> None:
        for url in ("/relative", "ftp://host/", "http:///path", "http://h:99999/", "http://h/a b", "http://h/\r\nX: y"):
            self.fails(ConfigurationError, self.reading(self.transport, get(url)), f"{url!r}")

    @rule(
        "A method that would break out of its line is refused with a ConfigurationError.",
        "The rest of it would be read as headers.",
    )
    def test_what_is_no_method_is_refused(self) -> None:
        server = self.serve(ok)
        request = Request("GET /x\r\nX:", server.url + "/")
        self.fails(ConfigurationError, self.reading(self.transport, request), "a method with a line break")
        self.expect(server.requests, [], "what was sent")
