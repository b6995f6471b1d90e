"""The blocks of settings that a formation has where its author says nothing, in the shapes of the wire."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeAlias

__all__ = [
    "ASYNC",
    "LLM",
    "LOGGING",
    "MCP",
    "MCP_TOOLS",
    "MEMORY",
    "OVERLORD",
    "OVERLORD_ANSWERED",
    "PROACTIVE",
    "SCHEDULER",
    "Block",
    "fill_defaults",
]

Block: TypeAlias = dict[str, object]

#: The soul of an overlord that was given none (the wire).
_SOUL = "You are a helpful, professional assistant."

LLM: Block = {
    "api_keys": {"openai": "${{ secrets.OPENAI_API_KEY }}"},
    "settings": {"temperature": 0.1, "max_tokens": 500, "timeout_seconds": 60, "caching": {"enabled": False}},
    "models": [{"text": "openai/gpt-4o"}, {"embedding": "openai/text-embedding-3-small"}],
}
OVERLORD: Block = {
    "soul": _SOUL,
    "response": {"format": "markdown", "streaming": True, "stream_tokens": True, "retry_async": {"enabled": False}},
    "workflow": {"auto_decomposition": True},
}
#: The defaults of ``GET /v1/overlord``, in its order.
OVERLORD_ANSWERED: Block = {
    "soul": _SOUL,
    "llm": {},
    "caching": {"enabled": False},
    "response": {"format": "markdown", "streaming": False},
    "workflow": {"auto_decomposition": True},
    "clarification": {"max_questions": 5, "style": "conversational", "persist_learned_info": False},
}
MEMORY: Block = {
    "buffer": {"size": 20, "multiplier": 10, "vector_search": False},
    "persistent": {
        "connection_string": "postgresql://localhost/muxi",
        "embedding_model": "openai/text-embedding-3-small",
    },
    "lint": {"enabled": True},
    "distillery": {"enabled": True},
}
ASYNC: Block = {
    "threshold_seconds": 30,
    "enable_estimation": True,
    "webhook_url": None,
    "webhook_retries": 3,
    "webhook_timeout": 10,
}
SCHEDULER: Block = {"enabled": True, "timezone": "UTC", "check_interval_minutes": 1}
LOGGING: Block = {
    "system": {"level": "info", "destination": "logs/system.jsonl"},
    "conversation": {
        "enabled": True,
        "streams": [
            {"transport": "file", "destination": "logs/conversation.jsonl", "level": "debug", "format": "jsonl"}
        ],
    },
}
PROACTIVE: Block = {"default_channel": "webhook"}
#: The defaults of ``GET /v1/mcp``, in its order.
MCP: Block = {
    "default_retry_attempts": 3,
    "default_timeout_seconds": 30,
    "max_tool_iterations": 10,
    "max_tool_calls": 50,
    "max_repeated_errors": 3,
    "max_timeout_in_seconds": 300,
    "max_tool_timeout_in_seconds": 30,
    "enhance_user_prompts": True,
}


def _parameter(type_: str, *, required: bool = True, **more: object) -> Block:
    return {"type": type_, **more, "required": required}


#: The tools of every formation (the wire).
MCP_TOOLS: list[Block] = [
    {
        "name": "formation_list_agents",
        "description": "List all agents in the formation",
        "access": "admin",
        "parameters": {},
    },
    {
        "name": "formation_update_agent",
        "description": "Update agent configuration",
        "access": "admin",
        "parameters": {"agent_id": _parameter("string"), "updates": _parameter("object")},
    },
    {
        "name": "formation_manage_secrets",
        "description": "Manage formation secrets",
        "access": "admin",
        "parameters": {
            "action": _parameter("string", enum=["create", "update", "delete"]),
            "key": _parameter("string"),
            "value": _parameter("string", required=False),
        },
    },
    {
        "name": "chat",
        "description": "Send a message to the formation",
        "access": "client",
        "parameters": {
            "message": _parameter("string"),
            "user_id": _parameter("string", required=False),
            "files": _parameter("array", required=False),
        },
    },
    {
        "name": "get_memories",
        "description": "Retrieve user memories",
        "access": "client",
        "parameters": {
            "user_id": _parameter("string"),
            "limit": {**_parameter("integer", required=False), "default": 10},
        },
    },
    {
        "name": "create_memory",
        "description": "Create a user memory",
        "access": "client",
        "parameters": {
            "user_id": _parameter("string"),
            "content": _parameter("string"),
            "metadata": _parameter("object", required=False),
        },
    },
]


def fill_defaults(defaults: Mapping[str, object], given: Mapping[str, object]) -> Block:
    """A block with what it does not say taken from the defaults, at every level."""
    merged: Block = copy.deepcopy(dict(defaults))
    for key, value in given.items():
        inherited = merged.get(key)
        if isinstance(inherited, dict) and isinstance(value, Mapping):
            merged[key] = fill_defaults(inherited, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged
