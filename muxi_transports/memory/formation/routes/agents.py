"""``/v1/agents`` and ``/v1/knowledge``: agents and their sources of knowledge."""

from __future__ import annotations

import inspect

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.agents import echo
from muxi_transports.memory.formation.core import FormationCore
from muxi_transports.memory.formation.definition import AgentDefinition, KnowledgeSource
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.validation import Field, record, text

__all__ = ["ROUTES", "agent_of", "agents_of"]

#: The agent that every formation has, and that no list has (the wire).
_BUILT_IN = AgentDefinition("muxi-generalist", source="built-in")


def agents_of(formation: FormationCore) -> list[AgentDefinition]:
    """The agents of a formation: those that are defined, then those that were given a function only."""
    defined = {agent.id: agent for agent in formation.definition.agents}
    given = formation.agents.given or {formation.agents.default: echo}
    for agent_id, reply in given.items():
        if agent_id not in defined:
            # Of a callable object, the docstring is that of its class.
            text = inspect.getdoc(reply) if inspect.isfunction(reply) and reply is not echo else None
            summary = text.splitlines()[0] if text else "General-purpose assistant for answering questions"
            defined[agent_id] = AgentDefinition(agent_id, description=summary)
    return list(defined.values())


def agent_of(incoming: Incoming) -> AgentDefinition:
    """The agent that the path names.

    Raises:
        ApiError: 404 ``AGENT_NOT_FOUND``.
    """
    return _agent(incoming.formation, incoming.params["agent_id"])


def _agent(formation: FormationCore, agent_id: str) -> AgentDefinition:
    for agent in agents_of(formation):
        if agent.id == agent_id:
            return agent
    raise ApiError(404, "AGENT_NOT_FOUND", f"Agent '{agent_id}' not found")


def list_agents(incoming: Incoming) -> Success:
    """All agents but the built-in one."""
    agents = [agent.on_wire() for agent in agents_of(incoming.formation)]
    return Success("agent_list", "agent.list", {"agents": agents, "count": len(agents)})


def get_agent(incoming: Incoming) -> Success:
    """One agent."""
    return Success("agent", "agent.retrieved", agent_of(incoming).on_wire())


def sync_knowledge(incoming: Incoming) -> Success:
    """Fetch an agent's remote sources of knowledge."""
    agent = agent_of(incoming)
    remote = [source for source in agent.knowledge if source.remote]
    if not remote:
        raise ApiError(400, "INVALID_REQUEST", f"Agent '{agent.id}' has no remote knowledge sources")
    wanted = incoming.body.text("source_id")
    sources = [source for source in remote if wanted in (None, source.id)]
    if not sources:
        raise ApiError(404, "RESOURCE_NOT_FOUND", f"Knowledge source '{wanted}' not found for agent '{agent.id}'")
    results = [_sync_source(source) for source in sources]
    return Success("agent", "agent.knowledge.synced", {"agent_id": agent.id, "results": results})


def rebuild_knowledge(incoming: Incoming) -> Success:
    """Rebuild the knowledge trees of one agent, or of all."""
    wanted = incoming.body.text("agent_id")
    formation = incoming.formation
    agents = [_agent(formation, wanted)] if wanted else [*agents_of(formation), _BUILT_IN]
    source_id = incoming.body.text("source_id")
    rebuilt = {agent.id: _rebuild_agent(agent, source_id) for agent in agents}
    return Success("knowledge", "knowledge.trees.rebuilt", {"agents": rebuilt, "source_id": source_id})


def _sync_source(source: KnowledgeSource) -> dict[str, object]:
    return {
        "source_id": source.id,
        "status": "failed" if source.broken else "synced",
        "documents": 0 if source.broken else source.documents,
        "duration_ms": 0.0,
    }


def _rebuild_agent(agent: AgentDefinition, source_id: str | None) -> dict[str, list[str]]:
    sources = [source for source in agent.knowledge if source_id in (None, source.id)]
    return {
        "rebuilt": [source.id for source in sources if not source.broken and source.documents],
        "failed": [source.id for source in sources if source.broken],
        "skipped": [source.id for source in sources if not source.broken and not source.documents],
    }


ROUTES = (
    FormationRoute("GET", "/v1/agents", list_agents, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/agents/{agent_id}", get_agent, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute(
        "POST",
        "/v1/agents/{agent_id}/knowledge/sync",
        sync_knowledge,
        Level.ADMIN,
        UserRule.OPTIONAL,
        body=record(Field("source_id", text)),
        body_optional=True,
    ),
    FormationRoute(
        "POST",
        "/v1/knowledge/rebuild",
        rebuild_knowledge,
        Level.ADMIN,
        UserRule.OPTIONAL,
        body=record(Field("agent_id", text), Field("source_id", text)),
    ),
)
