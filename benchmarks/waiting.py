"""Waiting for many executions: this package's engine against the official client's `wait`, in the same run.

    python -m benchmarks.waiting [--quick]

Both talk real HTTP to a simulator in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence

from benchmarks.figures import Table
from benchmarks.platforms import official, settings, simulator, start_jobs
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.waiting.engine import watch
from deeporigin_mcp.simulator import Platform, ScaledClock, parse_fault, running_simulator

LATENCY_SECONDS = 0.05
MANY = 100
INTERVAL_SECONDS = 5.0
JOB = {"ligands": 31, "effort": 3}
"""About 600 simulated seconds of docking."""

CYCLE_AIM, REQUESTS_AIM, NOTICE_AIM = 15.0, 0.1, 2.0


async def one_look(base_url: str, ids: Sequence[str]) -> float:
    """Seconds of one polling cycle over connections that are open already."""
    async with DeepOriginClient(settings(base_url)) as client:
        took = []
        for _ in range(5):
            started = time.perf_counter()
            await watch(client.observer, ids, poll_interval_seconds=5, timeout_seconds=0, timing=client.timing)
            took.append(time.perf_counter() - started)
    return statistics.median(took[1:])


def one_official_look(base_url: str, ids: list[str]) -> float:
    client = official(base_url)
    took = []
    for _ in range(3):
        started = time.perf_counter()
        try:
            client.executions.wait(ids, poll_interval=5.0, timeout=0.0)
        except TimeoutError:
            took.append(time.perf_counter() - started)
    return statistics.median(took[1:])


def cycle(table: Table) -> None:
    with simulator(1.0, f"* * delay={LATENCY_SECONDS}") as base_url:
        ids = asyncio.run(start_jobs(base_url, MANY, **JOB))
        ours, theirs = asyncio.run(one_look(base_url, ids)), one_official_look(base_url, ids)
    table.add(
        f"one cycle over {MANY} at {LATENCY_SECONDS * 1000:.0f} ms",
        f"{ours * 1000:.0f} ms against {theirs * 1000:.0f} ms: {theirs / ours:.0f} times faster",
        f"≥ {CYCLE_AIM:.0f} times",
        theirs / ours >= CYCLE_AIM,
    )


def requests(table: Table, speed: float) -> None:
    with simulator(speed) as base_url:
        ids = asyncio.run(start_jobs(base_url, MANY, **JOB))
        client = official(base_url)
        client.executions.wait(ids, poll_interval=INTERVAL_SECONDS / speed)
        theirs = client.sent / MANY
    with simulator(speed) as base_url:
        ids = asyncio.run(start_jobs(base_url, MANY, **JOB))
        ours = asyncio.run(_requests_of_a_wait(base_url, ids, speed)) / MANY
    table.add(
        f"requests per finished execution, {MANY} ten-minute jobs",
        f"{ours:.1f} against {theirs:.1f}: {ours / theirs:.3f}",
        f"≤ {REQUESTS_AIM}",
        ours / theirs <= REQUESTS_AIM,
    )


async def _requests_of_a_wait(base_url: str, ids: list[str], speed: float) -> int:
    async with DeepOriginClient(settings(base_url)) as client:
        await client.executions.wait(ids, poll_interval=INTERVAL_SECONDS / speed)
        return client.requests_sent


NOTICE_CASES = {
    "event stream up": "",
    "stream refused (409)": "GET /sse/* status=409",
    "stream torn": "GET /sse/* half",
    "stream reset": "GET /sse/* reset",
    "stream silent": "GET /sse/* delay=1000000",
}
NOTICE_INTERVAL_SECONDS = 1.0


def notice(table: Table, repeats: int) -> None:
    for case, fault in NOTICE_CASES.items():
        lags = [asyncio.run(_lag(fault, seed)) for seed in range(repeats)]
        worst = max(lags)
        if not fault:
            aim, met = f"< {NOTICE_AIM:.0f} round trips", worst < NOTICE_AIM * LATENCY_SECONDS
        else:
            aim, met = "< interval + 1 round trip", worst < NOTICE_INTERVAL_SECONDS + LATENCY_SECONDS
        figure = f"median {statistics.median(lags) * 1000:.0f} ms, worst {worst * 1000:.0f} ms"
        table.add(f"from the end of a run to the answer, {case}", figure, aim, met)


async def _lag(fault: str, seed: int) -> float:
    """Real seconds from the platform's terminal state to the end of the wait.

    Here the simulator is a thread of this process: its clock tells when exactly the run ended.
    """
    clock = ScaledClock(15.0)
    latency = parse_fault(f"GET */tools/executions/* delay={LATENCY_SECONDS * clock.speed}")
    platform = Platform(clock=clock, seed=seed, faults=[*([parse_fault(fault)] if fault else []), latency])
    with running_simulator(platform) as running:
        (name,) = await start_jobs(running.base_url, 1, ligands=1, effort=1)
        async with DeepOriginClient(settings(running.base_url)) as client:
            await client.executions.wait([name], poll_interval=NOTICE_INTERVAL_SECONDS)
        answered, timeline = clock.now(), platform.executions[name].timeline
        assert timeline is not None
        return (answered - timeline.finished).total_seconds() / clock.speed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats and a faster clock")
    quick = parser.parse_args().quick
    table = Table("Waiting for 100 executions")
    cycle(table)
    requests(table, speed=60.0 if quick else 20.0)
    notice(table, repeats=2 if quick else 6)
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
