"""Closing a transport ends a request that has no connection yet, in every phase of making one and on every lane."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muxi import ConnectionError, FormationClient
from muxi.transport import Request, Timeouts, Transport
from muxi_transports.requests import RequestsTransport
from tests.pooled.conftest import LaneFactory, ServerFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import get

#: Far longer than a test may take: a call that waits for this has not been ended.
LONG = Timeouts(connect=60, read=60)
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], str]]:
    """The URL of a host with that many addresses, none of which completes a connection: their queues are full."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("0.0.0.0", 0))  # noqa: S104  all of loopback
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            client = opened.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        known = socket.getaddrinfo

        def url(addresses: int) -> str:
            def resolve(host: object, *rest: object, **options: object) -> object:
                if host not in ("deaf.invalid", b"deaf.invalid"):
                    return known(host, *rest, **options)  # type: ignore[arg-type]
                kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
                return [(*kind, (f"127.0.0.{number + 1}", port)) for number in range(addresses)]

            monkeypatch.setattr(socket, "getaddrinfo", resolve)
            return f"http://deaf.invalid:{port}"

        yield url


def closed_while(transport: Transport, request: Request, has_begun: Callable[[], object]) -> ConnectionError:
    """The error of a request whose transport is closed, by another thread, while it connects."""
    with ThreadPoolExecutor(1) as threads:
        caller = threads.submit(transport.send, request)
        has_begun()
        time.sleep(0.05)  # from the other end's sight of it to the wait
        transport.close()
        with pytest.raises(ConnectionError, match="the transport was closed") as caught:
            caller.result(PATIENCE)
    return caught.value


@pytest.mark.parametrize("addresses", [1, 3])
def test_closing_ends_the_wait_for_tcp(lane: Transport, deaf: Callable[[int], str], addresses: int) -> None:
    error = closed_while(lane, get(deaf(addresses), timeouts=LONG), lambda: None)

    assert (error.code, error.connected) == ("CONNECTION_LOST", False)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_closing_ends_the_wait_for_tcp_to_a_proxy(
    make_own: LaneFactory, deaf: Callable[[int], str], scheme: str
) -> None:
    transport = make_own(proxies={"all": deaf(1).replace("http:", f"{scheme}:")})
    error = closed_while(transport, get("http://formation.invalid/", timeouts=LONG), lambda: None)

    assert (error.code, error.connected) == ("CONNECTION_LOST", False)


def silent_after(count: int, beginning: bytes, arrived: threading.Event) -> Callable[[Peer], None]:
    """A server that receives some bytes, sends a beginning, receives again, and then says no more."""

    def script(peer: Peer) -> None:
        peer.exactly(count)
        if beginning:
            peer.send(beginning)
            peer.exactly(1)
        arrived.set()
        peer.wait_for_end()

    return script


_NO_AUTHENTICATION = b"\x05\x00"


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h", "socks4a"])
def test_closing_ends_the_wait_for_a_proxy(make_own: LaneFactory, serve: ServerFactory, scheme: str) -> None:
    arrived = threading.Event()
    answer = _NO_AUTHENTICATION if scheme == "socks5h" else b""
    here = serve(silent_after(1 if not answer else 3, answer, arrived)).url
    transport = make_own(proxies={"all": here.replace("http:", f"{scheme}:")})
    request = Request("GET", "https://formation.invalid/", timeouts=LONG)
    error = closed_while(transport, request, lambda: arrived.wait(PATIENCE))

    assert (error.code, error.connected) == ("CONNECTION_LOST", False)


def test_closing_ends_the_wait_for_a_handshake_of_tls(lane: Transport, serve: ServerFactory) -> None:
    arrived = threading.Event()
    url = serve(silent_after(1, b"", arrived)).url.replace("http:", "https:")
    error = closed_while(lane, get(url, timeouts=LONG), lambda: arrived.wait(PATIENCE))

    assert (error.code, error.connected) == ("CONNECTION_LOST", False)


def test_closing_ends_a_handshake_behind_a_proxy(make_own: LaneFactory, serve: ServerFactory) -> None:
    arrived = threading.Event()

    def script(peer: Peer) -> None:
        assert peer.head().method == "CONNECT"
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.exactly(1)
        arrived.set()
        peer.wait_for_end()

    transport = make_own(proxies={"all": serve(script).url})
    request = Request("GET", "https://formation.invalid/", timeouts=LONG)
    error = closed_while(transport, request, lambda: arrived.wait(PATIENCE))

    assert (error.code, error.connected) == ("CONNECTION_LOST", False)


@pytest.mark.filterwarnings("ignore:a key is sent to deaf.invalid over plain http")
def test_closing_a_client_ends_a_call_that_connects(deaf: Callable[[int], str]) -> None:
    client = FormationClient(url=deaf(1), client_key="k", connect_timeout=60)
    with ThreadPoolExecutor(1) as threads:
        caller = threads.submit(client.get_memories, "ada")
        time.sleep(0.2)  # until it connects, which nobody at the other end sees
        client.close()
        with pytest.raises(ConnectionError) as caught:
            caller.result(PATIENCE)

    assert (caught.value.code, caught.value.attempts) == ("CONNECTION_LOST", 1)


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="this system does not list open descriptors")
def test_no_descriptor_is_left_of_a_connection_that_was_not_made(deaf: Callable[[int], str]) -> None:
    url = deaf(2)
    with contextlib.closing(RequestsTransport()) as transport:
        before = len(list(DESCRIPTORS.iterdir()))
        closed_while(transport, get(url, timeouts=LONG), lambda: None)
        assert len(list(DESCRIPTORS.iterdir())) == before
