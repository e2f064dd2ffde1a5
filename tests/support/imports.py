"""Molecules to import, and what an import of them made on the simulated platform."""

from __future__ import annotations

from typing import Any

from deeporigin_mcp.simulator.model.archive import fetched
from deeporigin_mcp.simulator.model.molecules import written_sdf
from tests.support.bench import Bench

TOOL = "import_molecules"
PDB = fetched("https://files.rcsb.org/download/1iep.pdb") or b""
HITS = (("CCO", "hit-1"), ("CCNC(C)=O", "hit-2"), ("CC(C)CCF", "hit-3"))
NEW = ["CCNC(C)=O", "CC(C)CCF", "FCCCl"]
"""SMILES that the simulated organisation does not have, as RDKit writes them."""
WORKFLOW = 8
"""More than one request takes, by the fixture `few_served`."""


def sdf(*molecules: tuple[str, str]) -> bytes:
    return "".join(written_sdf(smiles, name, (0, 0, 0), {}) for smiles, name in molecules).encode()


def chain(count: int) -> list[str]:
    """Different molecules, as RDKit writes them."""
    return [f"{'C' * (number // 5 + 1)}{'FNOSI'[number % 5]}" for number in range(count)]


def ids(found: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in found["as_input"]]


def rows(bench: Bench, table: str = "ligands") -> dict[str, dict[str, Any]]:
    return bench.platform.organisations["deeporigin"].entities[table]


def content(bench: Bench, path: str) -> bytes:
    return bytes(bench.platform.organisations["deeporigin"].files[path].content)
