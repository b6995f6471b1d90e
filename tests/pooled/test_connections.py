"""Connections of every lane: returned once, dropped with bytes on them, ended by other threads, not shared by forks."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from muxi.errors import ConnectionError, MuxiError
from muxi.transport import BytesBody, IterableBody, Request, Response, Timeouts, Transport
from muxi_transports.pooled.pool import Pool
from muxi_transports.requests import RequestsTransport
from tests.pooled.conftest import LaneFactory, ServerFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import CHUNKED, chunk, get, ok


def echo(peer: Peer) -> None:
    """Answer with the path that was asked for."""
    while True:
        peer.answer(peer.request().target.encode())


# -- given back once -------------------------------------------------------------------------------------------


def test_a_connection_is_given_back_once_whatever_is_raised_in_between(
    serve: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal may raise in any line; here it does so right behind the place where the pool gets the connection."""
    transport, url = RequestsTransport(), serve(echo).url
    give_back = Pool.give_back

    def interrupted(pool: Pool, connection: Any) -> None:
        give_back(pool, connection)
        monkeypatch.setattr(Pool, "give_back", give_back)
        raise KeyboardInterrupt

    for path in ("/bodiless", "/other"):
        monkeypatch.setattr(Pool, "give_back", interrupted)
        request = Request("HEAD" if path == "/bodiless" else "GET", url + path)
        with pytest.raises(KeyboardInterrupt):
            transport.send(request).read()

    with ThreadPoolExecutor(6) as threads:
        answers = threads.map(lambda number: transport.send(get(f"{url}/{number}")).read(), range(60))
        assert list(answers) == [f"/{number}".encode() for number in range(60)]
    transport.close()


@pytest.mark.slow  # twenty collections of everything for each lane
def test_a_blocking_pool_loses_no_place_to_answers_that_are_dropped(
    serve: ServerFactory, make_own: LaneFactory
) -> None:
    """A garbage collection may run while a thread is inside the pool: nothing may wait for itself."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        peer.wait_for_end()

    transport, url = make_own(pool_size=2, pool_block=True), serve(script).url
    for _ in range(20):
        response: list[Any] = [transport.send(get(url, stream=True, timeouts=Timeouts(connect=5)))]
        response.append(response)  # a reference cycle: only the garbage collector frees it
        assert next(response[0].chunks()) == b"first"
        del response
        gc.collect()


# -- used again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_kept_connection_on_which_something_has_arrived_is_not_used(
    serve: ServerFactory, make_lane: LaneFactory, tls: Any, bundle: str, secure: bool
) -> None:
    arrived = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            target = peer.request().target.encode()
            peer.answer(target)
            if target == b"/first":
                peer.answer(b"not asked for")
                peer.wait_until_delivered()
                arrived.set()

    server = serve(script, tls if secure else None)
    transport = make_lane(verify=bundle) if secure else make_lane()

    assert transport.send(get(server.url + "/first")).read() == b"/first"
    assert arrived.wait(PATIENCE)
    assert transport.send(get(server.url + "/second")).read() == b"/second"


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\n\r\n", b"x"], ids=["answer", "byte"])
def test_bytes_behind_an_answer_close_its_connection(serve: ServerFactory, own: Transport, surplus: bytes) -> None:
    def script(peer: Peer) -> None:
        while True:
            target = peer.request().target.encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(target)}\r\n\r\n".encode()
            peer.send(head + target + surplus)

    server = serve(script)

    assert [own.send(get(f"{server.url}/{number}")).read() for number in range(3)] == [b"/0", b"/1", b"/2"]
    assert server.connections == 3


# -- ended by another thread -----------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["head", "body"])
def test_closing_the_transport_ends_a_wait_at_once(serve: ServerFactory, own: Transport, phase: str) -> None:
    waiting = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        if phase == "body":
            peer.send(CHUNKED + chunk(b"first"))
        waiting.set()
        peer.wait_for_end()

    url = serve(script).url

    def call() -> bytes:
        return own.send(get(url, stream=True)).read()

    with ThreadPoolExecutor(1) as threads:
        caller = threads.submit(call)
        assert waiting.wait(PATIENCE)
        time.sleep(0.05)  # from the server's event to the client's wait in the kernel, which has none
        own.close()
        with pytest.raises(ConnectionError, match="closed") as caught:
            caller.result(PATIENCE)

    assert (caught.value.code, caught.value.connected) == ("CONNECTION_LOST", True)


def test_closing_the_transport_ends_the_wait_for_a_connection(serve: ServerFactory, make_own: LaneFactory) -> None:
    transport = make_own(pool_size=1, pool_block=True)
    busy = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        busy.set()
        peer.wait_for_end()

    url = serve(script).url
    stream = transport.send(get(url, stream=True))
    with ThreadPoolExecutor(1) as threads:
        waiter = threads.submit(lambda: transport.send(get(url, timeouts=Timeouts(connect=6 * PATIENCE))))
        assert busy.wait(PATIENCE)
        time.sleep(0.05)  # until the client waits for the lock of the pool, which has no event
        transport.close()
        with pytest.raises(ConnectionError) as caught:
            waiter.result(PATIENCE)

    assert caught.value.connected is False
    stream.close()


# -- answers that come early -----------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("framing", ["bytes", "sized", "chunked"])
def test_an_early_answer_is_read_from_a_server_that_neither_reads_nor_closes(
    serve: ServerFactory, make_own: LaneFactory, tls: Any, bundle: str, framing: str, secure: bool
) -> None:
    gate = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.answer(b"too large", "413 Content Too Large")
        opened.append(gate.wait(PATIENCE))

    opened: list[bool] = []
    size = 32 * 1024 * 1024
    pieces = partial(_pieces, size)
    body = {
        "bytes": BytesBody(b"x" * size),
        "sized": IterableBody(pieces, length=size),
        "chunked": IterableBody(pieces),
    }[framing]
    server = serve(script, tls if secure else None)
    transport = make_own(verify=bundle) if secure else make_own()
    longer = 6 * PATIENCE

    response = transport.send(Request("POST", server.url, body=body, timeouts=Timeouts(longer, longer, longer)))

    assert (response.status, response.read()) == (413, b"too large")
    assert not opened, "the answer was read only when the server hung up"
    gate.set()
    with contextlib.suppress(MuxiError):  # the script answers every request with a refusal
        transport.send(get(server.url)).read()
    assert server.connections == 2


def _pieces(size: int) -> Any:
    return (b"x" * 65536 for _ in range(size // 65536))


# -- forks -----------------------------------------------------------------------------------------------------


def _in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # the server runs in a thread
def test_a_child_cannot_read_the_stream_of_its_parent(serve: ServerFactory, lane: Transport) -> None:
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        assert go_on.wait(PATIENCE)
        peer.send(chunk(b"second") + b"0\r\n\r\n")

    response: Response = lane.send(get(serve(script).url, stream=True))
    chunks = response.chunks()
    assert next(chunks) == b"first"

    def child() -> None:
        with pytest.raises(ConnectionError, match="forked"):
            next(chunks)
        response.close()
        gc.collect()

    assert _in_child(child) == 0
    go_on.set()
    assert list(chunks) == [b"second"]


def test_many_threads_get_their_own_answers(serve: ServerFactory, lane: Transport) -> None:
    url = serve(echo).url
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda number: lane.send(get(f"{url}/{number}")).read(), range(200))
        assert list(answers) == [f"/{number}".encode() for number in range(200)]


def test_idle_connections_are_closed_when_what_they_were_made_of_is_replaced(
    serve: ServerFactory, make_own: LaneFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    transport, server = make_own(), serve(ok)
    transport.send(get(server.url)).read()
    monkeypatch.setattr(socket, "create_connection", lambda *args, **options: None)
    transport.send(get(server.url)).read()

    # direct=False looks at nothing: the full lane was taken before, too.
    assert server.connections == (1 if "direct=False" in _explained(transport, server.url) else 2)


def _explained(transport: Any, url: str) -> str:
    return str(transport.explain(url))
