"""``/rpc/formations``: deploying, listing, stopping and starting."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from muxi.transport import Request
from muxi_transports.memory.formation import EmbeddedFormation
from muxi_transports.memory.server.answers import ServerError, success
from muxi_transports.memory.server.bundle import Bundle, BundleError, check_id, check_runtime, read_bundle
from muxi_transports.memory.server.registry import Hosted, rfc3339
from muxi_transports.memory.work import Work
from muxi_transports.memory.world import Answer, Pause

if TYPE_CHECKING:
    from muxi_transports.memory.server.app import EmbeddedServer

__all__ = ["delete", "deploy", "get", "list_all", "restart", "start", "status", "stop"]

#: How many ports a server has for formations (the wire).
_PORTS = 200
_BUNDLE_TYPES = ("application/gzip", "application/x-gzip", "application/octet-stream")


def status(server: EmbeddedServer) -> Answer:
    """What the server runs and has room for. Formations that start or are unhealthy count in the total only."""
    states = [hosted.status for hosted in server.live.listed()]
    allocated = len(states) + len(server.drafts.listed())
    return success(
        {
            "formations": {
                "crashed": states.count("crashed"),
                "running": states.count("running"),
                "stopped": states.count("stopped"),
                "total": len(states),
            },
            "port_pool": {"allocated": allocated, "available": _PORTS - allocated, "total": _PORTS},
            "runtime": {"go_version": "go1.26.0", "goroutines": 8},
            "server": {
                "id": "server-embedded",
                "uptime": int(server.clock.monotonic() - server.started),
                "version": server.version,
            },
        }
    )


def list_all(server: EmbeddedServer) -> Answer:
    """All formations; no query is read."""
    items = []
    for hosted in server.live.listed():
        version = {"semantic": hosted.formation.version, **_version(hosted)}
        items.append(
            {
                "id": hosted.id,
                "name": hosted.formation.name,
                "port": hosted.port,
                "status": hosted.status,
                "pid": hosted.pid,
                "uptime": _uptime(server, hosted),
                "restart_count": hosted.restart_count,
                "healthy": _health(server, hosted),
                "version": version,
            }
        )
    return success({"formations": items, "total": len(items)})


def get(server: EmbeddedServer, formation_id: str) -> Answer:
    """One formation; its keys come sorted."""
    hosted = _find(server, formation_id)
    healthy = _health(server, hosted)
    data: dict[str, object] = {
        "created_at": rfc3339(hosted.created_at),
        "deployed_at": rfc3339(hosted.created_at),
        "healthy": healthy,
        "id": hosted.id,
        "name": hosted.formation.name,
        "pid": hosted.pid,
        "port": hosted.port,
        "restart_count": hosted.restart_count,
        "status": hosted.status,
        "updated_at": rfc3339(hosted.updated_at),
        "uptime": _uptime(server, hosted),
        "version": _version(hosted),
    }
    if hosted.checked_at is not None:
        data["last_health_check"] = rfc3339(hosted.checked_at)
    return success(dict(sorted(data.items())))


def deploy(server: EmbeddedServer, request: Request) -> Generator[Pause, None, Answer]:
    """Take a bundle and run it: here, an embedded formation with the echo agent."""
    formation_id = _announced_id(request)
    with server.lock:
        if server.live.find(formation_id) is not None:
            raise ServerError(409, f"Formation '{formation_id}' already exists. Use PUT to update.")
        # The id is taken from here on, also while its own deploy still runs.
        formation = EmbeddedFormation(formation_id, clock=server.clock)
        hosted = server.live.add(formation, "", "starting")
    try:
        bundle = _accepted(request, formation_id)
    except BaseException:
        with server.lock:
            server.live.remove(formation_id)
        raise
    hosted.digest = bundle.digest
    formation.name = bundle.config.get("name") or formation_id
    formation.description = bundle.config["description"]
    formation.version = bundle.config.get("version") or "1.0.0"
    yield from _started(server, hosted)
    data = {
        "formation_id": formation_id,
        "port": hosted.port,
        "status": hosted.status,
        "url": f"http://localhost:{server.port}/api/{formation_id}",
        "health_url": f"http://localhost:{hosted.port}/v1/health",
        "pid": hosted.pid,
    }
    return success(data, 201)


def delete(server: EmbeddedServer, formation_id: str) -> Answer:
    """Stop a formation and forget it."""
    _find(server, formation_id)
    server.live.remove(formation_id)
    return success({"id": formation_id, "message": "Formation deleted successfully"})


def stop(server: EmbeddedServer, formation_id: str) -> Answer:
    """Stop a formation; it stays on the server."""
    hosted = _find(server, formation_id)
    if hosted.status == "stopped":
        raise ServerError(409, "Formation is already stopped")
    hosted.status, hosted.pid = "stopped", 0
    return success({"id": hosted.id, "message": "Formation stopped successfully", "status": "stopped"})


def start(server: EmbeddedServer, formation_id: str) -> Generator[Pause, None, Answer]:
    """Start a formation that is stopped."""
    with server.lock:
        hosted = _find(server, formation_id)
        if hosted.status != "stopped":
            raise ServerError(409, "Formation is already running")
        server.live.begin(hosted)
    yield from _started(server, hosted)
    return success({"id": hosted.id, "message": "Formation started", "port": hosted.port, "status": hosted.status})


def restart(server: EmbeddedServer, formation_id: str) -> Generator[Pause, None, Answer]:
    """Stop a formation and start it anew, on another port."""
    with server.lock:
        hosted = _find(server, formation_id)
        hosted.restart_count += 1
        server.live.begin(hosted)
    yield from _started(server, hosted)
    data = {
        "id": hosted.id,
        "message": "Formation restarted",
        "port": hosted.port,
        "restart_count": hosted.restart_count,
        "status": hosted.status,
    }
    return success(data)


def _announced_id(request: Request) -> str:
    """The id of a deploy, out of its headers; nothing of the bundle has been read yet."""
    content_type = request.headers.get("content-type") or ""
    if not any(kind in content_type for kind in _BUNDLE_TYPES):
        message = "Invalid Content-Type. Expected application/gzip with a formation bundle (tar.gz)"
        raise ServerError(400, message)
    formation_id = request.headers.get("X-Formation-ID")
    if not formation_id:
        message = "Missing X-Formation-ID header. Provide the formation ID for early conflict detection."
        raise ServerError(400, message)
    if problem := check_id(formation_id):
        raise ServerError(400, f"Invalid X-Formation-ID: {problem}")
    return formation_id


def _accepted(request: Request, formation_id: str) -> Bundle:
    try:
        bundle = read_bundle(request.body.chunks() if request.body else ())
    except BundleError as error:
        raise ServerError(400, str(error)) from error
    found = bundle.config["id"]
    if found != formation_id:
        message = f"Formation ID mismatch: expected '{formation_id}' but config contains '{found}'"
        raise ServerError(400, message)
    version, found = request.headers.get("X-Formation-Version") or "1.0.0", bundle.config.get("version") or "1.0.0"
    if found != version:
        raise ServerError(400, f"Formation version mismatch: expected '{version}' but config contains '{found}'")
    if problem := check_runtime(bundle.config.get("muxi_runtime") or "latest"):
        raise ServerError(400, problem)
    return bundle


def _started(server: EmbeddedServer, hosted: Hosted) -> Generator[Pause, None, None]:
    """Wait until a formation is up. A client that leaves meanwhile does not keep it from starting."""
    hosted.status = "starting"
    work = Work(_starting(server, hosted), server.clock)
    try:
        yield from work.join()
    except GeneratorExit:
        server.background.adopt(work)
        raise


def _starting(server: EmbeddedServer, hosted: Hosted) -> Generator[Pause, None, None]:
    if server.startup_seconds:
        yield Pause(server.startup_seconds)
    with server.lock:
        hosted.status = "running"


def _find(server: EmbeddedServer, formation_id: str) -> Hosted:
    hosted = server.live.find(formation_id)
    if hosted is None:
        raise ServerError(404, "Formation not found")
    return hosted


def _health(server: EmbeddedServer, hosted: Hosted) -> bool | None:
    """Asking is checking: the time of the check is noted."""
    if hosted.status == "running":
        hosted.checked_at = server.clock.time()
    return hosted.healthy


def _uptime(server: EmbeddedServer, hosted: Hosted) -> int:
    return 0 if hosted.status == "stopped" else int(server.clock.monotonic() - hosted.started)


def _version(hosted: Hosted) -> dict[str, object]:
    version: dict[str, object] = {"current": hosted.digest}
    if hosted.previous:
        version["previous"] = hosted.previous
    return version
