"""This project's own server over HTTP in front of a simulated platform; run it with a port number."""

from __future__ import annotations

import sys

from pydantic import SecretStr

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import Platform, make_token, running_simulator


def main(port: int) -> None:
    with running_simulator(Platform()) as simulator:
        settings = Settings(token=SecretStr(make_token()), org_key="deeporigin", base_url=simulator.base_url)
        create_server(settings).run("streamable-http", port=port)


if __name__ == "__main__":
    main(int(sys.argv[1]))
