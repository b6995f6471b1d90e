"""An MCP server over HTTP, with one tool; a formation reaches it with each user's credential. Argument: the port."""

import sys

from fastmcp import FastMCP

server = FastMCP("repositories")


@server.tool()
def list_repositories(owner: str = "me") -> str:
    """List repositories."""
    return f"{owner}/repository-1"


server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
