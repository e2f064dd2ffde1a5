"""Whose results the rows of a run are: its ligands, by the names that the user knows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.entities import Ligand, Pose
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.tools.files.run_rows import MAX_ROWS

MAX_LIST_BYTES = 20_000_000
"""Of a run's list of ligands."""
NAME_CHARACTERS = 80

_PAIR = ("ligand1_id", "ligand2_id")


@dataclass(frozen=True)
class Molecule:
    """A ligand as the user knows it; what is not known is empty."""

    id: str = ""
    name: str = ""
    smiles: str = ""

    @property
    def shown(self) -> str:
        """Its name, else its id, else its SMILES."""
        return one_line(self.name or self.id or self.smiles, NAME_CHARACTERS)


async def ligands_of(client: DeepOriginClient, execution: Execution) -> tuple[list[Molecule], int]:
    """The ligands of the inputs, given there or in a list file, and how many they are said to be."""
    inputs = as_object(execution.raw.get("userInputs"))
    given = inputs.get("ligands")
    if isinstance(given, list):
        return [_molecule(as_object(row)) for row in given], len(given)
    path, count = text(inputs.get("ligands_file")), inputs.get("ligands_count")
    count = count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
    if not path:
        return [], count
    import io

    file = io.BytesIO()
    try:
        await client.files.download(path, file, max_bytes=MAX_LIST_BYTES)
        listed = json.loads(file.getvalue())
    except (DeepOriginError, ValueError, RecursionError):
        # Names are missing then, nothing else.
        return [], count
    rows = [_molecule(as_object(row)) for row in listed] if isinstance(listed, list) else []
    return rows, len(rows) or count


def _molecule(row: Json) -> Molecule:
    ligand = Ligand(row)
    return Molecule(ligand.id, ligand.name, ligand.smiles)


async def molecules_of(
    client: DeepOriginClient, rows: Sequence[Json], given: Sequence[Molecule], most: int = MAX_ROWS
) -> dict[str, Molecule]:
    """Molecules by id and by SMILES: as stored, else as in the inputs."""
    ids = dict.fromkeys(filter(None, [*(Pose(row).ligand_id for row in rows), *(one.id for one in given)]))
    known = {name: one for one in given if (name := one.id or one.smiles)}
    try:
        fields = ("id", "name", "canonical_smiles", "smiles")
        wanted = [*ids][:most]
        stored = await client.entities.get_many("ligands", wanted, select=fields, may_be_kept=True) if ids else {}
    except DeepOriginError:
        stored = {}
    for name, row in stored.items():
        one, other = _molecule(row), known.get(name, Molecule())
        known[name] = Molecule(name, one.name or other.name, other.smiles or one.smiles)
    by_smiles = {one.smiles: one for one in known.values() if one.smiles}
    return {**by_smiles, **known}


def named(one: Molecule, molecules: Mapping[str, Molecule]) -> str:
    """Its name as stored, else its own."""
    return molecules.get(one.id or one.smiles, one).name or one.name


def molecule_of(pose: Pose, molecules: Mapping[str, Molecule]) -> Molecule:
    """Whose result a row is."""
    found = molecules.get(pose.ligand_id) or molecules.get(pose.smiles) or Molecule()
    name = found.name or word(pose.data.get("ligand_name"))
    return Molecule(pose.ligand_id or found.id, name, found.smiles or pose.smiles)


async def names_of(client: DeepOriginClient, execution: Execution, rows: Sequence[Json]) -> list[str]:
    """The name of each row's molecule, or of both, as stored or as in the run's inputs; empty where neither has it."""
    results = [Pose(row) for row in rows]
    pairs = [[*filter(None, (word(row.data.get(field)) for field in _PAIR))] for row in results]
    wanted = {name for row, pair in zip(results, pairs, strict=True) for name in (row.ligand_id, row.smiles, *pair)}
    listed = as_object(execution.raw.get("userInputs")).get("ligands")
    given = [_molecule(as_object(row)) for row in listed] if isinstance(listed, list) else []
    # Of the inputs only what these rows are of.
    known = [one for one in given if {one.id, one.smiles} & (wanted - {""})]
    molecules = await molecules_of(client, rows, [*(Molecule(name) for pair in pairs for name in pair), *known])
    both = [[molecules[name].name for name in pair] for pair in pairs]
    return [
        one_line(molecule_of(row, molecules).name or (", ".join(names) if all(names) else ""), NAME_CHARACTERS)
        for row, names in zip(results, both, strict=True)
    ]
