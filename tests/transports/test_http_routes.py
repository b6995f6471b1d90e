"""TLS and proxies, the same over requests and over aiohttp."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from muxi.errors import ConfigurationError, ConnectionError
from muxi.testing.transport_suite.server import unused_port
from muxi.transport import Transport
from tests.transports.conftest import ServerFactory, TransportFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import failure, get, ok

# -- TLS -------------------------------------------------------------------------------------------------------


def test_a_certificate_by_an_unknown_authority_is_refused(
    serve: ServerFactory, transport: Transport, tls: ssl.SSLContext
) -> None:
    error = failure(transport, get(serve(ok, tls).url))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected, error.permanent) == ("TLS_ERROR", False, True)
    assert "certificate verify failed" in error.message


@pytest.mark.filterwarnings("ignore:TLS certificates are not verified")
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_an_authority_can_be_trusted_by_argument_or_environment(
    serve: ServerFactory,
    make_transport: TransportFactory,
    tls: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    url = serve(ok, tls).url

    assert make_transport(verify=str(bundle)).send(get(url)).read() == b"ok"
    assert make_transport(verify=False).send(get(url)).read() == b"ok"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert make_transport().send(get(url)).read() == b"ok"
    assert failure(make_transport(trust_env=False), get(url)).code == "TLS_ERROR"


def test_a_bundle_that_is_not_there_is_named(make_transport: TransportFactory) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        make_transport(verify="/nowhere/ca.pem").send(get("https://127.0.0.1:1/"))


# Python 3.10 does not mark a TLS transport as closed when the peer has ended it by an alert.
@pytest.mark.filterwarnings(r"ignore:unclosed transport <asyncio\.sslproto:ResourceWarning")
def test_a_client_certificate_is_presented(
    serve: ServerFactory, make_transport: TransportFactory, authority: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    bundle, pair = tmp_path / "ca.pem", tmp_path / "client.pem"
    authority.cert_pem.write_to_path(str(bundle))
    authority.issue_cert("client@example.org").private_key_and_cert_chain_pem.write_to_path(str(pair))
    url = serve(ok, context).url

    assert make_transport(verify=str(bundle), cert=str(pair)).send(get(url)).read() == b"ok"
    assert isinstance(failure(make_transport(verify=str(bundle)), get(url)), ConnectionError)


def test_a_server_without_tls_is_a_tls_error(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(10)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.wait_for_end()

    error = failure(transport, get(serve(script).url.replace("http:", "https:")))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected, error.permanent) == ("TLS_ERROR", False, True)


# -- proxies ---------------------------------------------------------------------------------------------------


def forwarding(peer: Peer) -> None:
    """A proxy that answers for every server."""
    while True:
        peer.request()
        peer.answer(b"by proxy")


def tunnelling(peer: Peer) -> None:
    """A proxy that connects to whatever it is asked to."""
    host, _, port = peer.request().target.rpartition(":")
    with socket.create_connection((host, int(port))) as upstream:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def backwards() -> None:
            with contextlib.suppress(OSError):
                while data := upstream.recv(65536):
                    peer.send(data)

        thread = threading.Thread(target=backwards, daemon=True)
        thread.start()
        while data := peer.sock.recv(65536):
            upstream.sendall(data)
        upstream.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


def test_the_environment_names_a_proxy(
    serve: ServerFactory, make_transport: TransportFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(forwarding)
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://me:secret@"))
    transport = make_transport()

    assert transport.send(get("http://formation.invalid:8001/a%2fb?q=1")).read() == b"by proxy"
    request = proxy.requests[0]
    assert request.target == "http://formation.invalid:8001/a%2fb?q=1"
    assert request.values("host") == [b"formation.invalid:8001"]
    assert request.values("proxy-authorization") == [b"Basic bWU6c2VjcmV0"]


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "example.org, 127.0.0.0/8", "*"])
def test_no_proxy_is_respected(
    serve: ServerFactory, make_transport: TransportFactory, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    proxy, server = serve(forwarding), serve(ok)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", no_proxy)

    assert make_transport().send(get(server.url)).read() == b"ok"
    assert proxy.connections == 0


def test_the_environment_is_not_asked_where_it_is_not_trusted(
    serve: ServerFactory, make_transport: TransportFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = serve(forwarding), serve(ok)
    monkeypatch.setenv("ALL_PROXY", proxy.url)

    assert make_transport(trust_env=False).send(get(server.url)).read() == b"ok"
    assert make_transport().send(get(server.url)).read() == b"by proxy"


def test_proxies_can_be_given(serve: ServerFactory, make_transport: TransportFactory) -> None:
    proxy, server = serve(forwarding), serve(ok)
    transport = make_transport(proxies={"http": proxy.url, "no_proxy": ".direct.invalid,127.0.0.1"})

    assert transport.send(get("http://formation.invalid/")).read() == b"by proxy"
    assert transport.send(get(server.url)).read() == b"ok"


def test_https_goes_through_a_tunnel(
    serve: ServerFactory, make_transport: TransportFactory, tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    proxy, server = serve(tunnelling), serve(ok, tls)
    transport = make_transport(verify=str(bundle), proxies={"https": proxy.url})

    assert transport.send(get(server.url + "/a%2fb")).read() == b"ok"
    assert transport.send(get(server.url + "/again")).read() == b"ok"
    assert [request.target for request in server.requests] == ["/a%2fb", "/again"]
    assert (proxy.requests[0].method, proxy.connections) == ("CONNECT", 1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named_without_its_password(make_transport: TransportFactory, scheme: str) -> None:
    port = unused_port()
    transport = make_transport(proxies={"all": f"http://me:hunter2@127.0.0.1:{port}"})

    error = failure(transport, get(f"{scheme}://formation.invalid/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("PROXY_ERROR", False)
    assert f"127.0.0.1:{port}" in error.message
    assert "hunter2" not in str(error)


def test_a_proxy_that_wants_a_password_is_an_error_of_its_own(
    serve: ServerFactory, make_transport: TransportFactory
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer(b"", "407 Proxy Authentication Required")

    transport = make_transport(proxies={"all": serve(script).url.replace("://", "://me:hunter2@")})
    error = failure(transport, get("https://formation.invalid/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected, error.permanent) == ("PROXY_AUTHENTICATION", False, True)
    assert "407" in error.message
    assert "hunter2" not in str(error)


def test_a_proxy_that_is_no_url_is_a_matter_of_configuration(make_transport: TransportFactory) -> None:
    with pytest.raises(ConfigurationError):
        make_transport(proxies={"all": "http://"}).send(get("http://formation.invalid/"))
