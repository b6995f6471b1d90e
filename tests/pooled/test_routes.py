"""A route is plain values without a secret to show; the pools of both lanes go through every kind of proxy."""

from __future__ import annotations

import base64
import importlib.util
import socket
import ssl
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import urllib3

from muxi.errors import ConfigurationError, MissingExtraError
from muxi.transport import Transport
from muxi_transports.http.settings import HttpSettings
from muxi_transports.pooled import routes
from muxi_transports.pooled.routes import Route, refuse_fork, route_of
from muxi_transports.urllib3 import Urllib3Transport
from tests.pooled.conftest import LaneFactory, ServerFactory
from tests.transports.proxies import HttpProxy, SocksProxy
from tests.transports.raw_server import Peer
from tests.transports.scripts import failure, get, ok

USER = "ada:p@ss"
QUOTED = "ada:p%40ss@"
BASIC = "Basic " + base64.b64encode(USER.encode()).decode()
FOR_SERVER = "Basic " + base64.b64encode(b"me:mine").decode()
TOO_OLD = (
    "CONFIGURATION: the installed urllib3 cannot read a stream as it arrives. It is too old, or the fork "
    "urllib3-future (it comes with niquests) has replaced it. Install the real one: "
    "pip uninstall -y urllib3-future && pip install --force-reinstall 'urllib3>=2.3,<3'"
)

_LANES: dict[str, LaneFactory] = {"direct": Urllib3Transport, "full": partial(Urllib3Transport, direct=False)}


@pytest.fixture(params=_LANES)
def make(request: pytest.FixtureRequest) -> Iterator[LaneFactory]:
    """Make a transport of each lane with connections of its own."""
    made: list[Transport] = []

    def start(**options: Any) -> Transport:
        made.append(_LANES[request.param](**options))
        return made[-1]

    yield start
    for transport in made:
        transport.close()


# -- the values ------------------------------------------------------------------------------------------------


def route(base: str, proxy: str | None = None) -> Route:
    settings = HttpSettings(
        verify=True,
        cert=None,
        proxies={} if proxy is None else {"all": proxy},
        trust_env=False,
        pool_size=1,
        pool_block=False,
        source_address=None,
        keep_alive=None,
        tcp_keep_alive=None,
    )
    return route_of(settings.way_to(base))


DIRECT = Route("formation:8001", "formation:8001", "", None, False, False, None, None, None, "")


def test_a_route_without_a_proxy_has_nothing_of_one() -> None:
    assert route("http://formation:8001") == DIRECT
    assert route("http://me:mine@formation:8001") == DIRECT._replace(authorization=FOR_SERVER)


def test_a_route_over_tls_says_which_authorities_count() -> None:
    secure = route("https://formation")

    assert secure == Route("formation:443", "formation", "", None, False, False, None, None, None, secure.trust)
    assert secure.trust


def test_a_route_to_a_unix_socket_names_it() -> None:
    assert route("http+unix://%2Frun%2Fmuxi.sock") == Route(
        "the socket /run/muxi.sock", "localhost", "", None, False, False, None, None, "/run/muxi.sock", ""
    )


def test_an_http_proxy_forwards_http_and_gets_its_credentials_with_every_request() -> None:
    assert route("http://formation:8001", f"http://{QUOTED}proxy:3128") == DIRECT._replace(
        prefix="http://formation:8001", proxy="proxy:3128", is_forwarded=True, proxy_authorization=BASIC
    )


def test_an_http_proxy_connects_https_and_gets_no_credentials_with_a_request() -> None:
    tunnelled = route("https://formation:8001", f"http://{QUOTED}proxy:3128")

    assert tunnelled == DIRECT._replace(proxy="proxy:3128", is_tunnelled=True, trust=tunnelled.trust)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socks_proxy_neither_forwards_nor_is_asked_to_connect_in_http(scheme: str) -> None:
    found = route(f"{scheme}://formation:8001", f"socks5h://{QUOTED}proxy:1080")

    assert found == DIRECT._replace(proxy="proxy:1080", trust=found.trust)


def test_a_route_shows_where_it_leads_and_no_credentials() -> None:
    assert repr(route("http://me:mine@formation:8001", f"http://{QUOTED}proxy:1")) == "Route('formation:8001')"


# -- the pools -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [None, USER], ids=["open", "with a user"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_requests_go_through_a_socks_proxy(
    serve: ServerFactory, make: LaneFactory, tls: ssl.SSLContext, bundle: str, user: str | None, secure: bool
) -> None:
    script = SocksProxy(user, {"formation.invalid": "127.0.0.1", "localhost": "127.0.0.1"})
    server = serve(ok, tls if secure else None)
    transport = make(
        verify=bundle, proxies={"all": f"socks5h://{QUOTED if user else ''}127.0.0.1:{serve(script).port}"}
    )
    host = "localhost" if secure else "formation.invalid"

    for _ in range(2):
        url = f"{'https' if secure else 'http'}://{host}:{server.port}/a"
        assert transport.send(get(url)).read() == b"ok"

    assert script.asked == [host], "its name was looked up here, or its connection was not kept"


@pytest.mark.parametrize("user", [None, USER], ids=["open", "with a user"])
def test_requests_go_through_an_http_proxy(
    serve: ServerFactory, make: LaneFactory, tls: ssl.SSLContext, bundle: str, user: str | None
) -> None:
    script = HttpProxy(user)
    proxy, plain, secure = serve(script), serve(ok), serve(ok, tls)
    transport = make(verify=bundle, proxies={"all": f"http://{QUOTED if user else ''}127.0.0.1:{proxy.port}"})

    for server in (plain, secure):
        assert transport.send(get(f"{server.url}/a")).read() == b"ok"

    asked = [line.rpartition(" HTTP/")[0] for line in script.asked]
    assert asked == [f"GET {plain.url}/a", f"CONNECT 127.0.0.1:{secure.port}"]
    assert script.refused == 0


def test_https_goes_to_its_server_without_a_proxy(
    serve: ServerFactory, make: LaneFactory, tls: ssl.SSLContext, bundle: str
) -> None:
    transport, server = make(verify=bundle), serve(ok, tls)
    for _ in range(2):
        assert transport.send(get(server.url)).read() == b"ok"

    assert server.connections == 1


def test_connections_of_urllib3_come_from_the_port_that_is_given(
    serve: ServerFactory, make: LaneFactory, tls: ssl.SSLContext, bundle: str
) -> None:
    came_from: list[int] = []

    def script(peer: Peer) -> None:
        came_from.append(peer.sock.getpeername()[1])
        ok(peer)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    transport = make(verify=bundle, source_address=("127.0.0.1", port))
    transport.send(get(serve(script, tls).url)).read()

    assert came_from == [port]


def test_a_proxy_that_urllib3_refuses_is_an_error_of_the_configuration(make: LaneFactory) -> None:
    error = failure(make(proxies={"all": "http://prox%zzy:1"}), get("http://127.0.0.1:1/"))

    assert type(error) is ConfigurationError
    assert error.message.startswith("the request cannot be sent: ")
    assert error.__context__ is None, "frames of urllib3 hold the credentials of the proxy"


def test_a_socks_proxy_without_pysocks_names_the_extra(make: LaneFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("urllib3.contrib.socks", "muxi_transports.pooled.socks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "socks", None)
    error = failure(make(proxies={"all": f"socks5h://{QUOTED}127.0.0.1:1"}), get("http://127.0.0.1:1/"))

    assert type(error) is MissingExtraError
    assert error.message == (
        "the proxy 127.0.0.1:1 is a SOCKS proxy, which needs PySocks: pip install 'muxi-client[socks]'"
    )


# -- urllib3 itself --------------------------------------------------------------------------------------------


def without(method: str) -> type:
    """The class of answers of another urllib3."""
    return type("HTTPResponse", (), {name: None for name in ("read1", "shutdown") if name != method})


@pytest.mark.parametrize("missing", ["read1", "shutdown"])
def test_a_urllib3_that_cannot_read_or_end_streams_is_refused(
    make: LaneFactory, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(urllib3, "HTTPResponse", without(missing))

    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == TOO_OLD


def test_a_urllib3_that_is_imported_after_the_transport_is_made_is_refused_too(
    make: LaneFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = make()
    monkeypatch.setattr(urllib3, "HTTPResponse", without("read1"))

    assert str(failure(transport, get("https://127.0.0.1:1/"))) == TOO_OLD


def test_a_urllib3_that_is_not_imported_or_half_imported_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "urllib3", type(sys)("urllib3"))
    refuse_fork()  # raises nothing
    monkeypatch.delitem(sys.modules, "urllib3")
    refuse_fork()


def test_the_module_of_routes_loads_without_urllib3(monkeypatch: pytest.MonkeyPatch) -> None:
    specification = importlib.util.find_spec(routes.__name__)
    assert specification is not None
    assert specification.loader is not None
    monkeypatch.setitem(sys.modules, "urllib3", None)  # to import it is an ImportError
    copied = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(copied)

    assert copied.__all__ == routes.__all__
