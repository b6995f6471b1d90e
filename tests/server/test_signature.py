"""The signature: exactly what the wire has, anew for each attempt, and once more where the clocks differ."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from muxi import ManualClock, ServerClient
from muxi.call import Call, Key
from muxi.config import Address, CallOptions
from muxi.context import Context
from muxi.errors import AuthenticationError, ConfigurationError, ConnectionError, MuxiError
from muxi.plugins.signature import SignatureAuth, sign
from muxi.transport import IterableBody, Request
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, EmbeddedServer, MemoryTransport
from tests.server.bench import KEY, SECRET, Bench, Reply, Script, ScriptedTransport, no, ok


def expected(timestamp: int, method: str, path: str) -> str:
    digest = hmac.new(SECRET.encode(), f"{timestamp};{method};{path}".encode(), hashlib.sha256).digest()
    return f"MUXI-HMAC key={KEY}, timestamp={timestamp}, signature={base64.b64encode(digest).decode()}"


def expired(script_date: float | None) -> Reply:
    headers = {} if script_date is None else {"Date": formatdate(script_date, usegmt=True)}
    message = "Request expired (timestamp too old or in future)"
    return Reply({"code": 401, "error": "Unauthorized", "message": message}, 401, headers=headers)


def test_a_signature_is_what_another_implementation_makes() -> None:
    # printf '1700000000;GET;/rpc/formations/a b' | openssl dgst -sha256 -hmac muxi_sk_secret -binary | base64
    assert (
        sign("muxi_sk_secret", 1_700_000_000, "GET", "/rpc/formations/a b")
        == "o6+Dq0724/6J1qEclCQqzn0XlO05ID+YCNjy3pBctjY="
    )


def test_the_header_has_the_form_of_the_wire(bench: Bench) -> None:
    script = Script(ok(formations=[], total=0))
    bench.run(script, "list_formations")
    assert script.header("authorization") == expected(int(bench.clock.time()), "GET", "/rpc/formations")


@pytest.mark.parametrize(
    ("formation_id", "sent"), [("a b", "a%20b"), ("ä", "%C3%A4"), ("a%b", "a%25b"), ("a+b", "a%2Bb")]
)
def test_the_decoded_path_is_signed_without_the_query(bench: Bench, formation_id: str, sent: str) -> None:
    script = Script(ok())
    bench.run(script, "get_formation_logs", formation_id, limit=5)
    assert script.sent == f"GET /rpc/formations/{sent}/logs?lines=5"
    path = f"/rpc/formations/{formation_id}/logs"
    assert script.header("authorization") == expected(int(bench.clock.time()), "GET", path)


def test_the_embedded_server_takes_it(bench: Bench) -> None:
    server = EmbeddedServer(key_id=KEY, secret_key=SECRET, clock=bench.clock)
    server.add(EmbeddedFormation("my-bot", clock=server.clock))
    transport: Any = (MemoryTransport if bench.colour == "sync" else AsyncMemoryTransport)(server)
    assert bench.use(bench.client(transport), "get_formation", "my-bot")["id"] == "my-bot"
    with pytest.raises(AuthenticationError, match="Invalid signature"):
        bench.use(bench.client(transport, secret_key="other"), "list_formations")
    with pytest.raises(AuthenticationError, match="Invalid key"):
        bench.use(bench.client(transport, key_id="other"), "list_formations")


def test_each_attempt_is_signed_anew(bench: Bench) -> None:
    script = Script(ConnectionError("CONNECTION_LOST", "gone"), Reply({}, 503, headers={"Retry-After": "60"}), ok())
    bench.run(script, "status")
    stamps = [re.search(r"timestamp=(\d+)", str(it.headers["authorization"])) for it in script.requests]
    seconds = [int(stamp[1]) for stamp in stamps if stamp]
    assert len(seconds) == 3
    assert seconds[2] >= seconds[1] + 60
    for request, stamp in zip(script.requests, seconds, strict=True):
        assert request.headers["authorization"] == expected(stamp, "GET", "/rpc/server/status")


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_a_clock_that_is_off_is_corrected_once_and_remembered(bench: Bench, ahead: float) -> None:
    theirs = bench.clock.time() + ahead
    script = Script(expired(theirs), ok(), ok())
    client = bench.client(bench.transport(script), max_retries=0)
    if bench.colour == "sync":
        bench.use(client, "stop_formation", "my-bot")
        bench.use(client, "status")
    else:
        import asyncio

        async def twice() -> None:
            found: Any = client
            await found.stop_formation("my-bot")
            await found.status()

        asyncio.run(twice())
    path = "/rpc/formations/my-bot/stop"
    assert [it.headers["authorization"] for it in script.requests] == [
        expected(int(bench.clock.time()), "POST", path),
        expected(int(theirs), "POST", path),
        expected(int(theirs), "GET", "/rpc/server/status"),
    ]


@pytest.mark.parametrize(
    "date",
    ["", "soon", "Mon, 1 Jan " + "9" * 400 + " 1:1:1", "Fri, 31 Dec 10000 23:59:59 GMT", "Fri, 32 Dec 2026 1:1:1"],
)
def test_a_date_that_is_none_corrects_no_clock(bench: Bench, date: str) -> None:
    script = Script(replace(expired(None), headers={"Date": date}), ok())
    with pytest.raises(AuthenticationError, match="expired"):
        bench.run(script, "status")


def test_a_date_without_a_zone_is_in_gmt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    theirs = bench.clock.time() + 3600
    date = formatdate(theirs, usegmt=True).replace("GMT", "-0000")
    script = Script(replace(expired(None), headers={"Date": date}), ok())
    try:
        bench.run(script, "status")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert script.requests[1].headers["authorization"] == expected(int(theirs), "GET", "/rpc/server/status")


@pytest.mark.parametrize(
    ("prefix", "path", "signed"),
    [
        ("", "/rpc/x", "/rpc/x"),
        ("/muxi", "/muxi/rpc/x", "/rpc/x"),
        ("/muxi", "/muxi/muxi/x", "/muxi/x"),
        ("/muxi", "/muxirpc/x", "/muxirpc/x"),
        ("/muxi", "/rpc/muxi/x", "/rpc/muxi/x"),
    ],
)
def test_a_prefix_that_a_proxy_removes_is_not_signed(prefix: str, path: str, signed: str) -> None:
    clock = ManualClock()
    context = Context(
        Call("GET", path, key=Key.SIGNATURE),
        Address("http://h"),
        "",
        CallOptions(timeout=30, connect_timeout=10, max_retries=0),
        clock,
    )
    request = Request("GET", f"http://h{path}")
    SignatureAuth(KEY, SECRET, unsigned_prefix=prefix).muxi_prepare_request(request, context)
    assert request.headers["authorization"] == expected(int(clock.time()), "GET", signed)


def test_a_second_expiry_is_an_error(bench: Bench) -> None:
    script = Script(expired(bench.clock.time() + 900), expired(bench.clock.time() + 1800))
    with pytest.raises(AuthenticationError, match="expired") as caught:
        bench.run(script, "status")
    assert (len(script.requests), caught.value.attempts) == (2, 2)


def test_the_embedded_server_with_another_clock_is_reached_all_the_same(bench: Bench) -> None:
    server = EmbeddedServer(key_id=KEY, secret_key=SECRET, clock=ManualClock(bench.clock.time() + 5000))
    transport: Any = (MemoryTransport if bench.colour == "sync" else AsyncMemoryTransport)(server)
    assert bench.use(bench.client(transport), "list_formations")["total"] == 0


@pytest.mark.parametrize(
    "reply",
    [expired(None), Reply(expired(None).body, 401, headers={"Date": "soon"}), no(401, "Invalid signature", "x")],
)
def test_what_no_clock_can_mend_is_raised_at_once(bench: Bench, reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    script = Script(reply)
    with pytest.raises(AuthenticationError):
        bench.run(script, "status")
    assert len(script.requests) == 1
    assert caplog.records == []


def test_a_body_that_cannot_be_sent_twice_is_not(bench: Bench) -> None:
    script = Script(expired(bench.clock.time() + 900))
    body = IterableBody(iter([b"x"]))
    client = ServerClient(
        url="http://x", key_id=KEY, secret_key=SECRET, transport=ScriptedTransport(script), clock=bench.clock
    )
    with pytest.raises(AuthenticationError):
        client.send(Call("POST", "/rpc/x", content=body, key=Key.SIGNATURE))
    assert len(script.requests) == 1


def test_the_secret_may_come_from_a_function_that_is_asked_each_time(bench: Bench) -> None:
    secrets: Iterator[str] = iter(["first", SECRET, "not asked for"])
    script = Script(ConnectionError("CONNECTION_LOST", "gone"), ok())
    bench.use(bench.client(bench.transport(script), secret_key=lambda: next(secrets)), "status")
    assert next(secrets) == "not asked for"
    stamp = re.search(r"timestamp=(\d+)", str(script.header("authorization")))
    assert stamp
    assert script.header("authorization") == expected(int(stamp[1]), "GET", "/rpc/server/status")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"key_id": None}, r"^this call is signed; give key_id= \(or set MUXI_KEY_ID\)$"),
        ({"secret_key": None}, r"^this call is signed; give secret_key= \(or set MUXI_SECRET_KEY\)$"),
        (
            {"key_id": None, "secret_key": None},
            r"give key_id= \(or set MUXI_KEY_ID\) and secret_key= \(or set MUXI_SECRET_KEY\)$",
        ),
    ],
)
def test_a_missing_key_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], message: str
) -> None:
    monkeypatch.delenv("MUXI_KEY_ID", raising=False)
    monkeypatch.delenv("MUXI_SECRET_KEY", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        bench.use(bench.client(bench.transport(Script()), **settings), "status")
    assert re.search(message, caught.value.message)
    bench.use(
        bench.client(bench.transport(Script(Reply({"success": True, "status": "ok", "version": "1"}))), **settings),
        "health",
    )


def test_a_refused_secret_is_asked_for_again_and_another_is_tried(bench: Bench) -> None:
    secrets: Iterator[str] = iter(["old", SECRET])
    script = Script(no(401, "Invalid signature", "Unauthorized"), ok())
    bench.use(bench.client(bench.transport(script), secret_key=lambda: next(secrets), max_retries=0), "status")
    assert len(script.requests) == 2
    assert script.header("authorization") == expected(int(bench.clock.time()), "GET", "/rpc/server/status")


def test_a_server_that_asks_for_patience_gets_it_though_the_secret_has_changed(bench: Bench) -> None:
    secrets: Iterator[str] = iter(["first", SECRET])
    script, begun = Script(Reply({}, 503, headers={"Retry-After": "60"}), ok()), bench.clock.time()
    bench.use(bench.client(bench.transport(script), secret_key=lambda: next(secrets)), "status")
    assert bench.clock.time() >= begun + 60


@pytest.mark.parametrize("reply", [no(404, "no such formation", "Not Found"), no(403, "not yours", "Forbidden")])
def test_an_answer_that_says_nothing_of_the_secret_leaves_it(bench: Bench, reply: Reply) -> None:
    asked: list[str] = []

    def secret() -> str:
        asked.append(SECRET)
        return SECRET

    with pytest.raises(MuxiError):
        bench.use(bench.client(bench.transport(Script(reply)), secret_key=secret), "status")
    assert len(asked) == 1


def test_a_function_that_returns_no_secret_is_named(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="the function given as secret_key= returned an empty text"):
        bench.use(bench.client(bench.transport(Script()), secret_key=lambda: ""), "status")


def test_a_secret_is_masked_where_the_server_repeats_it_and_transports_know_it(bench: Bench) -> None:
    script = Script(no(400, f"the key {SECRET} is wrong"))
    with pytest.raises(MuxiError) as caught:
        bench.run(script, "status")
    assert SECRET not in str(caught.value)
    assert script.requests[0].secrets == (SECRET,)


def test_a_secret_of_a_sync_client_comes_from_no_coroutine() -> None:
    async def secret() -> str:
        return SECRET

    with pytest.raises(ConfigurationError, match="secret_key= is an async function"):
        SignatureAuth(KEY, secret)


def test_it_is_listed_under_the_name_of_what_signs(bench: Bench) -> None:
    assert SignatureAuth(KEY, SECRET).name == "muxi.auth"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork: run it on Linux")
def test_a_fork_while_the_clock_is_corrected_leaves_the_child_a_signature_that_works(bench: Bench) -> None:
    script = Script(expired(bench.clock.time() + 3600), ok())
    auth = SignatureAuth(KEY, SECRET, asynchronous=bench.colour == "async")
    client = bench.client(bench.transport(script), plugins=[auth])
    with auth._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            bench.use(client, "status")
            os._exit(0 if len(script.requests) == 2 else 1)
        assert os.waitpid(child, 0)[1] == 0
