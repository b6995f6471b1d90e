"""The server below its routes: hosted formations, processes, ports and drafts."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from typing import ClassVar

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.forks import renew_after_fork
from muxi_transports.memory.formation import EmbeddedFormation
from muxi_transports.memory.formation.agents import echo
from muxi_transports.memory.server.authoring import ServerAuthoring, Trouble
from muxi_transports.memory.server.config import Config
from muxi_transports.memory.server.defects import ServerDefect, server_defects
from muxi_transports.memory.server.ports import PortAllocator
from muxi_transports.memory.server.registry import Hosted, Registry
from muxi_transports.memory.server.workspace import Workspace
from muxi_transports.memory.work import Background

__all__ = ["ServerCore"]

#: The first port of the pool, and the number of ports (the wire).
_FIRST_PORT, _PORTS = 18200, 200
_FIRST_PID = 20768


class ServerCore(ServerAuthoring):
    """State and background work of an embedded server. Routes change it; it calls none of them.

    The parameters are those of :class:`~muxi_transports.memory.EmbeddedServer`.
    """

    #: Stubs over it are for routes of the platform.
    follows_platform: ClassVar[bool] = True

    def __init__(
        self,
        *,
        key_id: str | None = None,
        secret_key: str | None = None,
        clock: Clock | None = None,
        port: int = 7890,
        startup_seconds: float = 0.0,
        shutdown_seconds: float = 0.0,
        ports: int = _PORTS,
        runtimes: Iterable[str] = ("0.20260514.0",),
        version: str = "0.20260514.1",
        latest_sdk: str | None = None,
        imitate: Iterable[ServerDefect | str] = (),
    ) -> None:
        if (key_id is None) != (secret_key is None):
            raise ConfigurationError("give key_id= and secret_key= together, or neither")
        for name, value in (("key_id", key_id), ("secret_key", secret_key)):
            if value is not None and not value.strip():
                raise ConfigurationError(f"{name}= is empty; without both, any key is accepted")
        self._imitated = server_defects(imitate)
        self.clock: Clock = clock or SystemClock()
        self.started: float = self.clock.monotonic()
        self.port = port
        self.startup_seconds = startup_seconds
        self.shutdown_seconds = shutdown_seconds
        self.runtimes: tuple[str, ...] = tuple(runtimes)
        self.version = version
        self.latest_sdk = latest_sdk
        self.server_id: str = "server-embedded"
        self._key_id = key_id
        self._secret_key = secret_key
        self._pids = itertools.count(_FIRST_PID)
        self.ports: PortAllocator = PortAllocator(_FIRST_PORT, ports)
        self.live: Registry = Registry()
        #: Drafts that run; what is edited is in the workspaces.
        self.drafts: Registry = Registry()
        self.workspaces: dict[str, Workspace] = {}
        self.background: Background = Background(self.clock)
        self.provided: dict[str, EmbeddedFormation] = {}
        self.unwell: set[str] = set()
        self.troubles: dict[str, Trouble] = {}
        self.audit_log: list[str] = []
        #: Ids that are taken by deployments which have not come to a process yet.
        self.deploying: set[str] = set()
        #: Ids of which there has been an update, for a defect that outlives the formation.
        self.staged: set[str] = set()
        #: Held while the state changes, never during a wait.
        self.lock: threading.RLock = threading.RLock()
        renew_after_fork(self, "lock")

    def imitates(self, defect: ServerDefect) -> bool:
        """True if this defect of the recorded server is to be imitated."""
        return defect in self._imitated

    def new_pid(self) -> int:
        """The id of a new process."""
        return next(self._pids)

    def begin(self, hosted: Hosted, port: int | None = None, pid: int | None = None) -> None:
        """Give a formation a new process.

        Args:
            hosted: the formation.
            port: a port that has been taken; a free one is taken if None.
            pid: the id of a process that runs already.
        """
        hosted.port, hosted.pid = self.ports.take() if port is None else port, pid or self.new_pid()
        hosted.updated_at, hosted.started = self.clock.time(), self.clock.monotonic()
        hosted.alive = hosted.holds_port = True
        hosted.stopped = False
        hosted.generation += 1

    def formation_for(self, formation_id: str, config: Config) -> EmbeddedFormation:
        """The formation for a bundle: the provided one, else the running one, else an echo with its agents."""
        if (provided := self.provided.get(formation_id)) is not None:
            return provided
        return self._with_agents(self.find(formation_id) or EmbeddedFormation(formation_id, clock=self.clock), config)

    def draft_for(self, formation_id: str, config: Config) -> EmbeddedFormation:
        """The formation for a running draft: an echo with its agents, apart from the live formation."""
        return self._with_agents(EmbeddedFormation(formation_id, clock=self.clock), config)

    def _with_agents(self, formation: EmbeddedFormation, config: Config) -> EmbeddedFormation:
        for agent_id in config.agents:
            if agent_id not in formation.agents.given:
                formation.agent(agent_id, echo)
        return formation
