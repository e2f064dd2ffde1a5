"""All pages of ten thousand executions, 50 ms away, against the official client.

python -m benchmarks.paging
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Sample, Table, interleaved
from benchmarks.platforms import official, replay, settings, variables
from benchmarks.processes import Footprint, StdioServer, in_process_of_its_own
from benchmarks.replay import row_id
from benchmarks.servers import OURS, commands
from deeporigin_mcp.platform import DeepOriginClient

ROWS, LATENCY_SECONDS, SMALL_PAGE = 10_000, 0.05, 100
TIME_AIM, MEMORY_AIM = 8.0, 0.5
ORDER = "createdAt desc"
THE_OFFICIAL, THE_LIBRARY, THE_TOOL = "official", "library", "tool"


async def read_by_library(base_url: str, page_size: int | None) -> dict[str, float]:
    async with DeepOriginClient(settings(base_url)) as client:
        await client.executions.get(row_id(0))
        sent, before, started = client.requests_sent, Footprint.of().memory_mib, time.perf_counter()
        found = await client.executions.list(fetch_all_pages=True, page_size=page_size, order=ORDER)
        return {**_figures(found, before, started), "requests": client.requests_sent - sent}


def read_by_official(base_url: str, page_size: int | None) -> dict[str, float]:
    client = official(base_url)
    client.executions.get(row_id(0))
    sent, before, started = client.sent, Footprint.of().memory_mib, time.perf_counter()
    found = client.executions.list(fetch_all_pages=True, page_size=page_size, order=ORDER)
    return {**_figures(found, before, started), "requests": client.sent - sent}


def _figures(found: dict[str, Any], before_mib: float, started: float) -> dict[str, float]:
    seconds = time.perf_counter() - started
    assert len({row["executionId"] for row in found["data"]}) == ROWS
    return {"seconds": seconds, "mib": Footprint.of().peak_mib - before_mib}


def read_by_tool(base_url: str) -> dict[str, float]:
    """The same through the server, which answers with as much as a model should read."""
    with StdioServer(commands()[OURS], **variables(base_url)) as server:
        server.initialize()
        server.call("get_execution", {"execution_id": row_id(0)})
        before, started = server.footprint.memory_mib, time.perf_counter()
        found = server.call("list_executions", {"fetch_all_pages": True})["structuredContent"]
        seconds = time.perf_counter() - started
        assert found["count"] == ROWS
        return {"seconds": seconds, "mib": server.footprint.peak_mib - before}


def measure(table: Table, repeats: int) -> None:
    with replay(rows=ROWS, latency_seconds=LATENCY_SECONDS) as base_url:

        def child(side: str, page_size: int = 0) -> Mapping[str, float]:
            return in_process_of_its_own("benchmarks.paging", "--side", side, base_url, str(page_size))

        found = interleaved(
            {
                THE_OFFICIAL: functools.partial(child, THE_OFFICIAL),
                THE_LIBRARY: functools.partial(child, THE_LIBRARY),
                THE_TOOL: functools.partial(read_by_tool, base_url),
            },
            repeats,
        )
        small = interleaved(
            {side: functools.partial(child, side, SMALL_PAGE) for side in (THE_OFFICIAL, THE_LIBRARY)}, repeats
        )
    theirs = found[THE_OFFICIAL]
    _faster(table, f"time in pages of {SMALL_PAGE}, as a library", small[THE_LIBRARY], small[THE_OFFICIAL])
    _faster(table, "time in pages as each side chooses them, as a library", found[THE_LIBRARY], theirs)
    _faster(table, "time of `list_executions`", found[THE_TOOL], theirs)
    _leaner(table, "memory, as a library", found[THE_LIBRARY]["mib"], theirs["mib"])
    _leaner(table, "memory of `list_executions`", found[THE_TOOL]["mib"], theirs["mib"])
    table.note(
        f"{ROWS:,} rows of every era, {LATENCY_SECONDS * 1e3:.0f} ms before each answer. Memory is what the peak of "
        "the process grew by. As a library, both sides hand over every row as it came; the tool keeps what a row "
        "shows. Both sides choose pages of 1,000: ten round trips against two. What is left then is decoding JSON, "
        "which neither side can avoid."
    )


def _faster(table: Table, what: str, ours: Mapping[str, Sample], theirs: Mapping[str, Sample]) -> None:
    mine, other = ours["seconds"], theirs["seconds"]
    ratio = other.median / mine.median
    measured = f"{mine.told('ms', 1e3)} against {other.told('ms', 1e3)}: {ratio:.1f} times faster"
    table.add(what, measured, f"≥ {TIME_AIM:.0f} times", ratio >= TIME_AIM)


def _leaner(table: Table, what: str, ours: Sample, theirs: Sample) -> None:
    ratio = ours.median / theirs.median
    measured = f"{ours.told('MiB')} against {theirs.told('MiB')}: {ratio:.2f} times"
    table.add(what, measured, f"≤ {MEMORY_AIM} times", ratio <= MEMORY_AIM)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        side, base_url, page_size = options.side
        size = int(page_size) or None
        print(
            json.dumps(
                read_by_official(base_url, size)
                if side == THE_OFFICIAL
                else asyncio.run(read_by_library(base_url, size))
            )
        )
        return 0
    table = Table("All pages of 10,000 executions")
    measure(table, options.repeats)
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
