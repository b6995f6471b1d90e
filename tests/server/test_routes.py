"""Every method sends what the wire has, and gives what is answered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from muxi import meta
from muxi.errors import ConflictError, MuxiError, NotFoundError, ServerError, ValidationError
from tests.server.bench import Bench, Reply, Script, no, ok
from tests.server.routes import BOT, DEPLOYED, LONG, ROUTES, Route


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.sends}")
def test_a_method_sends_what_the_wire_has_and_gives_what_it_answers(bench: Bench, route: Route) -> None:
    script = Script(route.reply)
    bench.settings["validate_responses"] = "strict"
    result = bench.run(script, route.method, **route.arguments)
    assert script.sent == route.sends
    assert script.body == route.body
    assert result == route.result
    assert script.requests[0].timeouts.total == route.timeout
    if isinstance(result, dict):
        assert meta(result).status == 200
    signed = script.header("authorization") is not None
    assert signed == script.requests[0].path.startswith("/rpc/")


def test_a_bundle_is_deployed_with_what_its_file_says(bench: Bench, bundle: Path) -> None:
    script = Script(replace(ok(**DEPLOYED), status=201))
    assert bench.run(script, "deploy_formation", bundle_path=bundle) == DEPLOYED
    assert script.sent == "POST /rpc/formations"
    assert script.bodies == [bundle.read_bytes()]
    request = script.requests[0]
    assert request.headers["content-type"] == "application/gzip"
    assert (request.headers["x-formation-id"], request.headers["x-formation-version"]) == ("my-bot", "1.2.0")
    assert request.body is not None
    assert request.body.length == bundle.stat().st_size
    assert request.timeouts.total == LONG


def test_a_formation_is_updated_under_its_own_id_only(bench: Bench, bundle: Path) -> None:
    updated = {"id": "my-bot", "deployment_type": "blue-green", "version": 2, "previous_version": 1}
    script = Script(ok(**updated))
    assert bench.run(script, "update_formation", "my-bot", bundle) == updated
    assert script.sent == f"PUT {BOT}"
    assert script.header("x-formation-version") == "1.2.0"
    assert script.header("x-formation-id") is None
    with pytest.raises(ValidationError, match=r"formation_id='your-bot' was given, and .* has id: 'my-bot'"):
        bench.run(script, "update_formation", "your-bot", bundle)
    assert len(script.requests) == 1


def test_a_bad_bundle_is_refused_before_anything_is_sent(bench: Bench, tmp_path: Path) -> None:
    script = Script()
    for method in ("deploy_formation", "deploy_formation_stream"):
        with pytest.raises(ValidationError):
            bench.run(script, method, tmp_path)
    assert script.requests == []


def test_ping_gives_the_milliseconds(bench: Bench) -> None:
    pong = Reply(b"pong", content_type="text/plain")
    script = Script(no(503, "starting", "Unavailable"), pong)
    script.replies[0] = Reply({}, 503, headers={"Retry-After": "2"})
    assert bench.run(script, "ping") == 2000
    assert script.sent == "GET /ping"
    assert bench.run(Script(pong), "ping") == 1


@pytest.mark.parametrize(
    "reply", [Reply(b"<html>", content_type="text/html"), Reply(b"hello", content_type="text/plain"), Reply({})]
)
def test_what_is_no_server_does_not_pass_for_one(bench: Bench, reply: Reply) -> None:
    with pytest.raises(ServerError, match="UNEXPECTED_ANSWER") as caught:
        bench.run(Script(reply), "ping")
    assert caught.value.call is not None
    assert "ping" in caught.value.call


def test_server_logs_are_text_and_nothing_else(bench: Bench) -> None:
    with pytest.raises(ServerError, match=r"not a plain text \(text/html\)"):
        bench.run(Script(Reply(b"<html>", content_type="text/html; charset=utf-8")), "get_server_logs")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get_formation_logs", {"formation_id": "my-bot", "limit": 0}),
        ("get_formation_logs", {"formation_id": "my-bot", "limit": 10_001}),
        ("get_formation_logs", {"formation_id": "my-bot", "stream": "both"}),
        ("stream_formation_logs", {"formation_id": "my-bot", "stream": "all"}),
        ("get_server_logs", {"limit": -1}),
        ("get_formation", {"formation_id": ".."}),
        ("get_formation", {"formation_id": "a/b"}),
        ("get_formation", {"formation_id": ""}),
        ("dev_run", {}),
        ("dev_run", {"path": "/x", "formation_id": "my-bot"}),
    ],
)
def test_what_the_server_would_take_for_something_else_is_refused(
    bench: Bench, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        bench.run(Script(), method, **arguments)


DRAFT_NOT_FOUND = {
    "success": False,
    "error": "DraftNotFound",
    "message": "No draft",
    "draft": {"exists": False},
    "live": {},
}


@pytest.mark.parametrize(
    ("reply", "method", "kind", "code", "message"),
    [
        (
            no(404, "Formation not found", "Not Found"),
            "get_formation",
            NotFoundError,
            "NOT_FOUND",
            "Formation not found",
        ),
        (no(409, "Formation is already stopped", "Conflict"), "stop_formation", ConflictError, "CONFLICT", "already"),
        (no(400, "No update in progress for this formation"), "cancel_update", ValidationError, "BAD_REQUEST", "No up"),
        (
            no(507, "No available ports", "Insufficient Storage"),
            "rollback_formation",
            ServerError,
            None,
            "No available",
        ),
        (Reply(DRAFT_NOT_FOUND, 404), "discard_draft", NotFoundError, "DraftNotFound", "No draft"),
        (Reply(DRAFT_NOT_FOUND, 404), "deploy_draft", NotFoundError, "DraftNotFound", "No draft"),
        (
            Reply({"success": False, "formation_id": "x", "port": 0, "status": "", "error": "Nothing runs"}, 404),
            "dev_stop",
            NotFoundError,
            "NOT_FOUND",
            "Nothing runs",
        ),
        (Reply(b"", 405), "get_formation", MuxiError, "ERROR", "405"),
    ],
)
def test_refusals_are_typed(
    bench: Bench, reply: Reply, method: str, kind: type[MuxiError], code: str | None, message: str
) -> None:
    with pytest.raises(kind) as caught:
        bench.run(Script(reply), method, formation_id="my-bot")
    error = caught.value
    assert error.status_code == reply.status
    assert message in error.message
    assert code in (None, error.code)
    if reply.body is DRAFT_NOT_FOUND:
        assert error.details["draft"] == {"exists": False}


def test_a_deletion_that_went_through_the_first_time_is_done(bench: Bench) -> None:
    from muxi.errors import ConnectionError

    script = Script(ConnectionError("CONNECTION_LOST", "gone"), no(404, "Formation not found", "Not Found"))
    assert bench.run(script, "delete_formation", "my-bot") == {}
    script = Script(ConnectionError("CONNECTION_LOST", "gone"), Reply(DRAFT_NOT_FOUND, 404))
    assert bench.run(script, "discard_draft", "my-bot") == {}
