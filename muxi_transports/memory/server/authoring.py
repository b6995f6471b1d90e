"""The methods of a server that tests use: formations, crashes, failing starts, logs."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi_transports.memory.formation import EmbeddedFormation
from muxi_transports.memory.server.config import Config
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.output import Output
from muxi_transports.memory.server.ports import PortAllocator
from muxi_transports.memory.server.registry import Hosted, Registry, Release
from muxi_transports.memory.work import Background, Work
from muxi_transports.memory.world import Pause

__all__ = ["ServerAuthoring", "Trouble", "both_system"]

#: Seconds within which the monitor finds a dead process (the wire).
_MONITOR_SECONDS = 5.0


@dataclass
class Trouble:
    """The failure of a process that is started.

    Args:
        output: what it prints before it dies; None where it lives and is never healthy.
        times: how often it happens; None for always.
    """

    output: str | None
    times: int | None


class ServerAuthoring:
    """Base of the embedded server: the methods for tests."""

    clock: Clock
    lock: threading.RLock
    live: Registry
    drafts: Registry
    ports: PortAllocator
    background: Background
    provided: dict[str, EmbeddedFormation]
    unwell: set[str]
    troubles: dict[str, Trouble]
    audit_log: list[str]

    def add(self, formation: EmbeddedFormation, *, draft: bool = False) -> EmbeddedFormation:
        """Hold a formation, running, in place of an earlier one of its id.

        Args:
            formation: the formation; it lives in the server's time.
            draft: whether it is found below ``/draft`` instead of ``/api``.

        Returns:
            The formation.

        Raises:
            ConfigurationError: the formation was given another clock than the server's, or no port is left.
        """
        self._check_clock(formation)
        files = Files({"formation.afs": _write_config(formation)})
        config = Config(
            "formation.afs",
            formation.formation_id,
            formation.description,
            formation.name,
            formation.version,
            agents=tuple(formation.agents.given),
        )
        with self.lock:
            registry = self.drafts if draft else self.live
            if (earlier := registry.find(formation.formation_id)) is not None:
                self.ports.free(earlier)
            if self.ports.allocated >= self.ports.total:
                raise ConfigurationError(f"the server has {self.ports.total} ports, and all are taken")
            release = Release(formation, config, files.digest(), files)
            hosted = Hosted(release, self.clock.time(), Output(formation.formation_id), "running")
            self.begin(hosted)
            registry.add(hosted)
        return formation

    def begin(self, hosted: Hosted, port: int | None = None, pid: int | None = None) -> None:
        """Give a formation a new process."""
        raise NotImplementedError

    def provide(self, formation: EmbeddedFormation) -> EmbeddedFormation:
        """Have this formation answer for what is deployed under its id from now on.

        Without it, what is deployed becomes a formation that echoes, with the agents that its bundle names. Its name,
        description and version are those of the bundle that runs. An update to an id that has been provided anew runs
        the new formation, and a rollback the old one.

        Args:
            formation: the formation; it lives in the server's time.

        Returns:
            The formation.

        Raises:
            ConfigurationError: the formation was given another clock than the server's.
        """
        self._check_clock(formation)
        with self.lock:
            self.provided[formation.formation_id] = formation
        return formation

    def find(self, formation_id: str, *, draft: bool = False) -> EmbeddedFormation | None:
        """The formation of an id, such as one that was deployed; None where there is none."""
        hosted = (self.drafts if draft else self.live).find(formation_id)
        return hosted.formation if hosted else None

    def crash(self, formation_id: str, output: str = "") -> None:
        """Kill the process of a formation.

        The next call to it gets a 502; looking at it finds it ``unhealthy``; 5 s later it is ``crashed``, and stays so
        until it is started.

        Args:
            formation_id: which.
            output: what it prints at the end, to ``stderr``.

        Raises:
            ConfigurationError: there is none of that id, or it does not run.
        """
        with self.lock:
            hosted = self._running(formation_id)
            hosted.alive = False
            if output:
                hosted.output.write(output, "stderr")
            self.background.adopt(Work(self._monitor(hosted, hosted.generation), self.clock))

    def fail_health(self, formation_id: str) -> None:
        """Make the health checks of a running formation fail: it is ``unhealthy`` until it recovers.

        Args:
            formation_id: which.

        Raises:
            ConfigurationError: there is none of that id.
        """
        with self.lock:
            self._find_hosted(formation_id)
            self.unwell.add(formation_id)

    def fail_starts(self, formation_id: str, output: str | None = None, *, times: int | None = None) -> None:
        """Make starts under an id fail: deployed, updated, started, restarted, rolled back, or run as a draft.

        Args:
            formation_id: which; there need be none of that id yet.
            output: what the process prints before it dies; without it, it lives and never becomes healthy, which takes
                30 checks to find out.
            times: how often; until it recovers if not given.
        """
        with self.lock:
            self.troubles[formation_id] = Trouble(output, times)

    def recover(self, formation_id: str) -> None:
        """Undo :meth:`fail_health` and :meth:`fail_starts`."""
        with self.lock:
            self.unwell.discard(formation_id)
            self.troubles.pop(formation_id, None)

    def print(self, formation_id: str, text: str, *, stream: Literal["stdout", "stderr"] = "stdout") -> None:
        """Write lines to a formation's output, which its logs and log streams have.

        Args:
            formation_id: which.
            text: a line, or several.
            stream: to which output.

        Raises:
            ConfigurationError: there is none of that id, or no such output.
        """
        if stream not in ("stdout", "stderr"):
            raise ConfigurationError(f"stream= is 'stdout' or 'stderr', not {stream!r}")
        with self.lock:
            self._find_hosted(formation_id).output.write(text, stream)

    def end_logs(self, formation_id: str) -> None:
        """End all streams that follow a formation's logs, after what they have still to say. (They have no end.)

        Raises:
            ConfigurationError: there is none of that id.
        """
        with self.lock:
            self._find_hosted(formation_id).output.end()

    def log(self, line: str) -> None:
        """Write a line to the server's own log (``GET /rpc/server/logs``), which is empty otherwise."""
        with self.lock:
            self.audit_log.append(line)

    def starting(self, formation_id: str) -> Trouble | None:
        """Take the failure of the process that has just been started, if any."""
        trouble = self.troubles.get(formation_id)
        if trouble is not None and trouble.times is not None:
            trouble.times -= 1
            if trouble.times <= 0:
                del self.troubles[formation_id]
        return trouble

    def _monitor(self, hosted: Hosted, generation: int) -> Generator[Pause, None, None]:
        yield Pause(_MONITOR_SECONDS)
        with self.lock:
            if hosted.generation == generation and not hosted.alive:
                self.ports.free(hosted)
                hosted.status, hosted.pid = "crashed", 0

    def _find_hosted(self, formation_id: str) -> Hosted:
        hosted = self.live.find(formation_id)
        if hosted is None:
            there = ", ".join(repr(one.id) for one in self.live.listed()) or "none"
            raise ConfigurationError(f"the server has no formation {formation_id!r}; there is {there}")
        return hosted

    def _running(self, formation_id: str) -> Hosted:
        hosted = self._find_hosted(formation_id)
        if not hosted.alive:
            raise ConfigurationError(f"the formation {formation_id!r} does not run (status: {hosted.status})")
        return hosted

    def _check_clock(self, formation: EmbeddedFormation) -> None:
        if formation.clock is not self.clock and not both_system(formation.clock, self.clock):
            raise ConfigurationError(
                f"the formation {formation.formation_id!r} has another clock than the server; "
                "make it with EmbeddedFormation(…, clock=server.clock)"
            )


def both_system(one: Clock, other: Clock) -> bool:
    """True if both clocks are the machine's."""
    return isinstance(one, SystemClock) and isinstance(other, SystemClock)


def _write_config(formation: EmbeddedFormation) -> bytes:
    """The formation file of a formation that was never deployed."""
    fields = {
        "id": formation.formation_id,
        "name": formation.name,
        "version": formation.version,
        "description": formation.description or formation.name,
    }
    quoted = {name: "'" + " ".join(value.split()).replace("'", "''") + "'" for name, value in fields.items()}
    return "".join(f"{name}: {value}\n" for name, value in sorted(quoted.items())).encode()
