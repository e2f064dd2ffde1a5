"""The least that can be served on the same SDK: one tool that gives back its text.

python -m benchmarks.bare [--http]

Over HTTP it prints its address.
"""

import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("bare")


@server.tool()
async def echo(text: str) -> str:
    """Give the text back."""
    return text


if __name__ == "__main__":
    server.run("stdio")
