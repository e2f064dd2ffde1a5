"""What finders share: the form of a finding, stable numbers, and the ligands of a run."""

from collections.abc import Callable, Iterator
from typing import Any

from deeporigin_mcp.simulator.chemistry import failed_ligands
from deeporigin_mcp.simulator.identifiers import fraction, friendly_of

Row = dict[str, Any]
Found = tuple[str, Row]
"""A result type, lower case, and the row's data."""

Finder = Callable[[str, Row], Iterator[Found]]
"""Results of one completed run out of its execution id and its checked inputs."""

MOST_FILE_LIGANDS = 500
"""Ligands of a file that get results; a larger file still costs and takes what its count says."""


def number(low: float, high: float, *parts: object) -> float:
    """A stable number in a range, derived from the parts."""
    return round(low + (high - low) * fraction(*parts), 3)


def ligands_of(inputs: Row) -> list[Row]:
    """Ligands given inline; for those in a file, alkanes in their place, as files are not read."""
    if "ligands_file" in inputs:
        path, count = inputs["ligands_file"], min(inputs["ligands_count"], MOST_FILE_LIGANDS)
        return [{"id": friendly_of("08", path, index), "smiles": "C" * (index % 20 + 1)} for index in range(count)]
    return list(inputs.get("ligands") or [])


def working_ligands(inputs: Row) -> Iterator[Row]:
    """Those that do not fail."""
    failed = failed_ligands(inputs)
    for index, ligand in enumerate(ligands_of(inputs)):
        if index not in failed:
            yield ligand
