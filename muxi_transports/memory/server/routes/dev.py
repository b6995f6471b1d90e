"""``/rpc/dev``: formations that run for development, below ``/draft``."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from muxi_transports.memory.server import process
from muxi_transports.memory.server.answers import go_json, plain
from muxi_transports.memory.server.bodies import read_texts
from muxi_transports.memory.server.config import CONFIG_FILES, Config, ConfigError, find_config, parse_config
from muxi_transports.memory.server.core import ServerCore
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.output import Output
from muxi_transports.memory.server.ports import PortsUsedUp
from muxi_transports.memory.server.registry import Hosted, Release
from muxi_transports.memory.server.router import ServerRoute, ServerVisit
from muxi_transports.memory.server.runtimes import RuntimeRefusal, check_runtime, resolve_runtime
from muxi_transports.memory.work import Work
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES"]


class _DevError(Exception):
    """The error of a development route."""

    def __init__(self, status: int, message: str, formation_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.formation_id = formation_id

    def answer(self) -> Answer:
        """The error; its shape is that of a result."""
        payload = {"success": False, "formation_id": self.formation_id, "port": 0, "status": "", "error": self.message}
        return plain(self.status, go_json(payload) + b"\n")


def run(visit: ServerVisit) -> Generator[Pause, None, Answer]:
    """Run a directory, or the draft of an id, and answer when it is healthy."""
    server = visit.server
    try:
        with server.lock:
            hosted = _start_draft(visit)
    except _DevError as error:
        return error.answer()
    work = Work(_await_healthy(visit, hosted), server.clock)
    work.advance()
    if not work.done:
        server.background.adopt(work)
    problem = yield from work.join()
    if problem:
        return _DevError(500, f"Health check failed: {problem}", hosted.id).answer()
    data = {"success": True, "formation_id": hosted.id, "port": hosted.port, "status": hosted.status}
    return plain(200, go_json(data) + b"\n")


def stop(visit: ServerVisit) -> Answer:
    """Stop what runs for development."""
    server = visit.server
    try:
        formation_id = _body(visit)["formation_id"]
        if not formation_id:
            raise _DevError(400, "Missing formation_id")
        hosted = server.drafts.find(formation_id)
        if hosted is None:
            raise _DevError(404, f"Draft formation {formation_id} not found", formation_id)
    except _DevError as error:
        return error.answer()
    process.end(server, hosted, "stopped")
    server.drafts.remove(hosted.id)
    return plain(200, go_json({"success": True, "formation_id": hosted.id, "status": "stopped"}) + b"\n")


def _body(visit: ServerVisit) -> dict[str, str]:
    try:
        return read_texts(visit.request.body, ("path", "formation_id"))
    except ValueError as error:
        raise _DevError(400, "Invalid request body") from error


def _start_draft(visit: ServerVisit) -> Hosted:
    server, body = visit.server, _body(visit)
    files, where = _files(visit, body)
    named = "" if body["path"] else body["formation_id"]
    config = _config(files, where, named)
    formation_id = named or config.id
    if (running := server.drafts.find(formation_id)) is not None:
        message = f"Draft formation {formation_id} is already running on port {running.port}. Run 'muxi down' first."
        raise _DevError(409, message, formation_id)
    port = _port_for(server, formation_id, config)
    formation = server.draft_for(formation_id, config)
    release = Release(formation, config, files.digest(), files)
    hosted = Hosted(release, server.clock.time(), Output(formation_id))
    server.begin(hosted, port)
    release.activate()
    server.drafts.add(hosted)
    return hosted


def _files(visit: ServerVisit, body: dict[str, str]) -> tuple[Files, str]:
    """The files to run, and where they are; a directory is one of this machine."""
    if path := body["path"]:
        directory = Path(path)
        if not directory.is_absolute():
            raise _DevError(400, "Path must be absolute")
        if not directory.exists():
            raise _DevError(400, f"Directory not found: {path}")
        if not any((directory / name).is_file() for name in CONFIG_FILES):
            raise _DevError(400, f"formation.afs not found in {path}")
        try:
            found = {file.relative_to(directory).as_posix(): file for file in directory.rglob("*") if file.is_file()}
            return Files({name: file.read_bytes() for name, file in found.items()}), path
        except OSError as error:
            raise _DevError(500, f"Failed to start formation: {error}") from error
    if formation_id := body["formation_id"]:
        draft = visit.server.workspaces.get(formation_id)
        if draft is None:
            raise _DevError(404, f"Draft directory not found for formation {formation_id}", formation_id)
        return draft.files.copy(), f"the draft of {formation_id}"
    raise _DevError(400, "Must provide either 'path' or 'formation_id'")


def _config(files: Files, where: str, formation_id: str) -> Config:
    try:
        path = find_config(files)
    except ConfigError as error:
        raise _DevError(400, f"formation.afs not found in {where}", formation_id) from error
    try:
        return parse_config(files, path)
    except ConfigError as error:
        raise _DevError(400, f"Failed to parse formation config: {error}", formation_id) from error


def _port_for(server: ServerCore, formation_id: str, config: Config) -> int:
    """Take a port for a formation whose runtime exists."""
    if problem := check_runtime(config.runtime):
        raise _DevError(400, f"Invalid muxi_runtime: {problem}", formation_id)
    try:
        resolve_runtime(config.runtime, server.runtimes)
    except RuntimeRefusal as refusal:
        known = refusal.code == "DownloadError"
        message = refusal.message if known else f"Failed to resolve runtime: {refusal.message.partition(': ')[2]}"
        raise _DevError(500, message, formation_id) from refusal
    try:
        return server.ports.take()
    except PortsUsedUp as error:
        raise _DevError(500, error.message, formation_id) from error


def _await_healthy(visit: ServerVisit, hosted: Hosted) -> Generator[Pause, None, str | None]:
    server, generation = visit.server, hosted.generation
    steps = process.await_health(server, hosted.id, lambda: hosted.generation != generation)
    while True:
        try:
            with server.lock:
                step = next(steps)
        except StopIteration as end:
            problem: str | None = end.value
            break
        if isinstance(step, Pause):
            yield step
    with server.lock:
        if problem is None:
            hosted.status = "running"
        elif server.drafts.find(hosted.id) is hosted:
            server.drafts.remove(hosted.id)
            server.ports.free(hosted)
    return problem


ROUTES = (
    ServerRoute("POST", "/rpc/dev/run", run),
    ServerRoute("POST", "/rpc/dev/stop", stop),
)
