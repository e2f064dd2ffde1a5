"""Fixtures of the tests of imports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deeporigin_mcp.tools.molecules import chemistry
from tests.support.bench import Agent, Bench, running_bench
from tests.support.imports import HITS, PDB, WORKFLOW, sdf


@pytest.fixture
def own_bench() -> Iterator[Bench]:
    """Runs come to their end by themselves: an import waits for its own."""
    with running_bench(auto_advance=True) as found:
        yield found


@pytest.fixture
async def own_agent(bench: Bench, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Agent]:
    """May read a structure and an SDF of this machine."""
    (tmp_path / "model.pdb").write_bytes(PDB)
    (tmp_path / "hits.sdf").write_bytes(sdf(*HITS))
    async with bench.agent(files=(tmp_path,)) as found:
        yield found


@pytest.fixture
def without_rdkit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chemistry, "_rdkit", lambda: None)


@pytest.fixture
def few_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a few SMILES take a workflow."""
    monkeypatch.setattr("deeporigin_mcp.platform.clients.imports.SERVED_ROWS", WORKFLOW - 1)


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a call is up as soon as its run is created."""
    monkeypatch.setattr("deeporigin_mcp.tools.molecules.import_molecules.CALL_SECONDS", 60.0)
    monkeypatch.setattr("deeporigin_mcp.tools.molecules.import_molecules.RESPONSE_SECONDS", 60.0)
