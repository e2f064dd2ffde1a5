"""How cost grows with the work: 10 to 100,000 rows listed, 1 to 1,000 executions looked at.

python -m benchmarks.growth
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time

from benchmarks.figures import Table, order_of_growth
from benchmarks.platforms import replay, settings, simulator, start_jobs
from benchmarks.plot import Points, log_log
from benchmarks.processes import REPOSITORY, Footprint, in_process_of_its_own
from benchmarks.replay import row_id
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.waiting.engine import watch

ROW_COUNTS = (10, 100, 1_000, 10_000, 100_000)
ID_COUNTS = (1, 10, 100, 1_000)
PLOTS = REPOSITORY / "benchmarks" / "plots"
AIM = 1.2
"""The order up to which growth counts as linear."""
FIXED_ROWS, FIXED_IDS = 1_000, 10
"""Below this the fixed cost of a request outweighs the rows, so the order is fitted from here on."""


async def list_all(base_url: str) -> dict[str, float]:
    """Seconds and grown MiB of reading all pages, in a process that does nothing else."""
    async with DeepOriginClient(settings(base_url)) as client:
        await client.executions.get(row_id(0))
        before, started = Footprint.of().memory_mib, time.perf_counter()
        found = await client.executions.list(fetch_all_pages=True, order="createdAt desc")
        seconds = time.perf_counter() - started
        return {"rows": len(found["data"]), "seconds": seconds, "mib": Footprint.of().peak_mib - before}


async def looks(base_url: str) -> list[tuple[float, float, int]]:
    """Start ever more executions. Count of them, seconds of one look at all, and requests of that look."""
    found = []
    ids: list[str] = []
    async with DeepOriginClient(settings(base_url)) as client:
        for count in ID_COUNTS:
            # One ligand each, since starting them all costs the simulated money.
            ids += await start_jobs(base_url, count - len(ids), ligands=1, effort=1)
            took = []
            for _ in range(4):
                sent, started = client.requests_sent, time.perf_counter()
                await watch(client.observer, ids, poll_interval_seconds=5, timeout_seconds=0, timing=client.timing)
                took.append(time.perf_counter() - started)
            found.append((float(count), statistics.median(took[1:]), client.requests_sent - sent))
    return found


def rows(table: Table) -> tuple[Points, Points]:
    found = []
    for count in ROW_COUNTS:
        with replay(rows=count) as base_url:
            repeats = [in_process_of_its_own("benchmarks.growth", "--list", base_url) for _ in range(3)]
        assert {one["rows"] for one in repeats} == {count}
        found.append((count, *(statistics.median(one[what] for one in repeats) for what in ("seconds", "mib"))))
    seconds = [(float(count), took) for count, took, _ in found]
    memory = [(float(count), max(mib, 0.1)) for count, _, mib in found]
    for what, points, unit, scale in (("time", seconds, "ms", 1e3), ("memory", memory, "MiB", 1.0)):
        _add(table, f"rows listed: {what}", points, unit, scale, FIXED_ROWS)
    return seconds, memory


def ids(table: Table) -> Points:
    # At this speed nothing ends meanwhile.
    with simulator(0.001) as base_url:
        found = asyncio.run(looks(base_url))
    points = [(count, seconds) for count, seconds, _ in found]
    _add(table, "executions looked at: time", points, "ms", 1e3, FIXED_IDS)
    table.add("executions looked at: requests", ", ".join(f"{sent} for {count:,.0f}" for count, _, sent in found))
    return points


def _add(table: Table, what: str, points: Points, unit: str, scale: float, fixed_below: int) -> None:
    fitted = [point for point in points if point[0] >= fixed_below]
    order = order_of_growth([size for size, _ in fitted], [cost for _, cost in fitted])
    each = ", ".join(f"{float(f'{cost * scale:.3g}'):,g} {unit} for {size:,.0f}" for size, cost in points)
    table.add(what, f"{each}; order {order:.2f} from {fixed_below:,} on", f"≤ {AIM}", order <= AIM)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.list:
        print(json.dumps(asyncio.run(list_all(options.list))))
        return 0
    table = Table("Growth")
    seconds, memory = rows(table)
    looked = ids(table)
    PLOTS.mkdir(exist_ok=True)
    plots = {
        "time": log_log(
            "Time as work grows", "rows, or executions", "seconds", {"list all rows": seconds, "look at ids": looked}
        ),
        "memory": log_log("Memory as work grows", "rows", "MiB", {"list all rows": memory}),
    }
    for name, plot in plots.items():
        (PLOTS / f"{name}.svg").write_text(plot, encoding="utf-8")
    table.note("![time](plots/time.svg)\n![memory](plots/memory.svg)")
    table.note(
        "Order is the exponent of the fitted power law: 1 is linear. The simulator's own time is part of a look."
    )
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
