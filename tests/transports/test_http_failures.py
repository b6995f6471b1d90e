"""How every HTTP transport fails, and how long it may take: over requests and over aiohttp."""

from __future__ import annotations

import gzip
import pickle
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from muxi.errors import ConnectionError, TimeoutError
from muxi.testing.transport_suite.server import unused_port
from muxi.transport import IterableBody, Request, Timeouts, Transport
from tests.transports.conftest import ServerFactory, TransportFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import CHUNKED, chunk, failure, get


@pytest.fixture
def make_transport(make_on_every_lane: TransportFactory) -> TransportFactory:
    """Every lane, those over connections of the user's included."""
    return make_on_every_lane


# -- failures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst",
        CHUNKED + b"a\r\nfirst",
        CHUNKED + b"5\r\nfirst",
        CHUNKED + b"5\r\nfirst\r\n",
        CHUNKED + b"5\r\nfirst\r\n5",
        CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(gzip.compress(b"first")),
    ],
    ids=["length", "in a chunk", "after its data", "between chunks", "in a size", "gzip"],
)
def test_a_truncated_answer_never_ends_silently(
    serve: ServerFactory, transport: Transport, sent: bytes, stream: bool
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(sent)

    chunks = transport.send(get(serve(script).url, stream=stream)).chunks()

    assert next(chunks) == b"first"
    with pytest.raises(ConnectionError) as caught:
        next(chunks)
    assert (caught.value.code, caught.value.connected) == ("CONNECTION_LOST", True)


def test_a_connection_that_is_reset_in_the_middle_is_lost(serve: ServerFactory, transport: Transport) -> None:
    read = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        assert read.wait(PATIENCE)
        peer.reset()

    response = transport.send(get(serve(script).url, stream=True))
    chunks = response.chunks()
    assert next(chunks) == b"first"
    read.set()
    with pytest.raises(ConnectionError) as caught:
        next(chunks)

    assert (caught.value.code, caught.value.connected) == ("CONNECTION_LOST", True)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "CONNECTION_LOST"),
        (b"HTTP/1.1 200 OK\r\nX-Half: ", "CONNECTION_LOST"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "INVALID_RESPONSE"),
        (CHUNKED + b"zz\r\n", "INVALID_RESPONSE"),
        (CHUNKED + b"5\r\nfirstXX\r\n", "INVALID_RESPONSE"),
        (CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(b"not gzip") + b"0\r\n\r\n", "INVALID_RESPONSE"),
    ],
    ids=["nothing", "half a head", "not http", "no size", "no line break", "not gzip"],
)
def test_what_is_no_answer_is_an_error(serve: ServerFactory, transport: Transport, sent: bytes, code: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(sent)
        if code == "INVALID_RESPONSE":
            peer.wait_for_end()

    error = failure(transport, get(serve(script).url))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == (code, True)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", ["000", "001", "099", "101", "150", "199", "1000", "-20"])
def test_a_status_that_no_answer_has_is_no_success(
    serve: ServerFactory, transport: Transport, status: str, stream: bool
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(f"HTTP/1.1 {status} Some\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    error = failure(transport, get(serve(script).url, stream=stream))

    # What is behind an interim answer, such as 150, is no answer, or is missing.
    assert isinstance(error, ConnectionError)
    assert error.code in ("INVALID_RESPONSE", "CONNECTION_LOST")


@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 200 OK\r\nX-Tag: value\r\nContent-Le", b"HTTP/1.1 200 OK\r\nX-Tag: value\r\n", b"HTTP/1.1 20"]
)
def test_a_head_that_is_cut_is_told_in_words(serve: ServerFactory, transport: Transport, sent: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(sent)

    error = failure(transport, get(serve(script).url))

    assert error.code == "CONNECTION_LOST"
    for text in (str(error), repr(error.__cause__)):
        assert "raw_headers" not in text
        assert "X-Tag" not in text
        assert "<" not in text, "no object of a library is shown"


def test_a_refused_connection_says_where(transport: Transport) -> None:
    port = unused_port()

    error = failure(transport, get(f"http://127.0.0.1:{port}/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("CONNECTION_REFUSED", False)
    assert f"127.0.0.1:{port}" in error.message


def test_an_unknown_name_is_a_dns_error(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    error = failure(transport, get("http://nonexistent.invalid:8000/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("DNS_ERROR", False)
    assert "nonexistent.invalid:8000" in error.message


def test_errors_survive_pickle(transport: Transport) -> None:
    error = failure(transport, get(f"http://127.0.0.1:{unused_port()}/"))

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own

    assert isinstance(copy, ConnectionError)
    assert (str(copy), copy.code, copy.connected) == (str(error), error.code, False)


# -- time bounds -----------------------------------------------------------------------------------------------


@pytest.fixture
def deaf_address() -> Iterator[str]:
    """An address that answers no attempt to connect: its queue of them is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for client in waiting:
            client.close()


def test_connecting_is_bounded(transport: Transport, deaf_address: str) -> None:
    error = failure(transport, get(deaf_address, timeouts=Timeouts(connect=0.1, read=5, total=5)))

    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound, error.connected) == ("CONNECT_TIMEOUT", "connect", False)
    assert "0.1 s" in error.message


def test_the_total_bounds_connecting_too(transport: Transport, deaf_address: str) -> None:
    error = failure(transport, get(deaf_address, timeouts=Timeouts(connect=5, read=5, total=0.1)))

    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound, error.connected) == ("TIMEOUT", "timeout", False)


def silent(peer: Peer) -> None:
    peer.request()
    peer.wait_for_end()


def stuck(peer: Peer) -> None:
    peer.request()
    stuck_body(peer)


def stuck_body(peer: Peer) -> None:
    peer.send(CHUNKED + chunk(b"first"))
    peer.wait_for_end()


@pytest.mark.parametrize("script", [silent, stuck])
def test_waiting_for_the_next_bytes_is_bounded(serve: ServerFactory, transport: Transport, script: object) -> None:
    error = failure(transport, get(serve(script).url, timeouts=Timeouts(connect=5, read=0.1, total=5)))

    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound, error.connected) == ("READ_TIMEOUT", "read", True)
    assert "0.1 s" in error.message


def test_the_head_has_a_bound_of_its_own(serve: ServerFactory, transport: Transport) -> None:
    error = failure(transport, get(serve(silent).url, timeouts=Timeouts(connect=5, head=0.1)))

    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound, error.connected) == ("READ_TIMEOUT", "head", True)
    assert "0.1 s" in error.message


@pytest.mark.parametrize("read", [None, 5])
def test_the_bound_of_the_head_is_none_of_the_body(
    serve: ServerFactory, transport: Transport, read: float | None
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        time.sleep(0.5)  # the subject: longer than the head may take
        peer.send(chunk(b"second") + b"0\r\n\r\n")

    response = transport.send(get(serve(script).url, stream=True, timeouts=Timeouts(5, read, head=0.4)))

    assert response.read() == b"firstsecond"


def test_the_head_may_take_longer_than_the_silence_after_it(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        time.sleep(0.15)  # the subject: longer than the silence after the head may last
        stuck_body(peer)

    response = transport.send(get(serve(script).url, stream=True, timeouts=Timeouts(5, 0.1, head=5)))
    with pytest.raises(TimeoutError) as caught:
        response.read()

    assert (caught.value.code, caught.value.bound) == ("READ_TIMEOUT", "read")


@pytest.mark.parametrize("script", [silent, stuck])
def test_the_total_bounds_waiting_too(serve: ServerFactory, transport: Transport, script: object) -> None:
    error = failure(transport, get(serve(script).url, timeouts=Timeouts(connect=5, read=5, total=0.1)))

    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound, error.connected) == ("TIMEOUT", "timeout", True)


@pytest.mark.parametrize("part", ["head", "chunks", "chunk size", "length"])
@pytest.mark.parametrize("stream", [True, False])
def test_the_total_holds_against_a_server_that_trickles(
    serve: ServerFactory, transport: Transport, part: str, stream: bool
) -> None:
    beginnings = {
        "head": b"HTTP/1.1 200 OK\r\nX-Long: ",
        "chunks": CHUNKED + b"ffff\r\n",
        "chunk size": CHUNKED + b"5\r\nfirst\r\n5;",
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
    }

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(beginnings[part])
        for _ in range(1000):  # then it hangs up, which is another failure
            peer.send(b"x")
            time.sleep(0.01)

    error = failure(transport, get(serve(script).url, stream=stream, timeouts=Timeouts(read=5, total=0.15)))

    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound) == ("TIMEOUT", "timeout")


def test_the_total_bounds_sending(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        ended.wait(PATIENCE)  # and read nothing of the body

    ended = threading.Event()
    endless = IterableBody(lambda: iter(lambda: b"x" * 65536, b""))
    error = failure(transport, Request("POST", serve(script).url, body=endless, timeouts=Timeouts(read=5, total=0.2)))
    ended.set()

    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound, error.connected) == ("TIMEOUT", "timeout", True)
