"""Agents, their knowledge and their skills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxi.call import Call, Key
from muxi.client.endpoints import operation
from muxi.operations.fields import given

if TYPE_CHECKING:
    from muxi.types import Agent, AgentList, AgentSkills, KnowledgeRebuild, KnowledgeSync, Skill, Skills

__all__ = ["AgentOperations"]

#: Seconds for work that the runtime does while the caller waits: models are asked, sources are read.
LONG_WORK_TIMEOUT = 600.0


class AgentOperations:
    """Methods about agents and their knowledge (admin key), and about skills (client key)."""

    @operation
    def get_agents(self) -> Call[AgentList]:
        """List the agents of the formation file (``GET /agents``, admin key).

        Built-in agents such as ``muxi-generalist`` are not listed, although a chat can choose them.
        """
        return Call.get("/agents", key=Key.ADMIN, returns="AgentList")

    @operation
    def get_agent(self, agent_id: str) -> Call[Agent]:
        """Get one agent (``GET /agents/{agent_id}``, admin key).

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.get("/agents/{agent_id}", params={"agent_id": agent_id}, key=Key.ADMIN, returns="Agent")

    @operation
    def sync_agent_knowledge(self, agent_id: str, source_id: str | None = None) -> Call[KnowledgeSync]:
        """Synchronize an agent's remote knowledge sources (``POST /agents/{agent_id}/knowledge/sync``, admin key).

        It answers when the sync is done; the call has ten minutes, unless ``timeout`` is more.

        Args:
            agent_id: whose.
            source_id: one of its sources; all of them if not given.

        Raises:
            ValidationError: the agent has no remote sources.
            NotFoundError: there is no such agent, or no such source.
        """
        return Call.post(
            "/agents/{agent_id}/knowledge/sync",
            params={"agent_id": agent_id},
            body=given(source_id=source_id) or None,
            key=Key.ADMIN,
            timeout=LONG_WORK_TIMEOUT,
            accepts=None if source_id is None else "KnowledgeSync",
            returns="KnowledgeSync",
        )

    @operation
    def rebuild_knowledge(self, agent_id: str | None = None, source_id: str | None = None) -> Call[KnowledgeRebuild]:
        """Rebuild the knowledge trees of agents (``POST /knowledge/rebuild``, admin key).

        It answers when the work is done; the call has ten minutes, unless ``timeout`` is more.

        Args:
            agent_id: whose; all agents' if not given.
            source_id: one source; all of them if not given.

        Raises:
            NotFoundError: there is no such agent.
        """
        return Call.post(
            "/knowledge/rebuild",
            body=given(agent_id=agent_id, source_id=source_id),
            key=Key.ADMIN,
            timeout=LONG_WORK_TIMEOUT,
            accepts="KnowledgeRebuild",
            returns="KnowledgeRebuild",
        )

    @operation
    def get_skills(self) -> Call[Skills]:
        """List the skills of the formation (``GET /skills``).

        Raises:
            ServerError: always, with today's runtime, whose route is broken.
        """
        return Call.get("/skills", key=Key.CLIENT, returns="Skills")

    @operation
    def get_skill(self, skill_name: str) -> Call[Skill]:
        """Get one skill (``GET /skills/{skill_name}``).

        Raises:
            ServerError: always, with today's runtime, whose route is broken.
        """
        return Call.get("/skills/{skill_name}", params={"skill_name": skill_name}, key=Key.CLIENT, returns="Skill")

    @operation
    def get_agent_skills(self, agent_id: str) -> Call[AgentSkills]:
        """List the skills that an agent can use (``GET /agents/{agent_id}/skills``, client key).

        Raises:
            ServerError: always, with today's runtime, whose route is broken.
        """
        return Call.get(
            "/agents/{agent_id}/skills", params={"agent_id": agent_id}, key=Key.CLIENT, returns="AgentSkills"
        )
