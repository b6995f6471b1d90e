"""Every route of the recorded server has a method, every method sends what the wire has, and its answer is given."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pytest

from muxi import AsyncServerClient, ServerClient, meta, types
from muxi.call import Call, StreamCall
from muxi.errors import ConflictError, MuxiError, NotFoundError, ServerError, ValidationError
from muxi.operations.formations import HEALTH_CHECK_TIMEOUT
from muxi.repeat import REPEATS, Repeat
from muxi.server import ServerOperations
from tests.server.bench import Bench, Reply, Script, no, ok

LONG = HEALTH_CHECK_TIMEOUT


class Route(NamedTuple):
    """A call, what it sends, the answer that the wire documents, and the result."""

    method: str
    arguments: Mapping[str, Any]
    sends: str
    reply: Reply
    result: Any
    body: Any = None
    timeout: float = 30.0


def draft(action: str, data: dict[str, Any], method: str, /, *, body: Any = None, **arguments: Any) -> Route:
    """An action on draft files, whose answers have more beside their data."""
    beside = {"draft": {"exists": True, "base_version": "1.0.0"}, "live": {"version": "1.0.0", "status": "running"}}
    return Route(
        method,
        {"formation_id": "my-bot", **arguments},
        "POST /rpc/formations/my-bot/draft/files",
        Reply({"success": True, "data": data, **beside}),
        {**data, **beside},
        {"action": action, **(body or {})},
    )


def about(method: str, sends: str, data: dict[str, Any], *, timeout: float = 30.0) -> Route:
    """A call about one formation."""
    return Route(method, {"formation_id": "my-bot"}, sends, ok(**data), data, timeout=timeout)


BOT = "/rpc/formations/my-bot"
STATUS = {
    "formations": {"crashed": 0, "running": 2, "stopped": 0, "total": 2},
    "port_pool": {"allocated": 2, "available": 198, "total": 200},
    "runtime": {"go_version": "go1.26.0", "goroutines": 8},
    "server": {"id": "server-peer-0a1b2c3d", "uptime": 98, "version": "0.20260514.1"},
}
LOGS = {
    "formation_id": "my-bot",
    "logs": {"stdout": ["line"], "stderr": None},
    "total_lines": {"stderr": 0, "stdout": 1},
}
HEALTH = {"success": True, "status": "ok", "version": "0.20260514.1"}
CANCELLED = {
    "current_port": 18200,
    "formation_id": "my-bot",
    "message": "…",
    "staging_port": 18201,
    "status": "running",
}
LISTED = {"entries": [{"name": "agents/", "type": "dir"}, {"name": "formation.afs", "type": "file", "size": 45}]}
RUNNING = {"success": True, "formation_id": "my-bot", "port": 18202, "status": "running"}
STARTED = {"id": "my-bot", "message": "Formation started", "port": 18201, "status": "running"}
ROLLED_BACK = {"id": "my-bot", "message": "…", "pid": 22260, "previous_version": 2, "status": "running", "version": 1}
DEPLOYED = {"formation_id": "my-bot", "port": 18200, "status": "running", "url": "http://localhost:7890/api/my-bot"}

ROUTES = [
    Route("health", {}, "GET /health", Reply(HEALTH), HEALTH),
    Route("status", {}, "GET /rpc/server/status", ok(**STATUS), STATUS),
    Route("list_formations", {}, "GET /rpc/formations", ok(formations=[], total=0), {"formations": [], "total": 0}),
    about("get_formation", f"GET {BOT}", {"id": "my-bot", "healthy": None}),
    about("delete_formation", f"DELETE {BOT}", {"id": "my-bot", "message": "Formation deleted successfully"}),
    about("stop_formation", f"POST {BOT}/stop", {"id": "my-bot", "status": "stopped"}),
    about("start_formation", f"POST {BOT}/start", STARTED, timeout=LONG),
    about("restart_formation", f"POST {BOT}/restart", {**STARTED, "restart_count": 1}, timeout=LONG),
    about("rollback_formation", f"POST {BOT}/rollback", ROLLED_BACK, timeout=LONG),
    Route("cancel_update", {"formation_id": "my-bot"}, f"POST {BOT}/cancel-update", Reply(CANCELLED), CANCELLED),
    about("get_formation_logs", f"GET {BOT}/logs", LOGS),
    Route(
        "get_formation_logs",
        {"formation_id": "my-bot", "limit": 7, "stream": "stderr"},
        f"GET {BOT}/logs?lines=7&stream=stderr",
        ok(**LOGS),
        LOGS,
    ),
    Route("get_server_logs", {}, "GET /rpc/server/logs", Reply(b"a\nb\n", content_type="text/plain"), "a\nb\n"),
    Route("get_server_logs", {"limit": 2}, "GET /rpc/server/logs?lines=2", Reply(b"", content_type="text/plain"), ""),
    draft("init", {"action": "init", "mode": "new"}, "init_draft", body={"mode": "new"}),
    draft("init", {"action": "init", "mode": "clone"}, "init_draft", body={"mode": "clone"}, mode="clone"),
    draft("list", {**LISTED, "path": "."}, "list_draft_files", body={"path": "."}),
    draft("list", {"entries": None, "path": "agents"}, "list_draft_files", body={"path": "agents"}, path="agents"),
    draft(
        "read",
        {"content": "id: x", "encoding": "utf-8", "path": "a.afs"},
        "read_draft_file",
        body={"path": "a.afs", "encoding": "utf-8"},
        path="a.afs",
    ),
    draft(
        "write",
        {"path": "a.afs", "size": 5, "written": True},
        "write_draft_file",
        body={"path": "a.afs", "content": "id: ä", "encoding": "utf-8"},
        path="a.afs",
        content="id: ä",
    ),
    draft(
        "write",
        {"path": "a.png", "size": 2, "written": True},
        "write_draft_file",
        body={"path": "a.png", "content": "/wA=", "encoding": "base64"},
        path="a.png",
        content=b"\xff\0",
    ),
    draft(
        "delete",
        {"deleted": True, "path": "agents"},
        "delete_draft_file",
        body={"path": "agents"},
        path="agents",
    ),
    draft("discard", {"discarded": True}, "discard_draft"),
    about("deploy_draft", f"POST {BOT}/draft/files", DEPLOYED, timeout=LONG)._replace(body={"action": "deploy"}),
    Route("dev_run", {"path": "/srv/bot"}, "POST /rpc/dev/run", Reply(RUNNING), RUNNING, {"path": "/srv/bot"}, LONG),
    Route(
        "dev_run",
        {"formation_id": "my-bot"},
        "POST /rpc/dev/run",
        Reply(RUNNING),
        RUNNING,
        {"formation_id": "my-bot"},
        LONG,
    ),
    Route(
        "dev_stop",
        {"formation_id": "my-bot"},
        "POST /rpc/dev/stop",
        Reply({**RUNNING, "status": "stopped"}),
        {**RUNNING, "status": "stopped"},
        {"formation_id": "my-bot"},
    ),
]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.sends}")
def test_a_method_sends_what_the_wire_has_and_gives_what_it_answers(bench: Bench, route: Route) -> None:
    script = Script(route.reply)
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


# -- the tables --------------------------------------------------------------------------------------------------------


def operations() -> dict[str, Any]:
    """The methods of a server client that make calls."""
    names = [name for name in dir(ServerOperations) if not name.startswith("_")]
    return {name: getattr(ServerClient, name) for name in names if callable(getattr(ServerClient, name))}


#: Routes that are no call of the server client, and what there is in their place.
OTHERWISE = {
    "GET /docs": "docs_url",
    "ANY /api/{id}": "formation",
    "ANY /draft/{id}": "formation",
    "ANY /mcp/{id}": "mcp_url",
}


def routes_of(document: str) -> set[str]:
    """The routes that the wire's document has, in headings, tables and at the beginning of paragraphs."""
    found = set()
    for methods, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE|ANY) (/[^`?\s]*)`", document):
        short = re.sub(r"\{[^}]*\}", "{id}", path.removesuffix("/{path}"))
        found.add(f"{methods} {short}")
    # Section headings put several into one line, and the older documentation that section 16 corrects is none.
    for heading in re.findall(r"^## \d+\. .*$", document, re.MULTILINE):
        base = re.search(r"`POST (/rpc/formations/\{id\})/start`", heading)
        for extra in re.findall(r"`(/[a-z]+)`", heading) if base else ():
            found.add(f"POST {base[1]}{extra}" if base else "")
    return found


def covered() -> set[str]:
    """The routes that the methods call, without their queries."""
    found = {f"{route.sends.split('?')[0]}".replace("my-bot", "{id}") for route in ROUTES}
    return found | {
        "GET /ping",
        "POST /rpc/formations",
        "PUT /rpc/formations/{id}",
        "GET /rpc/formations/{id}/download",
    }


def test_every_route_of_the_wire_has_a_method(wire: Path) -> None:
    document = (wire / "server.md").read_text("utf-8").partition("\n## 16.")[0]
    routes = routes_of(document) | {"ANY /draft/{id}", "ANY /mcp/{id}"}
    assert len(routes) >= 21
    assert routes - covered() - OTHERWISE.keys() == set()
    # What the document has only in passing is there all the same.
    assert covered() - routes == set()
    for name in OTHERWISE.values():
        assert hasattr(ServerClient, name)


def test_every_method_is_tried_in_these_tests() -> None:
    tried = {route.method for route in ROUTES}
    here = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for name in operations():
        assert name in tried or f'"{name}"' in here, f"no test of {name}"


def test_every_operation_says_whether_it_bears_repetition() -> None:
    missing = {name for name in operations() if name not in REPEATS and name != "mcp_url"}
    assert missing == set()
    reading = ("get_", "list_", "read_")
    for name in operations():
        if name.startswith(reading) or name in ("ping", "health", "status", "download_formation"):
            assert REPEATS[name] is Repeat.SAFE
        if name.startswith(("deploy", "update", "start", "restart", "rollback", "dev_")):
            assert REPEATS[name] is Repeat.NEVER


def test_what_waits_for_health_checks_has_ten_minutes(bundle: Path) -> None:
    waits = ("start_formation", "restart_formation", "rollback_formation", "deploy_draft")
    for name in waits:
        call: Call[Any] = getattr(ServerClient, name).call("my-bot")
        assert call.timeout == 600
    assert ServerClient.deploy_formation.call(bundle).timeout == 600
    assert ServerClient.update_formation.call("my-bot", bundle).timeout == 600


def test_every_method_is_documented_and_typed() -> None:
    for name, method in operations().items():
        assert inspect.getdoc(method), name
        hints = get_type_hints(inspect.unwrap(method))
        assert "return" in hints, name
        for kind in (ServerClient, AsyncServerClient):
            assert inspect.signature(getattr(kind, name)) is not None


def test_results_are_named_by_their_types() -> None:
    arguments = {"formation_id": "my-bot", "path": "x", "content": "x"}
    for name, method in operations().items():
        if not hasattr(method, "call") or "bundle_path" in inspect.signature(method).parameters:
            continue
        wanted = {key: value for key, value in arguments.items() if key in inspect.signature(method).parameters}
        if name == "dev_run":
            del wanted["path"]
        call = method.call(**wanted)
        if not isinstance(call, StreamCall):
            assert call.returns == "str" or hasattr(types, str(call.returns)), name


def test_urls_that_are_for_others_are_told(bench: Bench) -> None:
    client = bench.client(bench.transport(Script()))
    assert client.docs_url == "http://localhost:7890/docs"
    assert client.mcp_url("my-bot") == "http://localhost:7890/mcp/my-bot"
    with pytest.raises(ValidationError):
        client.mcp_url("../rpc")
