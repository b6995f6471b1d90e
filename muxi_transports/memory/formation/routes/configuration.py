"""The configuration of the formation: the whole file, and its blocks one by one."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.definition import blocks
from muxi_transports.memory.formation.definition.parts import SCHEMA
from muxi_transports.memory.formation.envelope import Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.routes.agents import agents_of

__all__ = ["ROUTES"]


def get_config(incoming: Incoming) -> Success:
    """The number of each kind of part, with links."""
    formation = incoming.formation
    definition = formation.definition
    mcp = definition.mcp_answered

    def at(path: str, total: int | None = None) -> dict[str, object]:
        resource: dict[str, object] = {"resource": f"/v1/{path}"}
        return resource if total is None else {"total": total, **resource}

    data = {
        "formation_id": formation.formation_id,
        "version": formation.version,
        "description": formation.description,
        "schema_version": SCHEMA,
        "agents": at("agents", len(agents_of(formation))),
        "secrets": at("secrets", len(formation.state.secrets)),
        "mcp": {
            "default_retry_attempts": mcp["default_retry_attempts"],
            "default_timeout_seconds": mcp["default_timeout_seconds"],
            "servers": at("mcp/servers", len(definition.mcp_servers)),
        },
        "overlord": at("overlord"),
        "llm": at("llm/settings"),
        "memory": at("memory"),
        "async": at("async"),
        "scheduler": at("scheduler"),
        "a2a": at("a2a"),
        "logging": at("logging"),
    }
    return Success("formation_config", "formation.config.retrieved", data)


def get_formation(incoming: Incoming) -> Success:
    """The formation file as it was loaded: placeholders of secrets stay, what is written out is readable."""
    formation = incoming.formation
    agents = [agent.on_wire() for agent in agents_of(formation)]
    document = formation.definition.document(formation.formation_id, agents, formation.description, formation.version)
    return Success("formation_config", "formation.config.retrieved", document)


def get_overlord(incoming: Incoming) -> Success:
    """The overlord's block, with its defaults."""
    return Success("overlord_config", "overlord.config.retrieved", incoming.formation.definition.overlord_answered)


def get_soul(incoming: Incoming) -> Success:
    """The text that gives the overlord its character."""
    return Success("soul", "soul.retrieved", {"soul": incoming.formation.definition.overlord_answered["soul"]})


def get_llm(incoming: Incoming) -> Success:
    """The models and their settings."""
    return Success("llm_settings", "llm.settings.retrieved", incoming.formation.definition.llm)


def get_memory(incoming: Incoming) -> Success:
    """The memory block, as it was loaded."""
    return Success("memory_config", "memory.config.retrieved", incoming.formation.definition.memory)


def get_async(incoming: Incoming) -> Success:
    """The async block, with its defaults."""
    formation = incoming.formation
    settings = blocks.fill_defaults(blocks.ASYNC, formation.definition.async_)
    settings["webhook_url"] = formation.webhooks.default_url
    return Success("async", "async.retrieved", settings)


def get_a2a(incoming: Incoming) -> Success:
    """The A2A block."""
    return Success("a2a", "a2a.retrieved", incoming.formation.definition.a2a)


def get_logging(incoming: Incoming) -> Success:
    """The logging block."""
    return Success("logging", "logging.retrieved", incoming.formation.definition.logging)


def list_destinations(incoming: Incoming) -> Success:
    """List the destinations of conversation logs; one without an id gets its position as id (the wire)."""
    logging = incoming.formation.definition.logging
    conversation = logging.get("conversation")
    streams = conversation.get("streams") if isinstance(conversation, dict) else None
    destinations = [
        {
            "id": stream.get("id") or f"dest-{index}",
            "transport": stream.get("transport", "stdout"),
            "level": stream.get("level", "info"),
            "format": stream.get("format", "jsonl"),
            "enabled": stream.get("enabled", True),
            **({"destination": stream["destination"]} if "destination" in stream else {}),
        }
        for index, stream in enumerate(streams if isinstance(streams, list) else ())
        if isinstance(stream, dict)
    ]
    data = {
        "system": logging.get("system") or {},
        "conversation": {"destinations": destinations, "count": len(destinations)},
    }
    return Success("logging_destination_list", "logging.destinations.list", data)


ROUTES = tuple(
    FormationRoute("GET", path, handler, Level.ADMIN, UserRule.OPTIONAL)
    for path, handler in (
        ("/v1/config", get_config),
        ("/v1/formation", get_formation),
        ("/v1/overlord", get_overlord),
        ("/v1/overlord/soul", get_soul),
        ("/v1/llm/settings", get_llm),
        ("/v1/memory", get_memory),
        ("/v1/async", get_async),
        ("/v1/a2a", get_a2a),
        ("/v1/logging", get_logging),
        ("/v1/logging/destinations", list_destinations),
    )
)
