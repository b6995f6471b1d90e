"""``POST /rpc/formations/{id}/draft/files``: a draft, file by file, and the way from there to a live formation."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Generator

from muxi_transports.memory.server import deployment
from muxi_transports.memory.server.bodies import read_texts
from muxi_transports.memory.server.bundle import Bundle
from muxi_transports.memory.server.config import Config, check_id
from muxi_transports.memory.server.defects import ServerDefect
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.process import load_config, lose_draft
from muxi_transports.memory.server.registry import Hosted
from muxi_transports.memory.server.router import ServerRoute, ServerVisit
from muxi_transports.memory.server.routes.deployments import deploying, reserve, updating
from muxi_transports.memory.server.steps import (
    DeploymentSteps,
    Done,
    ProgressStep,
    StepFailed,
    answer_steps,
    wants_steps,
)
from muxi_transports.memory.server.workspace import DraftError, Workspace, clean_path, draft_answer, path_in_draft
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES"]

Body = dict[str, str]

#: The errors of an update that come before the draft is moved.
_BEFORE_MOVE = ("NoChange", "PortAllocationError")
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
            known = ", ".join(("init", "list", "read", "write", "delete", "deploy", "discard"))
            message = f"Unknown action: {body['action']}. Valid actions: {known}"
            raise DraftError(400, "InvalidAction", message)
        outcome: dict[str, object] | DraftError = action(visit, body)
    except DraftError as error:
        outcome = error
    return draft_answer(outcome, server.workspaces.get(formation_id), server.live.find(formation_id))


def _body(visit: ServerVisit) -> Body:
    try:
        return read_texts(visit.request.body, _FIELDS)
    except ValueError as error:
        raise DraftError(400, "InvalidJSON", "Invalid JSON request body") from error


def _init(visit: ServerVisit, body: Body) -> dict[str, object]:
    server, formation_id, mode = visit.server, visit.formation_id, body["mode"]
    if formation_id in server.workspaces:
        message = "A draft already exists for this formation. Use 'discard' to remove it first."
        raise DraftError(409, "DraftAlreadyExists", message)
    live, now = server.live.find(formation_id), server.clock.time()
    if mode == "new":
        content = f"id: {formation_id}\nversion: 1.0.0\nname: {formation_id}\n"
        server.workspaces[formation_id] = Workspace(Files({"formation.afs": content.encode()}), now)
    elif mode != "clone":
        message = "Invalid mode. Use 'new' to create empty draft or 'clone' to copy live version."
        raise DraftError(400, "InvalidMode", message)
    elif live is None:
        message = "No live version exists to clone. Use mode 'new' to create a new formation."
        raise DraftError(404, "LiveNotFound", message)
    else:
        version = live.release.config.version
        server.workspaces[formation_id] = Workspace(live.release.files.copy(), now, version)
    return {"action": "init", "mode": mode}


def _list(visit: ServerVisit, body: Body) -> dict[str, object]:
    draft = _workspace(visit, " Use 'init' to create one.")
    path = clean_path("." if body["path"] in ("", "/") else body["path"])
    place = path_in_draft(path)
    if place in draft.files or "\0" in path:
        raise DraftError(500, "ReadError", f"Failed to read directory: {_cause(path, 'open', 'not a directory')}")
    if not draft.files.is_directory(place):
        raise DraftError(404, "FileNotFound", f"Directory not found: {path}")
    return {"entries": draft.files.listed(place) or None, "path": path}


def _read(visit: ServerVisit, body: Body) -> dict[str, object]:
    draft, path = _workspace(visit), clean_path(body["path"])
    place = path_in_draft(path)
    if draft.files.is_directory(place) or "\0" in path:
        raise DraftError(500, "ReadError", f"Failed to read file: {_cause(path, 'read', 'is a directory')}")
    if place not in draft.files:
        raise DraftError(404, "FileNotFound", f"File not found: {path}")
    content, encoding = draft.files.read(place), body["encoding"] or "utf-8"
    text = base64.b64encode(content).decode() if encoding == "base64" else content.decode("utf-8", "replace")
    return {"content": text, "encoding": encoding, "path": path}


def _write(visit: ServerVisit, body: Body) -> dict[str, object]:
    draft, path = _workspace(visit, " Use 'init' to create one."), clean_path(body["path"])
    place = path_in_draft(path)
    try:
        content = body["content"].encode()
        if body["encoding"] == "base64":
            content = base64.b64decode(content.translate(None, b"\r\n"), validate=True)
    except binascii.Error as error:
        raise DraftError(400, "DecodeError", "Invalid base64 content") from error
    if any(parent in draft.files for parent in _parents(place)):
        raise DraftError(500, "CreateError", "Failed to create parent directories")
    if draft.files.is_directory(place) or "\0" in path:
        raise DraftError(500, "WriteError", f"Failed to write file: {_cause(path, 'open', 'is a directory')}")
    draft.files.write(place, content)
    return {"path": path, "size": len(content), "written": True}


def _delete(visit: ServerVisit, body: Body) -> dict[str, object]:
    draft = _workspace(visit)
    try:
        path = clean_path(body["path"])
    except DraftError as error:
        raise error if not body["path"] else DraftError(400, "InvalidPath", "Invalid path") from error
    if path in (".", "/"):
        raise DraftError(400, "InvalidPath", "Invalid path")
    if "\0" in path:
        raise DraftError(500, "DeleteError", f"Failed to delete: {_cause(path, 'unlinkat', '')}")
    if not draft.files.delete(path_in_draft(path)):
        raise DraftError(404, "FileNotFound", f"Path not found: {path}")
    return {"deleted": True, "path": path}


def _discard(visit: ServerVisit, body: Body) -> dict[str, object]:
    _workspace(visit)
    del visit.server.workspaces[visit.formation_id]
    return {"discarded": True}


def _parents(place: str) -> list[str]:
    parts = place.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _cause(path: str, call: str, problem: str) -> str:
    """The error of a system call, as the server's language words it; there a path has no NUL in it."""
    return f"{call} {path.lstrip('/')}: {'invalid argument' if chr(0) in path else problem}"


_ACTIONS: dict[str, Callable[[ServerVisit, Body], dict[str, object]]] = {
    "init": _init,
    "list": _list,
    "read": _read,
    "write": _write,
    "delete": _delete,
    "discard": _discard,
}


def _workspace(visit: ServerVisit, hint: str = "") -> Workspace:
    draft = visit.server.workspaces.get(visit.formation_id)
    if draft is None:
        raise DraftError(404, "DraftNotFound", f"No draft exists for this formation.{hint}")
    return draft


def _deploy(visit: ServerVisit) -> Answer | Generator[Pause, None, Answer]:
    """Deploy a draft as a new formation, or as an update. After a success the draft is gone.

    Raises:
        DraftError: there is none, or its formation file cannot be read. The answer is plain JSON even if an event
            stream is accepted.
    """
    server, formation_id, draft = visit.server, visit.formation_id, _workspace(visit)
    bundle = Bundle(draft.files.digest(), draft.files.copy())
    try:
        config: Config | StepFailed = load_config(bundle.files, place=" in draft")
    except StepFailed as error:
        if error.code == "ParseError":
            raise DraftError(400, error.code, error.message) from error
        # Secrets are checked in the deployment proper, so that a stream has this as an event.
        config = error
    live = server.live.find(formation_id)
    if live is None:
        reserve(visit, formation_id)
        steps = deploying(visit, formation_id, _launch_draft(visit, config, bundle))
    elif live.updating:
        return _refuse_conflict(visit, draft, live)
    else:
        steps = updating(live, _replace_by_draft(visit, live, bundle))
    return answer_steps(server, visit.request, _consume_draft(visit, draft, steps))


def _launch_draft(visit: ServerVisit, config: Config | StepFailed, bundle: Bundle) -> DeploymentSteps:
    yield ProgressStep("validating", "Deploying new formation from draft...")
    if isinstance(config, StepFailed):
        raise config
    return (
        yield from deployment.launch(visit.server, visit.formation_id, config, bundle, version=None, from_draft=True)
    )


def _replace_by_draft(visit: ServerVisit, live: Hosted, bundle: Bundle) -> DeploymentSteps:
    yield ProgressStep("validating", "Updating formation from draft...")
    if live.from_draft and visit.server.imitates(ServerDefect.SECOND_DRAFT_DEPLOY_IS_NO_CHANGE):
        bundle = Bundle(live.release.digest, bundle.files)
    try:
        return (yield from deployment.replace(visit.server, live, bundle, version=None))
    except StepFailed as error:
        if error.code not in _BEFORE_MOVE:
            lose_draft(visit.server, visit.formation_id)
        raise


def _refuse_conflict(visit: ServerVisit, draft: Workspace, live: Hosted) -> Answer | Generator[Pause, None, Answer]:
    """Refuse to deploy a draft while an update runs."""
    server, message = visit.server, "Formation is already being updated"
    conflict = DraftError(409, "DeployConflict", message)
    if not wants_steps(visit.request):
        raise conflict
    if server.imitates(ServerDefect.UNFRAMED_CONFLICT):
        return Answer(200, [("Content-Type", "text/event-stream")], draft_answer(conflict, draft, live).body)
    return answer_steps(server, visit.request, _fail_deploy(message))


def _fail_deploy(message: str) -> DeploymentSteps:
    """Nothing but the error."""
    yield from ()
    raise StepFailed(409, message, "DeployConflict", "validating")


def _consume_draft(visit: ServerVisit, draft: Workspace, steps: DeploymentSteps) -> DeploymentSteps:
    """Deploy a draft, and remove it afterwards, unless it has been replaced meanwhile."""
    done: Done = yield from steps
    workspaces = visit.server.workspaces
    if workspaces.get(visit.formation_id) is draft:
        del workspaces[visit.formation_id]
    return done


ROUTES = (ServerRoute("POST", "/rpc/formations/{id}/draft/files", files),)
