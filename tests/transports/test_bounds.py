"""Every wait is bounded, whatever trickles in: one scenario for each phase, over all network transports and lanes."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice, repeat

import pytest

from muxi.errors import MuxiError, TimeoutError
from muxi.transport import Request, Timeouts, Transport
from tests.transports.conftest import ServerFactory, TransportFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import CHUNKED, chunk, failure, get

#: Seconds between two pieces of what trickles in, and a bound that is to be broken.
DRIP, SHORT = 0.02, 0.2
#: The pieces after which a server hangs up: a bound that is not kept shows as another failure, instead of none.
PIECES = 500


@pytest.fixture
def make_transport(make_on_every_lane: TransportFactory) -> TransportFactory:
    """Every lane, those over connections of the user's included."""
    return make_on_every_lane


def dripping(beginning: bytes, pieces: Callable[[], Iterator[bytes]]) -> Callable[[Peer], None]:
    """A server that answers with a beginning, and then with a piece at a time, for far longer than any bound."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(beginning)
        for piece in islice(pieces(), PIECES):
            peer.send(piece)
            time.sleep(DRIP)

    return script


def bytewise(content: bytes) -> Iterator[bytes]:
    return (content[at : at + 1] for at in range(len(content)))


_HEADS: dict[str, tuple[bytes, Callable[[], Iterator[bytes]]]] = {
    "status line": (b"", lambda: bytewise(b"HTTP/1.1 200 " + b"x" * 60_000)),
    "field": (b"HTTP/1.1 200 OK\r\nX: ", lambda: repeat(b"x")),
    "interim": (b"", lambda: repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n", 99)),
}


@pytest.mark.parametrize("part", _HEADS)
@pytest.mark.parametrize(
    ("timeouts", "bound"),
    [(Timeouts(5, 5, head=SHORT), "head"), (Timeouts(5, 5, total=SHORT), "timeout")],
    ids=["head", "total"],
)
def test_a_head_that_trickles_in_is_bounded(
    serve: ServerFactory, transport: Transport, part: str, timeouts: Timeouts, bound: str
) -> None:
    beginning, pieces = _HEADS[part]
    error = failure(transport, get(serve(dripping(beginning, pieces)).url, stream=True, timeouts=timeouts))

    assert isinstance(error, TimeoutError)
    assert (error.bound, error.connected) == (bound, True)


_EMPTY = gzip.compress(b"")
_PACKED = CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n"
_FRAMING: dict[str, tuple[bytes, Callable[[], Iterator[bytes]]]] = {
    "chunk extension": (CHUNKED + chunk(b"first") + b"5;ext=", lambda: repeat(b"x", 900)),
    "trailer": (CHUNKED + chunk(b"first") + b"0\r\nX: ", lambda: repeat(b"x")),
    "chunk size": (CHUNKED + chunk(b"first") + b"1", lambda: repeat(b" ", 900)),
    "empty members": (_PACKED + chunk(gzip.compress(b"first")), lambda: repeat(chunk(_EMPTY))),
    "silence": (CHUNKED + chunk(b"first"), lambda: iter(())),
}


@pytest.mark.parametrize("part", _FRAMING)
def test_framing_is_no_content(serve: ServerFactory, transport: Transport, part: str) -> None:
    beginning, pieces = _FRAMING[part]

    def script(peer: Peer) -> None:
        dripping(beginning, pieces)(peer)
        peer.wait_for_end()

    response = transport.send(get(serve(script).url, stream=True, timeouts=Timeouts(5, 5, stall=SHORT)))
    chunks = response.chunks()
    assert next(chunks) == b"first"
    with pytest.raises(TimeoutError) as caught:
        next(chunks)

    assert (caught.value.code, caught.value.bound, caught.value.connected) == ("READ_TIMEOUT", "stall", True)


@pytest.mark.slow  # real time passes, with room for a busy machine between two pieces
def test_content_keeps_a_stream_from_stalling(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED)
        for _ in range(30):
            peer.send(chunk(b"x"))
            time.sleep(DRIP * 5)
        peer.send(b"0\r\n\r\n")

    response = transport.send(get(serve(script).url, stream=True, timeouts=Timeouts(5, 5, stall=2)))

    assert response.read() == b"x" * 30


def test_a_body_can_be_bounded_when_its_head_is_known(serve: ServerFactory, transport: Transport) -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100000\r\n\r\n"
    response = transport.send(get(serve(dripping(head, lambda: repeat(b"x"))).url, stream=True))
    with pytest.raises(TimeoutError) as caught:
        response.read(within=SHORT)

    assert (caught.value.code, caught.value.bound) == ("TIMEOUT", "timeout")
    assert f"{SHORT:g} s" in caught.value.message


def _times_out_connecting(send: Callable[[], object], bound: str) -> None:
    with pytest.raises(MuxiError) as caught:
        send()
    assert isinstance(caught.value, TimeoutError), caught.value
    assert (caught.value.bound, caught.value.connected) == (bound, False)


@pytest.fixture
def deaf_addresses(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host with four addresses, none of which answers an attempt to connect: their queues are full."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104  all of loopback
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        known = socket.getaddrinfo

        def resolve(host: object, *rest: object, **options: object) -> object:
            if host not in ("four.invalid", b"four.invalid"):
                return known(host, *rest, **options)  # type: ignore[arg-type]
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, (f"127.0.0.{number}", port)) for number in range(1, 5)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        yield f"http://four.invalid:{port}"
        for client in waiting:
            client.close()


@pytest.mark.parametrize(
    ("timeouts", "bound"),
    # A bound of SHORT for each of the four would take longer than the total.
    [
        (Timeouts(connect=SHORT, read=5, total=3.5 * SHORT), "connect"),
        (Timeouts(connect=5, read=5, total=SHORT), "timeout"),
    ],
    ids=["connect", "total"],
)
def test_all_addresses_of_a_host_share_one_bound(
    transport: Transport, deaf_addresses: str, timeouts: Timeouts, bound: str
) -> None:
    _times_out_connecting(lambda: transport.send(get(deaf_addresses, timeouts=timeouts)), bound)


def test_addresses_are_tried_side_by_side(
    serve: ServerFactory, transport: Transport, deaf_addresses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer()

    server = serve(script)
    deaf = int(deaf_addresses.rpartition(":")[2])

    def resolve(host: object, *rest: object, **options: object) -> object:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", deaf)), (*kind, ("127.0.0.1", server.port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    # One after the other, the first would use up the total.
    assert transport.send(get("http://two.invalid:80", timeouts=Timeouts(5, 5, 5))).read() == b"ok"


@pytest.mark.parametrize("kind", ["CONNECT", "SOCKS"])
@pytest.mark.parametrize("drips", [True, False], ids=["dripping", "silent"])
def test_a_proxy_has_no_more_time_than_connecting_has(
    serve: ServerFactory, make_transport: TransportFactory, kind: str, drips: bool
) -> None:
    ended, said_all = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.sock.recv(1)
        if kind == "SOCKS":
            peer.send(b"\x05\x00")  # no authentication
            peer.sock.recv(65536)
        beginning = b"HTTP/1.1 200 Connection " if kind == "CONNECT" else b"\x05\x00\x00\x03\xff"
        for byte in beginning + b"x" * 255 if drips else b"":
            peer.send(bytes([byte]))
            time.sleep(DRIP)
        if drips:
            said_all.set()
        ended.wait(PATIENCE)

    url = serve(script).url
    proxy = url if kind == "CONNECT" else url.replace("http:", "socks5h:")
    transport = make_transport(proxies={"all": proxy})
    request = Request("GET", "https://formation.invalid/", timeouts=Timeouts(connect=SHORT, read=5))

    _times_out_connecting(lambda: transport.send(request), "connect")
    assert not said_all.is_set(), "the proxy was given the time for all it had to say"
    ended.set()


@pytest.mark.parametrize(
    ("timeouts", "bound"),
    [(Timeouts(connect=SHORT, read=5), "connect"), (Timeouts(connect=5, read=5, total=SHORT), "timeout")],
    ids=["connect", "total"],
)
def test_a_handshake_of_tls_has_no_more_time_than_connecting_has(
    serve: ServerFactory, transport: Transport, timeouts: Timeouts, bound: str
) -> None:
    url = serve(lambda peer: peer.wait_for_end()).url.replace("http:", "https:")
    _times_out_connecting(lambda: transport.send(get(url, timeouts=timeouts)), bound)
