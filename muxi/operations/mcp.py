"""The MCP servers that agents use, and the tools that the formation offers itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxi.call import Call, Key
from muxi.client.endpoints import operation

if TYPE_CHECKING:
    from muxi.types import McpDefaults, McpServer, McpServerList, McpToolList

__all__ = ["McpOperations"]


class McpOperations:
    """Methods about MCP. All take the admin key."""

    @operation
    def get_mcp_config(self) -> Call[McpDefaults]:
        """Get the settings of tools, and the servers (``GET /mcp``, admin key)."""
        return Call.get("/mcp", key=Key.ADMIN, returns="McpDefaults")

    @operation
    def get_mcp_servers(self) -> Call[McpServerList]:
        """List the MCP servers (``GET /mcp/servers``, admin key)."""
        return Call.get("/mcp/servers", key=Key.ADMIN, returns="McpServerList")

    @operation
    def get_mcp_server(self, server_id: str) -> Call[McpServer]:
        """Get one MCP server (``GET /mcp/servers/{server_id}``, admin key).

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.get("/mcp/servers/{server_id}", params={"server_id": server_id}, key=Key.ADMIN, returns="McpServer")

    @operation
    def get_mcp_tools(self) -> Call[McpToolList]:
        """List the tools that the formation itself offers (``GET /mcp/tools``, admin key)."""
        return Call.get("/mcp/tools", key=Key.ADMIN, returns="McpToolList")
