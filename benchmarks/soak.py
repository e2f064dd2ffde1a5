"""Fifty agents' worth of mixed calls on one server, with a platform that fails now and then.

    python -m benchmarks.soak [--seconds 480] [--agents 50] [--http]

Over stdio, or over HTTP: then each agent has a token of its own, and beside them are callers that send half of what
they should, read nothing, and make up tokens and projects (`benchmarks.hostile`).

Does the same eight times, the hostile callers leaving after each and coming back with another token, and reports calls,
errors by kind, latencies by tool, and the server's memory, sockets and threads. The first time is the warm-up: after it
pools and caches have their size. Exits with 1 if memory or sockets are then more than a tenth higher at the end. Not a
test: it takes minutes and a quiet machine. Needs /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from benchmarks.platforms import ORGANISATION, PROJECT, simulator, variables
from benchmarks.processes import Footprint, environment
from deeporigin_mcp.simulator import make_token

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
ROUNDS = 8
AIM = 1.1
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
        try:
            answer = await client.call_tool(tool, arguments)
        except (MCPError, httpx2.HTTPError) as error:
            tally.errors[f"{tool}: {type(error).__name__} {str(error)[:90]}"] += 1
            return {}
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


async def soak(base_url: str, seconds: float, agents: int) -> bool:
    """Over stdio; whether the server ended where it was."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        note = f"import os, pathlib; pathlib.Path({folder + '/pid'!r}).write_text(str(os.getpid()))"
        server = StdioServerParameters(
            command=sys.executable,
            args=["-c", f"{note}; from deeporigin_mcp.cli import main; main(['serve'])"],
            env={"HOME": folder, **variables(base_url)},
        )
        async with Client(stdio_client(server, errlog=log)) as client:
            pid = int((Path(folder) / "pid").read_text())
            tally = Tally()
            rounds = [
                await one_round(pid, [client] * agents, seconds / ROUNDS, tally, number) for number in range(ROUNDS)
            ]
            return report(tally, rounds)


async def soak_over_http(base_url: str, seconds: float, agents: int) -> bool:
    """The same over HTTP, among callers that mean no good."""
    rounds, tally, done, statuses = [], Tally(), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        port = free_port()
        # Only the process that serves can be measured, so it is no child of a shell.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deeporigin_mcp", "serve", "--http", "--port", str(port)),
            env=environment(folder, DO_BASE_URL=base_url, DEEPORIGIN_MCP_SESSION="benchmark"),
            stderr=log,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            await answering(port)
            async with contextlib.AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(one_of(address, number)) for number in range(agents)]
                for number in range(ROUNDS):
                    hostile = await asyncio.create_subprocess_exec(
                        *(sys.executable, "-m", "benchmarks.hostile", address, str(seconds / ROUNDS)),
                        stdout=asyncio.subprocess.PIPE,
                    )
                    left = asyncio.create_task(hostile.communicate())
                    rounds.append(await one_round(process.pid, clients, seconds / ROUNDS, tally, number, left))
                    found = json.loads((await left)[0])
                    done.update(found["done"])
                    statuses.update(found["statuses"])
        finally:
            process.terminate()
            await process.wait()
        log_bytes = (Path(folder) / "log").stat().st_size
    is_steady = report(tally, rounds)
    print("\n| hostile | times | told |\n|---|---|---|")
    for kind, count in done.items():
        told = ", ".join(
            f"{status.partition(': ')[2]} x {times}"
            for status, times in statuses.items()
            if status.startswith(f"{kind}: ")
        )
        print(f"| {kind} | {count} | {told} |")
    print(f"\nexit code {process.returncode}; log: {log_bytes} bytes")
    return is_steady


@contextlib.asynccontextmanager
async def one_of(address: str, number: int) -> AsyncIterator[Client]:
    """The client of one agent, with a token of its own."""
    headers = {
        "X-Do-Auth-Token": make_token(subject=f"agent-{number}"),
        "X-Do-Org-Key": ORGANISATION,
        "X-Do-Project-Id": PROJECT,
    }
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
    ):
        yield client


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def answering(port: int) -> None:
    """Wait until something listens there."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def one_round(
    pid: int,
    clients: list[Client],
    seconds: float,
    tally: Tally,
    number: int,
    left: asyncio.Task[Any] | None = None,
) -> tuple[Footprint, Footprint]:
    """An agent for each client for so long; what the server is like meanwhile, and when nothing is under way.

    Args:
        number: which round it is; no two do the same.
        left: ends when the hostile callers have left.
    """
    until = time.monotonic() + seconds
    meanwhile = asyncio.create_task(footprint_after(pid, 0.9 * seconds))
    agents = [agent(client, tally, until, number * len(clients) + index) for index, client in enumerate(clients)]
    await asyncio.gather(*agents)
    if left is not None:
        await left
    # Idle connections are closed when they are too old and the next request comes.
    await asyncio.sleep(7)
    await look_around(clients)
    return await meanwhile, Footprint.of(pid)


async def look_around(clients: list[Client]) -> None:
    """What each caller has a cache for, so that none is filled in one round and not in another."""
    for client in clients:
        await client.call_tool("list_executions", {})
        await client.call_tool("describe_platform_tool", {"tool_key": "deeporigin.docking"})


async def footprint_after(pid: int, seconds: float) -> Footprint:
    await asyncio.sleep(seconds)
    return Footprint.of(pid)


def report(tally: Tally, rounds: list[tuple[Footprint, Footprint]]) -> bool:
    """Print it; whether memory and sockets ended where they were after the first round."""
    calls = sum(len(seconds) for seconds in tally.seconds.values())
    print(f"{calls} calls, {sum(tally.errors.values())} answered with an error\n")
    print("| tool | calls | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|")
    for tool, seconds in sorted(tally.seconds.items()):
        cuts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [seconds[0]] * 99
        print(f"| {tool} | {len(seconds)} | {cuts[49] * 1e3:.0f} | {cuts[94] * 1e3:.0f} | {cuts[98] * 1e3:.0f} |")
    print(f"\n| server | warm-up | {' | '.join(f'{number}/{ROUNDS}' for number in range(2, ROUNDS + 1))} |")
    print("|---" * (ROUNDS + 1) + "|")
    rows = {
        "memory meanwhile, MiB": [f"{meanwhile.memory_mib:.1f}" for meanwhile, _ in rounds],
        "memory afterwards, MiB": [f"{after.memory_mib:.1f}" for _, after in rounds],
        "highest memory, MiB": [f"{after.peak_mib:.1f}" for _, after in rounds],
        "sockets meanwhile": [str(meanwhile.sockets) for meanwhile, _ in rounds],
        "sockets afterwards": [str(after.sockets) for _, after in rounds],
        "threads afterwards": [str(after.threads) for _, after in rounds],
    }
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(values)} |")
    warm, end = rounds[0][1], rounds[-1][1]
    memory, sockets = end.memory_mib / warm.memory_mib, end.sockets / warm.sockets
    is_steady = max(memory, sockets) <= AIM
    print(
        f"\nAt the end {memory:.2f} times the memory and {sockets:.2f} times the sockets after warm-up; aim ≤ {AIM}: "
    )
    print("held" if is_steady else "MISSED", end="\n\n")
    for kind, count in tally.errors.most_common(12):
        print(f"- {count}: {kind}")
    return is_steady


def main() -> int:
    parser = argparse.ArgumentParser(description="Soak the server.")
    parser.add_argument("--seconds", type=float, default=480.0)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--http", action="store_true", help="over HTTP, among hostile callers")
    options = parser.parse_args()
    with simulator(SIMULATOR_SPEED, *FAULTS) as base_url:
        is_steady = asyncio.run((soak_over_http if options.http else soak)(base_url, options.seconds, options.agents))
    return 0 if is_steady else 1


if __name__ == "__main__":
    sys.exit(main())
