"""The steps of deploying, updating, starting, restarting and rolling back."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from muxi_transports.memory.server import process
from muxi_transports.memory.server.bundle import Bundle, BundleError, read_bundle
from muxi_transports.memory.server.config import CONFIG_FILES, Config, rewrite_config
from muxi_transports.memory.server.core import ServerCore
from muxi_transports.memory.server.defects import ServerDefect
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.output import Output
from muxi_transports.memory.server.ports import PortsUsedUp
from muxi_transports.memory.server.registry import Hosted, Release, Staging
from muxi_transports.memory.server.steps import DeploymentSteps, Done, ProgressStep, StepFailed
from muxi_transports.memory.world import Pause

__all__ = ["deploy", "launch", "replace", "restart", "rollback", "start", "stop", "update"]

#: Files that an update always takes over from the version before.
_ALWAYS_KEPT = ("MUXI.md", "PENDING-MUXI.md")
_STARTING = "Starting formation..."


def deploy(server: ServerCore, formation_id: str, version: str, content: bytes) -> DeploymentSteps:
    """Run a bundle as a new formation."""
    yield ProgressStep("extracting", "Extracting bundle...")
    bundle = _extract_bundle(content)
    return (yield from launch(server, formation_id, process.load_config(bundle.files), bundle, version=version))


def launch(
    server: ServerCore,
    formation_id: str,
    config: Config,
    bundle: Bundle,
    *,
    version: str | None,
    from_draft: bool = False,
) -> DeploymentSteps:
    """Run a new formation, and remove it if it fails.

    Args:
        server: where.
        formation_id: the id that it is deployed under.
        config: its formation file.
        bundle: its files.
        version: the version that the formation file must have; None for any.
        from_draft: whether it was edited on the server.
    """
    if config.id != formation_id:
        message = f"Formation ID mismatch: expected '{formation_id}' but config contains '{config.id}'"
        raise StepFailed(400, message, "IDMismatch", "validating")
    _check_version(config, version)
    hosted: Hosted | None = None
    try:
        port = _take_port(server)
        with server.ports.held(port):
            yield from process.resolve(server, config, process.RESOLVE_NEW)
            yield ProgressStep("spawning", "Starting formation. It might take 1-2 minutes.")
            release = _make_release(server, formation_id, config, bundle, None)
            hosted = Hosted(release, server.clock.time(), Output(formation_id), from_draft=from_draft)
            server.begin(hosted, port)
            release.activate()
            server.live.add(hosted)
            problem = yield from _await_healthy(server, hosted)
            if problem:
                message = f"Formation failed health check after 30s: {problem}"
                raise StepFailed(400, message, "HealthCheckFailed", "health_check")
    except BaseException:
        if hosted is not None and server.live.find(formation_id) is hosted:
            server.live.remove(formation_id)
        process.lose_draft(server, formation_id)
        raise
    hosted.status = "running"
    data = {
        **_location_data(server, hosted),
        "health_url": f"http://localhost:{hosted.port}/v1/health",
        "pid": hosted.pid,
    }
    return Done(data, data, 201)


def update(server: ServerCore, hosted: Hosted, version: str, content: bytes) -> DeploymentSteps:
    """Replace the running version by a bundle."""
    yield ProgressStep("extracting", "Extracting bundle to staging...")
    bundle = _extract_bundle(content)
    return (yield from replace(server, hosted, bundle, version=version))


def replace(server: ServerCore, hosted: Hosted, bundle: Bundle, *, version: str | None) -> DeploymentSteps:
    """Start a new version beside the running one, and swap them once it is healthy.

    Args:
        server: where.
        hosted: the formation.
        bundle: the new version.
        version: the version that the formation file must have; None for any.
    """
    if bundle.digest == hosted.release.digest:
        message = "Source is identical to current version - nothing to update"
        raise StepFailed(409, message, "NoChange", "validating")
    staging = Staging(_take_staging_port(server, "staging deployment"), server.new_pid())
    hosted.staging = staging
    with server.ports.held(staging.port), _clearing_staging(server, hosted):
        yield ProgressStep("validating", "Validating formation config...")
        config = process.load_config(bundle.files)
        _check_version(config, version)
        yield from process.resolve(server, config, process.RESOLVE_RUNNING)
        message = f"Starting staging version on port {staging.port}"
        yield ProgressStep("spawning_staging", message, {"staging_port": staging.port})
        _check_staging(server, hosted)
        problem = yield from process.await_health(server, hosted.id, lambda: staging.cancelled, subject="staging")
        if problem:
            message = f"New version failed health check: {problem}. Old version still running - "
            raise StepFailed(400, message + "zero downtime maintained.", "HealthCheckFailed", "health_check")
    yield ProgressStep("swapping", "Switching traffic to new version...")
    old_port, old = hosted.port, hosted.release
    hosted.staging, hosted.updated = None, True
    release = _make_release(server, hosted.id, config, bundle, hosted)
    yield ProgressStep("stopping_old", "Stopping old version...")
    _swap(server, hosted, release, staging.port, staging.pid)
    data = {
        "deployment_type": "blue-green",
        "id": hosted.id,
        "message": "Formation updated with zero downtime",
        "pid": hosted.pid,
        "port": old_port,
        "previous_version": old.number,
        "status": hosted.status,
        "version": release.number,
    }
    return Done(data, _swap_data(server, hosted, old, release))


def rollback(server: ServerCore, formation_id: str) -> DeploymentSteps:
    """Go back to the version before."""
    yield ProgressStep("validating", "Validating rollback request...")
    hosted = _find_hosted(server, formation_id, "validating")
    old, release = hosted.release, hosted.previous
    if release is None:
        message = "No previous version available for rollback"
        raise StepFailed(400, message, "NoPreviousVersion", "validating")
    port = _take_staging_port(server, "rollback")
    with server.ports.held(port):
        yield from process.resolve(server, release.config, process.RESOLVE_PREVIOUS)
        yield ProgressStep("spawning_previous", f"Starting previous version on staging port {port}...")
        generation = hosted.generation
        problem = yield from process.await_health(
            server, formation_id, lambda: hosted.generation != generation, subject="previous version"
        )
        if problem:
            message = f"Previous version failed health check: {problem}. Current version still running."
            raise StepFailed(500, message, "HealthCheckFailed", "health_check")
    yield ProgressStep("stopping_current", "Stopping current version...")
    yield ProgressStep("swapping", "Swapping versions...")
    _swap(server, hosted, release, port, None)
    data = {
        "id": formation_id,
        "message": "Rolled back to previous version",
        "pid": hosted.pid,
        "previous_version": old.number,
        "status": "running",
        "version": release.number,
    }
    streamed = _swap_data(server, hosted, old, release)
    if server.imitates(ServerDefect.ROLLBACK_LEAVES_STARTING):
        hosted.status = "starting"
    return Done(data, streamed)


def start(server: ServerCore, formation_id: str) -> DeploymentSteps:
    """Start a formation that does not run."""
    hosted = _find_hosted(server, formation_id, "validating")
    if hosted.alive or hosted.status == "starting":
        raise StepFailed(409, "Formation is already running", "AlreadyRunning", "validating")
    server.ports.free(hosted)
    yield from _start_process(server, hosted)
    data = {"id": hosted.id, "message": "Formation started", "port": hosted.port, "status": hosted.status}
    return Done(data, {"formation_id": hosted.id, "port": hosted.port, "status": hosted.status})


def restart(server: ServerCore, formation_id: str) -> DeploymentSteps:
    """Stop a formation and start it anew, on another port."""
    hosted = _find_hosted(server, formation_id, "stopping")
    yield ProgressStep("stopping", "Stopping current process...")
    if server.imitates(ServerDefect.START_FAILS):
        # The status does not yet show that the process has ended.
        hosted.alive, hosted.stopped = False, True
    else:
        yield from process.stopping(server, hosted)
    yield from _start_process(server, hosted)
    hosted.restart_count += 1
    streamed = {
        "formation_id": hosted.id,
        "port": hosted.port,
        "status": hosted.status,
        "restart_count": hosted.restart_count,
    }
    data = {
        "id": hosted.id,
        "message": "Formation restarted",
        "port": hosted.port,
        "restart_count": hosted.restart_count,
        "status": hosted.status,
    }
    return Done(data, streamed)


def stop(server: ServerCore, hosted: Hosted) -> DeploymentSteps:
    """Stop a formation; it stays on the server."""
    yield from process.stopping(server, hosted)
    data = {"id": hosted.id, "message": "Formation stopped successfully", "status": hosted.status}
    return Done(data, data)


def _start_process(server: ServerCore, hosted: Hosted) -> Generator[ProgressStep | Pause, None, None]:
    yield ProgressStep("validating", "Loading formation configuration...")
    if server.imitates(ServerDefect.START_FAILS):
        tried = f"no formation config file found (tried: [{' '.join(CONFIG_FILES)}])"
        raise StepFailed(500, f"Failed to find formation config: {tried}", "ParseError", "validating")
    yield from process.resolve(server, hosted.release.config, process.RESOLVE_RUNNING)
    port = _take_port(server)
    with server.ports.held(port):
        yield ProgressStep("spawning", _STARTING)
        server.begin(hosted, port)
        hosted.status = "starting"
        problem = yield from _await_healthy(server, hosted)
        if problem:
            if hosted.status == "starting":
                process.end(server, hosted, "stopped")
            raise StepFailed(500, problem, "HealthCheckFailed", "health_check")
    hosted.status = "running"


def _await_healthy(server: ServerCore, hosted: Hosted) -> Generator[ProgressStep | Pause, None, str | None]:
    """Wait for the process that has just begun; it may be ended, or its formation deleted, meanwhile."""
    generation = hosted.generation
    problem = yield from process.await_health(server, hosted.id, lambda: hosted.generation != generation)
    if problem and hosted.generation == generation:
        hosted.output.write(problem, "stderr")
    return problem


def _extract_bundle(content: bytes) -> Bundle:
    try:
        return read_bundle(content)
    except BundleError as error:
        raise StepFailed(400, f"Failed to extract bundle: {error}", "ExtractError", "extracting") from error


def _check_version(config: Config, version: str | None) -> None:
    if version not in (None, config.expected_version):
        found = config.expected_version
        message = f"Formation version mismatch: expected '{version}' but config contains '{found}'"
        raise StepFailed(400, message, "VersionMismatch", "validating")


def _find_hosted(server: ServerCore, formation_id: str, stage: str) -> Hosted:
    hosted = server.live.find(formation_id)
    if hosted is None:
        raise StepFailed(404, "Formation not found", "NotFound", stage)
    return hosted


def _take_port(server: ServerCore) -> int:
    try:
        return server.ports.take()
    except PortsUsedUp as error:
        raise StepFailed(500, error.message, "PortAllocationError", "validating") from error


def _take_staging_port(server: ServerCore, purpose: str) -> int:
    try:
        return server.ports.take()
    except PortsUsedUp as error:
        raise StepFailed(507, f"No available ports for {purpose}", "PortAllocationError", "validating") from error


@contextmanager
def _clearing_staging(server: ServerCore, hosted: Hosted) -> Iterator[None]:
    """Remove the staging version of an update that fails."""
    try:
        yield
    except BaseException:
        if not server.imitates(ServerDefect.FAILED_UPDATE_KEEPS_STAGING):
            hosted.staging = None
        raise


def _check_staging(server: ServerCore, hosted: Hosted) -> None:
    """Refuse a second process under the id of the staging version, if that defect is imitated."""
    if server.imitates(ServerDefect.SECOND_UPDATE_FAILS) and hosted.id in server.staged:
        message = f"Failed to start staging formation: process with ID {hosted.id}-staging already exists"
        raise StepFailed(500, message, "SpawnError", "spawning_staging")
    server.staged.add(hosted.id)


def _make_release(
    server: ServerCore, formation_id: str, config: Config, bundle: Bundle, hosted: Hosted | None
) -> Release:
    """A new version, with what it takes over from the one before."""
    files = bundle.files.copy()
    files.write(config.path, rewrite_config(files, config.path, server.server_id))
    if hosted is not None:
        before: Files = hosted.release.files
        for name in (*_ALWAYS_KEPT, *(() if "memory.db" in files else ("memory.db",))):
            if name in before:
                files.write(name, before.read(name))
    number = hosted.release.number + 1 if hosted else 1
    return Release(server.formation_for(formation_id, config), config, bundle.digest, files, number)


def _swap(server: ServerCore, hosted: Hosted, release: Release, port: int, pid: int | None) -> None:
    server.ports.free(hosted)
    hosted.previous, hosted.release = hosted.release, release
    server.begin(hosted, port, pid)
    release.activate()
    hosted.status = "running"


def _location_data(server: ServerCore, hosted: Hosted) -> dict[str, object]:
    return {
        "formation_id": hosted.id,
        "port": hosted.port,
        "status": hosted.status,
        "url": f"http://localhost:{server.port}/api/{hosted.id}",
    }


def _swap_data(server: ServerCore, hosted: Hosted, old: Release, new: Release) -> dict[str, object]:
    """The data of ``complete`` after an update or a rollback; the counters are texts here (the wire)."""
    return {
        **_location_data(server, hosted),
        "previous_version": str(old.number),
        "new_version": str(new.number),
    }
