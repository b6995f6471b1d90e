"""The processes of formations: started, looked after, and ended."""

from __future__ import annotations

from collections.abc import Callable, Generator

from muxi_transports.memory.server.config import Config, ConfigError, SecretsError, find_config, parse_config
from muxi_transports.memory.server.core import ServerCore
from muxi_transports.memory.server.defects import ServerDefect
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.registry import Hosted
from muxi_transports.memory.server.runtimes import RuntimeRefusal, check_runtime, resolve_runtime
from muxi_transports.memory.server.steps import Step, StepFailed
from muxi_transports.memory.world import Pause

__all__ = ["await_health", "check_health", "end", "load_config", "lose_draft", "resolve", "stopping"]

#: The health checks of something that has been started: when the first one is, how far apart, and how many (the wire).
_FIRST_CHECK, _INTERVAL, _ATTEMPTS = 2.0, 1.0, 30


def load_config(files: Files) -> Config:
    """The configuration among the files of a formation.

    Raises:
        StepFailed: there is none, or it is no good.
    """
    try:
        path = find_config(files)
    except ConfigError as error:
        raise StepFailed(400, f"Failed to find formation config: {error}", "ParseError", "validating") from error
    try:
        return parse_config(files, path)
    except SecretsError as error:
        raise StepFailed(400, str(error), "SecretsError", "validating") from error
    except ConfigError as error:
        raise StepFailed(400, f"Failed to parse formation config: {error}", "ParseError", "validating") from error


def resolve(server: ServerCore, config: Config, *, new: bool = False) -> Generator[Step, None, None]:
    """Resolve the runtime version of a formation.

    Args:
        server: where it is to run.
        config: what it asks for.
        new: whether it is being deployed for the first time; the errors of all else have a code of their own.

    Raises:
        StepFailed: there is no such runtime.
    """
    yield Step("resolving_runtime", "Resolving runtime version...")
    if problem := check_runtime(config.runtime):
        raise StepFailed(400, problem, "InvalidRuntime", "resolving_runtime")
    try:
        version = resolve_runtime(config.runtime, server.runtimes)
    except RuntimeRefusal as refusal:
        if refusal.code == "DownloadError":
            raise StepFailed(500, refusal.message, "DownloadError", "downloading_sif") from refusal
        status, code = (400, "ResolveError") if new else (500, "RuntimeError")
        message = refusal.message if new else refusal.message.partition(": ")[2]
        raise StepFailed(status, message, code, "resolving_runtime") from refusal
    yield Step("resolving_runtime", f"Resolved runtime version: {version}", {"version": version})


def end(server: ServerCore, hosted: Hosted, status: str) -> None:
    """Record the end of a process."""
    if hosted.status != "starting":
        # The start in progress releases the port itself.
        server.ports.free(hosted)
    hosted.status, hosted.pid, hosted.alive = status, 0, False
    hosted.generation += 1


def stopping(server: ServerCore, hosted: Hosted) -> Generator[Pause, None, None]:
    """End a process in its own time."""
    if hosted.alive and server.shutdown_seconds:
        hosted.status = "stopping"
        yield Pause(server.shutdown_seconds)
    end(server, hosted, "stopped")


def await_health(
    server: ServerCore, formation_id: str, is_over: Callable[[], bool]
) -> Generator[Step | Pause, None, str | None]:
    """Wait until what has been started is healthy.

    Args:
        server: where it has been started.
        formation_id: whose process it is.
        is_over: says that it has been ended from elsewhere meanwhile.

    Returns:
        What is wrong with it; None where it is healthy.
    """
    yield Step("health_check", "Waiting for formation health check...")
    waited = 0.0
    trouble = server.starting(formation_id)
    for attempt in range(1, _ATTEMPTS + 1):
        pause = _INTERVAL if attempt > 1 else min(_FIRST_CHECK, server.startup_seconds)
        if pause:
            waited += pause
            yield Pause(pause)
        message = f"Health check attempt {attempt}/{_ATTEMPTS}..."
        yield Step("health_check", message, {"attempt": attempt, "max_attempts": _ATTEMPTS})
        if is_over():
            return "Formation process crashed during startup"
        if trouble and trouble.output is not None:
            return f"Formation crashed during startup:\n{trouble.output}"
        if not trouble and waited >= server.startup_seconds:
            return None
    return f"health check failed after {_ATTEMPTS} attempts (timeout: {_ATTEMPTS}s)"


def check_health(server: ServerCore, hosted: Hosted) -> bool | None:
    """Check the health of a formation, and record the result."""
    if hosted.status in ("running", "unhealthy"):
        hosted.checked_at = server.clock.time()
        well = hosted.alive and hosted.id not in server.unwell
        hosted.status = "running" if well else "unhealthy"
    return hosted.healthy


def lose_draft(server: ServerCore, formation_id: str) -> None:
    """Lose the draft of a failed deployment, if that defect is imitated."""
    if server.imitates(ServerDefect.FAILED_DEPLOY_LOSES_DRAFT):
        server.workspaces.pop(formation_id, None)
