"""No key appears anywhere, whatever its shape, however a call fails, and whichever transport carries it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muxi.plugins import AuditTrail, BearerAuth
from tests.secrets.conftest import Side
from tests.secrets.marks import KEYS, VALUES, leaks, spellings, surfaces_of, surfaces_of_records
from tests.transports.raw_server import Peer

Work = Callable[[Any], Any]


def envelope(message: str, code: str = "UNAUTHORIZED") -> bytes:
    return json.dumps(
        {"success": False, "error": {"code": code, "message": message, "data": {"key": message}}}
    ).encode()


def says(status: str, body: Callable[[str], bytes], *headers: str, content_type: str = "application/json") -> Any:
    """An answer that repeats the key in every spelling."""

    def script(secret: str) -> Callable[[Peer], None]:
        text = " | ".join(spellings(secret))

        def serve(peer: Peer) -> None:
            peer.request()
            peer.answer(body(text), status, f"Content-Type: {content_type}", *headers)

        return serve

    return script


def raw(*pieces: bytes, reset: bool = False) -> Any:
    """Bytes in place of an answer."""

    def script(secret: str) -> Callable[[Peer], None]:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(*(piece.replace(b"KEY", secret.encode()) for piece in pieces))
            peer.reset() if reset else peer.close()

        return serve

    return script


OK = b"HTTP/1.1 200 OK\r\n"
SSE = OK + b"Content-Type: text/event-stream\r\n"


def memories(client: Any) -> Any:
    return client.get_memories("ada")


def chat_stream(client: Any) -> Any:
    return client.chat_stream("hi", user_id="ada")


FAILURES: dict[str, tuple[Any, Work]] = {
    "401 that repeats the key": (says("401 Unauthorized", envelope), memories),
    "403 that repeats the key": (says("403 Forbidden", envelope), memories),
    "404 that repeats the key": (says("404 Not Found", envelope), memories),
    "422 that repeats the key": (says("422 Unprocessable Entity", envelope), memories),
    "429 that repeats the key": (says("429 Too Many", envelope), memories),
    "500 that repeats the key": (says("500 No", envelope), memories),
    "the key as a code": (says("400 Bad", lambda text: envelope("no", text)), memories),
    "a page that repeats the key": (
        says("502 Bad Gateway", lambda text: f"<p>{text}".encode(), content_type="text/html"),
        memories,
    ),
    "a flat error": (says("400 Bad", lambda text: json.dumps({"error": "Bad", "message": text}).encode()), memories),
    "success that is a failure": (says("200 OK", lambda text: envelope(text)), memories),
    "an answer that is no JSON": (says("200 OK", lambda text: text.encode()), memories),
    "a list in place of an object": (says("200 OK", lambda text: json.dumps([text]).encode()), memories),
    "a page in place of a stream": (
        says("200 OK", lambda text: text.encode(), content_type="text/html"),
        chat_stream,
    ),
    "a refused stream": (says("401 Unauthorized", envelope), chat_stream),
    "a reason that repeats the key": (raw(b"HTTP/1.1 401 KEY\r\nContent-Length: 0\r\n\r\n"), memories),
    "a header that repeats the key": (raw(b"HTTP/1.1 400 No\r\nX-Tag: KEY\r\nContent-Length: 0\r\n\r\n"), memories),
    "a status line that is none": (raw(b"hello KEY\r\n\r\n"), memories),
    "a length that is none": (raw(OK + b"Content-Length: KEY\r\n\r\n"), memories),
    "a chunk size that is none": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\nKEY\r\n"), memories),
    "a header without a colon": (raw(OK + b"KEY\r\n\r\n"), memories),
    "a head that is cut": (raw(b"HTTP/1.1 200 OK\r\nX-Tag: KEY"), memories),
    "a body that is cut": (raw(OK + b'Content-Length: 900\r\n\r\n{"data": "KEY'), memories),
    "a reset": (raw(reset=True), memories),
    "nothing at all": (raw(), memories),
    "a coding that is none": (raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"), memories),
    "a stream that is cut": (raw(SSE + b"Content-Length: 900\r\n\r\ndata: {}\n\n"), chat_stream),
    "a stream that is reset": (raw(SSE + b"\r\n: ping\n\n", reset=True), chat_stream),
    "an error event": (raw(SSE + b'\r\nevent: error\ndata: {"error": "KEY", "code": "KEY"}\n\n'), chat_stream),
    "a redirect elsewhere": (
        raw(b"HTTP/1.1 307 Go\r\nLocation: http://other.example/KEY?token=KEY\r\nContent-Length: 0\r\n\r\n"),
        memories,
    ),
    "a redirect with a password": (
        raw(b"HTTP/1.1 307 Go\r\nLocation: http://u:KEY@other.example/\r\nContent-Length: 0\r\n\r\n"),
        memories,
    ),
    "a redirect that is none": (
        raw(b"HTTP/1.1 307 Go\r\nLocation: http://[KEY\r\nContent-Length: 0\r\n\r\n"),
        memories,
    ),
}


def failure_of(side: Side, kind: str, settings: dict[str, Any], work: Work, **transport: Any) -> BaseException:
    try:
        found = side.run(kind, settings, work, **transport)
    except Exception as error:
        return error
    raise AssertionError(f"the call did not fail: {found!r}")


@pytest.mark.parametrize("shape", ["platform", "quotes", "percent"])
@pytest.mark.parametrize("scenario", FAILURES)
def test_a_key_stays_hidden_however_a_call_fails(
    side: Side, serve: Any, records: Any, tmp_path: Path, scenario: str, shape: str
) -> None:
    script, work = FAILURES[scenario]
    key = KEYS[shape]
    audit = tmp_path / "audit"
    settings = {
        "url": serve(script(key)).url,
        "client_key": key,
        "max_retries": 0,
        "timeout": 5,
        "plugins": [AuditTrail(audit)],
    }
    error = failure_of(side, "formation", settings, work)
    assert leaks(key, surfaces_of(error)) == []
    assert leaks(key, surfaces_of_records(records)) == []
    assert leaks(key, iter([("audit", audit.read_text())])) == []


@pytest.mark.parametrize("shape", KEYS)
@pytest.mark.parametrize("where", ["client key", "admin key", "secret key", "bearer", "header"])
def test_every_kind_of_key_of_every_shape_stays_hidden(
    side: Side, serve: Any, records: Any, where: str, shape: str
) -> None:
    key = KEYS[shape]
    settings: dict[str, Any] = {"url": serve(FAILURES["401 that repeats the key"][0](key)).url, "max_retries": 0}
    kind, work = "formation", memories
    if where == "client key":
        settings["client_key"] = key
    elif where == "admin key":
        settings["admin_key"] = key
    elif where == "secret key":
        kind, work = "server", lambda client: client.status()
        settings |= {"key_id": "muxi_pk_public", "secret_key": key}
    elif where == "bearer":
        settings |= {"client_key": "other", "plugins": [BearerAuth(key, header="X-Mesh", scheme="")]}
    else:
        settings |= {"client_key": "other", "headers": {"X-Api-Key": key}}
    error = failure_of(side, kind, settings, work)
    shown = [*surfaces_of(error), *surfaces_of_records(records)]
    if where == "secret key":
        # It is never sent, so that no server can repeat it.
        shown = [(name, text) for name, text in shown if name not in ("pickle", "pickle of text")]
        shown = [(name, text) for name, text in shown if " | " not in text]
    assert leaks(key, iter(shown)) == []


@pytest.mark.parametrize("shape", VALUES)
@pytest.mark.parametrize("method", ["create_secret", "update_secret", "create_credential"])
def test_a_secret_given_to_a_method_stays_hidden(side: Side, serve: Any, records: Any, method: str, shape: str) -> None:
    value = VALUES[shape]
    url = serve(FAILURES["422 that repeats the key"][0](value)).url

    def work(client: Any) -> Any:
        if method == "create_credential":
            return client.create_credential("github", {"deep": [{"value": value}]}, user_id="ada")
        return getattr(client, method)("NAME", value)

    error = failure_of(side, "formation", {"url": url, "admin_key": "other", "client_key": "o", "max_retries": 0}, work)
    assert leaks(value, surfaces_of(error)) == []
    assert leaks(value, surfaces_of_records(records)) == []


BAD_INPUT: dict[str, Work] = {
    "a name that is no text": lambda client: client.create_secret("NAME\udc80", VALUES["platform"]),
    "a name that is none": lambda client: client.create_secret("", VALUES["platform"]),
    "a value that is no text": lambda client: client.create_secret("NAME", [VALUES["platform"]]),
    "a value with half a pair": lambda client: client.create_secret("NAME", VALUES["platform"] + "\ud800"),
    "a body that JSON has no form for": lambda client: client.create_credential(
        "github", {"token": VALUES["platform"], "set": {1}}, user_id="ada"
    ),
    "a user that is no text": lambda client: client.create_credential(
        "github", {"token": VALUES["platform"]}, user_id="a\udc80"
    ),
    "an argument that is not there": lambda client: client.create_secret("NAME", VALUES["platform"], colour="red"),
}


@pytest.mark.parametrize("scenario", BAD_INPUT)
def test_bad_input_shows_no_secret_that_stands_beside_it(side: Side, records: Any, scenario: str) -> None:
    settings = {"url": "http://127.0.0.1:9", "admin_key": KEYS["quotes"], "client_key": KEYS["quotes"]}
    error = failure_of(side, "formation", settings, BAD_INPUT[scenario])
    for secret in (VALUES["platform"], KEYS["quotes"]):
        assert leaks(secret, surfaces_of(error)) == []
        assert leaks(secret, surfaces_of_records(records)) == []


@pytest.mark.parametrize("bad", ["X-Tag", "X-Muxi-Client-Key"])
def test_a_header_that_is_no_text_shows_no_other(side: Side, bad: str) -> None:
    settings = {"url": "http://127.0.0.1:9", "client_key": KEYS["platform"], "max_retries": 0}
    error = failure_of(side, "formation", {**settings, "headers": {bad: "caf\udce9 " + KEYS["quotes"]}}, memories)
    assert leaks(KEYS["platform"], surfaces_of(error)) == []


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", b"nonsense\r\n\r\n", b""])
def test_a_proxys_password_stays_hidden(side: Side, serve: Any, records: Any, answer: bytes) -> None:
    password = "LEAKMARK-proxy-password"
    url = serve(raw(answer)("")).url.replace("http://", f"http://user:{password}@")
    settings = {"url": "http://formation.example", "client_key": "other", "max_retries": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the key in the clear, once for the host
        error = failure_of(side, "formation", settings, memories, proxy=url)
    assert leaks(password, surfaces_of(error)) == []
    assert leaks(password, surfaces_of_records(records)) == []


def test_a_plugin_that_raises_shows_no_key(side: Side, serve: Any, records: Any) -> None:
    from muxi import hookimpl

    key = KEYS["platform"]

    class Vault:
        name = "vault"

        @hookimpl(trylast=True)
        def muxi_intercept(self, request: Any) -> None:
            raise LookupError(f"refused with {request.headers['X-Muxi-Client-Key']}")

    settings = {"url": serve(raw()("")).url, "client_key": key, "max_retries": 0, "plugins": [Vault()]}
    error = failure_of(side, "formation", settings, memories)
    assert leaks(key, surfaces_of(error)) == []
    assert leaks(key, surfaces_of_records(records)) == []


def test_a_vault_that_raises_shows_no_key(side: Side) -> None:
    def ask() -> str:
        raise RuntimeError(f"token={KEYS['platform']} was refused")

    error = failure_of(side, "formation", {"url": "http://127.0.0.1:9", "client_key": ask, "max_retries": 0}, memories)
    assert leaks(KEYS["platform"], surfaces_of(error)) == []
