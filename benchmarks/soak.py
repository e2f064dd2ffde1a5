"""Fifty agents' worth of mixed calls on one server over stdio, with a platform that fails now and then.

    python -m benchmarks.soak [--seconds 300] [--agents 50]

Reports calls, errors by kind, latencies by tool, and the server's memory, sockets and threads at the start and at
the end. Not a test: it takes minutes and a quiet machine. Needs /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent

from benchmarks.platforms import simulator, variables
from benchmarks.processes import Footprint

FAULTS = (
    "GET */tools/executions/* status=500 every=41",
    "GET */tools/executions status=429 retry-after=1 every=97",
    "POST */executions/search reset every=53",
    "POST */executions status=504 html after=work every=29",
    "PATCH *:confirm reset after=work every=31",
    "GET */definitions half every=61",
    "GET /sse/* status=409 every=3",
)
SIMULATOR_SPEED = 20.0
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Tally:
    """What was called, how long it took, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)


async def agent(client: Client, tally: Tally, until: float, seed: int) -> None:
    """One agent: looks around, starts cheap runs, waits for them, cancels some."""
    chance = random.Random(seed)
    mine: list[str] = []

    async def call(tool: str, **arguments: Any) -> dict[str, Any]:
        started = time.perf_counter()
        answer = await client.call_tool(tool, arguments)
        tally.seconds[tool].append(time.perf_counter() - started)
        assert isinstance(answer, CallToolResult)
        if answer.is_error:
            text = next((block.text for block in answer.content if isinstance(block, TextContent)), "")
            tally.errors[f"{tool}: {ID.sub('…', text)[:90]}"] += 1
        return dict(answer.structured_content or {})

    while time.monotonic() < until:
        match chance.choices(range(8), [20, 10, 20, 12, 8, 15, 10, 5])[0]:
            case 0:
                await call("list_executions", page_size=chance.choice([5, 20, 100]))
            case 1:
                await call("search_executions", limit=10)
            case 2 if mine:
                await call(
                    "get_execution", execution_id=chance.choice(mine), detail=chance.choice(["concise", "detailed"])
                )
            case 3:
                inputs = {"ligands": [{"id": "a", "smiles": "CCO"}], "molprops": ["logp"]}
                made = await call(
                    "create_execution",
                    tool_key="deeporigin.mol-props-combined",
                    inputs=inputs,
                    start=chance.random() < 0.5,
                )
                mine += [made["execution_id"]] if "execution_id" in made else []
            case 4 if mine:
                await call("confirm_execution", execution_id=chance.choice(mine))
            case 5 if mine:
                ids = chance.sample(mine, min(len(mine), chance.randint(1, 10)))
                await call("wait_executions", execution_ids=ids, timeout_seconds=chance.choice([0, 1, 3]))
            case 6:
                await call("find_platform_tools", query=chance.choice(["dock", "admet", "free energy"]))
            case 7 if mine:
                await call("cancel_execution", execution_id=chance.choice(mine))
            case _:
                await call("describe_platform_tool", tool_key="deeporigin.docking")


async def soak(base_url: str, seconds: float, agents: int) -> None:
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        note = f"import os, pathlib; pathlib.Path({folder + '/pid'!r}).write_text(str(os.getpid()))"
        server = StdioServerParameters(
            command=sys.executable,
            args=["-c", f"{note}; from deeporigin_mcp.cli import main; main(['serve'])"],
            env={"HOME": folder, **variables(base_url)},
        )
        async with Client(stdio_client(server, errlog=log)) as client:
            pid = int((Path(folder) / "pid").read_text())
            await client.call_tool("list_executions", {})
            before, tally, started = Footprint.of(pid), Tally(), time.monotonic()
            await asyncio.gather(*(agent(client, tally, started + seconds, seed) for seed in range(agents)))
            took = time.monotonic() - started
            # Idle connections are closed when they are too old and the next request comes.
            await asyncio.sleep(7)
            await client.call_tool("list_executions", {})
            report(tally, before, Footprint.of(pid), took)


def report(tally: Tally, before: Footprint, after: Footprint, took: float) -> None:
    calls = sum(len(seconds) for seconds in tally.seconds.values())
    print(f"{calls} calls in {took:.0f} s, {sum(tally.errors.values())} answered with an error\n")
    print("| tool | calls | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|")
    for tool, seconds in sorted(tally.seconds.items()):
        cuts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [seconds[0]] * 99
        print(f"| {tool} | {len(seconds)} | {cuts[49] * 1e3:.0f} | {cuts[94] * 1e3:.0f} | {cuts[98] * 1e3:.0f} |")
    print("\n| server | start | end |\n|---|---|---|")
    print(f"| memory, MiB | {before.memory_mib:.1f} | {after.memory_mib:.1f} |")
    print(f"| sockets | {before.sockets} | {after.sockets} |")
    print(f"| threads | {before.threads} | {after.threads} |\n")
    for kind, count in tally.errors.most_common(12):
        print(f"- {count}: {kind}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Soak the server over stdio.")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--agents", type=int, default=50)
    options = parser.parse_args()
    with simulator(SIMULATOR_SPEED, *FAULTS) as base_url:
        asyncio.run(soak(base_url, options.seconds, options.agents))


if __name__ == "__main__":
    main()
