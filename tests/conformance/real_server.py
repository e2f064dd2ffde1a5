"""This project's own server over HTTP in front of a simulated platform; run it with a port number."""

from __future__ import annotations

import sys

from deeporigin_mcp.http import serve
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.simulator import Platform, running_simulator


def main(port: int) -> None:
    with running_simulator(Platform()) as simulator:
        settings = Settings(base_url=simulator.base_url, places=IN_HEADERS)
        serve(settings, host="127.0.0.1", port=port, on_ready=lambda _: None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
