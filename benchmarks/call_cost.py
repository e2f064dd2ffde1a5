"""What a call costs beyond the platform's answer: `get_execution` over stdio minus a plain GET of the same thing.

python -m benchmarks.call_cost
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time

import httpx

from benchmarks.figures import Sample, Table
from benchmarks.platforms import ORGANISATION, replay, variables
from benchmarks.processes import StdioServer
from benchmarks.replay import row_id
from benchmarks.servers import BARE, BARE_TOOL, OURS, commands

MEDIAN_AIM_MS, P99_AIM_MS = 3.0, 8.0
WARM_UP = 100


def measure(table: Table, calls: int) -> None:
    gets: list[float] = []
    ours: list[float] = []
    echoes: list[float] = []
    known = commands()
    with (
        replay() as base_url,
        StdioServer(known[OURS], **variables(base_url)) as server,
        StdioServer(known[BARE]) as bare,
        httpx.Client(base_url=base_url) as client,
    ):
        server.initialize()
        bare.initialize()
        for number in range(calls + WARM_UP):
            name = row_id(number)
            moments = [time.perf_counter()]
            client.get(f"/tools/{ORGANISATION}/tools/executions/{name}").raise_for_status().json()
            moments.append(time.perf_counter())
            server.call("get_execution", {"execution_id": name})
            moments.append(time.perf_counter())
            bare.call(BARE_TOOL, {"text": name})
            moments.append(time.perf_counter())
            if number >= WARM_UP:
                for took, (before, after) in zip((gets, ours, echoes), itertools.pairwise(moments), strict=True):
                    took.append((after - before) * 1e3)
    own = Sample(tuple(call - get for call, get in zip(ours, gets, strict=True)))
    p99 = own.percentile(99)
    table.add("own cost, median", own.told("ms", digits=2), f"≤ {MEDIAN_AIM_MS:.0f} ms", own.median <= MEDIAN_AIM_MS)
    table.add("own cost, 99th percentile", f"{p99:.2f} ms", f"≤ {P99_AIM_MS:.0f} ms", p99 <= P99_AIM_MS)
    for what, took in (("the whole call", ours), ("the plain GET", gets), ("an echo of the bare server", echoes)):
        table.add(f"for comparison: {what}", Sample(tuple(took)).told("ms", digits=2))
    table.note(f"{calls:,} of each, in turn. Own cost is the difference of neighbours.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=3000)
    table = Table("A tool call's own cost")
    measure(table, parser.parse_args().calls)
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
