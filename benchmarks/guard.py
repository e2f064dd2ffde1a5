"""Guards the ratios in less than a minute: calls, modules, requests and bytes are counted, seconds hardly used.

    python -m benchmarks.guard

The limits leave room above what is measured, so that only a change of kind crosses one: a library imported at the
start, a request repeated, rows kept twice. `benchmarks.counting` and the other parts say what each figure is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import paging, parsing
from benchmarks.figures import Sample, Table
from benchmarks.memory import after_list
from benchmarks.platforms import official, replay, settings, simulator, start_jobs, variables
from benchmarks.processes import StdioServer, in_process_of_its_own
from benchmarks.replay import Recording, row_id
from benchmarks.servers import BARE, OURS, commands
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.waiting.engine import watch

START_CALLS, START_MODULES, GET_CALLS = 1.35, 1.35, 1.6
MEMORY_OF_START, MEMORY_OF_PAGES, GROWTH_MIB = 1.2, 0.75, 2.0
WAIT_REQUESTS, PARSING = 0.1, 4.0
MANY = 100
HERE = Path(sys.executable).parent
"""The environment that this runs in, so that nothing needs to be installed."""


def start(table: Table) -> None:
    ours, bare = (in_process_of_its_own("benchmarks.counting", "start", side) for side in ("ours", "bare"))
    _ratio(table, "function calls of a start", ours["calls"], bare["calls"], START_CALLS)
    _ratio(table, "modules that a start imports", ours["modules"], bare["modules"], START_MODULES)
    mine, theirs = (
        Sample(tuple(after_list(commands(HERE)[name])["mib"] for _ in range(2))).median for name in (OURS, BARE)
    )
    _ratio(table, "MiB after `tools/list`", mine, theirs, MEMORY_OF_START)


def calls(table: Table) -> None:
    with replay() as base_url:
        ours, bare = (in_process_of_its_own("benchmarks.counting", "get", side, base_url) for side in ("ours", "bare"))
        _ratio(table, "function calls of `get_execution`", ours["calls"], bare["calls"], GET_CALLS)
        with StdioServer(commands(HERE)[OURS], **variables(base_url)) as server:
            server.initialize()
            arguments = {"execution_id": row_id(0)}
            server.calls_per_second("get_execution", arguments, calls=500, at_once=16)
            before = server.footprint.memory_mib
            server.calls_per_second("get_execution", arguments, calls=1000, at_once=16)
            grown = server.footprint.memory_mib - before
    table.add("growth over 1,000 calls", f"{grown:+.2f} MiB", f"< {GROWTH_MIB:.0f} MiB", grown < GROWTH_MIB)


def waits(table: Table) -> None:
    with simulator(1.0) as base_url:
        ids = asyncio.run(start_jobs(base_url, MANY, ligands=3, effort=1))
        client = official(base_url)
        with contextlib.suppress(TimeoutError):
            client.executions.wait(ids, poll_interval=5.0, timeout=0.0)
        _ratio(table, f"requests of one look at {MANY}", asyncio.run(_look(base_url, ids)), client.sent, WAIT_REQUESTS)


async def _look(base_url: str, ids: list[str]) -> int:
    async with DeepOriginClient(settings(base_url)) as client:
        await watch(client.observer, ids, poll_interval_seconds=5, timeout_seconds=0, timing=client.timing)
        return client.requests_sent


def pages(table: Table) -> None:
    with replay(rows=paging.ROWS) as base_url:
        ours, theirs = (
            in_process_of_its_own("benchmarks.paging", "--side", side, base_url, "0")
            for side in (paging.THE_LIBRARY, paging.THE_OFFICIAL)
        )
        _ratio(table, f"MiB of {paging.ROWS:,} rows", ours["mib"], theirs["mib"], MEMORY_OF_PAGES)
        _ratio(table, f"requests of {paging.ROWS:,} rows", ours["requests"], theirs["requests"], 1.0)


def rows(table: Table) -> None:
    body = Recording(parsing.ROWS).answer(f"/executions?page=0&pageSize={parsing.ROWS}").encode()
    ours, theirs = (_processor_seconds(work) for work in (lambda: parsing.show(body), lambda: json.loads(body)))
    _ratio(table, f"processor seconds of {parsing.ROWS:,} rows made ready", ours, theirs, PARSING)


def _processor_seconds(work: Callable[[], object]) -> float:
    found = []
    for _ in range(3):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


def _ratio(table: Table, what: str, ours: float, theirs: float, limit: float) -> None:
    measured = f"{ours:,.5g} against {theirs:,.5g}: {ours / theirs:.2f} times"
    table.add(what, measured, f"≤ {limit} times", ours / theirs <= limit)


def main() -> int:
    if not Path("/proc/self/status").exists():
        print("Memory is read from /proc, which this system does not have: nothing was guarded.", file=sys.stderr)
        return 0
    table = Table("Guard")
    for part in (start, calls, waits, pages, rows):
        part(table)
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
