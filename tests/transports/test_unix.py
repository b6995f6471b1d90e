"""Unix sockets as addresses, the same over every HTTP transport, and for clients in all their arguments."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from muxi import AsyncFormationClient, FormationClient, FormationConfig, ServerClient, ServerConfig
from muxi.errors import ConfigurationError, ConnectionError, TimeoutError
from muxi.transport import BytesBody, FileBody, Request, Timeouts
from muxi_transports.memory import Sandbox
from muxi_transports.memory import serve as serve_world
from tests.transports.conftest import ServerFactory, TransportFactory
from tests.transports.raw_server import Peer
from tests.transports.scripts import CHUNKED, chunk, failure, get, ok

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a socket can be: its path must be short."""
    folder = tempfile.mkdtemp(prefix="muxi-")
    yield Path(folder, "m.sock")
    shutil.rmtree(folder)


# -- transports ------------------------------------------------------------------------------------------------


def test_requests_go_to_the_socket_as_to_localhost(
    serve: ServerFactory, make_transport: TransportFactory, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")  # no socket is behind a proxy
    server = serve(ok, path=path)
    file = tmp_path / "bundle"
    file.write_bytes(b"x" * 300_000)
    transport = make_transport()

    for body in (None, BytesBody(b"x"), FileBody(file)):
        assert transport.send(Request("POST", server.url + "/a%2fb?q=1", body=body)).read() == b"ok"

    assert {request.target for request in server.requests} == {"/a%2fb?q=1"}
    assert {request.values("host")[0] for request in server.requests} == {b"localhost"}
    assert [len(request.body) for request in server.requests] == [0, 1, 300_000]
    assert server.connections == 1


def test_a_stream_over_a_socket_arrives_as_it_comes_and_keeps_its_bounds(
    serve: ServerFactory, make_transport: TransportFactory, path: Path
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + chunk(b"first"))
        peer.wait_for_end()

    url = serve(script, path=path).url
    chunks = make_transport().send(get(url, stream=True, timeouts=Timeouts(5, 0.1))).chunks()

    assert next(chunks) == b"first"
    with pytest.raises(TimeoutError) as caught:
        next(chunks)
    assert caught.value.code == "READ_TIMEOUT"
    assert f"the socket {path}" in caught.value.message


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/elsewhere?x=1", "{base}/elsewhere?x=1"),
        ("here", "{base}/a/here"),
        ("http://localhost/abs", "{base}/abs"),
        ("http://LOCALHOST:80/abs", "{base}/abs"),
        ("https://formation.example.org/x", "https://formation.example.org/x"),
        ("http://localhost:9000/x", "http://localhost:9000/x"),
    ],
)
def test_a_redirect_stays_on_the_socket(
    serve: ServerFactory, make_transport: TransportFactory, path: Path, location: str, leads_to: str
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.answer(b"", "307 Temporary Redirect", f"Location: {location}")

    base = serve(script, path=path).url

    response = make_transport().send(get(base + "/a/b"))

    assert response.headers["location"] == leads_to.format(base=base)


def test_a_socket_that_is_not_there(make_transport: TransportFactory, path: Path) -> None:
    error = failure(make_transport(), get(f"http+unix://{str(path).replace('/', '%2F')}/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("CONNECTION_FAILED", False)
    assert f"the socket {path}: No such file or directory; is the server running" in error.message


def test_a_socket_that_nobody_listens_to(make_transport: TransportFactory, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    error = failure(make_transport(), get(f"http+unix://{str(path).replace('/', '%2F')}/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("CONNECTION_REFUSED", False)
    assert f"the socket {path} refused the connection" in error.message


def test_a_socket_without_permission(
    make_transport: TransportFactory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # root may do everything, and tests may run as root

    monkeypatch.setattr(socket.socket, "connect", refuse)

    error = failure(make_transport(), get(f"http+unix://{str(path).replace('/', '%2F')}/"))

    assert (error.code, getattr(error, "connected", None)) == ("CONNECTION_FAILED", False)
    assert f"{path}: Permission denied; may this user write to the socket" in error.message


def test_a_path_that_is_too_long(make_transport: TransportFactory) -> None:
    error = failure(make_transport(), get(f"http+unix://{'x' * 200}/"))

    assert (error.code, getattr(error, "connected", None)) == ("CONNECTION_FAILED", False)
    assert "too long" in error.message


def test_a_system_without_such_sockets_says_so(
    make_transport: TransportFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = make_transport()
    monkeypatch.delattr(socket, "AF_UNIX")

    with pytest.raises(ConfigurationError, match="no Unix sockets"):
        transport.send(get("http+unix://%2Frun%2Fmuxi.sock/"))


# -- clients ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "base_url"),
    [
        ("unix:///run/muxi.sock", "http+unix://%2Frun%2Fmuxi.sock"),
        ("unix:/run/muxi.sock", "http+unix://%2Frun%2Fmuxi.sock"),
        ("UNIX:/run/muxi.sock", "http+unix://%2Frun%2Fmuxi.sock"),
        ("unix:/run/muxi.sock:/prefix/", "http+unix://%2Frun%2Fmuxi.sock/prefix"),
        ("unix:///run/my muxi.sock", "http+unix://%2Frun%2Fmy%20muxi.sock"),
        ("http+unix://%2Frun%2Fmuxi.sock", "http+unix://%2Frun%2Fmuxi.sock"),
        ("http+unix://%2Frun%2Fmuxi.sock/prefix/", "http+unix://%2Frun%2Fmuxi.sock/prefix"),
    ],
)
def test_how_a_socket_is_written(given: str, base_url: str) -> None:
    assert FormationConfig(base_url=given).address().base_url == base_url
    assert FormationConfig(url=given).address().base_url == f"{base_url}/v1"
    assert ServerConfig(url=given).address().base_url == base_url
    behind = FormationConfig(server_url=given, formation_id="bot").address()
    assert (behind.base_url, behind.proxied) == (f"{base_url}/api/bot/v1", True)


def test_a_path_from_here_is_one_from_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    found = ServerConfig(url="unix:m.sock").address().base_url

    assert found == "http+unix://" + str(Path(os.getcwd()) / "m.sock").replace("/", "%2F")  # noqa: PTH109  as it is


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("unix://run/muxi.sock", "unix:///run/muxi.sock"),
        ("unix:", "names no socket"),
        ("unix:///run/", "names no socket"),
        ("http+unix:///v1", "names no socket"),
        ("unix:///run/muxi.sock?x=1", "cannot have"),
        ("unix:///run/mu\nxi.sock", "cannot have"),
    ],
)
def test_what_is_no_socket_is_refused(given: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match="url=") as caught:
        ServerConfig(url=given).address()

    assert said in caught.value.message


@pytest.mark.parametrize("transport", ["requests", "urllib3"])
def test_clients_work_over_a_socket(transport: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings(), serve_world(Sandbox(), path=path) as served:
        warnings.simplefilter("error")  # nothing travels: there is nothing to warn of
        assert served.url == f"unix://{path}"
        monkeypatch.setenv("MUXI_SERVER_URL", served.url)
        with ServerClient(key_id="muxi_pk_1", secret_key="muxi_sk_1", transport=transport) as server:
            assert server.list_formations()["formations"] == []
        with FormationClient(
            server_url=served.url, formation_id="bot", client_key="k", admin_key="k", transport=transport
        ) as formation:
            assert formation.chat({"message": "Hi", "stream": False}, user_id="ada")
    assert not path.exists()


def test_async_clients_work_over_a_socket(path: Path) -> None:
    async def scenario(url: str) -> str:
        async with AsyncFormationClient(url=url, client_key="k") as formation:
            return "".join([text async for text in formation.chat_stream({"message": "Hi"}, user_id="ada").text()])

    with serve_world(Sandbox(), path=path) as served:
        assert "Hi" in asyncio.run(scenario(served.url))


def test_the_signature_is_of_the_path_behind_the_socket(serve: ServerFactory, path: Path) -> None:
    server = serve(ok, path=path)
    request = Request("GET", server.url + "/rpc/formations?x=1")

    assert request.path == "/rpc/formations"
