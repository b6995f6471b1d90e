"""``/v1/mcp``: the MCP servers that agents can use, and the tools that the formation is to others."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.definition.blocks import MCP_TOOLS
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming

__all__ = ["ROUTES"]


def get_defaults(incoming: Incoming) -> Success:
    """The defaults of servers, and the servers."""
    return Success("mcp_defaults", "mcp.defaults.retrieved", incoming.formation.definition.mcp_answered)


def list_servers(incoming: Incoming) -> Success:
    """All servers."""
    servers = [server.on_wire() for server in incoming.formation.definition.mcp_servers]
    return Success("mcp_server_list", "mcp.server.list", {"servers": servers, "count": len(servers)})


def get_server(incoming: Incoming) -> Success:
    """One server."""
    server_id = incoming.params["server_id"]
    for server in incoming.formation.definition.mcp_servers:
        if server.id == server_id:
            return Success("mcp_server", "mcp.server.retrieved", server.on_wire())
    raise ApiError(404, "MCP_SERVER_NOT_FOUND", f"MCP server '{server_id}' not found")


def list_tools(incoming: Incoming) -> Success:
    """The tools of the formation itself."""
    return Success("list", "mcp_tool.list", {"tools": MCP_TOOLS})


ROUTES = (
    FormationRoute("GET", "/v1/mcp", get_defaults, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/mcp/servers", list_servers, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/mcp/servers/{server_id}", get_server, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/mcp/tools", list_tools, Level.ADMIN, UserRule.OPTIONAL),
)
