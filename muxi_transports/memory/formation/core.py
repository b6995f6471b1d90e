"""The formation below its routes: state, background work, webhooks and event feeds."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping
from typing import ClassVar

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.forks import renew_after_fork
from muxi_transports.memory.formation.access import Keys
from muxi_transports.memory.formation.agents import Agents, echo
from muxi_transports.memory.formation.authoring import FormationAuthoring
from muxi_transports.memory.formation.defects import Defect, defects
from muxi_transports.memory.formation.definition import FormationDefinition
from muxi_transports.memory.formation.envelope import Success, success
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.state.artifacts import Artifacts
from muxi_transports.memory.formation.state.asides import Asides
from muxi_transports.memory.formation.state.buffer import Buffer
from muxi_transports.memory.formation.state.diary import Diary
from muxi_transports.memory.formation.state.feeds import Feeds
from muxi_transports.memory.formation.state.jobs import Job, Jobs
from muxi_transports.memory.formation.state.memories import Memories
from muxi_transports.memory.formation.state.replays import Replays
from muxi_transports.memory.formation.state.tracker import Tracker
from muxi_transports.memory.formation.state.triggers import TriggerTemplate
from muxi_transports.memory.formation.state.whole import State
from muxi_transports.memory.formation.voice import Transcribe, transcribe_name
from muxi_transports.memory.formation.webhooks import Webhooks
from muxi_transports.memory.incidents import Incidents
from muxi_transports.memory.work import Background, Work
from muxi_transports.memory.world import Answer, Pause

__all__ = ["FormationCore"]


class FormationCore(FormationAuthoring, ABC):
    """State and background work of an embedded formation. Routes change it; it calls none of them.

    The parameters are those of :class:`~muxi_transports.memory.EmbeddedFormation`.
    """

    #: Stubs over it are for routes of the platform.
    follows_platform: ClassVar[bool] = True

    def __init__(
        self,
        formation_id: str | None = None,
        *,
        client_key: str | None = None,
        admin_key: str | None = None,
        clock: Clock | None = None,
        seed: int | str | None = None,
        pace: float = 0.0,
        opening_pause: float = 0.0,
        name: str | None = None,
        description: str | None = None,
        version: str | None = None,
        definition: FormationDefinition | None = None,
        imitate: Iterable[Defect | str] = (),
        webhook_url: str | None = None,
        transcribe: Transcribe = transcribe_name,
    ) -> None:
        self._imitated = defects(imitate)
        #: Errors of agents and other functions that a test gave the formation.
        self.incidents: Incidents = Incidents()
        #: The definition of the formation; a test may change it while the formation runs.
        self.definition: FormationDefinition = FormationDefinition() if definition is None else definition
        if not isinstance(self.definition, FormationDefinition):
            raise ConfigurationError(f"a definition is a FormationDefinition, not a {type(definition).__name__}")
        self.formation_id: str = formation_id or self.definition.id or "my-assistant"
        self.name: str = name or self.definition.name or self.formation_id
        self.description: str = description or self.definition.description or ""
        self.version: str = version or self.definition.version or "1.0.0"
        self.clock: Clock = clock or SystemClock()
        self.started: float = self.clock.monotonic()
        self.pace = pace
        self.opening_pause = opening_pause
        self.keys: Keys = Keys(client_key, admin_key)
        self.ids: Ids = Ids(seed)
        self.agents: Agents = Agents()
        self.tracker: Tracker = Tracker(self.clock)
        self.replays: Replays = Replays(self.clock)
        self.background: Background = Background(self.clock)
        self.triggers: dict[str, TriggerTemplate] = {}
        self.jobs: Jobs = Jobs(self.clock, self.background, self._perform_job)
        self.asides: Asides = Asides()
        self.feeds: Feeds = Feeds()
        self.webhooks: Webhooks = Webhooks(self, webhook_url or self.definition.webhook_url)
        self.transcribe: Transcribe = transcribe
        #: Held while the state changes, never during a wait.
        self.lock: threading.RLock = threading.RLock()
        renew_after_fork(self, "lock")
        #: Users, memories, secrets, jobs and the rest of the state.
        self.state: State = State(
            self.definition, self.keys.as_secrets(), self.clock, self.ids, self.background, self.lock, self.incidents
        )
        self.memories: Memories = self.state.memories
        self.buffer: Buffer = Buffer(self.state.users)
        self.artifacts: Artifacts = Artifacts(self.clock, self.state.users)
        self.diary: Diary = Diary(self.state.users)
        for agent in self.definition.agents:
            self.agents.given[agent.id] = echo
        for trigger, template in self.definition.triggers.items():
            self.trigger(trigger, template)

    def catch_up(self) -> None:
        """Run the background work that is due."""
        self.background.catch_up()

    def work(self, steps: Generator[Pause, None, object]) -> None:
        """Run steps in the background; the first one runs when the background next catches up."""
        self.background.adopt(Work(steps, self.clock))

    def note(
        self,
        kind: str,
        message: str,
        *,
        level: str = "info",
        user_id: str | None = None,
        session_id: str | None = None,
        request_id: str | None = None,
        agent_id: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Publish an event of the formation's own, unless silent feeds are imitated."""
        if not self.imitates(Defect.SILENT_FEEDS):
            self.emit_event(
                kind,
                message,
                level=level,
                user_id=user_id,
                session_id=session_id,
                request_id=request_id,
                agent_id=agent_id,
                data=data,
            )

    def imitates(self, defect: Defect) -> bool:
        """True if this defect of the recorded runtime is to be imitated."""
        return defect in self._imitated

    def wrap(self, result: Success, *, request_id: str | None = None, idempotency_key: str | None = None) -> Answer:
        """Wrap a result in its envelope."""
        with self.lock:
            request_id = request_id or result.request_id or self.ids.new("req_")
        return success(result, request_id=request_id, idempotency_key=idempotency_key, now=self.clock.time())

    @abstractmethod
    def _perform_job(self, job: Job) -> Generator[Pause, None, str | None]:
        """Run a scheduled job that is due.

        Returns:
            Why it failed, or None.
        """
