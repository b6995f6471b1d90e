"""Agents and their knowledge."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["Agent", "AgentList", "AgentSkills", "KnowledgeRebuild", "KnowledgeSync", "RebuiltTrees", "Skill", "Skills"]


class _AgentAlways(TypedDict):
    id: str


class Agent(_AgentAlways, total=False):
    """One agent of the formation file."""

    schema: str
    name: str
    description: str
    system_message: str
    source: str
    mcp_servers: list[Any]
    knowledge: dict[str, Any]


class AgentList(TypedDict):
    """The agents of the formation file; built-in ones are not among them, although they can be chosen."""

    agents: list[Agent]
    count: int


class KnowledgeSync(TypedDict):
    """The synchronized knowledge sources of an agent: status, counts and duration of each."""

    agent_id: str
    results: list[dict[str, Any]]


class RebuiltTrees(TypedDict):
    """The knowledge sources of one agent, by result."""

    rebuilt: list[Any]
    failed: list[Any]
    skipped: list[Any]


class KnowledgeRebuild(TypedDict):
    """The rebuilt knowledge sources, by agent."""

    agents: dict[str, RebuiltTrees]
    source_id: str | None


class Skill(TypedDict, total=False):
    """A skill; which fields are there depends on the route. Read in the runtime's source, never seen live."""

    name: str
    description: str
    scope: str
    license: str | None
    compatibility: str | None
    allowed_tools: list[str] | None
    resources: list[str]


class Skills(TypedDict):
    """The skills that are loaded."""

    skills: list[Skill]


class _AgentSkillsAlways(TypedDict):
    skills: list[Skill]


class AgentSkills(_AgentSkillsAlways, total=False):
    """The skills that one agent can use, public ones and its own."""

    agent_id: str
