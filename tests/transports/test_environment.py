"""The variables that users of requests, urllib3 and OpenSSL know, over every network transport beside plain requests.

``docs/transports/proxies.md`` has them as a table.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import trustme
import urllib3
from requests.adapters import HTTPAdapter

from muxi.errors import ConfigurationError, ConnectionError
from muxi.testing.transport_suite.facade import FacadeTransport, Loop
from muxi.transport import Transport
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.transports.conftest import ServerFactory
from tests.transports.proxies import HttpProxy, SocksProxy
from tests.transports.scripts import get, ok

#: Every network transport, in each of its lanes.
TRANSPORTS: dict[str, Callable[..., Any]] = {
    "requests": RequestsTransport,
    "requests, full": lambda **settings: RequestsTransport(direct=False, **settings),
    "urllib3": Urllib3Transport,
    "urllib3, full": lambda **settings: Urllib3Transport(direct=False, **settings),
    "requests, adapters": lambda **settings: RequestsTransport(
        adapters={"http://": HTTPAdapter(), "https://": HTTPAdapter()}, **settings
    ),
    "aiohttp": AiohttpTransport,
}

#: Fetch a URL; how that ended.
Fetch = Callable[[str], str]


@pytest.fixture(params=list(TRANSPORTS))
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Transport]]:
    """Make the transport under test, the async one behind a sync face."""
    made: list[Transport] = []
    loops: list[Loop] = []

    def make(**settings: Any) -> Transport:
        transport = TRANSPORTS[request.param](**settings)
        if request.param == "aiohttp":
            loops.append(Loop(20))
            transport = FacadeTransport(transport, loops[-1])
        made.append(transport)
        return made[-1]

    yield make
    for transport in made:
        transport.close()
    for loop in loops:
        loop.stop()


@pytest.fixture
def fetch(make: Callable[..., Transport]) -> Fetch:
    """Fetch by the transport under test, made when it is first used."""

    def fetch(url: str) -> str:
        try:
            return make().send(get(url)).read().decode()
        except ConnectionError as error:
            return "untrusted" if error.code == "TLS_ERROR" else error.code

    return fetch


def fetch_plainly(url: str) -> str:
    """Fetch by requests alone."""
    with requests.Session() as session:
        try:
            return session.get(url, timeout=10).text
        except requests.exceptions.SSLError:
            return "untrusted"


class Row(NamedTuple):
    """Variables, and through which proxy they lead; ``ONE`` and ``TWO`` in a value stand for the addresses of two."""

    variables: dict[str, str]
    #: What requests to http and to https addresses go through.
    http: str | None
    https: str | None

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.variables.items()) or "nothing"


PROXIES = [
    Row({}, None, None),
    Row({"HTTP_PROXY": "ONE"}, "ONE", None),
    Row({"http_proxy": "ONE"}, "ONE", None),
    Row({"HTTP_PROXY": "ONE", "http_proxy": "TWO"}, "TWO", None),
    Row({"HTTP_PROXY": "ONE", "http_proxy": ""}, None, None),
    Row({"HTTP_PROXY": "ONE", "REQUEST_METHOD": "GET"}, None, None),
    Row({"http_proxy": "ONE", "REQUEST_METHOD": "GET"}, "ONE", None),
    Row({"HTTPS_PROXY": "ONE"}, None, "ONE"),
    Row({"https_proxy": "ONE"}, None, "ONE"),
    Row({"HTTPS_PROXY": "ONE", "https_proxy": "TWO", "REQUEST_METHOD": "GET"}, None, "TWO"),
    Row({"ALL_PROXY": "ONE"}, "ONE", "ONE"),
    Row({"all_proxy": "ONE"}, "ONE", "ONE"),
    Row({"ALL_PROXY": "ONE", "HTTP_PROXY": "TWO"}, "TWO", "ONE"),
    Row({"ALL_PROXY": "ONE", "NO_PROXY": "127.0.0.1"}, None, None),
    Row({"ALL_PROXY": "ONE", "no_proxy": "127.0.0.0/8"}, None, None),
    Row({"ALL_PROXY": "ONE", "NO_PROXY": "localhost, 127.0.0.1"}, None, None),
    Row({"ALL_PROXY": "ONE", "NO_PROXY": "127.0.0.1", "no_proxy": "elsewhere.example"}, "ONE", "ONE"),
    Row({"ALL_PROXY": "ONE", "NO_PROXY": "*"}, None, None),
    Row({"ALL_PROXY": "ONE", "NO_PROXY": "10.0.0.0/8"}, "ONE", "ONE"),
]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system's settings are asked there too")
@pytest.mark.parametrize("row", PROXIES, ids=str)
def test_the_variables_of_proxies_lead_where_plain_requests_goes(
    row: Row,
    fetch: Fetch,
    serve: ServerFactory,
    tls: ssl.SSLContext,
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = HttpProxy(), HttpProxy()
    addresses = {"ONE": serve(one).url, "TWO": serve(two).url}
    for name, value in row.variables.items():
        monkeypatch.setenv(name, addresses.get(value, value))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

    def look(fetch: Fetch) -> list[str | None]:
        """The proxy of a request to an http and to an https address."""
        ways: list[str | None] = []
        for server in (serve(ok), serve(ok, tls)):
            one.asked.clear()
            two.asked.clear()
            assert fetch(f"{server.url}/a") == "ok"
            ways.append("ONE" if one.asked else "TWO" if two.asked else None)
        return ways

    assert look(fetch) == [row.http, row.https]
    assert look(fetch_plainly) == [row.http, row.https]


def test_a_socks_proxy_may_be_named_too(fetch: Fetch, serve: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = SocksProxy(), serve(ok)
    monkeypatch.setenv("ALL_PROXY", serve(proxy).url.replace("http://", "socks5h://"))

    for fetched in (fetch, fetch_plainly):
        proxy.asked.clear()
        assert fetched(server.url) == "ok"
        assert proxy.asked == ["127.0.0.1"]


# -- trust ---------------------------------------------------------------------------------------------------------


class Trust(NamedTuple):
    """Variables that name authorities: ``RIGHT`` is a file with that of the server, ``WRONG`` one with another's."""

    variables: dict[str, str]
    is_trusted: bool
    #: Whether requests by itself knows these variables; OpenSSL and urllib3 do.
    in_requests: bool = True

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.variables.items()) or "nothing"


AUTHORITIES = [
    Trust({}, False),
    Trust({"REQUESTS_CA_BUNDLE": "RIGHT"}, True),
    Trust({"REQUESTS_CA_BUNDLE": "WRONG"}, False),
    Trust({"REQUESTS_CA_BUNDLE": ""}, False),
    Trust({"CURL_CA_BUNDLE": "RIGHT"}, True),
    Trust({"REQUESTS_CA_BUNDLE": "RIGHT", "CURL_CA_BUNDLE": "WRONG"}, True),
    Trust({"REQUESTS_CA_BUNDLE": "WRONG", "CURL_CA_BUNDLE": "RIGHT"}, False),
    Trust({"REQUESTS_CA_BUNDLE": "FOLDER"}, True),
    Trust({"SSL_CERT_FILE": "RIGHT"}, True, in_requests=False),
    Trust({"SSL_CERT_FILE": "WRONG"}, False, in_requests=False),
    Trust({"SSL_CERT_DIR": "FOLDER"}, True, in_requests=False),
    Trust({"REQUESTS_CA_BUNDLE": "WRONG", "SSL_CERT_FILE": "RIGHT"}, False),
]


@pytest.mark.parametrize("row", AUTHORITIES, ids=str)
def test_the_variables_of_authorities_are_trusted_as_by_plain_requests_or_urllib3(
    row: Trust,
    fetch: Fetch,
    serve: ServerFactory,
    tls: ssl.SSLContext,
    authority: trustme.CA,
    bundle: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "wrong.pem"))
    places = {"RIGHT": bundle, "WRONG": str(tmp_path / "wrong.pem"), "FOLDER": str(_hashed(tmp_path, bundle))}
    for name, value in row.variables.items():
        monkeypatch.setenv(name, places.get(value, value))
    url = serve(ok, tls).url

    def fetch_by_urllib3(url: str) -> str:
        with urllib3.PoolManager(retries=False) as pools:
            try:
                return pools.request("GET", url).data.decode()
            except urllib3.exceptions.SSLError:
                return "untrusted"

    expected = "ok" if row.is_trusted else "untrusted"
    assert fetch(url) == expected
    assert (fetch_plainly if row.in_requests else fetch_by_urllib3)(url) == expected


def _hashed(folder: Path, bundle: str) -> Path:
    """A folder of authorities as ``openssl rehash`` makes it."""
    found = folder / "authorities"
    found.mkdir()
    command = ["openssl", "x509", "-in", bundle, "-noout", "-subject_hash"]
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (found / f"{digest}.0").write_bytes(Path(bundle).read_bytes())
    return found


def test_keys_of_tls_sessions_are_logged_for_who_analyses_the_traffic(
    fetch: Fetch,
    serve: ServerFactory,
    tls: ssl.SSLContext,
    bundle: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    url = serve(ok, tls).url
    for name, fetched in (("ours", fetch), ("theirs", fetch_plainly)):
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / name))
        assert fetched(url) == "ok"
    ours, theirs = (
        {line.split()[0] for line in (tmp_path / name).read_text().splitlines() if not line.startswith("#")}
        for name in ("ours", "theirs")
    )
    assert ours == theirs
    assert ours


def test_a_log_of_keys_that_cannot_be_written_is_named(
    make: Callable[..., Transport],
    serve: ServerFactory,
    tls: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "missing" / "keys"))
    with pytest.raises(ConfigurationError, match=r"SSLKEYLOGFILE=.* cannot be written"):
        make().send(get(serve(ok, tls).url))


# -- what is not asked ---------------------------------------------------------------------------------------------


def test_without_trust_in_the_environment_nothing_is_asked(
    request: pytest.FixtureRequest,
    make: Callable[..., Transport],
    serve: ServerFactory,
    tls: ssl.SSLContext,
    bundle: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = HttpProxy()
    monkeypatch.setenv("ALL_PROXY", serve(proxy).url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    transport = make(trust_env=False)

    assert transport.send(get(serve(ok).url)).read() == b"ok"
    with pytest.raises(ConnectionError, match="TLS_ERROR"):
        transport.send(get(serve(ok, tls).url))
    assert proxy.asked == []
    # An adapter of the user's makes its own TLS contexts, by urllib3, which asks for this variable always.
    assert (tmp_path / "keys").exists() is ("adapters" in request.node.name)


@pytest.mark.parametrize("by", ["NETRC", "~/.netrc"])
def test_netrc_is_never_read(
    fetch: Fetch, serve: ServerFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """It would put its own Authorization in the place of the signature of a ServerClient."""
    file = tmp_path / ".netrc"
    file.write_text("machine 127.0.0.1 login ada password secret\n")
    file.chmod(0o600)
    if by == "NETRC":
        monkeypatch.setenv("NETRC", str(file))
    else:
        monkeypatch.delenv("NETRC", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(ok)

    assert [fetched(server.url) for fetched in (fetch, fetch_plainly)] == ["ok", "ok"]
    assert [bool(request.values("authorization")) for request in server.requests] == [False, True]


@pytest.mark.parametrize("trust_env", [True, False])
def test_a_session_reads_netrc_as_plain_requests_does(
    trust_env: bool, serve: ServerFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".netrc"
    file.write_text("machine 127.0.0.1 login ada password secret\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    server = serve(ok)
    with requests.Session() as session:
        session.trust_env = trust_env
        RequestsTransport(session=session).send(get(server.url)).read()
        session.get(server.url)

    ours, theirs = ([value.decode() for value in request.values("authorization")] for request in server.requests)
    assert ours == theirs == (["Basic YWRhOnNlY3JldA=="] if trust_env else [])


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system's settings are asked there too")
@pytest.mark.parametrize("row", PROXIES, ids=str)
def test_a_session_goes_through_the_proxies_of_plain_requests(
    row: Row, serve: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = HttpProxy(), HttpProxy()
    addresses = {"ONE": serve(one).url, "TWO": serve(two).url}
    for name, value in row.variables.items():
        monkeypatch.setenv(name, addresses.get(value, value))
    with requests.Session() as session:
        assert RequestsTransport(session=session).send(get(serve(ok).url)).read() == b"ok"

    assert ("ONE" if one.asked else "TWO" if two.asked else None) == row.http


# -- what the system reads -----------------------------------------------------------------------------------------


def test_names_are_looked_up_by_the_system(fetch: Fetch, serve: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """So its own variables (RES_OPTIONS, LOCALDOMAIN, HOSTALIASES) and files hold."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def recorded(host: Any, *arguments: Any, **named: Any) -> Any:
        asked.append(host)
        return look_up("127.0.0.1" if host == "formation.example" else host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", recorded)
    url = f"http://formation.example:{serve(ok).port}/"
    for fetched in (fetch, fetch_plainly):
        asked.clear()
        assert fetched(url) == "ok"
        assert "formation.example" in asked


#: What a program prints of a request to an https address, by each of the ways.
PROGRAM = """
import sys, requests
from muxi.errors import ConnectionError
from muxi.testing.transport_suite.facade import FacadeTransport, Loop
from muxi.transport import Request
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport

def by_requests():
    try:
        return requests.get(sys.argv[1], timeout=10).text
    except requests.exceptions.SSLError:
        return "TLS_ERROR"

def by(transport):
    try:
        return transport.send(Request("GET", sys.argv[1])).read().decode()
    except ConnectionError as error:
        return error.code
    finally:
        transport.close()

print(by_requests())
for direct in (True, False):
    print(by(RequestsTransport(direct=direct)))
    print(by(Urllib3Transport(direct=direct)))
loop = Loop(10)
print(by(FacadeTransport(AiohttpTransport(), loop)))
loop.stop()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("versions", "expected"), [(None, "ok"), ("TLSv1.2", "TLS_ERROR")], ids=["without", "with"])
def test_the_configuration_of_openssl_holds(
    versions: str | None, expected: str, serve: ServerFactory, authority: trustme.CA, bundle: str, tmp_path: Path
) -> None:
    """OpenSSL reads it when a program starts; here it allows no version of TLS that the server takes."""
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.minimum_version = ssl.TLSVersion.TLSv1_3
    authority.issue_cert("127.0.0.1").configure_cert(strict)
    variables = {"REQUESTS_CA_BUNDLE": bundle, "PATH": os.environ["PATH"]}
    if versions is not None:
        variables["OPENSSL_CONF"] = str(tmp_path / "openssl.cnf")
        (tmp_path / "openssl.cnf").write_text(
            textwrap.dedent(
                f"""
                openssl_conf = main
                [main]
                ssl_conf = ssl
                [ssl]
                system_default = defaults
                [defaults]
                MaxProtocol = {versions}
                """
            )
        )
    assert _run_program(serve(ok, strict).url, variables) == [expected] * 6


@pytest.mark.slow
def test_verification_is_not_switched_off_by_a_variable(serve: ServerFactory, tls: ssl.SSLContext) -> None:
    """PYTHONHTTPSVERIFY is for http.client alone, and requests does not know it either."""
    variables = {"PYTHONHTTPSVERIFY": "0", "PATH": os.environ["PATH"]}
    assert _run_program(serve(ok, tls).url, variables) == ["TLS_ERROR"] * 6


def _run_program(url: str, variables: dict[str, str]) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, url]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# -- the table -----------------------------------------------------------------------------------------------------


#: Variables of the table that have no row of their own above.
OTHERS = {
    "HOSTALIASES",
    "LOCALDOMAIN",
    "NETRC",
    "OPENSSL_CONF",
    "PYTHONHTTPSVERIFY",
    "RES_OPTIONS",
    "SSLKEYLOGFILE",
}


def test_the_table_of_the_documentation_has_each_variable_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "transports" / "proxies.md").read_text(encoding="utf-8")
    table = page.partition("| variable |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    listed = set(re.findall(r"`([A-Za-z_]+)`", "".join(cells)))
    assert listed == OTHERS.union(*(row.variables for row in PROXIES), *(row.variables for row in AUTHORITIES))
