"""The definition of an embedded formation: agents, skills, servers, secrets and settings."""

from muxi_transports.memory.formation.definition.files import read_formation
from muxi_transports.memory.formation.definition.formation import FormationDefinition
from muxi_transports.memory.formation.definition.parts import (
    AgentDefinition,
    KnowledgeSource,
    McpServerDefinition,
    SkillDefinition,
    SopDefinition,
)

__all__ = [
    "AgentDefinition",
    "FormationDefinition",
    "KnowledgeSource",
    "McpServerDefinition",
    "SkillDefinition",
    "SopDefinition",
    "read_formation",
]
