"""No key appears anywhere, whatever its shape, however a call fails, and whichever transport carries it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from muxi import MuxiError
from muxi.plugins import AuditTrail, BearerAuth
from tests.secrets.conftest import Side
from tests.secrets.marks import KEYS, VALUES, leaks, surfaces_of, surfaces_of_records
from tests.secrets.scenarios import FAILURES, Work, memories, raw


def failure_of(side: Side, kind: str, settings: dict[str, Any], work: Work, **transport: Any) -> BaseException:
    try:
        found = side.run(kind, settings, work, **transport)
    except MuxiError as error:
        return error
    raise AssertionError(f"the call did not fail: {found!r}")


@pytest.mark.parametrize("shape", KEYS)
@pytest.mark.parametrize("scenario", FAILURES)
def test_a_key_stays_hidden_however_a_call_fails(
    side: Side, serve: Any, records: Any, tmp_path: Path, scenario: str, shape: str
) -> None:
    receiver, work, _ = FAILURES[scenario]
    key = KEYS[shape]
    audit = tmp_path / "audit"
    settings = {
        "url": serve(receiver(key).script).url,
        "client_key": key,
        "max_retries": 0,
        "timeout": 5,
        "validate_responses": "strict",
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
    settings: dict[str, Any] = {
        "url": serve(FAILURES["401 that repeats the key"].receiver(key).script).url,
        "max_retries": 0,
    }
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
    # The secret key is never sent, but the server has it too.
    assert leaks(key, surfaces_of(error)) == []
    assert leaks(key, surfaces_of_records(records)) == []


@pytest.mark.parametrize("shape", VALUES)
@pytest.mark.parametrize("method", ["create_secret", "update_secret", "create_credential"])
def test_a_secret_given_to_a_method_stays_hidden(side: Side, serve: Any, records: Any, method: str, shape: str) -> None:
    value = VALUES[shape]
    url = serve(FAILURES["422 that repeats the key"].receiver(value).script).url

    def work(client: Any) -> Any:
        if method == "create_credential":
            return client.create_credential("ada", {"service": "github", "credential": {"deep": [{"value": value}]}})
        return getattr(client, method)("NAME", value)

    error = failure_of(side, "formation", {"url": url, "admin_key": "other", "client_key": "o", "max_retries": 0}, work)
    assert leaks(value, surfaces_of(error)) == []
    assert leaks(value, surfaces_of_records(records)) == []


def endless(value: dict[str, Any]) -> dict[str, Any]:
    value["self"] = value
    return value


BAD_INPUT: dict[str, Work] = {
    "a name that is no text": lambda client: client.create_secret("NAME\udc80", VALUES["platform"]),
    "a name that is none": lambda client: client.create_secret("", VALUES["platform"]),
    "a value that is no text": lambda client: client.create_secret("NAME", [VALUES["platform"]]),
    "a value with half a pair": lambda client: client.create_secret("NAME", VALUES["platform"] + "\ud800"),
    "a body that JSON has no form for": lambda client: client.create_credential(
        "ada", {"service": "github", "credential": {"token": VALUES["platform"], "set": {1}}}
    ),
    "a user that is no text": lambda client: client.create_credential(
        "a\udc80", {"service": "github", "credential": {"token": VALUES["platform"]}}
    ),
    "a body that contains itself": lambda client: client.create_credential(
        "ada", {"service": "github", "credential": endless({"token": VALUES["platform"]})}
    ),
}


@pytest.mark.parametrize("scenario", BAD_INPUT)
def test_bad_input_shows_no_secret_that_stands_beside_it(side: Side, records: Any, scenario: str) -> None:
    settings = {
        "url": "http://127.0.0.1:9",
        "admin_key": KEYS["quotes"],
        "client_key": KEYS["quotes"],
        "max_retries": 0,
    }
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
    url = serve(raw(answer)("").script).url.replace("http://", f"http://user:{password}@")
    settings = {"url": "http://formation.example", "client_key": "other", "max_retries": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the key in the clear, once for the host
        error = failure_of(side, "formation", settings, memories, proxies={"all": url})
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

    settings = {"url": serve(raw()("").script).url, "client_key": key, "max_retries": 0, "plugins": [Vault()]}
    error = failure_of(side, "formation", settings, memories)
    assert leaks(key, surfaces_of(error)) == []
    assert leaks(key, surfaces_of_records(records)) == []


def test_a_vault_that_raises_shows_no_key(side: Side) -> None:
    def ask() -> str:
        raise RuntimeError(f"token={KEYS['platform']} was refused")

    error = failure_of(side, "formation", {"url": "http://127.0.0.1:9", "client_key": ask, "max_retries": 0}, memories)
    assert leaks(KEYS["platform"], surfaces_of(error)) == []


def test_an_argument_that_a_method_does_not_have_shows_no_other(side: Side) -> None:
    settings = {"url": "http://127.0.0.1:9", "admin_key": KEYS["platform"]}
    with pytest.raises(TypeError, match="colour") as caught:
        side.run("formation", settings, lambda client: client.create_secret("N", VALUES["quotes"], colour="red"))
    for secret in (KEYS["platform"], VALUES["quotes"]):
        assert leaks(secret, surfaces_of(caught.value)) == []
