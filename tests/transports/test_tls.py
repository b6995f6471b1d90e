"""TLS with certificates of both ends, the same over every HTTP transport: real handshakes on loopback."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from muxi.errors import ConfigurationError, ConnectionError
from muxi.transport import Transport
from tests.transports.conftest import ServerFactory, TransportFactory
from tests.transports.raw_server import Peer
from tests.transports.scripts import failure, get, ok

# Python 3.10 does not mark a TLS transport as closed when the peer has ended it by an alert.
pytestmark = pytest.mark.filterwarnings(r"ignore:unclosed transport <asyncio\.sslproto:ResourceWarning")


class Pair(NamedTuple):
    """A client certificate as files."""

    both: str
    certificate: str
    key: str
    #: The key once more, under the password ``s3cret``.
    locked: str


def pair_by(authority: trustme.CA, folder: Path) -> Pair:
    made = authority.issue_cert("client@example.org")
    files = [str(folder / name) for name in ("both.pem", "client.pem", "client.key", "locked.key")]
    made.private_key_and_cert_chain_pem.write_to_path(files[0])
    made.cert_chain_pems[0].write_to_path(files[1])
    made.private_key_pem.write_to_path(files[2])
    key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"s3cret"),
    )
    Path(files[3]).write_bytes(locked)
    return Pair(*files)


@pytest.fixture(scope="module")
def pair(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair_by(authority, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A client certificate by an authority that the server does not know."""
    return pair_by(trustme.CA(), tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def mutual(authority: trustme.CA) -> ssl.SSLContext:
    """A server that wants a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize("form", ["one file", "two files", "with a password", "path", "context"])
def test_a_client_certificate_in_every_form(
    serve: ServerFactory, make_transport: TransportFactory, mutual: ssl.SSLContext, pair: Pair, bundle: str, form: str
) -> None:
    context = ssl.create_default_context(cafile=bundle)
    context.load_cert_chain(pair.both)
    settings: dict[str, object] = {
        "one file": {"cert": pair.both},
        "two files": {"cert": (pair.certificate, pair.key)},
        "with a password": {"cert": (pair.certificate, pair.locked, "s3cret")},
        "path": {"cert": Path(pair.both)},
        "context": {"verify": context},
    }[form]  # type: ignore[assignment]  # every one of them is a dict

    transport = make_transport(**{"verify": bundle, **settings})

    assert transport.send(get(serve(ok, mutual).url)).read() == b"ok"


def test_without_a_client_certificate_the_error_says_what_is_wanted(
    serve: ServerFactory, make_transport: TransportFactory, mutual: ssl.SSLContext, bundle: str
) -> None:
    error = failure(make_transport(verify=bundle), get(serve(ok, mutual).url))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.permanent) == ("TLS_ERROR", True)
    assert "cert=" in error.message


def test_a_client_certificate_by_an_unknown_authority(
    serve: ServerFactory, make_transport: TransportFactory, mutual: ssl.SSLContext, stranger: Pair, bundle: str
) -> None:
    error = failure(make_transport(verify=bundle, cert=stranger.both), get(serve(ok, mutual).url))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.permanent) == ("TLS_ERROR", True)
    assert "cert=" in error.message


def test_a_certificate_for_another_name(
    serve: ServerFactory, make_transport: TransportFactory, authority: trustme.CA, bundle: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("formation.example.org").configure_cert(context)

    error = failure(make_transport(verify=bundle), get(serve(ok, context).url))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected, error.permanent) == ("TLS_ERROR", False, True)
    assert "another name" in error.message


def test_a_handshake_that_breaks_off_may_be_tried_again(serve: ServerFactory, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(10)

    error = failure(transport, get(serve(script).url.replace("http:", "https:")))

    assert isinstance(error, ConnectionError)
    assert (error.connected, error.permanent) == (False, False)


@pytest.mark.parametrize(
    ("cert", "said"),
    [
        (lambda pair: "/nowhere/client.pem", "No such file"),
        (lambda pair: pair.certificate, "PEM"),
        (lambda pair: (pair.certificate, pair.locked), r"password; give cert=\(certificate, key, password\)"),
        (lambda pair: (pair.certificate, pair.locked, "wrong-secret"), "is the password of the key right"),
    ],
    ids=["missing", "no key", "locked", "wrong password"],
)
def test_a_client_certificate_that_cannot_be_used_is_named(
    make_transport: TransportFactory, pair: Pair, bundle: str, cert: object, said: str
) -> None:
    transport = make_transport(verify=bundle, cert=cert(pair))  # type: ignore[operator]  # the functions above

    with pytest.raises(ConfigurationError, match=said) as caught:
        transport.send(get("https://127.0.0.1:1/"))

    assert "client" in caught.value.message
    assert "wrong-secret" not in f"{caught.value}{caught.value.__cause__!r}"


def test_a_folder_of_authorities(
    serve: ServerFactory,
    make_transport: TransportFactory,
    authority: trustme.CA,
    tls: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # OpenSSL looks for files by their hash there: none

    error = failure(make_transport(), get(serve(ok, tls).url))

    assert error.code == "TLS_ERROR"
    assert f"SSL_CERT_DIR={tmp_path}" in error.message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"verify": ""}, "verify=False"),
        ({"verify": 1.5}, "got float"),
        ({"verify": ssl.create_default_context(), "cert": "client.pem"}, "load_cert_chain"),
        ({"cert": ("a", "b", "c", "d")}, "takes a path"),
        ({"cert": 5}, "takes a path"),
    ],
)
def test_settings_that_contradict_each_other(
    make_transport: TransportFactory, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make_transport(**settings)
