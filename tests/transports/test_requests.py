"""What is particular to the transport over requests: the user's own session, threads, forks, the short path."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests.adapters
import urllib3

from muxi.errors import ConfigurationError, ConnectionError, MuxiError, TimeoutError
from muxi.testing.transport_suite.server import unused_port
from muxi.transport import BytesBody, FileBody, Headers, IterableBody, Request, Timeouts
from muxi_transports.http.attempt import Attempt
from muxi_transports.requests import RequestsTransport
from tests.transports.conftest import ServerFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import CHUNKED, CLOSE_DELIMITED, chunk, failure, ok, pieces


@pytest.fixture
def transport() -> Iterator[RequestsTransport]:
    made = RequestsTransport()
    yield made
    made.close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        yield made


# -- a session of the user's -----------------------------------------------------------------------------------


def test_a_session_is_gone_through_in_full(serve: ServerFactory, session: requests.Session) -> None:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Signed {request.method}"
        return request

    session.headers["X-Gateway"] = "corporate"
    session.auth = sign
    session.cookies.set("sso", "token")
    server = serve(ok)

    response = RequestsTransport(session=session).send(
        Request("POST", server.url + "/a?b=1", Headers({"X-Muxi-User-Id": "Grüße"}), BytesBody(b"content"))
    )

    assert response.read() == b"ok"
    request = server.requests[0]
    assert (request.method, request.target, request.framed) == ("POST", "/a?b=1", b"content")
    assert request.values("x-gateway") == [b"corporate"]
    assert request.values("authorization") == [b"Signed POST"]
    assert request.values("cookie") == [b"sso=token"]
    assert request.values("x-muxi-user-id") == ["Grüße".encode()]


def test_a_session_keeps_its_adapters(serve: ServerFactory, session: requests.Session) -> None:
    seen: list[str | None] = []

    class Recording(requests.adapters.HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
            seen.append(request.url)
            return super().send(request, *args, **options)

    session.mount("http://", Recording())
    url = serve(ok).url + "/x"

    RequestsTransport(session=session).send(Request("GET", url)).read()

    assert seen == [url]


@pytest.mark.parametrize(
    ("body", "length", "framed"),
    [
        (BytesBody(b""), [b"0"], b""),
        (IterableBody(pieces, length=6), [b"6"], b"onetwo"),
        (IterableBody(pieces), [], b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        (IterableBody(lambda: (), length=0), [b"0"], b""),
    ],
    ids=["empty", "sized", "chunked", "sized empty"],
)
def test_a_session_frames_bodies_once(
    serve: ServerFactory, session: requests.Session, body: IterableBody, length: list[bytes], framed: bytes
) -> None:
    server = serve(ok)

    RequestsTransport(session=session).send(Request("POST", server.url, body=body)).read()

    request = server.requests[0]
    assert (request.values("content-length"), request.framed) == (length, framed)
    assert bool(request.values("transfer-encoding")) == (not length)


def test_a_session_sends_a_file(serve: ServerFactory, session: requests.Session, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(b"x" * 200_000)
    server = serve(ok)

    RequestsTransport(session=session).send(Request("POST", server.url, body=FileBody(path))).read()

    assert server.requests[0].framed == path.read_bytes()


def test_a_session_does_not_follow_redirects(serve: ServerFactory, session: requests.Session) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer(b"", "307 Temporary Redirect", "Location: http://127.0.0.1:1/elsewhere")

    assert RequestsTransport(session=session).send(Request("GET", serve(script).url)).status == 307


def test_a_hook_of_a_session_may_read_the_answer(serve: ServerFactory, session: requests.Session) -> None:
    logged: list[bytes] = []
    session.hooks["response"].append(lambda response, **_: logged.append(response.content))

    response = RequestsTransport(session=session).send(Request("GET", serve(ok).url))

    assert (response.read(), logged) == (b"ok", [b"ok"])


def test_a_session_is_never_closed(serve: ServerFactory, session: requests.Session) -> None:
    server = serve(ok)
    transport = RequestsTransport(session=session)
    transport.send(Request("GET", server.url)).read()
    transport.close()

    assert session.get(server.url).text == "ok"
    assert server.connections == 1


def test_what_belongs_to_a_session_is_refused_beside_it(session: requests.Session) -> None:
    with pytest.raises(ConfigurationError, match="on the session"):
        RequestsTransport(session=session, verify=False)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_truncated_answer_of_a_session_is_an_error(
    serve: ServerFactory, session: requests.Session, framing: str
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(
            CHUNKED + b"a\r\nfirst" if framing == "chunked" else b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfirst"
        )

    error = failure(RequestsTransport(session=session), Request("GET", serve(script).url))

    assert (error.code, getattr(error, "connected", None)) == ("CONNECTION_LOST", True)


@pytest.mark.parametrize(
    ("timeouts", "code"),
    [
        (Timeouts(5, 0.1, 5), "READ_TIMEOUT"),
        (Timeouts(5, 0.1, head=0.1), "READ_TIMEOUT"),
        (Timeouts(5, 5, 0.1), "TIMEOUT"),
    ],
    ids=["read", "head", "total"],
)
@pytest.mark.parametrize("beginning", [b"", CHUNKED + chunk(b"first"), CLOSE_DELIMITED + b"first"])
def test_the_bounds_hold_in_a_session(
    serve: ServerFactory, session: requests.Session, timeouts: Timeouts, code: str, beginning: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(beginning)
        peer.wait_for_end()

    error = failure(RequestsTransport(session=session), Request("GET", serve(script).url, timeouts=timeouts))

    assert isinstance(error, TimeoutError)
    assert (error.code, error.connected) == (code, True)


def test_the_total_holds_in_a_session_against_a_server_that_trickles(
    serve: ServerFactory, session: requests.Session
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CLOSE_DELIMITED)
        for _ in range(1000):  # then it hangs up, which ends the answer
            peer.send(b"x")
            time.sleep(0.01)

    error = failure(
        RequestsTransport(session=session), Request("GET", serve(script).url, timeouts=Timeouts(read=5, total=0.15))
    )

    assert error.code == "TIMEOUT"


@pytest.mark.parametrize("beginning", [CHUNKED + chunk(b"first"), CLOSE_DELIMITED + b"first"], ids=["chunked", "close"])
def test_close_frees_the_reader_of_a_session(serve: ServerFactory, session: requests.Session, beginning: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(beginning)
        peer.wait_for_end()

    response = RequestsTransport(session=session).send(Request("GET", serve(script).url, stream=True))
    chunks = response.chunks()
    assert next(chunks) == b"first"
    rest: list[bytes] = []
    reader = threading.Thread(target=lambda: rest.extend(chunks))
    reader.start()
    response.close()
    reader.join(PATIENCE)

    assert not reader.is_alive()
    assert rest == []


def test_failures_of_a_session_know_whether_there_was_a_connection(session: requests.Session) -> None:
    transport = RequestsTransport(session=session)

    error = failure(transport, Request("GET", f"http://127.0.0.1:{unused_port()}/"))
    assert (error.code, getattr(error, "connected", None)) == ("CONNECTION_REFUSED", False)

    session.proxies = {"http": f"http://me:hunter2@127.0.0.1:{unused_port()}"}
    error = failure(transport, Request("GET", "http://formation.invalid/"))
    assert (error.code, getattr(error, "connected", None)) == ("PROXY_ERROR", False)
    assert "hunter2" not in str(error)


def test_what_the_code_of_a_session_raises_comes_out_as_it_is(serve: ServerFactory, session: requests.Session) -> None:
    def broken(request: requests.PreparedRequest) -> requests.PreparedRequest:
        raise ValueError("no token")

    session.auth = broken
    with pytest.raises(ValueError, match="no token") as caught:
        RequestsTransport(session=session).send(Request("GET", serve(ok).url))

    assert not isinstance(caught.value, MuxiError)


# -- the short path --------------------------------------------------------------------------------------------


def test_a_proxy_is_looked_up_once_per_host(
    serve: ServerFactory, transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, other = serve(ok), serve(ok)
    transport.send(Request("GET", server.url)).read()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")

    assert transport.send(Request("GET", server.url)).read() == b"ok"
    assert failure(transport, Request("GET", other.url)).code == "PROXY_ERROR"
    transport.close()
    assert failure(transport, Request("GET", server.url)).code == "PROXY_ERROR"


def test_a_small_request_goes_out_in_one_piece(serve: ServerFactory, transport: RequestsTransport) -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        got.append(peer.sock.recv(65536))
        peer.answer()
        peer.wait_for_end()

    transport.send(Request("POST", serve(script).url, body=BytesBody(b"content"))).read()

    assert got[0].endswith(b"\r\n\r\ncontent")


def test_a_fork_of_urllib3_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib3, "HTTPResponse", object)

    with pytest.raises(ConfigurationError, match="pip install --force-reinstall 'urllib3"):
        RequestsTransport()


def test_more_threads_than_the_pool_keeps_connections_for(serve: ServerFactory) -> None:
    together = threading.Barrier(5)

    def script(peer: Peer) -> None:
        peer.request()
        together.wait(PATIENCE)  # all at work at once: nobody waits for a connection to become free
        peer.answer()

    transport = RequestsTransport(pool_size=2)
    url = serve(script).url
    threads = [threading.Thread(target=lambda: transport.send(Request("GET", url)).read()) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    transport.close()

    assert not together.broken


def test_a_close_that_races_the_end_spares_the_next_request(serve: ServerFactory, transport: RequestsTransport) -> None:
    """A connection that went back to the pool is not shut down by a late close of the answer before."""
    server = serve(ok)
    for _ in range(50):
        first = transport.send(Request("GET", server.url))
        closer = threading.Thread(target=first.close)
        closer.start()
        list(first.chunks())
        assert transport.send(Request("GET", server.url)).read() == b"ok"
        closer.join()


def test_an_interrupted_read_frees_the_connection(
    serve: ServerFactory, transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        peer.wait_for_end()
        ended.set()

    def interrupted(*args: object) -> float:
        raise KeyboardInterrupt

    response = transport.send(Request("GET", serve(script).url))
    monkeypatch.setattr(Attempt, "next_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        response.read()

    assert ended.wait(PATIENCE)


# -- forks -----------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], None]) -> int:
    """Run something in a forked child; its exit code."""
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
@pytest.mark.parametrize("own_session", [False, True], ids=["short path", "session"])
def test_a_child_gets_connections_of_its_own(serve: ServerFactory, own_session: bool) -> None:
    server = serve(ok)
    session = requests.Session() if own_session else None
    transport = RequestsTransport(session=session)
    transport.send(Request("GET", server.url + "/parent")).read()

    def child() -> None:
        assert transport.send(Request("GET", server.url + "/child")).read() == b"ok"
        transport.close()

    assert in_child(child) == 0
    assert transport.send(Request("GET", server.url + "/parent")).read() == b"ok"
    assert server.connections == 2
    transport.close()
    if session is not None:
        session.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_does_not_end_the_streams_of_its_parent(serve: ServerFactory, transport: RequestsTransport) -> None:
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        assert go_on.wait(PATIENCE)
        peer.send(chunk(b"second") + b"0\r\n\r\n")

    response = transport.send(Request("GET", serve(script).url, stream=True))
    chunks = response.chunks()
    assert next(chunks) == b"first"

    def child() -> None:
        response.close()
        transport.close()
        gc.collect()

    assert in_child(child) == 0
    go_on.set()
    assert list(chunks) == [b"second"]


def test_many_answers_leave_nothing_behind(serve: ServerFactory, transport: RequestsTransport) -> None:
    url = serve(ok).url
    for _ in range(300):
        transport.send(Request("GET", url)).read()
    gc.collect()

    assert sum(isinstance(kept, socket.socket) and kept.fileno() >= 0 for kept in gc.get_objects()) < 20


def test_a_connection_error_is_also_the_built_in_one(transport: RequestsTransport) -> None:
    with pytest.raises(OSError, match="refused") as caught:
        transport.send(Request("GET", f"http://127.0.0.1:{unused_port()}/"))

    assert isinstance(caught.value, ConnectionError)
    assert isinstance(caught.value.__cause__, Exception)
