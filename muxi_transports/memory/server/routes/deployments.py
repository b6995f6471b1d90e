"""The routes that wait for health checks: deploy, update, start, stop, restart, roll back."""

from __future__ import annotations

from collections.abc import Generator

from muxi.transport import Request
from muxi_transports.memory.server import deployment
from muxi_transports.memory.server.answers import RpcError
from muxi_transports.memory.server.config import check_id
from muxi_transports.memory.server.defects import ServerDefect
from muxi_transports.memory.server.registry import Hosted
from muxi_transports.memory.server.router import ServerRoute, ServerVisit
from muxi_transports.memory.server.routes.formations import find_hosted
from muxi_transports.memory.server.steps import DeploymentSteps, answer_steps
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES", "deploying", "reserve", "updating"]

_BUNDLE_TYPES = ("application/gzip", "application/x-gzip", "application/octet-stream")


def deploy(visit: ServerVisit) -> Generator[Pause, None, Answer]:
    """Take a bundle and run it."""
    server, request = visit.server, visit.request
    formation_id = _announced_id(request)
    reserve(visit, formation_id)
    try:
        content = _content(request)
    except BaseException:
        server.deploying.discard(formation_id)
        raise
    steps = deployment.deploy(server, formation_id, _version(request), content)
    return (yield from answer_steps(server, request, deploying(visit, formation_id, steps)))


def reserve(visit: ServerVisit, formation_id: str) -> None:
    """Take an id for a deployment.

    Raises:
        ServerError: it is taken, be it by a deployment that still runs.
    """
    server = visit.server
    with server.lock:
        if server.live.find(formation_id) is not None or formation_id in server.deploying:
            raise RpcError(409, f"Formation '{formation_id}' already exists. Use PUT to update.")
        server.deploying.add(formation_id)


def deploying(visit: ServerVisit, formation_id: str, steps: DeploymentSteps) -> DeploymentSteps:
    """The steps of a deployment; in the end its id is free again for others, or the formation has it."""
    try:
        return (yield from steps)
    finally:
        visit.server.deploying.discard(formation_id)


def update(visit: ServerVisit) -> Generator[Pause, None, Answer]:
    """Take a bundle and have it run in the place of what does."""
    server, request = visit.server, visit.request
    with server.lock:
        hosted = find_hosted(visit)
        if hosted.updating:
            raise RpcError(409, "Formation is already being updated")
        hosted.updating = True
    try:
        content = _content(request)
    except BaseException:
        hosted.updating = False
        raise
    steps = deployment.update(server, hosted, _version(request), content)
    return (yield from answer_steps(server, request, updating(hosted, steps)))


def updating(hosted: Hosted, steps: DeploymentSteps) -> DeploymentSteps:
    """The steps of an update, with the formation marked meanwhile."""
    hosted.updating = True
    try:
        return (yield from steps)
    finally:
        hosted.updating = False


def start(visit: ServerVisit) -> Generator[Pause, None, Answer]:
    """Start a formation."""
    return answer_steps(visit.server, visit.request, deployment.start(visit.server, visit.formation_id))


def restart(visit: ServerVisit) -> Generator[Pause, None, Answer]:
    """Stop a formation and start it."""
    return answer_steps(visit.server, visit.request, deployment.restart(visit.server, visit.formation_id))


def rollback(visit: ServerVisit) -> Generator[Pause, None, Answer]:
    """Go back to the version before."""
    return answer_steps(visit.server, visit.request, deployment.rollback(visit.server, visit.formation_id))


def stop(visit: ServerVisit) -> Generator[Pause, None, Answer]:
    """Stop a formation; the answer has no steps."""
    hosted = find_hosted(visit)
    if hosted.status in ("stopped", "stopping"):
        raise RpcError(409, "Formation is already stopped")
    forgotten = hosted.updated and visit.server.imitates(ServerDefect.STOP_FAILS_AFTER_UPDATE)
    if not hosted.alive or forgotten:
        raise RpcError(500, "Failed to stop formation")
    return answer_steps(visit.server, None, deployment.stop(visit.server, hosted))


def _announced_id(request: Request) -> str:
    """The id of a deploy, out of its headers; nothing of the bundle has been read yet."""
    content_type = request.headers.get("content-type") or ""
    if not any(kind in content_type for kind in _BUNDLE_TYPES):
        message = "Invalid Content-Type. Expected application/gzip with a formation bundle (tar.gz)"
        raise RpcError(400, message)
    formation_id = request.headers.get("X-Formation-ID")
    if not formation_id:
        message = "Missing X-Formation-ID header. Provide the formation ID for early conflict detection."
        raise RpcError(400, message)
    if problem := check_id(formation_id):
        raise RpcError(400, f"Invalid X-Formation-ID: {problem}")
    return formation_id


def _version(request: Request) -> str:
    return request.headers.get("X-Formation-Version") or "1.0.0"


def _content(request: Request) -> bytes:
    return b"".join(request.body.chunks()) if request.body else b""


ROUTES = (
    ServerRoute("POST", "/rpc/formations", deploy),
    ServerRoute("PUT", "/rpc/formations/{id}", update),
    ServerRoute("POST", "/rpc/formations/{id}/start", start),
    ServerRoute("POST", "/rpc/formations/{id}/stop", stop),
    ServerRoute("POST", "/rpc/formations/{id}/restart", restart),
    ServerRoute("POST", "/rpc/formations/{id}/rollback", rollback),
)
