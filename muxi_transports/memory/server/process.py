"""The processes of formations: started, looked after, and ended."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

from muxi_transports.memory.server.config import Config, ConfigError, SecretsError, find_config, parse_config
from muxi_transports.memory.server.core import ServerCore
from muxi_transports.memory.server.defects import ServerDefect
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.registry import Hosted
from muxi_transports.memory.server.runtimes import RuntimeRefusal, check_runtime, resolve_runtime
from muxi_transports.memory.server.steps import ProgressStep, StepFailed
from muxi_transports.memory.world import Pause

__all__ = [
    "RESOLVE_NEW",
    "RESOLVE_PREVIOUS",
    "RESOLVE_RUNNING",
    "Resolving",
    "await_health",
    "check_health",
    "end",
    "load_config",
    "lose_draft",
    "resolve",
    "stopping",
]

#: The health checks of something that has been started: when the first one is, how far apart, and how many (the wire).
_FIRST_CHECK, _INTERVAL, _ATTEMPTS = 2.0, 1.0, 30


def load_config(files: Files, *, place: str = "") -> Config:
    """Read the configuration among the files of a formation.

    Args:
        files: the files.
        place: added to the message where there is no formation file.

    Raises:
        StepFailed: there is no formation file, or it is invalid.
    """
    try:
        path = find_config(files)
    except ConfigError as error:
        message = f"Failed to find formation config{place}: {error}"
        raise StepFailed(400, message, "ParseError", "validating") from error
    try:
        return parse_config(files, path)
    except SecretsError as error:
        raise StepFailed(400, str(error), "SecretsError", "validating") from error
    except ConfigError as error:
        raise StepFailed(400, f"Failed to parse formation config: {error}", "ParseError", "validating") from error


class Resolving(NamedTuple):
    """The texts of resolving a runtime, which differ between routes.

    Args:
        message: the first step; ``{}`` is the version that the formation asks for.
        status: the status of an unknown version.
        code: its code.
        prefix: the beginning of its message.
    """

    message: str = "Resolving runtime version: {}"
    status: int = 500
    code: str = "RuntimeError"
    prefix: str = ""


RESOLVE_RUNNING = Resolving()
RESOLVE_NEW = Resolving("Resolving runtime version...", 400, "ResolveError", "Failed to resolve runtime version: ")
RESOLVE_PREVIOUS = Resolving("Resolving runtime version...", 500, "ResolveError", "Failed to resolve runtime: ")


def resolve(server: ServerCore, config: Config, texts: Resolving) -> Generator[ProgressStep, None, None]:
    """Resolve the runtime version of a formation.

    Args:
        server: where it is to run.
        config: what it asks for.
        texts: the route's texts.

    Raises:
        StepFailed: there is no such runtime.
    """
    yield ProgressStep("resolving_runtime", texts.message.format(config.runtime))
    if problem := check_runtime(config.runtime):
        raise StepFailed(400, problem, "InvalidRuntime", "resolving_runtime")
    try:
        version = resolve_runtime(config.runtime, server.runtimes)
    except RuntimeRefusal as refusal:
        if refusal.code == "DownloadError":
            raise StepFailed(500, refusal.message, "DownloadError", "downloading_sif") from refusal
        message = texts.prefix + refusal.message.partition(": ")[2]
        raise StepFailed(texts.status, message, texts.code, "resolving_runtime") from refusal
    yield ProgressStep("resolving_runtime", f"Resolved runtime version: {version}", {"version": version})


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
    server: ServerCore, formation_id: str, is_over: Callable[[], bool], *, subject: str = "formation"
) -> Generator[ProgressStep | Pause, None, str | None]:
    """Wait until what has been started is healthy.

    Args:
        server: where it has been started.
        formation_id: whose process it is.
        is_over: says that it has been ended from elsewhere meanwhile.
        subject: the process in the text of the first step.

    Returns:
        What is wrong with it; None where it is healthy.
    """
    yield ProgressStep("health_check", f"Waiting for {subject} health check...")
    waited = 0.0
    trouble = server.starting(formation_id)
    for attempt in range(1, _ATTEMPTS + 1):
        pause = _INTERVAL if attempt > 1 else min(_FIRST_CHECK, server.startup_seconds)
        if pause:
            waited += pause
            yield Pause(pause)
        if is_over():
            return "Formation process crashed during startup"
        if trouble and trouble.output is not None:
            return f"Formation crashed during startup:\n{trouble.output}"
        message = f"Health check attempt {attempt}/{_ATTEMPTS}..."
        yield ProgressStep("health_check", message, {"attempt": attempt, "max_attempts": _ATTEMPTS})
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
