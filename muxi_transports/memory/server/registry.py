"""The formations a server holds, and what it knows about each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from muxi.clock import Clock
from muxi_transports.memory.formation import EmbeddedFormation

__all__ = ["Hosted", "Registry", "rfc3339"]

_FIRST_PORT = 18200
_FIRST_PID = 20768


@dataclass
class Hosted:
    """One formation on a server."""

    formation: EmbeddedFormation
    digest: str
    port: int
    pid: int
    created_at: float
    updated_at: float
    started: float
    status: str = "running"
    restart_count: int = 0
    checked_at: float | None = None
    previous: str | None = None

    @property
    def id(self) -> str:
        """The formation's id."""
        return self.formation.formation_id

    @property
    def healthy(self) -> bool | None:
        """None while it starts."""
        return None if self.status == "starting" else self.status == "running"


class Registry:
    """Hosted formations by id; live ones and drafts each have a registry."""

    def __init__(self, clock: Clock, numbers: Iterator[int] | None = None) -> None:
        self._clock = clock
        self._numbers = numbers or itertools.count()
        self._hosted: dict[str, Hosted] = {}

    def add(self, formation: EmbeddedFormation, digest: str, status: str = "running") -> Hosted:
        """Hold a formation, with a port and a process id of its own."""
        number, now = next(self._numbers), self._clock.time()
        hosted = Hosted(
            formation, digest, _FIRST_PORT + number, _FIRST_PID + number, now, now, self._clock.monotonic(), status
        )
        self._hosted[hosted.id] = hosted
        return hosted

    def find(self, formation_id: str) -> Hosted | None:
        """A formation by id."""
        return self._hosted.get(formation_id)

    def remove(self, formation_id: str) -> None:
        """Let go of a formation."""
        self._hosted.pop(formation_id, None)

    def listed(self) -> list[Hosted]:
        """All of them. (The server's own order is random.)"""
        return list(self._hosted.values())

    def begin(self, hosted: Hosted) -> None:
        """A new process for a formation."""
        number = next(self._numbers)
        hosted.port, hosted.pid = _FIRST_PORT + number, _FIRST_PID + number
        hosted.updated_at, hosted.started = self._clock.time(), self._clock.monotonic()


def rfc3339(timestamp: float) -> str:
    """``2026-11-22T15:42:52.708097Z``, without zeros at the end, as Go writes it."""
    text = datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"
