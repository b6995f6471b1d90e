"""``POST /rpc/formations/{id}/draft/files``: a draft, file by file, and the way from there to a live formation."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Generator

from muxi_transports.memory.server import deployment
from muxi_transports.memory.server.answers import RpcError
from muxi_transports.memory.server.bundle import Bundle
from muxi_transports.memory.server.config import check_id
from muxi_transports.memory.server.defects import ServerDefect
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.process import load_config
from muxi_transports.memory.server.registry import Hosted
from muxi_transports.memory.server.router import ServerRoute, ServerVisit
from muxi_transports.memory.server.routes.deployments import deploying, reserve, updating
from muxi_transports.memory.server.steps import DeploymentSteps, Done, Step, StepFailed, answer_steps, wants_steps
from muxi_transports.memory.server.workspace import DraftError, Workspace, clean_path, draft_answer
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES"]

Body = dict[str, str]

_FIELDS = ("action", "mode", "path", "content", "encoding")


def files(visit: ServerVisit) -> Answer | Generator[Pause, None, Answer]:
    """Perform an action on a draft; every answer but that of a deployment has the resulting state."""
    server, formation_id = visit.server, visit.formation_id
    try:
        if problem := check_id(formation_id):
            raise DraftError(400, "InvalidFormationID", problem)
        body = _body(visit)
        if body["action"] == "deploy":
            return _deploy(visit)
        action = _ACTIONS.get(body["action"])
        if action is None:
            raise DraftError(400, "InvalidAction", f"Invalid action: {body['action']}")
        outcome: dict[str, object] | DraftError = action(visit, body)
    except DraftError as error:
        outcome = error
    return draft_answer(outcome, server.workspaces.get(formation_id), server.live.find(formation_id))


def _body(visit: ServerVisit) -> Body:
    try:
        payload = json.loads(b"".join(visit.request.body.chunks()) if visit.request.body else b"")
    except (ValueError, RecursionError) as error:
        raise DraftError(400, "InvalidJSON", f"Invalid JSON body: {error}") from error
    given = {name: payload.get(name) or "" for name in _FIELDS} if isinstance(payload, dict) else {"action": None}
    if not all(isinstance(value, str) for value in given.values()):
        raise DraftError(400, "InvalidJSON", "Invalid JSON body: an object of texts is expected")
    return {name: str(value) for name, value in given.items()}


def _init(visit: ServerVisit, body: Body) -> dict[str, object]:
    server, formation_id = visit.server, visit.formation_id
    mode = body["mode"] or "new"
    if mode not in ("new", "clone"):
        raise DraftError(400, "InvalidMode", f"Invalid mode: {mode}. Must be 'new' or 'clone'")
    if formation_id in server.workspaces:
        raise DraftError(409, "DraftAlreadyExists", f"Draft already exists for formation '{formation_id}'")
    live, now = server.live.find(formation_id), server.clock.time()
    if mode == "new":
        content = f"id: {formation_id}\nversion: 1.0.0\nname: {formation_id}\n"
        server.workspaces[formation_id] = Workspace(Files({"formation.afs": content.encode()}), now)
    elif live is None:
        raise DraftError(404, "LiveNotFound", f"No live formation '{formation_id}' to clone")
    else:
        version = live.release.config.version
        server.workspaces[formation_id] = Workspace(live.release.files.copy(), now, version)
    return {"action": "init", "mode": mode}


def _list(visit: ServerVisit, body: Body) -> dict[str, object]:
    draft, path = _workspace(visit), clean_path(body["path"] or ".")
    if path in draft.files:
        raise DraftError(500, "ReadError", f"Failed to list {path}: not a directory")
    if not draft.files.is_directory(path):
        raise DraftError(404, "FileNotFound", f"Directory not found: {path}")
    return {"entries": draft.files.listed(path) or None, "path": path}


def _read(visit: ServerVisit, body: Body) -> dict[str, object]:
    draft, path = _workspace(visit), clean_path(body["path"])
    if draft.files.is_directory(path):
        raise DraftError(500, "ReadError", f"Failed to read {path}: is a directory")
    if path not in draft.files:
        raise DraftError(404, "FileNotFound", f"File not found: {path}")
    content, encoding = draft.files.read(path), body["encoding"] or "utf-8"
    text = base64.b64encode(content).decode() if encoding == "base64" else content.decode("utf-8", "replace")
    return {"content": text, "encoding": encoding, "path": path}


def _write(visit: ServerVisit, body: Body) -> dict[str, object]:
    draft, path = _workspace(visit), clean_path(body["path"])
    try:
        encoded = body["content"].encode("utf-8", "replace")
        content = base64.b64decode(encoded, validate=True) if body["encoding"] == "base64" else encoded
    except binascii.Error as error:
        raise DraftError(400, "DecodeError", f"Failed to decode base64 content: {error}") from error
    try:
        draft.files.write(path, content)
    except OSError as error:
        raise DraftError(500, "WriteError", f"Failed to write {path}: {type(error).__name__}") from error
    return {"path": path, "size": len(content), "written": True}


def _delete(visit: ServerVisit, body: Body) -> dict[str, object]:
    draft, path = _workspace(visit), clean_path(body["path"])
    if path == ".":
        raise DraftError(400, "InvalidPath", "Path must be within draft directory")
    if not draft.files.delete(path):
        raise DraftError(404, "FileNotFound", f"File not found: {path}")
    return {"deleted": True, "path": path}


def _discard(visit: ServerVisit, body: Body) -> dict[str, object]:
    _workspace(visit)
    del visit.server.workspaces[visit.formation_id]
    return {"discarded": True}


_ACTIONS: dict[str, Callable[[ServerVisit, Body], dict[str, object]]] = {
    "init": _init,
    "list": _list,
    "read": _read,
    "write": _write,
    "delete": _delete,
    "discard": _discard,
}


def _workspace(visit: ServerVisit) -> Workspace:
    draft = visit.server.workspaces.get(visit.formation_id)
    if draft is None:
        raise DraftError(404, "DraftNotFound", f"No draft exists for formation '{visit.formation_id}'")
    return draft


def _deploy(visit: ServerVisit) -> Answer | Generator[Pause, None, Answer]:
    """Deploy a draft as a new formation, or as an update.

    Raises:
        DraftError: there is none, or its formation file cannot be read. The answer is plain JSON even if an event
            stream is accepted.
    """
    server, formation_id, draft = visit.server, visit.formation_id, _workspace(visit)
    bundle = Bundle(draft.files.digest(), draft.files.copy())
    try:
        config = load_config(bundle.files)
    except StepFailed as error:
        raise DraftError(400, error.code, error.message) from error
    live = server.live.find(formation_id)
    if live is None:
        reserve(visit, formation_id)
        message = "Deploying new formation from draft..."

        def launch_draft() -> DeploymentSteps:
            yield Step("validating", message)
            return (yield from deployment.launch(server, formation_id, config, bundle, from_draft=True))

        return answer_steps(
            server, visit.request, deploying(visit, formation_id, _rebase_draft(draft, config.version, launch_draft()))
        )
    if live.updating:
        raise RpcError(409, "Formation is already being updated")
    return _replace(visit, draft, live, bundle, config.version)


def _replace(
    visit: ServerVisit, draft: Workspace, live: Hosted, bundle: Bundle, version: str
) -> Answer | Generator[Pause, None, Answer]:
    server = visit.server
    current = live.release.config.version
    if draft.base_version not in (None, current):
        message = f"Draft is based on version {draft.base_version}, but live is at version {current}"
        conflict = DraftError(409, "DeployConflict", message)
        if wants_steps(visit.request) and server.imitates(ServerDefect.UNFRAMED_CONFLICT):
            answer = draft_answer(conflict, draft, live)
            return Answer(200, [("Content-Type", "text/event-stream")], answer.body)
        if wants_steps(visit.request):
            return answer_steps(server, visit.request, _fail_deploy(message))
        raise conflict
    if live.from_draft and server.imitates(ServerDefect.SECOND_DRAFT_DEPLOY_IS_NO_CHANGE):
        bundle = Bundle(live.release.digest, bundle.files)
    steps = deployment.replace(server, live, bundle, version=None)
    return answer_steps(server, visit.request, updating(live, _rebase_draft(draft, version, steps)))


def _fail_deploy(message: str) -> DeploymentSteps:
    """Nothing but the error."""
    yield from ()
    raise StepFailed(409, message, "DeployConflict", "validating")


def _rebase_draft(draft: Workspace, version: str, steps: DeploymentSteps) -> DeploymentSteps:
    """The steps of a deployment, after which the draft is based on what is live then."""
    done: Done = yield from steps
    draft.base_version = version
    return done


ROUTES = (ServerRoute("POST", "/rpc/formations/{id}/draft/files", files),)
