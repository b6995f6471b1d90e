"""``/rpc/formations``: list, inspect and delete formations."""

from __future__ import annotations

from muxi_transports.memory.server.answers import RpcError, go_json, plain, success
from muxi_transports.memory.server.defects import ServerDefect
from muxi_transports.memory.server.process import check_health, end
from muxi_transports.memory.server.registry import Hosted, rfc3339
from muxi_transports.memory.server.router import ServerRoute, ServerVisit
from muxi_transports.memory.world import Answer

__all__ = ["ROUTES", "find_hosted"]


def find_hosted(visit: ServerVisit) -> Hosted:
    """The live formation that the path names.

    Raises:
        ServerError: there is none.
    """
    hosted = visit.server.live.find(visit.formation_id)
    if hosted is None:
        raise RpcError(404, "Formation not found")
    return hosted


def list_all(visit: ServerVisit) -> Answer:
    """All formations; no query is read. Each is asked for its health."""
    items = []
    for hosted in visit.server.live.listed():
        healthy = check_health(visit.server, hosted)
        items.append(
            {
                "id": hosted.id,
                "name": hosted.release.config.name,
                "port": hosted.port,
                "status": hosted.status,
                "pid": hosted.pid,
                "uptime": _uptime(visit, hosted),
                "restart_count": hosted.restart_count,
                "healthy": healthy,
                "version": {**_semantic(hosted), **_version(hosted)},
            }
        )
    return success({"formations": items, "total": len(items)})


def get(visit: ServerVisit) -> Answer:
    """One formation; its keys come sorted."""
    hosted = find_hosted(visit)
    healthy = check_health(visit.server, hosted)
    data: dict[str, object] = {
        "created_at": rfc3339(hosted.created_at),
        "deployed_at": rfc3339(hosted.created_at),
        "healthy": healthy,
        "id": hosted.id,
        "name": hosted.release.config.name,
        "pid": hosted.pid,
        "port": hosted.port,
        "restart_count": hosted.restart_count,
        "status": hosted.status,
        "updated_at": rfc3339(hosted.updated_at),
        "uptime": _uptime(visit, hosted),
        "version": _version(hosted),
    }
    if hosted.checked_at is not None:
        data["last_health_check"] = rfc3339(hosted.checked_at)
    return success(dict(sorted(data.items())))


def delete(visit: ServerVisit) -> Answer:
    """Stop a formation and forget it."""
    hosted = find_hosted(visit)
    if hosted.staging is not None:
        hosted.staging.cancelled = True
    end(visit.server, hosted, hosted.status)
    hosted.output.end()
    visit.server.live.remove(hosted.id)
    return success({"id": hosted.id, "message": "Formation deleted successfully"})


def cancel_update(visit: ServerVisit) -> Answer:
    """Cancel a running update; the answer has no envelope."""
    hosted = find_hosted(visit)
    staging, hosted.staging = hosted.staging, None
    if staging is None:
        raise RpcError(400, "No update in progress for this formation")
    if not hosted.updating and hosted.updated:
        # An update that failed long ago has left it behind; what runs under its name by now is the formation.
        hosted.stopped = visit.server.imitates(ServerDefect.FAILED_UPDATE_KEEPS_STAGING)
        hosted.alive = not hosted.stopped
    staging.cancelled = True
    data = {
        "current_port": hosted.port,
        "formation_id": hosted.id,
        "message": "Update cancelled successfully",
        "staging_port": staging.port,
        "status": hosted.status,
    }
    return plain(200, go_json(data) + b"\n")


def _uptime(visit: ServerVisit, hosted: Hosted) -> int:
    return int(visit.server.clock.monotonic() - hosted.started) if hosted.pid else 0


def _semantic(hosted: Hosted) -> dict[str, object]:
    """The version of the formation file, which lists alone have; a file without one has none."""
    version = hosted.release.config.version
    return {"semantic": version} if version else {}


def _version(hosted: Hosted) -> dict[str, object]:
    previous = {"previous": hosted.previous.digest} if hosted.previous else {}
    return {"current": hosted.release.digest, **previous}


ROUTES = (
    ServerRoute("GET", "/rpc/formations", list_all),
    ServerRoute("GET", "/rpc/formations/{id}", get),
    ServerRoute("DELETE", "/rpc/formations/{id}", delete),
    ServerRoute("POST", "/rpc/formations/{id}/cancel-update", cancel_update),
)
