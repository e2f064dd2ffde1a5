"""The least that can be served on the same SDK: one tool that gives back its text.

    python benchmarks/bare.py [--http | --get ADDRESS]

`--http` serves over Streamable HTTP and prints the address. `--get` adds a tool that fetches an execution as it comes:
what any server on this SDK and HTTP client has to spend on one.
"""

import sys
from typing import Any

from mcp.server.mcpserver import MCPServer

server = MCPServer("bare", log_level="WARNING")


@server.tool()
async def echo(text: str) -> str:
    """Give the text back."""
    return text


def add_get(base_url: str) -> None:
    import httpx

    client = httpx.AsyncClient(base_url=base_url)

    @server.tool()
    async def get_execution(execution_id: str) -> dict[str, Any]:
        """Fetch an execution."""
        answer = await client.get(f"/tools/deeporigin/tools/executions/{execution_id}")
        found: dict[str, Any] = answer.json()
        return found


def serve_http() -> None:
    import socket

    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    app = server.streamable_http_app(stateless_http=True)
    uvicorn.Server(uvicorn.Config(app, http="h11", log_level="warning")).run([listening])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--http"]:
            serve_http()
        case ["--get", address]:
            add_get(address)
            server.run("stdio")
        case _:
            server.run("stdio")
