"""What each method sends, and what the wire documents as the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from muxi.operations.formations import HEALTH_CHECK_TIMEOUT
from tests.server.bench import Reply, ok

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
STARTING = {
    "id": "my-bot",
    "name": "My bot",
    "port": 18200,
    "status": "starting",
    "pid": 20768,
    "uptime": 0,
    "restart_count": 0,
    "healthy": None,
    "created_at": "2026-11-22T15:42:52.708097221Z",
    "deployed_at": "2026-11-22T15:42:52.708097221Z",
    "updated_at": "2026-11-22T15:42:52.708073891Z",
    "version": {"current": "5f70bf18"},
}
ONE = {
    "formations": [{**STARTING, "healthy": True, "version": {"semantic": "1.0.0", "current": "5f70bf18"}}],
    "total": 1,
}

ROUTES = [
    Route("health", {}, "GET /health", Reply(HEALTH), HEALTH),
    Route("status", {}, "GET /rpc/server/status", ok(**STATUS), STATUS),
    Route("list_formations", {}, "GET /rpc/formations", ok(formations=[], total=0), {"formations": [], "total": 0}),
    Route("list_formations", {}, "GET /rpc/formations", ok(**ONE), ONE),
    about("get_formation", f"GET {BOT}", STARTING),
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
