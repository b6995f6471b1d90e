"""The in-memory world: an embedded formation and server with state, and the transports that reach them.

A test, a demo or a notebook needs no network and no model::

    formation = EmbeddedFormation()
    client = FormationClient(transport=MemoryTransport(formation), client_key="any", url="http://memory")

The same world is served over real HTTP by :func:`serve`.
"""

from __future__ import annotations

from muxi_transports.memory.asgi import WorldApp
from muxi_transports.memory.formation import EmbeddedFormation
from muxi_transports.memory.formation.agents import (
    Agent,
    Approval,
    Discontinuity,
    Escalation,
    Failure,
    Later,
    NewArtifact,
    Part,
    Question,
    Reply,
    Silence,
    Turn,
    Widgets,
)
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.definition import (
    AgentDefinition,
    FormationDefinition,
    KnowledgeSource,
    McpServerDefinition,
    SkillDefinition,
    SopDefinition,
    read_formation,
)
from muxi_transports.memory.formation.scripts import Replies, ScriptExhausted
from muxi_transports.memory.formation.webhooks import Delivery, Receiver
from muxi_transports.memory.incidents import Incident, Incidents
from muxi_transports.memory.sandbox import Sandbox
from muxi_transports.memory.server import EmbeddedServer, ServerDefect
from muxi_transports.memory.serving import Served, serve
from muxi_transports.memory.stubs import SentRequest, Stub, StubbedWorld, Stubbing, UnexpectedRequest, UnusedStub
from muxi_transports.memory.transport import AsyncMemoryTransport, MemoryTransport, WorldTransport
from muxi_transports.memory.world import Answer, Idle, Pause, World

__all__ = [
    "Agent",
    "AgentDefinition",
    "Answer",
    "Approval",
    "AsyncMemoryTransport",
    "Defect",
    "Delivery",
    "Discontinuity",
    "EmbeddedFormation",
    "EmbeddedServer",
    "Escalation",
    "Failure",
    "FormationDefinition",
    "Idle",
    "Incident",
    "Incidents",
    "KnowledgeSource",
    "Later",
    "McpServerDefinition",
    "MemoryTransport",
    "NewArtifact",
    "Part",
    "Pause",
    "Question",
    "Receiver",
    "Replies",
    "Reply",
    "Sandbox",
    "ScriptExhausted",
    "SentRequest",
    "Served",
    "ServerDefect",
    "Silence",
    "SkillDefinition",
    "SopDefinition",
    "Stub",
    "StubbedWorld",
    "Stubbing",
    "Turn",
    "UnexpectedRequest",
    "UnusedStub",
    "Widgets",
    "World",
    "WorldApp",
    "WorldTransport",
    "read_formation",
    "serve",
]
