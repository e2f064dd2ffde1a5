"""Memory of the server process: after a client has listed the tools, and after ten thousand calls.

python -m benchmarks.memory
"""

from __future__ import annotations

import argparse
import functools
import sys

from benchmarks.figures import Table, interleaved
from benchmarks.platforms import replay, variables
from benchmarks.processes import StdioServer
from benchmarks.replay import row_id
from benchmarks.servers import BARE, BARE_TOOL, OURS, commands, peer_commands

BARE_AIM, GROWTH_AIM_MIB = 1.15, 2.0
AT_ONCE = 32
CLOCK = "mcp-server-time"
GET = {"execution_id": row_id(0)}
SETTLED = 500
"""Calls after which everything has been imported and every connection opened."""


def after_list(command: list[str]) -> dict[str, float]:
    """MiB of a server that has told its tools."""
    with StdioServer(command) as server:
        server.initialize()
        server.ask("tools/list", {})
        return {"mib": server.footprint.memory_mib}


def measure(table: Table, repeats: int, calls: int) -> None:
    peers, absent = peer_commands()
    everyone = {**commands(), **peers}
    found = interleaved({name: functools.partial(after_list, command) for name, command in everyone.items()}, repeats)
    ours = found[OURS]["mib"]
    for name, values in found.items():
        if name == OURS:
            continue
        theirs = values["mib"]
        ratio = ours.median / theirs.median
        measured = f"{ours.told('MiB', digits=1)} against {theirs.told('MiB', digits=1)}: {ratio:.2f} times"
        what = f"after `tools/list`, against {name}"
        if name == BARE:
            table.add(what, measured, f"≤ {BARE_AIM:.2f} times", ratio <= BARE_AIM)
        else:
            table.add(what, measured)
    for package in absent:
        table.add(f"against {package}", "could not be installed here")
    after_calls(table, calls, peers)


def after_calls(table: Table, calls: int, peers: dict[str, list[str]]) -> None:
    """One at a time, reads and lists in turn; then many at once on the same server."""
    clock = next((name for name in peers if name.startswith(CLOCK)), None)
    rivals = {BARE: (commands()[BARE], BARE_TOOL, {"text": "a text"})}
    if clock is not None:
        rivals[clock] = (peers[clock], "get_current_time", {"timezone": "UTC"})
    with replay(rows=1000) as base_url, StdioServer(commands()[OURS], **variables(base_url)) as ours:
        ours.initialize()
        ours.ask("tools/list", {})
        settled = 0.0
        for number in range(calls):
            if number == SETTLED:
                settled = ours.footprint.memory_mib
            if number % 2:
                ours.call("get_execution", {"execution_id": row_id(number)})
            else:
                ours.call("list_executions", {"page_size": 20})
        one_by_one = ours.footprint.memory_mib
        ours.calls_per_second("get_execution", GET, calls=SETTLED, at_once=AT_ONCE)
        before = ours.footprint.memory_mib
        ours.calls_per_second("get_execution", GET, calls=calls, at_once=AT_ONCE)
        at_once = ours.footprint.memory_mib - before
    for name, (command, tool, arguments) in rivals.items():
        with StdioServer(command) as rival:
            rival.initialize()
            rival.ask("tools/list", {})
            rival.calls_per_second(tool, arguments, calls=calls, at_once=1)
            theirs = rival.footprint.memory_mib
        ratio = one_by_one / theirs
        what, measured = f"after {calls:,} calls, against {name}", f"{one_by_one:.1f} MiB against {theirs:.1f} MiB"
        if name == BARE:
            table.add(what, f"{measured}: {ratio:.2f} times", f"≤ {BARE_AIM:.2f} times", ratio <= BARE_AIM)
        else:
            table.add(what, f"{measured}: {ratio:.2f} times")
    for what, grown in ((f"{calls:,} calls", one_by_one - settled), (f"{calls:,} more, {AT_ONCE} at once", at_once)):
        aim = f"< {GROWTH_AIM_MIB:.0f} MiB"
        table.add(f"growth over {what}, after the first {SETTLED}", f"{grown:+.2f} MiB", aim, grown < GROWTH_AIM_MIB)
    table.note("The other peers have no platform here to call; what they take is shown before their first call.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calls", type=int, default=10_000)
    options = parser.parse_args()
    table = Table("Memory")
    measure(table, options.repeats, options.calls)
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
