"""``/v1/skills`` and ``/v1/sops``: what the formation can do, and how it goes about it."""

from __future__ import annotations

import re

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Crash, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.routes.agents import agent_of

__all__ = ["ROUTES"]


def list_skills(incoming: Incoming) -> Success:
    """All skills that are loaded."""
    _fail_like_the_runtime(incoming)
    skills = [skill.in_list() for skill in incoming.formation.definition.skills]
    return Success("skill_list", "skills.list", {"skills": skills, "count": len(skills)})


def get_skill(incoming: Incoming) -> Success:
    """One skill."""
    _fail_like_the_runtime(incoming)
    name = incoming.params["skill_name"]
    for skill in incoming.formation.definition.skills:
        if skill.name == name:
            return Success("skill", "skill.retrieved", skill.on_wire())
    raise ApiError(404, "RESOURCE_NOT_FOUND", f"Skill '{name}' not found")


def list_agent_skills(incoming: Incoming) -> Success:
    """List the skills of an agent: the public ones and its own."""
    _fail_like_the_runtime(incoming)
    agent = agent_of(incoming)
    skills = [skill.in_list() for skill in incoming.formation.definition.skills if skill.agent_id in (None, agent.id)]
    return Success("skill_list", "agent.skills.list", {"agent_id": agent.id, "skills": skills, "count": len(skills)})


def list_sops(incoming: Incoming) -> Success:
    """All procedures."""
    sops = [sop.in_list() for sop in incoming.formation.definition.sops]
    return Success("sop_list", "sops.list", {"sops": sops, "count": len(sops)})


def get_sop(incoming: Incoming) -> Success:
    """One procedure."""
    name = incoming.params["sop_name"]
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        message = f"Invalid SOP name '{name}': must contain only letters, numbers, hyphens, and underscores"
        raise ApiError(400, "INVALID_REQUEST", message)
    for sop in incoming.formation.definition.sops:
        if sop.name == name:
            return Success("sop", "sop.retrieved", sop.on_wire())
    raise ApiError(404, "SOP_NOT_FOUND", f"SOP '{name}' not found")


def _fail_like_the_runtime(incoming: Incoming) -> None:
    if incoming.formation.imitates(Defect.SKILLS_FAIL):
        missing = "'object_type' and 'event_type'"
        message = f"create_success_response() missing 2 required positional arguments: {missing}"
        raise Crash(message)


ROUTES = (
    FormationRoute("GET", "/v1/skills", list_skills, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/skills/{skill_name}", get_skill, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/agents/{agent_id}/skills", list_agent_skills, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/sops", list_sops, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/sops/{sop_name}", get_sop, Level.CLIENT, UserRule.OPTIONAL),
)
