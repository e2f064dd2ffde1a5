"""From starting the process to its first answers, against a bare server on the same SDK and against published servers.

python -m benchmarks.cold_start
"""

from __future__ import annotations

import argparse
import functools
import sys

from benchmarks.figures import Sample, Table, interleaved
from benchmarks.processes import StdioServer
from benchmarks.servers import BARE, OURS, commands, peer_commands

BARE_AIM, JOB_PEERS = 1.10, ("prefect-mcp", "astro-airflow-mcp")
"""The peers that do a comparable job; mcp-server-time only tells the time."""
INITIALIZE, LIST = "to the `initialize` answer", "to the `tools/list` answer"
PROCESSOR = "processor time until then"


def start(command: list[str]) -> dict[str, float]:
    """Seconds from the start of the process to each answer, and what of them a processor was busy."""
    with StdioServer(command) as server:
        initialized = server.initialize()
        server.ask("tools/list", {})
        return {INITIALIZE: initialized, LIST: server.seconds, PROCESSOR: server.footprint.processor_seconds}


def measure(table: Table, repeats: int) -> None:
    peers, absent = peer_commands()
    measurements = {name: functools.partial(start, command) for name, command in {**commands(), **peers}.items()}
    found = interleaved(measurements, repeats)
    for what in (INITIALIZE, LIST, PROCESSOR):
        ours = found[OURS][what]
        for name, values in found.items():
            if name != OURS:
                compare(table, what, ours, name, values[what])
    for package in absent:
        table.add(f"against {package}", "could not be installed here")


def compare(table: Table, what: str, ours: Sample, name: str, theirs: Sample) -> None:
    ratio = ours.median / theirs.median
    measured = f"{ours.told('ms', 1e3)} against {theirs.told('ms', 1e3)}: {ratio:.2f} times"
    aim = BARE_AIM if name == BARE else 1.0 if name.startswith(JOB_PEERS) else None
    if aim is None:
        table.add(f"{what}, against {name}", measured)
    else:
        table.add(f"{what}, against {name}", measured, f"≤ {aim:.2f} times", ratio <= aim)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    table = Table("Cold start")
    measure(table, parser.parse_args().repeats)
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
