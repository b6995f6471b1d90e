"""Through the proxies of companies, the same over every HTTP transport: real proxies on loopback, of every kind."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
import requests
import requests.adapters
import trustme

from muxi import FormationClient
from muxi.errors import ConfigurationError, ConnectionError, MissingExtraError
from muxi.testing.transport_suite.server import unused_port
from muxi.transport import BytesBody, Request, Timeouts
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.transports.conftest import ServerFactory, TransportFactory
from tests.transports.proxies import HttpProxy, SocksProxy
from tests.transports.raw_server import Peer
from tests.transports.scripts import CHUNKED, chunk, failure, get, ok

USER = "ada:p@ss:w%rd"
QUOTED = "ada:p%40ss%3Aw%25rd@"


def with_user(url: str) -> str:
    return url.replace("://", f"://{QUOTED}")


# -- forwarding and tunnelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [None, USER], ids=["open", "with a user"])
def test_plain_http_is_forwarded(serve: ServerFactory, make_transport: TransportFactory, user: str | None) -> None:
    script = HttpProxy(user)
    proxy, server = serve(script), serve(ok)
    transport = make_transport(proxies={"all": with_user(proxy.url) if user else proxy.url})

    for _ in range(2):
        assert transport.send(Request("POST", server.url + "/a%2fb?q=1", body=BytesBody(b"x"))).read() == b"ok"

    assert script.asked == [f"POST {server.url}/a%2fb?q=1 HTTP/1.1"] * 2
    assert script.refused == 0
    assert (server.requests[0].target, server.requests[0].body) == ("/a%2fb?q=1", b"x")
    assert server.requests[0].values("proxy-authorization") == []


@pytest.mark.parametrize("user", [None, USER], ids=["open", "with a user"])
def test_https_goes_through_a_tunnel(
    serve: ServerFactory, make_transport: TransportFactory, tls: ssl.SSLContext, bundle: str, user: str | None
) -> None:
    script = HttpProxy(user, hosts={"localhost": "127.0.0.1"})
    proxy, server = serve(script), serve(ok, tls)
    transport = make_transport(verify=bundle, proxies={"https": with_user(proxy.url) if user else proxy.url})

    for _ in range(2):
        assert transport.send(get(f"https://localhost:{server.port}/a")).read() == b"ok"

    assert [line.split()[:2] for line in script.asked] == [["CONNECT", f"localhost:{server.port}"]]
    assert server.requests[0].values("proxy-authorization") == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("given", ["", "ada:wrong-secret@"], ids=["no user", "wrong password"])
def test_a_proxy_that_knows_nobody_is_named_and_its_password_is_not(
    serve: ServerFactory, make_on_every_lane: TransportFactory, scheme: str, given: str
) -> None:
    script = HttpProxy(USER)
    proxy = serve(script)
    transport = make_on_every_lane(proxies={"all": proxy.url.replace("://", f"://{given}")})

    error = failure(transport, get(f"{scheme}://formation.invalid/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("PROXY_AUTHENTICATION", False)
    assert f"127.0.0.1:{proxy.port}" in error.message
    assert "407" in error.message
    assert "(user:password@host:port)" in error.message
    shown = repr(error) + str(error) + str(error.__cause__) + repr(error.__cause__) + repr(transport)
    assert "wrong-secret" not in shown


def test_a_proxy_that_wants_a_password_is_asked_once(serve: ServerFactory) -> None:
    script = HttpProxy(USER)
    proxy = serve(script)
    transport = Urllib3Transport(proxies={"all": proxy.url.replace("://", "://ada:wrong@")})
    with FormationClient(url="http://formation.invalid:8001", client_key="k", transport=transport) as client:
        with pytest.raises(ConnectionError) as caught:
            client.health()
        transport.close()

    assert caught.value.code == "PROXY_AUTHENTICATION"
    assert script.refused == 1  # a second attempt would lock the account a little more


def test_a_server_that_answers_407_itself_is_an_answer(serve: ServerFactory, make_transport: TransportFactory) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer(b"", "407 Proxy Authentication Required")

    assert make_transport().send(get(serve(script).url)).status == 407


def test_a_proxy_that_cannot_connect_is_a_proxy_error(
    serve: ServerFactory, make_transport: TransportFactory, bundle: str
) -> None:
    transport = make_transport(verify=bundle, proxies={"all": serve(HttpProxy()).url})

    error = failure(transport, get(f"https://127.0.0.1:{unused_port()}/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("PROXY_ERROR", False)
    assert "502" in error.message


def test_the_environment_names_proxies_with_users(
    serve: ServerFactory,
    make_transport: TransportFactory,
    tls: ssl.SSLContext,
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = HttpProxy(USER)
    proxy, server, direct = serve(script), serve(ok, tls), serve(ok)
    monkeypatch.setenv("HTTPS_PROXY", with_user(proxy.url))
    monkeypatch.setenv("HTTP_PROXY", with_user(proxy.url))
    monkeypatch.setenv("NO_PROXY", f"127.0.0.1:{direct.port}")
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    transport = make_transport()

    assert transport.send(get(server.url)).read() == b"ok"
    assert transport.send(get(direct.url)).read() == b"ok"
    assert (len(script.asked), script.refused) == (1, 0)


def test_a_proxy_over_tls(
    serve: ServerFactory, make_transport: TransportFactory, tls: ssl.SSLContext, bundle: str
) -> None:
    script = HttpProxy(USER)
    proxy, server = serve(script, tls), serve(ok)
    transport = make_transport(verify=bundle, proxies={"http": with_user(proxy.url)})

    assert transport.send(get(server.url + "/a")).read() == b"ok"
    assert script.asked == [f"GET {server.url}/a HTTP/1.1"]


# -- a proxy that re-signs TLS ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inspector() -> trustme.CA:
    """The authority of a company's own."""
    return trustme.CA()


@pytest.fixture
def inspecting(serve: ServerFactory, inspector: trustme.CA) -> tuple[str, HttpProxy]:
    script = HttpProxy(resigns=inspector)
    return serve(script).url, script


def test_a_proxy_that_inspects_tls_is_not_trusted_and_the_error_says_what_to_do(
    serve: ServerFactory, make_transport: TransportFactory, tls: ssl.SSLContext, inspecting: tuple[str, HttpProxy]
) -> None:
    transport = make_transport(proxies={"all": inspecting[0]})

    error = failure(transport, get(f"https://localhost:{serve(ok, tls).port}/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("TLS_ERROR", False)
    for hint in ("verify='ca.pem'", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "inspects TLS", "certifi"):
        assert hint in error.message


@pytest.mark.parametrize("by", ["verify=", "context", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_proxy_that_inspects_tls_can_be_trusted(
    serve: ServerFactory,
    make_transport: TransportFactory,
    tls: ssl.SSLContext,
    inspecting: tuple[str, HttpProxy],
    inspector: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
) -> None:
    path = tmp_path / "company.pem"
    inspector.cert_pem.write_to_path(str(path))
    settings: dict[str, object] = {"proxies": {"all": inspecting[0]}}
    if by == "verify=":
        settings["verify"] = path
    elif by == "context":
        settings["verify"] = ssl.create_default_context(cafile=str(path))
    else:
        monkeypatch.setenv(by, str(path))

    response = make_transport(**settings).send(get(f"https://localhost:{serve(ok, tls).port}/"))

    assert response.read() == b"ok"


# -- SOCKS -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [None, USER], ids=["open", "with a user"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_socks(
    serve: ServerFactory,
    make_transport: TransportFactory,
    tls: ssl.SSLContext,
    bundle: str,
    user: str | None,
    scheme: str,
) -> None:
    script = SocksProxy(user, {"localhost": "127.0.0.1"})
    proxy, server = serve(script), serve(ok, tls if scheme == "https" else None)
    url = f"socks5h://{QUOTED if user else ''}127.0.0.1:{proxy.port}"
    transport = make_transport(verify=bundle, proxies={"all": url})

    for _ in range(2):
        assert transport.send(get(f"{scheme}://localhost:{server.port}/a%2fb")).read() == b"ok"

    assert script.asked == ["localhost"]  # by its name, and over one connection
    assert server.requests[0].target == "/a%2fb"


def test_socks5_without_h_looks_names_up_here(serve: ServerFactory, make_transport: TransportFactory) -> None:
    script = SocksProxy()
    transport = make_transport(proxies={"all": f"socks5://127.0.0.1:{serve(script).port}"})

    assert transport.send(get(f"http://localhost:{serve(ok).port}/")).read() == b"ok"
    assert script.asked in (["127.0.0.1"], ["::1"])


@pytest.mark.parametrize("given", ["", "ada:wrong-secret@"], ids=["no user", "wrong password"])
def test_a_socks_proxy_that_knows_nobody(
    serve: ServerFactory, make_on_every_lane: TransportFactory, given: str
) -> None:
    port = serve(SocksProxy(USER)).port
    transport = make_on_every_lane(proxies={"all": f"socks5h://{given}127.0.0.1:{port}"})

    error = failure(transport, get("http://formation.invalid/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("PROXY_AUTHENTICATION", False)
    assert "wrong-secret" not in f"{error}{error.__cause__!r}"


def test_a_socks_proxy_that_cannot_connect_and_one_that_is_not_there(
    serve: ServerFactory, make_on_every_lane: TransportFactory
) -> None:
    for port in (serve(SocksProxy()).port, unused_port()):
        transport = make_on_every_lane(proxies={"all": f"socks5h://127.0.0.1:{port}"})
        error = failure(transport, get(f"http://127.0.0.1:{unused_port()}/"))
        assert isinstance(error, ConnectionError)
        assert (error.code, error.connected) == ("PROXY_ERROR", False)
        assert "Socks" not in error.message  # no repr of an object


@pytest.mark.parametrize("answer", [b"", b"\x05", b"\x05\x07", b"\x05\xff", b"HTTP/1.1 400 No\r\n\r\n", bytes(8)])
@pytest.mark.parametrize("scheme", ["socks5h", "socks5", "socks4a"])
def test_a_socks_proxy_that_breaks_off_or_speaks_otherwise_is_named(
    serve: ServerFactory, make_on_every_lane: TransportFactory, scheme: str, answer: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.send(answer)
        peer.close()

    port = serve(script).port
    transport = make_on_every_lane(proxies={"all": f"{scheme}://127.0.0.1:{port}"})
    error = failure(transport, get("http://127.0.0.1:1/"))
    assert isinstance(error, ConnectionError)
    assert error.code == ("PROXY_AUTHENTICATION" if answer == b"\x05\xff" and scheme != "socks4a" else "PROXY_ERROR")
    assert f"127.0.0.1:{port}" in error.message


def test_bounds_hold_through_socks(serve: ServerFactory, make_transport: TransportFactory) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        peer.wait_for_end()

    transport = make_transport(proxies={"all": f"socks5://127.0.0.1:{serve(SocksProxy()).port}"})

    error = failure(transport, get(serve(script).url, timeouts=Timeouts(5, 0.1, 5)))

    assert error.code == "READ_TIMEOUT"


def test_socks_without_its_package_says_what_to_install(
    make_transport: TransportFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "socks",
        "aiohttp_socks",
        "urllib3.contrib.socks",
        "muxi_transports.pooled.socks",
        "muxi_transports.aiohttp.socks",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("socks", "aiohttp_socks"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(MissingExtraError, match=r"pip install 'muxi-client\[socks\]'"):
        make_transport(proxies={"all": "socks5h://127.0.0.1:1"}).send(get("http://formation.invalid/"))


# -- mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "said"),
    [
        ({"htps": "http://proxy:1"}, "knows no 'htps'"),
        ("http://proxy:1", r"takes a dict of URLs, got str; one for all is proxies=\{'all': URL\}"),
        ({"https://": 5}, "takes a URL as text"),
        ({"all": "ftp://proxy:1"}, "ftp://"),
        ({"all": "http://"}, "not the URL of a proxy"),
        ({"all": "http://proxy:port"}, "not the URL of a proxy"),
    ],
)
def test_proxies_that_are_none(make_transport: TransportFactory, proxies: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make_transport(proxies=proxies).send(get("http://formation.invalid/"))


def test_a_session_whose_requests_has_no_socks_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **options: object) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")  # as requests has it

    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", missing)
    with requests.Session() as session:
        session.proxies = {"http": "socks5h://127.0.0.1:1"}
        with pytest.raises(MissingExtraError, match=r"pip install 'muxi-client\[socks\]'"):
            RequestsTransport(session=session).send(get("http://formation.invalid/"))
