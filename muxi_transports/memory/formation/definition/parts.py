"""The parts of a formation: agents, what they know, skills, procedures and MCP servers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from muxi.transport.arguments import check_arguments

__all__ = ["SCHEMA", "AgentDefinition", "KnowledgeSource", "McpServerDefinition", "SkillDefinition", "SopDefinition"]

#: The version of the platform's formation file that the parts are written in.
SCHEMA = "1.0.0"


@check_arguments()
@dataclass(frozen=True)
class KnowledgeSource:
    """A source of an agent's knowledge.

    Args:
        id: its id.
        path: the file or folder it is, or the URL it is fetched from.
        documents: how many documents are in it.
        broken: fetching and rebuilding it fail.
    """

    id: str
    path: str = ""
    documents: int = 1
    broken: bool = False

    @property
    def remote(self) -> bool:
        """True if it is fetched from a URL."""
        return "://" in self.path

    def on_wire(self) -> dict[str, object]:
        """The source as a formation file has it."""
        return {"id": self.id, "url" if self.remote else "path": self.path}


@check_arguments()
@dataclass(frozen=True)
class AgentDefinition:
    """An agent as the formation file describes it. What it says is a function: see
    :meth:`~muxi_transports.memory.EmbeddedFormation.agent`.

    Args:
        id: its id.
        name: its name for people; made of the id where there is none.
        description: what it is for.
        system_message: the system message of its model.
        knowledge: what it has read.
        source: where it is defined.
    """

    id: str
    name: str = ""
    description: str = ""
    system_message: str = "You are a helpful AI assistant."
    knowledge: tuple[KnowledgeSource, ...] = ()
    source: str = "formation"

    def on_wire(self) -> dict[str, object]:
        """The agent as ``GET /v1/agents/{agent_id}`` has it."""
        agent: dict[str, object] = {
            "schema": SCHEMA,
            "id": self.id,
            "name": self.name or self.id.replace("-", " ").replace("_", " ").title(),
            "description": self.description,
            "system_message": self.system_message,
            "source": self.source,
        }
        if self.knowledge:
            agent["knowledge"] = {"enabled": True, "sources": [source.on_wire() for source in self.knowledge]}
        return agent


@check_arguments()
@dataclass(frozen=True)
class SkillDefinition:
    """A skill.

    Args:
        name: its name.
        description: when to use it.
        agent_id: the one agent that has it; all have it where there is none.
        license: the terms it comes under.
        compatibility: what it needs.
        allowed_tools: the tools it may use; None where nothing is said.
        resources: the files that come with it.
    """

    name: str
    description: str = ""
    agent_id: str | None = None
    license: str | None = None
    compatibility: str | None = None
    allowed_tools: tuple[str, ...] | None = None
    resources: tuple[str, ...] = ()

    def in_list(self) -> dict[str, object]:
        """The skill as lists have it."""
        return {
            "name": self.name,
            "description": self.description,
            "scope": "private" if self.agent_id else "public",
        }

    def on_wire(self) -> dict[str, object]:
        """The skill with everything that is known of it."""
        return {
            **self.in_list(),
            "license": self.license,
            "compatibility": self.compatibility,
            "allowed_tools": None if self.allowed_tools is None else list(self.allowed_tools),
            "resources": list(self.resources),
        }


@check_arguments()
@dataclass(frozen=True)
class SopDefinition:
    """A standard operating procedure.

    Args:
        name: its name: letters, digits, hyphens and underscores.
        content: Markdown; its steps are the numbered lines.
        type: ``template`` or ``guide``.
    """

    name: str
    content: str = ""
    type: str = "template"

    @property
    def steps(self) -> int:
        """The number of numbered lines in the content."""
        return len(re.findall(r"(?m)^\s*\d+[.)]\s", self.content))

    def in_list(self) -> dict[str, object]:
        """The procedure as ``GET /v1/sops`` has it; the title is the name (the wire)."""
        return {"name": self.name, "title": self.name, "type": self.type, "steps": self.steps, "agents_used": None}

    def on_wire(self) -> dict[str, object]:
        """The procedure as ``GET /v1/sops/{sop_name}`` has it."""
        return {
            "name": self.name,
            "title": self.name,
            "type": self.type,
            "content": self.content,
            "metadata": {},
            "references": None,
            "agents_used": None,
            "steps": self.steps,
        }


@check_arguments()
@dataclass(frozen=True)
class McpServerDefinition:
    """An MCP server: a program (``command``) or an address (``endpoint``).

    Args:
        id: its id.
        description: what its tools are for.
        command: the program to run.
        args: its arguments.
        endpoint: the URL to call, instead of a program.
        auth: how to authenticate there. A placeholder such as ``${{ user.credentials.github }}`` in it makes
            ``github`` a service that users give credentials for.
        source: where it is defined.
    """

    id: str
    description: str = ""
    command: str = ""
    args: tuple[str, ...] = ()
    endpoint: str = ""
    auth: dict[str, object] = field(default_factory=dict, repr=False)
    source: str = "formation"

    @property
    def services(self) -> list[str]:
        """The services that users give credentials for."""
        found = re.findall(r"\$\{\{\s*user\.credentials\.([\w-]+)\s*\}\}", str(self.auth))
        return list(dict.fromkeys(name.lower() for name in found))

    def on_wire(self) -> dict[str, object]:
        """The server as ``GET /v1/mcp/servers/{server_id}`` has it; placeholders stay as they are."""
        server: dict[str, object] = {"schema": SCHEMA, "id": self.id, "description": self.description}
        if self.endpoint:
            server |= {"type": "http", "endpoint": self.endpoint}
            if self.auth:
                server["auth"] = self.auth
        else:
            server |= {"type": "command", "command": self.command, "args": list(self.args)}
        return {**server, "source": self.source}
