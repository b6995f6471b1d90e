"""The formations a server holds, and what it knows about each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone

from muxi_transports.memory.formation import EmbeddedFormation
from muxi_transports.memory.server.config import Config
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.output import Output

__all__ = ["Hosted", "Registry", "Release", "Staging", "rfc3339"]


@dataclass(frozen=True)
class Release:
    """One version of a formation, as it was deployed.

    Args:
        formation: what answers for it.
        config: what its formation file says.
        digest: SHA-256 of its bundle, in hex.
        files: its files.
        number: counts the updates.
    """

    formation: EmbeddedFormation
    config: Config
    digest: str
    files: Files
    number: int = 1

    def activate(self) -> None:
        """Have the formation be what this release says."""
        self.formation.name = self.config.name
        self.formation.description = self.config.description
        if self.config.version:
            self.formation.version = self.config.version


@dataclass
class Staging:
    """A version that is being tried out beside the one that runs."""

    port: int
    pid: int
    cancelled: bool = False


@dataclass
class Hosted:
    """One formation on a server.

    Args:
        release: the version that runs, or ran last.
        created_at: when it was deployed, in seconds since the Unix epoch.
        status: ``starting``, ``running``, ``unhealthy``, ``stopping``, ``stopped`` or ``crashed``.
        pid: its process; 0 where there is none.
        updated_at: when its process was started.
        started: likewise, on the monotonic clock.
        alive: whether the process answers.
        holds_port: whether its port is taken; one that is stopped only remembers it.
        previous: the version that a rollback goes back to.
        staging: the update that is going on.
        updating: whether one is.
        stopped: whether the process was stopped although the status does not show it yet.
    """

    release: Release
    created_at: float
    output: Output
    status: str = "starting"
    port: int = 0
    pid: int = 0
    updated_at: float = 0.0
    started: float = 0.0
    alive: bool = True
    holds_port: bool = False
    restart_count: int = 0
    checked_at: float | None = None
    previous: Release | None = None
    staging: Staging | None = None
    updating: bool = False
    stopped: bool = False
    #: The history that some defects depend on.
    from_draft: bool = False
    updated: bool = False
    #: Bumped with every process, so that what was meant for an earlier one does not meet a later one.
    generation: int = field(default=0)

    @property
    def id(self) -> str:
        """The formation's id."""
        return self.release.formation.formation_id

    @property
    def formation(self) -> EmbeddedFormation:
        """The formation that answers."""
        return self.release.formation

    @property
    def process_status(self) -> str:
        """The status that the proxy goes by: that of the process, whatever its last health check found."""
        if self.status in ("running", "unhealthy"):
            return "stopped" if self.stopped else "running"
        return self.status

    @property
    def healthy(self) -> bool | None:
        """None while it starts."""
        return None if self.status == "starting" else self.status == "running"


class Registry:
    """Hosted formations by id; live ones and drafts each have a registry."""

    def __init__(self) -> None:
        self._hosted: dict[str, Hosted] = {}

    def add(self, hosted: Hosted) -> None:
        """Hold a formation, in place of an earlier one of its id."""
        self._hosted[hosted.id] = hosted

    def find(self, formation_id: str) -> Hosted | None:
        """A formation by id."""
        return self._hosted.get(formation_id)

    def remove(self, formation_id: str) -> None:
        """Remove a formation."""
        self._hosted.pop(formation_id, None)

    def listed(self) -> list[Hosted]:
        """All of them. (The server's own order is random.)"""
        return list(self._hosted.values())


def rfc3339(timestamp: float) -> str:
    """``2026-11-22T15:42:52.708097Z``, without zeros at the end, as Go writes it."""
    text = datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"
