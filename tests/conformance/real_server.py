"""This project's own application over HTTP in front of a simulated platform; run it with a port number.

The suite knows nothing of Deep Origin, so a gateway in front adds a user's credentials to its requests.
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from deeporigin_mcp.http import create_app
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.places import IN_HEADERS, ORG_HEADER, TOKEN_HEADER
from deeporigin_mcp.simulator import Platform, make_token, running_simulator


def gateway(app: ASGIApp) -> ASGIApp:
    credentials = [(TOKEN_HEADER.lower().encode(), make_token().encode()), (ORG_HEADER.lower().encode(), b"deeporigin")]

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], *credentials]}
        await app(scope, receive, send)

    return serve


def main(port: int) -> None:
    with running_simulator(Platform()) as simulator:
        app = create_app(Settings(base_url=simulator.base_url, places=IN_HEADERS))
        uvicorn.run(gateway(app), host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="on")


if __name__ == "__main__":
    main(int(sys.argv[1]))
