"""The definition of a formation, in code."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from functools import partial

from muxi.errors import ConfigurationError
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.formation.definition import blocks
from muxi_transports.memory.formation.definition.blocks import Block, fill_defaults
from muxi_transports.memory.formation.definition.parts import (
    SCHEMA,
    AgentDefinition,
    McpServerDefinition,
    SkillDefinition,
    SopDefinition,
)

__all__ = ["FormationDefinition"]

_SERVER: Block = {
    "host": "127.0.0.1",
    "port": 8001,
    "api_keys": {"admin_key": "${{ secrets.ADMIN_KEY }}", "client_key": "${{ secrets.CLIENT_KEY }}"},
}


@check_arguments(contents=("agents", "skills", "sops", "mcp_servers"))
@dataclass(repr=False)
class FormationDefinition:
    """The definition of a formation. Every part has a default and may be changed while the formation runs.

    ::

        EmbeddedFormation(definition=FormationDefinition(
            agents=[AgentDefinition("assistant", description="Answers questions")],
            secrets={"OPENAI_API_KEY": "sk-…"},
            overlord={"soul": "You are a pirate."},
        ))

    A block is given as the formation file has it, in part or in full.

    Args:
        id: the formation's id; what :class:`~muxi_transports.memory.EmbeddedFormation` is given goes before it,
            as for the next three.
        name: its name for people.
        description: what it is for.
        version: its version.
        agents: its agents. Those that are given a function without being defined are listed too.
        skills: its skills.
        sops: its standard operating procedures.
        mcp_servers: its MCP servers.
        triggers: name to template (see :meth:`~muxi_transports.memory.EmbeddedFormation.trigger`).
        secrets: name to value, as they are when the formation starts. The keys of the formation are there anyway.
        tuning: the text of its ``MUXI.md``.
        overlord: how it answers, plans and asks back.
        llm: its models.
        memory: how it remembers. Without ``lint`` and ``distillery`` those routes answer 503.
        async_: when work goes to the background (the block ``async``).
        scheduler: the scheduler.
        mcp: the defaults of MCP servers.
        a2a: how it talks to agents elsewhere.
        logging: where it logs to.
        proactive: how it reaches users; None makes channels and notifications answer 503.
        other: further blocks of the file, which ``GET /v1/formation`` gives back.

    Raises:
        ConfigurationError: two parts of a kind have one id, or something else is among them.
    """

    id: str | None = None
    name: str | None = None
    description: str | None = None
    version: str | None = None
    agents: list[AgentDefinition] = field(default_factory=list)
    skills: list[SkillDefinition] = field(default_factory=list)
    sops: list[SopDefinition] = field(default_factory=list)
    mcp_servers: list[McpServerDefinition] = field(default_factory=list)
    triggers: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=lambda: {"OPENAI_API_KEY": "sk-embedded-formation"})
    tuning: str | None = None
    overlord: Block = field(default_factory=partial(copy.deepcopy, blocks.OVERLORD))
    llm: Block = field(default_factory=partial(copy.deepcopy, blocks.LLM))
    memory: Block = field(default_factory=partial(copy.deepcopy, blocks.MEMORY))
    async_: Block = field(default_factory=partial(copy.deepcopy, blocks.ASYNC))
    scheduler: Block = field(default_factory=partial(copy.deepcopy, blocks.SCHEDULER))
    mcp: Block = field(default_factory=dict)
    a2a: Block = field(default_factory=dict)
    logging: Block = field(default_factory=partial(copy.deepcopy, blocks.LOGGING))
    proactive: Block | None = field(default_factory=partial(copy.deepcopy, blocks.PROACTIVE))
    other: Block = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, cls, attribute in (
            ("agents", AgentDefinition, "id"),
            ("skills", SkillDefinition, "name"),
            ("sops", SopDefinition, "name"),
            ("mcp_servers", McpServerDefinition, "id"),
        ):
            parts: list[object] = list(getattr(self, kind))
            for index, part in enumerate(parts):
                if not isinstance(part, cls):
                    raise ConfigurationError(f"{kind}[{index}] is a {type(part).__name__}, not a {cls.__name__}")
            names = [str(getattr(part, attribute)) for part in parts]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ConfigurationError(f"the formation has several {kind} called {', '.join(twice)}")

    def __repr__(self) -> str:
        # Not the blocks: there are keys and passwords in them.
        return f"FormationDefinition({self.id!r}, agents={[agent.id for agent in self.agents]})"

    @property
    def overlord_answered(self) -> Block:
        """The overlord with its defaults, as ``GET /v1/overlord`` has it."""
        return fill_defaults(blocks.OVERLORD_ANSWERED, self.overlord)

    @property
    def mcp_answered(self) -> Block:
        """The defaults of MCP servers, and the servers."""
        return {**fill_defaults(blocks.MCP, self.mcp), "servers": [server.on_wire() for server in self.mcp_servers]}

    @property
    def webhook_url(self) -> str | None:
        """The URL for the results of background work."""
        url = self.async_.get("webhook_url")
        return url if isinstance(url, str) and url else None

    @property
    def buffer_size(self) -> int:
        """The configured size of the buffer in messages; it limits nothing."""
        buffer = self.memory.get("buffer")
        size = buffer.get("size") if isinstance(buffer, dict) else None
        return size if isinstance(size, int) else 0

    @property
    def text_model(self) -> str:
        """The model that answers."""
        models = self.llm.get("models")
        for model in models if isinstance(models, list) else ():
            if isinstance(model, dict) and isinstance(model.get("text"), str):
                return str(model["text"])
        return "openai/gpt-4o"

    def secrets_in_use(self) -> set[str]:
        """The names of the secrets that some part of the formation refers to."""
        document = str(self.document(self.id or "", [], ""))
        return set(re.findall(r"\$\{\{\s*secrets\.(\w+)\s*\}\}", document))

    def document(self, formation_id: str, agents: list[Block], description: str, version: str = "1.0.0") -> Block:
        """The formation file as it was loaded: ``GET /v1/formation``.

        Args:
            formation_id: its id.
            agents: its agents, those with a function only among them.
            description: what it is for.
            version: its version.
        """
        document: Block = {
            "schema": SCHEMA,
            "id": formation_id,
            "description": description,
            "version": version,
            "llm": self.llm,
            "agents": agents,
            "memory": self.memory,
            "overlord": self.overlord,
            "server": _SERVER,
            "async": self.async_,
            "scheduler": self.scheduler,
            "proactive": self.proactive,
            "user_credentials": {"mode": "dynamic"},
            "logging": self.logging,
            "a2a": self.a2a,
            "skills": [skill.name for skill in self.skills],
            **self.other,
        }
        document = {name: block for name, block in document.items() if block or block == ""}
        document["mcp"] = {**self.mcp, "servers": [server.on_wire() for server in self.mcp_servers]}
        return {**document, "formation_id": formation_id}
