"""The state of an embedded formation besides its conversations."""

from __future__ import annotations

import threading

from muxi.clock import Clock
from muxi_transports.memory.formation.definition import FormationDefinition
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.state.audit import Audit
from muxi_transports.memory.formation.state.channels import Channels
from muxi_transports.memory.formation.state.credentials import Credentials
from muxi_transports.memory.formation.state.distilleries import Distilleries
from muxi_transports.memory.formation.state.events import Events
from muxi_transports.memory.formation.state.ingestion import Ingestion
from muxi_transports.memory.formation.state.memories import Memories
from muxi_transports.memory.formation.state.memory_jobs import MemoryJobs
from muxi_transports.memory.formation.state.projections import Projections
from muxi_transports.memory.formation.state.secrets import Secrets
from muxi_transports.memory.formation.state.tuning import TuningState
from muxi_transports.memory.formation.state.users import Users
from muxi_transports.memory.incidents import Incidents
from muxi_transports.memory.work import Background

__all__ = ["State"]


class State:
    """The state of a formation; a test may read and change all of it.

    Args:
        definition: what it has at the start.
        keys: the formation's own keys, which are secrets too.
        clock: the time it lives in.
        ids: where ids come from.
        background: takes the steps of jobs.
        lock: held while something changes.
        incidents: takes the errors of functions that a test gave.
    """

    def __init__(
        self,
        definition: FormationDefinition,
        keys: dict[str, str],
        clock: Clock,
        ids: Ids,
        background: Background,
        lock: threading.RLock,
        incidents: Incidents,
    ) -> None:
        self.users: Users = Users(clock, ids)
        self.secrets: Secrets = Secrets({**keys, **definition.secrets})
        self.audit: Audit = Audit(clock)
        self.tuning: TuningState = TuningState(definition.tuning)
        self.credentials: Credentials = Credentials(self.users, clock, ids)
        self.channels: Channels = Channels(self.users, incidents)
        self.memory_jobs: MemoryJobs = MemoryJobs(clock, background, lock, incidents)
        self.memories: Memories = Memories(self.users)
        #: The events that memories are derived from.
        self.events: Events = Events(clock, ids)
        self.projections: Projections = Projections(self.events, self.memories, ids)
        self.ingestion: Ingestion = Ingestion(self.users, self.events, self.projections, incidents)
        self.distilleries: Distilleries = Distilleries(clock, ids)
