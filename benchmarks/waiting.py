"""Waiting for many executions: this package's engine against the official client's `wait`, in the same run.

    .venv/bin/python benchmarks/waiting.py [--quick]

Both talk real HTTP to a simulator in a process of its own. Prints ratios, and exits with 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.waiting import watch
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, parse_fault, running_simulator

LATENCY_SECONDS = 0.05
MANY = 100
PROJECT = "09DEMAKNASE01"
INTERVAL_SECONDS = 5.0
JOB = {"ligands": 31, "effort": 3}
"""About 600 simulated seconds of docking."""

CYCLE_AIM, REQUESTS_AIM, NOTICE_AIM = 15.0, 0.1, 2.0


class Rows:
    """A table that is printed as it grows, and remembers whether every aim was met."""

    def __init__(self) -> None:
        self.all_met = True

    def add(self, what: str, figure: str, aim: str, met: bool) -> None:
        self.all_met &= met
        print(f"| {what} | {figure} | {aim} | {'yes' if met else 'NO'} |", flush=True)


@contextmanager
def simulator(speed: float, *faults: str) -> Iterator[str]:
    """A simulator as a process of its own, so that the two sides do not share an interpreter."""
    rules = [part for fault in faults for part in ("--fault", fault)]
    command = [sys.executable, "-m", "deeporigin_mcp", "simulator", "--port", "0", "--speed", str(speed), *rules]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        yield line.split(" on ", 1)[1].split(" ", 1)[0]
    finally:
        process.terminate()
        process.wait(10)


def settings(base_url: str) -> Settings:
    return Settings(
        token=SecretStr(make_token()), org_key="deeporigin", project_id=PROJECT, base_url=base_url, session="benchmark"
    )


async def start_jobs(base_url: str, count: int, *, ligands: int, effort: int) -> list[str]:
    data = {
        "inputs": {
            "protein": {"file_path": "a.pdb"},
            "pocket": {"center": [1, 2, 3], "box_size_x": 20, "box_size_y": 20, "box_size_z": 20},
            "ligands": [{"smiles": "CCO"}] * ligands,
            "effort": effort,
            "sync": False,
        },
        "approveAmount": 1000,
    }
    async with DeepOriginClient(settings(base_url)) as client:
        made = [
            await client.executions.create(tool_key="deeporigin.docking", tool_version="4", data=data)
            for _ in range(count)
        ]
    return [dto["executionId"] for dto in made]


def official(base_url: str) -> Any:
    """The official client, its requests counted at its own HTTP client."""
    os.environ["HOME"] = tempfile.gettempdir()
    from deeporigin.platform.client import DeepOriginClient as OfficialClient

    client = OfficialClient(base_url=base_url, token=make_token(), org_key="deeporigin", project_id=PROJECT)
    client.sent = 0

    def count(_: Any) -> None:
        client.sent += 1

    client._client.event_hooks["request"].append(count)
    return client


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


def cycle(rows: Rows) -> None:
    with simulator(1.0, f"* * delay={LATENCY_SECONDS}") as base_url:
        ids = asyncio.run(start_jobs(base_url, MANY, **JOB))
        ours, theirs = asyncio.run(one_look(base_url, ids)), one_official_look(base_url, ids)
    rows.add(
        f"one cycle over {MANY} at {LATENCY_SECONDS * 1000:.0f} ms",
        f"{ours * 1000:.0f} ms against {theirs * 1000:.0f} ms: {theirs / ours:.0f} times faster",
        f"≥ {CYCLE_AIM:.0f} times",
        theirs / ours >= CYCLE_AIM,
    )


def requests(rows: Rows, speed: float) -> None:
    with simulator(speed) as base_url:
        ids = asyncio.run(start_jobs(base_url, MANY, **JOB))
        client = official(base_url)
        client.executions.wait(ids, poll_interval=INTERVAL_SECONDS / speed)
        theirs = client.sent / MANY
    with simulator(speed) as base_url:
        ids = asyncio.run(start_jobs(base_url, MANY, **JOB))
        ours = asyncio.run(_requests_of_a_wait(base_url, ids, speed)) / MANY
    rows.add(
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


def notice(rows: Rows, repeats: int) -> None:
    for case, fault in NOTICE_CASES.items():
        lags = [asyncio.run(_lag(fault, seed)) for seed in range(repeats)]
        worst = max(lags)
        if not fault:
            aim, met = f"< {NOTICE_AIM:.0f} round trips", worst < NOTICE_AIM * LATENCY_SECONDS
        else:
            aim, met = "< interval + 1 round trip", worst < NOTICE_INTERVAL_SECONDS + LATENCY_SECONDS
        figure = f"median {statistics.median(lags) * 1000:.0f} ms, worst {worst * 1000:.0f} ms"
        rows.add(f"from the end of a run to the answer, {case}", figure, aim, met)


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
    rows = Rows()
    print("| what | measured | aim | met |\n|---|---|---|---|")
    cycle(rows)
    requests(rows, speed=60.0 if quick else 20.0)
    notice(rows, repeats=2 if quick else 10)
    return 0 if rows.all_met else 1


if __name__ == "__main__":
    sys.exit(main())
