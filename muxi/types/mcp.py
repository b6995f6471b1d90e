"""MCP servers, and the tools of the formation itself."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["McpDefaults", "McpServer", "McpServerList", "McpTool", "McpToolList"]


class _McpServerAlways(TypedDict):
    id: str


class McpServer(_McpServerAlways, total=False):
    """One server: a ``command`` with ``args``, or an ``http`` one with an ``endpoint``."""

    schema: str
    description: str
    type: str
    command: str
    args: list[str]
    endpoint: str
    #: Placeholders such as ``${{ user.credentials.github }}``, not values.
    auth: dict[str, Any]
    source: str


class McpServerList(TypedDict):
    """The MCP servers of a formation."""

    servers: list[McpServer]
    count: int


class McpDefaults(TypedDict, total=False):
    """The default settings of tools, and the servers with their own. Times in seconds."""

    default_retry_attempts: int
    default_timeout_seconds: float
    max_tool_iterations: int
    max_tool_calls: int
    max_repeated_errors: int
    max_timeout_in_seconds: float
    max_tool_timeout_in_seconds: float
    enhance_user_prompts: bool
    servers: list[McpServer]


class McpTool(TypedDict):
    """A tool that the formation offers by MCP; ``access`` is ``admin`` or ``user``."""

    name: str
    description: str
    access: str
    parameters: dict[str, Any]


class McpToolList(TypedDict):
    """The tools that the formation offers by MCP."""

    tools: list[McpTool]
