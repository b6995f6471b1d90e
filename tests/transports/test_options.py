"""The options of connections, the same over every HTTP transport: how many, from where, and for how long."""

from __future__ import annotations

import inspect
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import requests.adapters

from muxi import FormationClient
from muxi.errors import ConfigurationError, TimeoutError
from muxi.transport import BytesBody, Headers, IterableBody, Request, Timeouts
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.transports.conftest import ServerFactory, TransportFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import CHUNKED, chunk, failure, get, ok, pieces


def test_all_transports_have_the_same_options_with_the_same_defaults() -> None:
    lean, default, asynchronous = (
        dict(inspect.signature(kind).parameters) for kind in (Urllib3Transport, RequestsTransport, AiohttpTransport)
    )
    assert default.pop("session").default is None
    assert default.pop("adapters").default is None
    for kind in (lean, default):
        assert kind.pop("direct").default is True

    assert lean == default == asynchronous


# -- how many --------------------------------------------------------------------------------------------------


def test_a_blocking_pool_makes_requests_wait(serve: ServerFactory, make_transport: TransportFactory) -> None:
    server = serve(ok)
    transport = make_transport(pool_size=2, pool_block=True)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: transport.send(get(server.url)).read(), range(40)))

    assert answers == [b"ok"] * 40
    assert server.connections <= 2


def test_waiting_for_a_connection_is_bounded_and_says_so(
    serve: ServerFactory, make_transport: TransportFactory
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        peer.wait_for_end()

    url = serve(script).url
    transport = make_transport(pool_size=1, pool_block=True)
    stream = transport.send(get(url, stream=True))

    error = failure(transport, get(url, timeouts=Timeouts(connect=0.1, total=5)))

    assert isinstance(error, TimeoutError)
    assert (error.code, error.bound, error.connected) == ("POOL_TIMEOUT", "connect", False)
    assert "pool_size=" in error.message
    stream.close()


@pytest.mark.parametrize("end", ["read", "close", "failure"])
def test_a_blocking_pool_gets_its_connections_back(
    serve: ServerFactory, make_transport: TransportFactory, end: str
) -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.request()
            if end == "failure":
                peer.send(CHUNKED + b"zz\r\n")
                return
            peer.send(CHUNKED + chunk(b"first") + (b"0\r\n\r\n" if end == "read" else b""))

    url = serve(script).url
    transport = make_transport(pool_size=1, pool_block=True)
    for _ in range(3):
        if end == "failure":
            assert failure(transport, get(url)).code == "INVALID_RESPONSE"
            continue
        response = transport.send(get(url, stream=True, timeouts=Timeouts(connect=5)))
        if end == "read":
            assert response.read() == b"first"
        else:
            assert next(iter(response.chunks())) == b"first"
            response.close()


# -- from where, and for how long ------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.2", ("127.0.0.3", 0)])
def test_connections_come_from_the_address_that_is_given(
    serve: ServerFactory, make_transport: TransportFactory, address: str | tuple[str, int]
) -> None:
    came_from: list[str] = []

    def script(peer: Peer) -> None:
        came_from.append(peer.sock.getpeername()[0])
        ok(peer)

    if sys.platform != "linux":
        pytest.skip("only Linux has all of 127.0.0.0/8")
    make_transport(source_address=address).send(get(serve(script).url)).read()

    assert came_from == [address if isinstance(address, str) else address[0]]


@pytest.mark.parametrize(("keep_alive", "connections"), [(None, 1), (60, 1), (0, 3)])
def test_an_idle_connection_is_kept_for_its_time(
    serve: ServerFactory, make_transport: TransportFactory, keep_alive: float | None, connections: int
) -> None:
    server = serve(ok)
    transport = make_transport(keep_alive=keep_alive)
    for _ in range(3):
        transport.send(get(server.url)).read()

    assert server.connections == connections


@pytest.mark.parametrize(("seconds", "set_to"), [(45.0, (1, 45)), (7, (1, 7)), (None, (0, None))])
def test_the_system_probes_silent_connections(
    serve: ServerFactory,
    make_transport: TransportFactory,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float | None,
    set_to: tuple[int, int | None],
) -> None:
    made: list[tuple[int, int]] = []
    connect = socket.socket.setsockopt

    def noted(sock: socket.socket, level: int, option: int, *value: int) -> None:
        if (level, option) in ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, _IDLE)):
            made.append((option, value[0]))
        connect(sock, level, option, *value)

    url = serve(ok).url
    transport = make_transport(tcp_keep_alive=seconds)
    monkeypatch.setattr(socket.socket, "setsockopt", noted)
    transport.send(get(url)).read()

    expected = [] if set_to[1] is None else [(socket.SO_KEEPALIVE, 1), (_IDLE, set_to[1])]
    assert [pair for pair in made if pair in expected] == expected
    assert bool(made) == bool(expected)


_IDLE = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", 0x10)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pool_size": 0}, "pool_size="),
        ({"pool_size": True}, "pool_size="),
        ({"pool_size": "5"}, "pool_size="),
        ({"keep_alive": -1}, "keep_alive="),
        ({"tcp_keep_alive": 0.5}, "tcp_keep_alive="),
        ({"source_address": 5}, "source_address="),
        ({"source_address": ("127.0.0.1", "x")}, "source_address="),
    ],
)
def test_options_without_sense_are_refused(
    make_transport: TransportFactory, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make_transport(**settings)


# -- seeing what is used ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RequestsTransport, Urllib3Transport, AiohttpTransport])
def test_a_transport_explains_how_it_reaches_a_url(
    kind: Callable[[], Urllib3Transport | AiohttpTransport], bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:hunter2@proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", ".internal")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    transport = kind()
    lane = "" if kind is AiohttpTransport else "; lane: direct"

    assert transport.explain("https://formation.example.org/v1") == (
        "https to formation.example.org:443; through the proxy http://proxy.example.org:3128, with a user and a "
        f"password; trusted authorities: those of REQUESTS_CA_BUNDLE={bundle}{lane}"
    )
    assert transport.explain("http://formation.internal:8001") == f"http to formation.internal:8001; directly{lane}"
    assert transport.explain("http+unix://%2Frun%2Fmuxi.sock") == f"http to the socket /run/muxi.sock; directly{lane}"


@pytest.mark.parametrize("kind", [RequestsTransport, Urllib3Transport])
def test_a_transport_explains_that_the_full_lane_was_asked_for(kind: type[Urllib3Transport]) -> None:
    assert kind(direct=False).explain("http://formation.internal").endswith("; lane: full: direct=False")


def test_a_session_decides_by_itself() -> None:
    with requests.Session() as session:
        assert "session" in RequestsTransport(session=session).explain("https://formation.example.org")


# -- adapters of the user's own --------------------------------------------------------------------------------


class Recording(requests.adapters.HTTPAdapter):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str | None, dict[str, object]]] = []
        self.closed = 0

    def send(self, request: requests.PreparedRequest, *args: object, **options: object) -> requests.Response:
        self.seen.append((request.url, options))
        return super().send(request, *args, **options)  # type: ignore[arg-type]  # handed on

    def close(self) -> None:
        self.closed += 1
        super().close()


def test_the_adapter_of_the_longest_prefix_sends(serve: ServerFactory) -> None:
    server = serve(ok)
    wide, narrow, other = Recording(), Recording(), Recording()
    transport = RequestsTransport(
        adapters={"http://": wide, server.url.upper() + "/V1": narrow, "https://": other},
        proxies={"https": "http://127.0.0.1:1"},
    )

    for body in (BytesBody(b"x"), IterableBody(pieces), IterableBody(pieces, length=6)):
        request = Request("POST", server.url + "/v1/a?b=1", Headers({"X-Muxi-User-Id": "Grüße"}), body)
        assert transport.send(request).read() == b"ok"
    assert transport.send(get(server.url + "/rpc")).read() == b"ok"

    assert ([len(adapter.seen) for adapter in (wide, narrow, other)]) == ([1, 3, 0])
    assert server.requests[0].values("x-muxi-user-id") == ["Grüße".encode()]
    assert [request.body for request in server.requests] == [b"x", b"onetwo", b"onetwo", b""]
    assert server.requests[0].values("cookie") == []
    transport.close()
    assert [adapter.closed for adapter in (wide, narrow, other)] == [1, 1, 1]


def test_what_no_adapter_is_for_takes_the_short_path(serve: ServerFactory) -> None:
    adapter = Recording()
    transport = RequestsTransport(adapters={"https://": adapter})

    assert transport.send(get(serve(ok).url)).read() == b"ok"
    assert adapter.seen == []
    transport.close()


def test_an_adapter_is_told_of_proxies_and_trust(serve: ServerFactory) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer(b"by proxy")

    adapter = Recording()
    proxy = serve(script).url
    transport = RequestsTransport(adapters={"http://": adapter}, proxies={"all": proxy}, verify="/company.pem")

    assert transport.send(get("http://formation.invalid/")).read() == b"by proxy"
    assert adapter.seen[0][1]["proxies"] == {"http": proxy}
    assert adapter.seen[0][1]["verify"] == "/company.pem"
    transport.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"adapters": {"gateway": requests.adapters.HTTPAdapter()}}, "beginning of URLs"),
        ({"adapters": {"https://": object()}}, "takes an adapter of requests"),
        ({"adapters": {"https://": requests.adapters.HTTPAdapter()}, "cert": ("a", "b", "c")}, "no password"),
    ],
)
def test_adapters_that_are_none(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        RequestsTransport(**settings)  # type: ignore[arg-type]  # wrong on purpose


# -- the lean transport ----------------------------------------------------------------------------------------


def in_a_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_lean_transport_never_loads_requests(serve: ServerFactory) -> None:
    url = serve(ok).url

    said = in_a_process(f"""
        import sys
        from muxi.transport import Request
        from muxi_transports.urllib3 import Urllib3Transport
        transport = Urllib3Transport()
        print(transport.send(Request("GET", {url!r})).read().decode())
        transport.close()
        print("requests" in sys.modules)
    """)

    assert said.split() == ["ok", "False"]


def test_its_name_stands_for_it(serve: ServerFactory) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer(b'{"status": "healthy"}', "200 OK", "Content-Type: application/json")

    with FormationClient(url=serve(script).url, transport="urllib3") as client:
        assert client.health()["status"] == "healthy"


def test_an_answer_that_nobody_reads_leaves_nothing_open(serve: ServerFactory) -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        peer.wait_for_end()
        ended.set()

    transport = Urllib3Transport()
    transport.send(get(serve(script).url, stream=True))

    assert ended.wait(PATIENCE)
    transport.close()
