"""The embedded server against the recorded wire: every route is answered, and its examples have the same shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.transport import BytesBody, Headers, Request, Timeouts
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport
from tests.memory.conformance.shape import frames, shape
from tests.server.bench import archive
from tests.server.test_tables import OTHERWISE, covered, routes_of

HEADER = "MUXI-HMAC key=any, timestamp=1800000000, signature=any"
AFS = "id: demo-echo\nname: Demo\ndescription: A demo\nversion: {}\n"
BOT = "/rpc/formations/demo-echo"


class Desk:
    """Sends requests to a server that takes any signature."""

    def __init__(self) -> None:
        self.server = EmbeddedServer(clock=ManualClock())
        self.transport = MemoryTransport(self.server)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = Headers({"Authorization": HEADER, **{name.replace("_", "-"): value for name, value in headers.items()}})
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(method, f"http://memory{path}", sent, None if body is None else BytesBody(content))
        return self.transport.send(request)

    def bundle(self, version: str = "1.0.0", **headers: str) -> dict[str, Any]:
        """The body and the headers of a deployment."""
        return {
            "body": archive({"demo/formation.afs": AFS.format(version)}),
            "Content_Type": "application/gzip",
            "X_Formation_ID": "demo-echo",
            "X_Formation_Version": version,
            **headers,
        }

    def deploy(self) -> Any:
        return self.send("POST", "/rpc/formations", **self.bundle())

    def update(self, version: str = "2.0.0") -> Any:
        return self.send("PUT", BOT, **self.bundle(version))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def document(wire: Path) -> str:
    return (wire / "server.md").read_text("utf-8").partition("\n## 16.")[0]


def test_every_route_of_the_wire_is_answered(desk: Desk, document: str) -> None:
    desk.server.add(EmbeddedFormation("demo-echo", clock=desk.server.clock))
    routes = routes_of(document) | covered() | OTHERWISE.keys()
    assert len(routes) >= 21
    for route in sorted(routes):
        method, path = route.replace("{id}", "demo-echo").split(" ")
        response = desk.send("GET" if method == "ANY" else method, path)
        content = response.read()
        assert b"Endpoint not found" not in content, route
        assert response.status != 405, route


def started(desk: Desk) -> Any:
    desk.deploy()
    desk.send("POST", f"{BOT}/stop")
    return desk.send("POST", f"{BOT}/start")


def restarted(desk: Desk) -> Any:
    desk.deploy()
    return desk.send("POST", f"{BOT}/restart")


def listed(desk: Desk) -> Any:
    desk.deploy()
    desk.update()
    return desk.send("GET", "/rpc/formations")


def got(desk: Desk) -> Any:
    desk.deploy()
    desk.update()
    return desk.send("GET", BOT)


def updated(desk: Desk) -> Any:
    desk.deploy()
    return desk.update()


def rolled_back(desk: Desk) -> Any:
    desk.deploy()
    desk.update()
    return desk.send("POST", f"{BOT}/rollback")


def cancelled(desk: Desk) -> Any:
    desk.deploy()
    desk.server.startup_seconds = 5
    update = Request("PUT", f"http://memory{BOT}", Headers({"Authorization": HEADER, "X-Formation-Version": "2.0"}))
    update.body = BytesBody(archive({"demo/formation.afs": AFS.format("2.0")}))
    update.timeouts = Timeouts(total=1)
    with pytest.raises(TimeoutError):
        desk.transport.send(update)
    return desk.send("POST", f"{BOT}/cancel-update")


def about(method: str, path: str) -> Callable[[Desk], Any]:
    def ask(desk: Desk) -> Any:
        desk.deploy()
        return desk.send(method, path)

    return ask


def printed(desk: Desk) -> Any:
    desk.deploy()
    for stream in ("stdout", "stderr"):
        desk.server.print("demo-echo", "line", stream=stream)
    return desk.send("GET", f"{BOT}/logs")


def written(desk: Desk) -> Any:
    desk.deploy()
    desk.send("POST", f"{BOT}/draft/files", {"action": "init", "mode": "clone"})
    return desk.send("POST", f"{BOT}/draft/files", {"action": "write", "path": "formation.afs", "content": "id: x"})


def draft(**action: str) -> Callable[[Desk], Any]:
    def ask(desk: Desk) -> Any:
        written(desk)
        return desk.send("POST", f"{BOT}/draft/files", {"path": "formation.afs", **action})

    return ask


def run_for_development(desk: Desk) -> Any:
    desk.deploy()
    desk.send("POST", f"{BOT}/draft/files", {"action": "init", "mode": "clone"})
    return desk.send("POST", "/rpc/dev/run", {"formation_id": "demo-echo"})


def run_no_more(desk: Desk) -> Any:
    run_for_development(desk)
    return desk.send("POST", "/rpc/dev/stop", {"formation_id": "demo-echo"})


#: How each example of the document begins, how the server is brought to give it, and the status.
EXAMPLES: dict[str, tuple[Callable[[Desk], Any], int]] = {
    '{"success":true,"status":"ok","version"': (lambda desk: desk.send("GET", "/health"), 200),
    '{"success":true,"data":{"formation_id":"demo-echo","port":18200,"status"': (Desk.deploy, 201),
    '{"success":true,"data":{"formations":[{"id"': (listed, 200),
    '{"success":true,"data":{"formations":[],"total":0}}': (lambda desk: desk.send("GET", "/rpc/formations"), 200),
    '{"success":true,"data":{"created_at"': (got, 200),
    '{"success":true,"data":{"deployment_type"': (updated, 200),
    '{"success":true,"data":{"id":"shape-x"': (about("DELETE", BOT), 200),
    '{"success":true,"data":{"id":"demo-echo","message":"Formation stopped': (about("POST", f"{BOT}/stop"), 200),
    '{"success":true,"data":{"id":"demo-echo","message":"Formation started': (started, 200),
    '{"success":true,"data":{"id":"demo-echo","message":"Formation restarted': (restarted, 200),
    '{"success":true,"data":{"id":"demo-echo","message":"Rolled back': (rolled_back, 200),
    '{"current_port"': (cancelled, 200),
    '{"success":true,"data":{"path":"formation.afs","size"': (written, 200),
    '{"success":true,"formation_id":"dev-app2","port"': (run_for_development, 200),
    '{"success":true,"formation_id":"dev-app2","status":"stopped"': (run_no_more, 200),
    '{"success":true,"data":{"formations":{"crashed"': (lambda desk: desk.send("GET", "/rpc/server/status"), 200),
    '{"error":"Not Found","message":"Endpoint': (lambda desk: desk.send("GET", "/rpc/nope"), 404),
    '{"code":401,"error":"Unauthorized","message":"Missing': (
        lambda desk: desk.send("GET", "/rpc/formations", Authorization=""),
        401,
    ),
    '{"error": "Formation not found"': (lambda desk: desk.send("GET", "/api/none/v1/health"), 404),
}


@pytest.mark.parametrize("begin", EXAMPLES)
def test_an_example_of_the_wire_has_the_shape_of_the_answer(desk: Desk, document: str, begin: str) -> None:
    ask, status = EXAMPLES[begin]
    at = document.find(begin)
    assert at >= 0, f"the document has no example that begins with {begin}"
    example, _ = json.JSONDecoder().raw_decode(document[at:])
    response = ask(desk)
    assert response.status == status
    found = json.loads(response.read())
    wanted, given = shape(example), shape(found)
    if "last_health_check" in str(found) or "draft" in found or "uptime" in str(found):
        assert _sorted(given) == _sorted(wanted)
    else:
        assert json.dumps(given) == json.dumps(wanted)


def _sorted(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def test_the_logs_of_a_formation_have_the_shape_of_the_wire(desk: Desk) -> None:
    assert shape(json.loads(printed(desk).read())["data"]) == {
        "formation_id": "str",
        "logs": {"stdout": ["str"], "stderr": ["str"]},
        "total_lines": {"stderr": "int", "stdout": "int"},
    }


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ({"action": "init", "mode": "new"}, None),
        ({"action": "list", "path": "."}, {"entries": [{"name": "formation.afs", "type": "file", "size": 5}]}),
        ({"action": "read"}, {"content": "id: x", "encoding": "utf-8", "path": "formation.afs"}),
        ({"action": "delete"}, {"deleted": True, "path": "formation.afs"}),
        ({"action": "discard"}, {"discarded": True}),
    ],
)
def test_the_actions_on_a_draft(desk: Desk, action: dict[str, str], data: dict[str, object] | None) -> None:
    answer = json.loads(draft(**action)(desk).read())
    if data is None:
        assert (answer["success"], answer["error"]) == (False, "DraftAlreadyExists")
    else:
        assert answer["data"].items() >= data.items()
    assert set(answer["live"]) == {"version", "status"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "InvalidJSON"),
        (b'["list"]', 400, "InvalidJSON"),
        ({"action": 1}, 400, "InvalidJSON"),
        ({"action": "dance"}, 400, "InvalidAction"),
        ({"action": "init", "mode": "fast"}, 409, "DraftAlreadyExists"),
        ({"action": "read"}, 400, "InvalidPath"),
        ({"action": "read", "path": "../x"}, 400, "InvalidPath"),
        ({"action": "delete", "path": "/"}, 400, "InvalidPath"),
        ({"action": "read", "path": "nothing"}, 404, "FileNotFound"),
        ({"action": "list", "path": "nothing"}, 404, "FileNotFound"),
        ({"action": "list", "path": "formation.afs"}, 500, "ReadError"),
        ({"action": "write", "path": "formation.afs/x", "content": ""}, 500, "CreateError"),
        ({"action": "write", "path": ".", "content": ""}, 500, "WriteError"),
        ({"action": "read", "path": "."}, 500, "ReadError"),
        ({"action": "read", "path": "a\0b"}, 500, "ReadError"),
        ({"action": "delete", "path": "a\0b"}, 500, "DeleteError"),
        ({"action": "write", "path": "x", "content": "*", "encoding": "base64"}, 400, "DecodeError"),
        ({"action": "deploy"}, 400, "ParseError"),
    ],
)
def test_an_action_that_is_refused(desk: Desk, body: Any, status: int, code: str) -> None:
    written(desk)
    response = desk.send("POST", f"{BOT}/draft/files", body, Accept="text/event-stream")
    answer = json.loads(response.read())
    assert (response.status, answer["success"], answer["error"]) == (status, False, code)
    assert answer["draft"]["exists"] is True
    other = json.loads(desk.send("POST", "/rpc/formations/NO/draft/files", body).read())
    assert other["error"] == "InvalidFormationID"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "Invalid request body"),
        ({}, 400, "Must provide either 'path' or 'formation_id'"),
        ({"path": "bot"}, 400, "Path must be absolute"),
        ({"path": "/no/such/place"}, 400, "Directory not found: /no/such/place"),
        ({"formation_id": "none"}, 404, "Draft directory not found for formation none"),
    ],
)
def test_a_run_that_is_refused(desk: Desk, body: Any, status: int, error: str) -> None:
    response = desk.send("POST", "/rpc/dev/run", body)
    answer = json.loads(response.read())
    assert (response.status, answer["success"], answer["port"], answer["error"]) == (status, False, 0, error)


def test_the_frames_of_a_deployment_are_those_of_the_wire(desk: Desk, document: str) -> None:
    block = document.partition("```\nevent: progress\n")[2].partition("```")[0]
    wanted = list(frames(f"event: progress\n{block}\n"))
    assert len(wanted) == 7
    response = desk.send("POST", "/rpc/formations", **desk.bundle(Accept="text/event-stream"))
    assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
    found = list(frames(response.read().decode()))
    assert [(event, shape(data)) for event, data in found] == [(event, shape(data)) for event, data in wanted]
    assert found[:-1] == wanted[:-1]


def test_the_documentation_is_elsewhere(desk: Desk) -> None:
    response = desk.send("GET", "/docs", Authorization="")
    assert (response.status, response.headers["location"]) == (302, "https://muxi.org/docs")


@pytest.mark.parametrize(
    ("path", "inside"), [("/mcp/demo-echo", "/mcp"), ("/mcp/demo-echo/mcp", "/mcp"), ("/mcp/demo-echo/y", "/mcp/y")]
)
def test_mcp_leads_to_the_live_formation(desk: Desk, path: str, inside: str) -> None:
    seen: list[str] = []

    class Recorder(EmbeddedFormation):
        def respond(self, request: Request) -> Any:
            seen.append(request.url)
            return super().respond(request)

    desk.server.add(Recorder("demo-echo", clock=desk.server.clock))
    response = desk.send("POST", path, X_Muxi_SDK="python/0.1.0")
    assert seen == [f"http://localhost:18200{inside}"]
    assert "x-muxi-sdk-latest" not in response.headers
