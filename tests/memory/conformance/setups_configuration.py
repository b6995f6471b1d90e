"""What the formation is: status, configuration, agents, skills, MCP servers."""

from __future__ import annotations

from muxi_transports.memory import (
    AgentDefinition,
    Defect,
    EmbeddedFormation,
    McpServerDefinition,
    SkillDefinition,
    SopDefinition,
)
from tests.memory.conformance.replay import Prepare, Setup, nothing

ONBOARDING = """# New User Onboarding

## Steps

1. **Greet** [agent:assistant]
   Greet the customer.

2. **Collect** [agent:researcher]
   Collect the account name."""


def as_defined(formation: EmbeddedFormation) -> None:
    """The formation is what the recorded one was."""
    definition = formation.definition
    definition.agents = [
        AgentDefinition("assistant", description="General-purpose assistant for answering questions"),
        AgentDefinition("researcher", description="Finds sources on the web", system_message="You research."),
    ]
    definition.skills = [SkillDefinition("note-taking", "Takes notes")]
    definition.sops = [SopDefinition("onboarding", ONBOARDING)]
    definition.mcp = {"default_timeout_seconds": 20}
    definition.mcp_servers = [
        McpServerDefinition("echo", "Echo tool", command="python3", args=("mcp_echo.py",)),
        McpServerDefinition(
            "github",
            "GitHub lab server (user credentials)",
            endpoint="http://127.0.0.1:8096/mcp",
            auth={"type": "bearer", "token": "${{ user.credentials.github }}"},
        ),
    ]
    definition.async_["webhook_url"] = formation.webhooks.default_url = "http://127.0.0.1:8098/ok/default"
    models = definition.llm["models"]
    assert isinstance(models, list)
    models.append({"audio": "openai/whisper-1"})
    definition.other["links"] = {"github": {"label": "Connect GitHub", "url": "https://example.com/connect/github"}}


SKILLS_FAIL = Setup(as_defined, frozenset({Defect.SKILLS_FAIL}))

ANSWERS: dict[str, Prepare | Setup] = {
    "a2a": nothing,
    "agent_ksync": nothing,
    "agent_ksync_404": nothing,
    "agent_ksync_body": nothing,
    "async": as_defined,
    "cred_services": as_defined,
    "formation": as_defined,
    "idem_get": as_defined,
    "k_rebuild": as_defined,
    "k_rebuild_404": nothing,
    "k_rebuild_nobody": nothing,
    "llm": as_defined,
    "logging_dest": nothing,
    "mcp": as_defined,
    "mcp_server": as_defined,
    "mcp_server_404": nothing,
    "mcp_tools": nothing,
    "memory_config": nothing,
    "no_client_key": nothing,
    "no_key": nothing,
    "path_slash": nothing,
    "path_uni": nothing,
    "skill": SKILLS_FAIL,
    "skills": SKILLS_FAIL,
    "slash": nothing,
    "sop": as_defined,
    "sop_bad": nothing,
    "sops": as_defined,
    "soul": nothing,
    "status": as_defined,
    "wrong_client_key": nothing,
    "wrong_key": nothing,
}

_OTHER_PROTOCOL = "the formation as an MCP server, which is another protocol than that of its API"
_GENERATED = "pages that are generated of the runtime's own code"

LEFT: dict[str, str] = {
    "docs": _GENERATED,
    "mcp_call": _OTHER_PROTOCOL,
    "mcp_init_nokey": _OTHER_PROTOCOL,
    "mcp_init_noslash": _OTHER_PROTOCOL,
    "mcp_inited": _OTHER_PROTOCOL,
    "mcp_tools_list": _OTHER_PROTOCOL,
    "openapi_route": _GENERATED,
}
