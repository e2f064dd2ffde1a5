"""The platform that is measured against, and the official client's way to it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from benchmarks.processes import announced
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import make_token

ORGANISATION = "deeporigin"
PROJECT = "09DEMAKNASE01"


@contextlib.contextmanager
def simulator(speed: float, *faults: str) -> Iterator[str]:
    """A simulator as a process of its own, so that the two sides do not share an interpreter; its address."""
    rules = [part for fault in faults for part in ("--fault", fault)]
    command = [sys.executable, "-m", "deeporigin_mcp", "simulator", "--port", "0", "--speed", str(speed), *rules]
    with announced(command) as (base_url, _):
        yield base_url


@contextlib.contextmanager
def replay(*, rows: int = 0, latency_seconds: float = 0.0) -> Iterator[str]:
    """A server of recorded answers, `benchmarks.replay`, which costs next to nothing itself; its address."""
    options = ["--rows", str(rows), "--latency-seconds", str(latency_seconds)]
    with announced([sys.executable, "-m", "benchmarks.replay", *options]) as (base_url, _):
        yield base_url


@contextlib.contextmanager
def store(*, latency_seconds: float = 0.0, bytes_per_second: float = 0.0) -> Iterator[str]:
    """A files service with made-up files, `benchmarks.store`; its address."""
    limits = ["--latency-seconds", str(latency_seconds), "--bytes-per-second", str(bytes_per_second)]
    with announced([sys.executable, "-m", "benchmarks.store", *limits]) as (url, _):
        yield url


def settings(base_url: str) -> Settings:
    return Settings(
        token=SecretStr(make_token()),
        org_key=ORGANISATION,
        project_id=PROJECT,
        base_url=base_url,
        session="benchmark",
    )


def variables(base_url: str) -> dict[str, str]:
    """The same settings as a server's environment."""
    return {
        "DO_AUTH_TOKEN": make_token(),
        "DO_ORG_KEY": ORGANISATION,
        "DO_PROJECT_ID": PROJECT,
        "DO_BASE_URL": base_url,
        "DEEPORIGIN_MCP_SESSION": "benchmark",
    }


async def start_jobs(base_url: str, count: int, *, ligands: int, effort: int) -> list[str]:
    """Start docking runs; their ids."""
    data = {
        "inputs": {
            "protein": {"file_path": "entities/proteins/toy.pdb"},
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

    client = OfficialClient(base_url=base_url, token=make_token(), org_key=ORGANISATION, project_id=PROJECT)
    client.sent = 0

    def count(_: Any) -> None:
        client.sent += 1

    client._client.event_hooks["request"].append(count)
    return client
