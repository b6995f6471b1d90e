"""What every HTTP transport does: one scenario each, over requests and over aiohttp."""

from __future__ import annotations

import gzip
import ssl
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muxi.errors import ConfigurationError, ConnectionError, ValidationError
from muxi.transport import Body, BytesBody, FileBody, Headers, IterableBody, Request, Transport
from tests.transports.conftest import ServerFactory, TransportFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import CHUNKED, CLOSE_DELIMITED, chunk, failure, get, ok, pieces


@pytest.fixture
def make_transport(make_on_every_lane: TransportFactory) -> TransportFactory:
    """Every lane, those over connections of the user's included."""
    return make_on_every_lane


@pytest.fixture
def own_transport(make_on_own_lane: TransportFactory) -> Transport:
    """The lanes over connections of the transport's own: sessions keep cookies, and more that is theirs."""
    return make_on_own_lane()


# -- what is sent and received ---------------------------------------------------------------------------------


def test_status_reason_and_headers_arrive_with_their_duplicates(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer(b"no", "418 I'm a teapot", "Set-Cookie: a=1", "set-cookie: b=2", "X-Name: Grüße")

    response = transport.send(get(serve(script).url + "/"))

    assert (response.status, response.reason, response.http_version) == (418, "I'm a teapot", "1.1")
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert response.headers["x-name"] == "Grüße"
    assert response.read() == b"no"


def test_a_header_folded_over_two_lines_is_one_value(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: one\r\n two\r\n\r\n")

    assert transport.send(get(serve(script).url)).headers["X-Long"].split() == ["one", "two"]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/a%2Fb%23c%3F?q=%26&r=a+b", "/a%2Fb%23c%3F?q=%26&r=a+b"),
        ("/a%2fb", "/a%2fb"),
        ("/a/../b/./c//d", "/a/../b/./c//d"),
        ("/%7Euser/~user;x=1/'()*!", "/%7Euser/~user;x=1/'()*!"),
        ("?only=query", "/?only=query"),
        ("", "/"),
        ("/with#fragment", "/with"),
        ("/100%", "/100%"),
    ],
)
def test_the_target_is_sent_exactly_as_given(
    serve: ServerFactory, transport: Transport, path: str, target: str
) -> None:
    server = serve(ok)

    transport.send(get(server.url + path)).read()

    assert server.requests[0].target == target


def test_a_header_value_goes_out_as_utf8(serve: ServerFactory, transport: Transport) -> None:
    server = serve(ok)

    transport.send(get(server.url, headers=Headers({"X-Muxi-User-Id": "Grüße 🙂", "X-Plain": "a"}))).read()

    assert server.requests[0].values("x-muxi-user-id") == ["Grüße 🙂".encode()]
    assert server.requests[0].values("x-plain") == [b"a"]


def test_compression_is_asked_for_unless_the_request_says_otherwise(serve: ServerFactory, transport: Transport) -> None:
    server = serve(ok)

    transport.send(get(server.url)).read()
    transport.send(get(server.url, headers=Headers({"accept-encoding": "identity"}))).read()

    assert [request.values("accept-encoding") for request in server.requests] == [[b"gzip, deflate"], [b"identity"]]


def test_a_user_in_the_url_becomes_basic_authentication(serve: ServerFactory, transport: Transport) -> None:
    server = serve(ok)
    url = server.url.replace("://", "://me:p%40ss@")

    transport.send(get(url)).read()
    transport.send(get(url, headers=Headers({"Authorization": "MUXI-HMAC x"}))).read()

    assert [request.values("authorization") for request in server.requests] == [
        [b"Basic bWU6cEBzcw=="],
        [b"MUXI-HMAC x"],
    ]
    assert b"me" not in server.requests[0].values("host")[0]


def test_netrc_is_never_read(
    serve: ServerFactory, own_transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(ok)

    own_transport.send(get(server.url)).read()

    assert server.requests[0].values("authorization") == []


def test_cookies_are_not_kept(serve: ServerFactory, own_transport: Transport) -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.request()
            peer.answer(b"", "200 OK", "Set-Cookie: a=1; Path=/")

    server = serve(script)
    for _ in range(2):
        own_transport.send(get(server.url)).read()

    assert server.requests[1].values("cookie") == []


def test_a_redirect_is_an_answer(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer(b"", "307 Temporary Redirect", "Location: http://127.0.0.1:1/elsewhere")

    response = transport.send(Request("POST", serve(script).url, body=BytesBody(b"x")))

    assert response.status == 307
    assert response.read() == b""


def test_a_head_request_has_no_body(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        for framing in (b"Content-Length: 100", b"Transfer-Encoding: chunked"):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")

    server = serve(script)

    assert transport.send(Request("HEAD", server.url)).read() == b""
    assert transport.send(Request("HEAD", server.url)).read() == b""
    assert server.connections == 1


@pytest.mark.parametrize(
    "url",
    ["/relative", "ftp://host/", "http:///path", "http://h:99999/", "http://h/a b", "http://h/\r\nX: y", "http://h/ü"],
)
def test_what_is_not_a_url_is_refused(transport: Transport, url: str) -> None:
    with pytest.raises(ConfigurationError):
        transport.send(get(url))


def test_a_method_that_breaks_out_of_its_line_is_refused(serve: ServerFactory, transport: Transport) -> None:
    with pytest.raises(ConfigurationError):
        transport.send(Request("GET /x\r\nX:", serve(ok).url))


# -- bodies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "body", "length", "framed"),
    [
        ("POST", None, [b"0"], b""),
        ("GET", None, [], b""),
        ("POST", BytesBody(b""), [b"0"], b""),
        ("POST", BytesBody(b"content"), [b"7"], b"content"),
        ("DELETE", BytesBody(b"content"), [b"7"], b"content"),
        ("POST", BytesBody(b"x" * 3_000_000), [b"3000000"], b"x" * 3_000_000),
        ("POST", IterableBody(pieces, length=6), [b"6"], b"onetwo"),
        ("POST", IterableBody(pieces), [], b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        ("POST", IterableBody(lambda: (), length=0), [b"0"], b""),
        ("PUT", IterableBody(lambda: ()), [], b"0\r\n\r\n"),
    ],
    ids=["none", "get", "empty", "bytes", "delete", "large", "sized", "chunked", "sized empty", "chunked empty"],
)
def test_a_body_is_framed_by_what_is_known_of_it(
    serve: ServerFactory, transport: Transport, method: str, body: Body | None, length: list[bytes], framed: bytes
) -> None:
    server = serve(ok)

    transport.send(Request(method, server.url, body=body)).read()

    request = server.requests[0]
    assert (request.values("content-length"), request.framed) == (length, framed)
    assert bool(request.values("transfer-encoding")) == framed.endswith(b"0\r\n\r\n")


def test_the_framing_is_stated_truthfully_whatever_the_headers_say(serve: ServerFactory, transport: Transport) -> None:
    server = serve(ok)
    headers = Headers({"content-length": "1", "transfer-encoding": "chunked", "Content-Type": "text/plain"})

    transport.send(Request("POST", server.url, headers, BytesBody(b"content"))).read()

    request = server.requests[0]
    assert (request.values("content-length"), request.values("transfer-encoding")) == ([b"7"], [])
    assert request.values("content-type") == [b"text/plain"]


def test_a_file_is_sent_as_it_is_read(serve: ServerFactory, transport: Transport, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(bytes(range(256)) * 1000)
    progress: list[tuple[int, int]] = []
    server = serve(ok)

    transport.send(Request("POST", server.url, body=FileBody(path, lambda *at: progress.append(at)))).read()

    assert server.requests[0].framed == path.read_bytes()
    assert server.requests[0].values("content-length") == [b"256000"]
    assert progress[-1] == (256000, 256000)
    assert len(progress) == 4


@pytest.mark.parametrize(("length", "had"), [(3, "more"), (5, "more"), (9, "only 6")])
def test_a_body_that_is_not_as_long_as_it_says_fails(
    serve: ServerFactory, transport: Transport, length: int, had: str
) -> None:
    server = serve(ok)

    with pytest.raises(ValidationError, match=had):
        transport.send(Request("POST", server.url, body=IterableBody(pieces, length)))

    assert server.requests == []


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), KeyError("odd"), ValueError("bad")], ids=repr)
def test_what_a_body_raises_comes_out_as_it_is(serve: ServerFactory, transport: Transport, error: Exception) -> None:
    def broken() -> Iterator[bytes]:
        yield b"beginning"
        raise error

    with pytest.raises(type(error)) as caught:
        transport.send(Request("POST", serve(ok).url, body=IterableBody(broken)))

    assert caught.value is error


def test_an_answer_before_the_whole_request_counts(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.answer(b"too large", "413 Content Too Large", "Connection: close")
        peer.wait_for_end()

    response = transport.send(Request("POST", serve(script).url, body=BytesBody(b"x" * 100_000)))

    assert (response.status, response.read()) == (413, b"too large")


# -- bodies of answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_bytes_are_handed_on_as_they_arrive(
    serve: ServerFactory, transport: Transport, framing: str, stream: bool
) -> None:
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        if framing == "chunked":
            peer.send(CHUNKED + b"a\r\nfirst")  # half of a chunk of ten bytes
        elif framing == "length":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        else:
            peer.send(CLOSE_DELIMITED + b"first")
        assert go_on.wait(PATIENCE)
        peer.send(b"other" + (b"\r\n0\r\n\r\n" if framing == "chunked" else b""))

    response = transport.send(get(serve(script).url, stream=stream))
    chunks = response.chunks()

    assert next(chunks) == b"first"
    go_on.set()
    assert b"".join(chunks) == b"other"
    response.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_compressed_body_is_handed_on_as_it_arrives(
    serve: ServerFactory, transport: Transport, encoding: str, chunked: bool
) -> None:
    go_on = threading.Event()
    compress = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    first = compress.compress(b"first") + compress.flush(zlib.Z_SYNC_FLUSH)
    rest = compress.compress(b"other") + compress.flush()

    def script(peer: Peer) -> None:
        peer.request()
        head = (CHUNKED if chunked else CLOSE_DELIMITED)[:-2] + f"Content-Encoding: {encoding}\r\n\r\n".encode()
        peer.send(head + (chunk(first) if chunked else first))
        assert go_on.wait(PATIENCE)
        peer.send(chunk(rest) + b"0\r\n\r\n" if chunked else rest)

    response = transport.send(get(serve(script).url, stream=True))
    chunks = response.chunks()

    assert next(chunks) == b"first"
    go_on.set()
    assert b"".join(chunks) == b"other"
    response.close()


def test_chunks_are_understood_however_they_are_cut(serve: ServerFactory, transport: Transport) -> None:
    body = chunk(b"hello") + b"6;ext=1\r\n world\r\n" + chunk(b"!" * 300) + b"0\r\nTrailer: x\r\n\r\n"

    def script(peer: Peer) -> None:
        while True:
            step = int(peer.request().target[1:])
            peer.send(CHUNKED)
            for at in range(0, len(body), step):
                peer.send(body[at : at + step])

    server = serve(script)
    for step in (1, 2, 3, 7, 1000):
        assert transport.send(get(f"{server.url}/{step}", stream=True)).read() == b"hello world" + b"!" * 300
    assert server.connections == 1


def test_a_large_answer_arrives_whole(serve: ServerFactory, transport: Transport) -> None:
    content = bytes(range(256)) * 8192

    def script(peer: Peer) -> None:
        while True:
            if peer.request().target == "/chunked":
                peer.send(CHUNKED + b"".join(chunk(content[at : at + 9999]) for at in range(0, len(content), 9999)))
                peer.send(b"0\r\n\r\n")
            else:
                packed = gzip.compress(content)
                peer.answer(packed, "200 OK", "Content-Encoding: gzip")

    server = serve(script)

    assert transport.send(get(server.url + "/chunked")).read() == content
    assert transport.send(get(server.url + "/packed")).read() == content


def test_an_empty_answer_is_empty(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        peer.request()
        peer.send(CHUNKED + b"0\r\n\r\n")

    server = serve(script)
    for _ in range(3):
        response = transport.send(get(server.url))
        assert list(response.chunks()) == []
        assert list(response.chunks()) == []
        response.close()
    assert server.connections == 1


# -- connections -----------------------------------------------------------------------------------------------


def test_a_connection_serves_again_once_its_answer_was_read(serve: ServerFactory, transport: Transport) -> None:
    server = serve(ok)

    for _ in range(3):
        response = transport.send(get(server.url))
        assert b"".join(response.chunks()) == b"ok"

    assert server.connections == 1


def test_an_answer_closed_early_takes_its_connection_along(serve: ServerFactory, transport: Transport) -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        peer.wait_for_end()
        ended.set()

    server = serve(script)
    response = transport.send(get(server.url, stream=True))
    assert next(response.chunks()) == b"first"
    response.close()
    response.close()

    assert ended.wait(PATIENCE)
    assert list(response.chunks()) == []
    transport.send(get(server.url, stream=True)).close()
    assert server.connections == 2


@pytest.mark.filterwarnings("ignore:TLS certificates are not verified")
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # urllib3 says so where verify=False is said
@pytest.mark.parametrize("framing", [CHUNKED + chunk(b"first"), CLOSE_DELIMITED + b"first"], ids=["chunked", "close"])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_close_from_another_thread_frees_the_reader_at_once(
    serve: ServerFactory,
    make_transport: TransportFactory,
    framing: bytes,
    secure: bool,
    tls: ssl.SSLContext,
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(framing)
        peer.wait_for_end()

    server = serve(script, tls if secure else None)
    response = make_transport(verify=False).send(get(server.url, stream=True))
    got: list[bytes] = []
    first = threading.Event()

    def read() -> None:
        for data in response.chunks():
            got.append(data)
            first.set()

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        assert first.wait(PATIENCE)
        response.close()
        reader.result(PATIENCE)

    assert got == [b"first"]


def test_closing_the_transport_ends_what_is_at_work_and_it_works_again(
    serve: ServerFactory, transport: Transport
) -> None:
    def script(peer: Peer) -> None:
        while peer.request().target != "/endless":
            peer.answer()
        peer.send(CLOSE_DELIMITED + b"first")
        peer.wait_for_end()

    server = serve(script)
    response = transport.send(get(server.url + "/endless", stream=True))
    chunks = response.chunks()
    assert next(chunks) == b"first"
    transport.close()

    with pytest.raises(ConnectionError, match="closed") as caught:
        next(chunks)
    assert caught.value.code == "CONNECTION_LOST"
    assert transport.send(get(server.url)).read() == b"ok"


def test_idle_connections_are_closed_with_the_transport(serve: ServerFactory, own_transport: Transport) -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.answer()
        peer.wait_for_end()
        ended.set()

    own_transport.send(get(serve(script).url)).read()
    own_transport.close()

    assert ended.wait(PATIENCE)


def test_twenty_threads_share_a_transport(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.answer(peer.request().body)

    url = serve(script).url

    def call(number: int) -> bool:
        body = b"%d" % number
        return transport.send(Request("POST", url, body=BytesBody(body))).read() == body

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(call, range(400)))


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_nothing_is_sent_twice_when_a_kept_connection_dies(
    serve: ServerFactory, transport: Transport, method: str
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer()
        peer.request()  # and hang up without a word

    server = serve(script)
    transport.send(get(server.url)).read()
    error = failure(transport, Request(method, server.url, body=BytesBody(b"x")))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("CONNECTION_LOST", True)
    assert len(server.requests) == 2


def test_a_kept_connection_on_which_something_has_arrived_is_not_used(
    serve: ServerFactory, transport: Transport
) -> None:
    """Else each request would get the answer to the one before."""
    answered, sent = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            number = len(peer.server.requests)
            peer.answer(b"%d" % number)
            if number == 1:
                assert answered.wait(PATIENCE)  # behind the answer, not with it
                peer.answer(b"unasked")
                peer.wait_until_delivered()
                sent.set()

    server = serve(script)
    assert transport.send(get(server.url)).read() == b"1"
    answered.set()
    assert sent.wait(PATIENCE)
    assert [transport.send(get(server.url)).read() for _ in range(3)] == [b"2", b"3", b"4"]
    assert server.connections == 2


@pytest.mark.parametrize("lengths", [b"Content-Length: 2\r\nContent-Length: 2", b"Content-Length: 2, 2"])
def test_a_length_that_is_stated_twice_is_one(serve: ServerFactory, transport: Transport, lengths: bytes) -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\n\r\nok")

    server = serve(script)
    assert [transport.send(get(server.url)).read() for _ in range(2)] == [b"ok", b"ok"]
    assert server.connections == 1


@pytest.mark.parametrize("status", [b"000", b"099", b"101"])
def test_a_status_that_is_none_is_refused(serve: ServerFactory, transport: Transport, status: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 " + status + b" None\r\nContent-Length: 0\r\n\r\n")
        peer.wait_for_end()

    assert failure(transport, get(serve(script).url)).code == "INVALID_RESPONSE"
