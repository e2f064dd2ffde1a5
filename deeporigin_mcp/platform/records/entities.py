"""Proteins, ligands, poses and pockets as the platform's rows have them (molecules-and-files 3, 8).

`as_input` is the object that a run's inputs want; None while something that it needs is missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, as_object, text

MAX_SMILES_CHARACTERS = 5_000


class Row:
    """A row of the data platform. Every property tolerates a missing or malformed field; `raw` is unchanged."""

    __slots__ = ("raw",)

    def __init__(self, raw: Json) -> None:
        self.raw = raw

    @property
    def id(self) -> str:
        return word(self.raw.get("id"))

    @property
    def project_id(self) -> str:
        return word(self.raw.get("project_id"))

    @property
    def created_at(self) -> str:
        return word(self.raw.get("created_at"))

    @property
    def modified_by(self) -> str:
        return word(self.raw.get("modified_by"))

    @property
    def tags(self) -> Json:
        return as_object(self.raw.get("tags"))


class Ligand(Row):
    """A ligand, also as `jobOutputs.ligands` of an import has it."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return word(self.raw.get("name"))

    @property
    def smiles(self) -> str:
        """The platform's canonical SMILES, else the one that was given."""
        found = text(self.raw.get("canonical_smiles")) or text(self.raw.get("smiles"))
        return one_line(found, MAX_SMILES_CHARACTERS)

    @property
    def file_path(self) -> str:
        """Its SDF; empty for one that was imported as SMILES."""
        return text(self.raw.get("mol_file")) or text(self.raw.get("file_path"))

    @property
    def molecular_weight(self) -> float | None:
        return number(self.raw.get("molecular_weight"))

    @property
    def as_input(self) -> Json | None:
        """`{id, smiles}`, for docking and properties."""
        return {"id": self.id, "smiles": self.smiles} if self.id and self.smiles else None

    @property
    def as_file_input(self) -> Json | None:
        """`{id, file_path}`, for tools that need coordinates (RBFE, Konnektor)."""
        return {"id": self.id, "file_path": self.file_path} if self.id and self.file_path else None


class Protein(Row):
    """A protein, also as `jobOutputs.proteins` of an import has it, where the id may be `protein_id`."""

    __slots__ = ()

    @property
    def id(self) -> str:
        return word(self.raw.get("id")) or word(self.raw.get("protein_id"))

    @property
    def name(self) -> str:
        """The name, else the PDB id, the gene or the id, as the official client shows it."""
        fields = ("protein_name", "name", "pdb_id", "gene_symbol")
        return next((found for field in fields if (found := word(self.raw.get(field)))), self.id)

    @property
    def pdb_id(self) -> str:
        return word(self.raw.get("pdb_id"))

    @property
    def uniprot_accession(self) -> str:
        return word(self.raw.get("uniprot_accession"))

    @property
    def file_path(self) -> str:
        """Its structure; empty for a row without one."""
        return text(self.raw.get("file_path"))

    @property
    def is_prepared(self) -> bool:
        return text(self.raw.get("state")).lower() == "prepared"

    @property
    def origin_id(self) -> str:
        """The protein that this one was prepared from."""
        return word(self.raw.get("origin_entity_id"))

    @property
    def as_input(self) -> Json | None:
        """`{id, file_path}`."""
        return {"id": self.id, "file_path": self.file_path} if self.id and self.file_path else None


class ResultRow(Row):
    """A row of the result explorer, whose values are in `data`; or an object of `jobOutputs`, which has them itself."""

    __slots__ = ()

    @property
    def data(self) -> Json:
        return as_object(self.raw.get("data")) or self.raw

    @property
    def execution_id(self) -> str:
        return word(self.raw.get("compute_job_id"))

    @property
    def tool_key(self) -> str:
        return word(self.raw.get("tool_key")) or word(self.raw.get("tool_id"))

    @property
    def protein_id(self) -> str:
        return word(self.data.get("protein_id"))

    @property
    def ligand_id(self) -> str:
        return word(self.data.get("ligand_id"))

    @property
    def file_path(self) -> str:
        """Its SDF or PDB. `#record-<n>` means one record of a file with several."""
        return text(self.data.get("file_path"))

    @property
    def origin(self) -> str:
        return word(self.data.get("origin"))


class Pose(ResultRow):
    """A docked or registered pose."""

    __slots__ = ()

    @property
    def pocket_id(self) -> str:
        return word(self.data.get("pocket_id"))

    @property
    def smiles(self) -> str:
        """Often empty; the inputs of its execution then have it."""
        found = text(self.data.get("smiles")) or text(self.data.get("ligand_smiles"))
        return one_line(found, MAX_SMILES_CHARACTERS)

    @property
    def score(self) -> float | None:
        """`pose_score`: higher is better."""
        return number(self.data.get("pose_score"))

    @property
    def binding_energy(self) -> float | None:
        """Lower is better."""
        return number(self.data.get("binding_energy"))

    @property
    def is_best(self) -> bool | None:
        """Whether it is its ligand's best; None for a reference or a registered pose."""
        value = self.data.get("best_pose")
        return value if isinstance(value, bool) else None

    @property
    def is_scored(self) -> bool:
        """Rows without a score are references of constrained docking, or registered from an SDF."""
        return self.score is not None or self.is_best is not None

    @property
    def record_index(self) -> int | None:
        return index(self.data.get("record_index"))

    @property
    def as_input(self) -> Json | None:
        """`{id, file_path}`, for ABFE."""
        return {"id": self.id, "file_path": self.file_path} if self.id and self.file_path else None


class Pocket(ResultRow):
    """A pocket of a protein, with its geometry nested or flat."""

    __slots__ = ()

    @property
    def volume(self) -> float | None:
        """Å³."""
        return number(self.data.get("volume"))

    @property
    def druggability(self) -> float | None:
        return number(self.data.get("drugability_score"))

    @property
    def center(self) -> list[float] | None:
        """x, y, z in Å; None if only the file tells it (see `mean_of_atoms`)."""
        return _triple(self.data.get("pocket_center")) or _triple(self.data.get("center"))

    @property
    def box(self) -> list[float] | None:
        """Sizes of the box in Å: as stated, else from the volume."""
        return self._nested or self._flat or self._by_volume

    @property
    def rotation(self) -> list[float] | None:
        """Degrees; None for a box that is not rotated. Only a nested box has it."""
        found = _triple(as_object(self.data.get("box")).get("rotation_deg")) if self._nested else None
        return found if found and any(found) else None

    @property
    def as_input(self) -> Json | None:
        """The `pocket` of docking."""
        return self.input_at(self.center)

    def input_at(self, center: Sequence[float] | None) -> Json | None:
        """The `pocket` of docking around this point."""
        box = self.box
        if center is None or box is None:
            return None
        sizes = zip(("box_size_x", "box_size_y", "box_size_z"), box, strict=True)
        found: Json = {**dict(sizes), "center": [*center]}
        if self.rotation:
            found["rotation_deg"] = self.rotation
        return {**found, "id": self.id} if self.id else found

    @property
    def _nested(self) -> list[float] | None:
        return _sizes(as_object(self.data.get("box")))

    @property
    def _flat(self) -> list[float] | None:
        return _sizes(self.data)

    @property
    def _by_volume(self) -> list[float] | None:
        return [2 * self.volume ** (1 / 3)] * 3 if self.volume is not None and self.volume > 0 else None


def mean_of_atoms(pdb: str) -> list[float] | None:
    """The mean of the coordinates of a PDB file's atoms, in Å; None if it has none."""
    points = [
        point
        for line in pdb.splitlines()
        if line.startswith(("ATOM  ", "HETATM")) and (point := _point(line)) is not None
    ]
    return [sum(values) / len(points) for values in zip(*points, strict=True)] if points else None


def _point(line: str) -> list[float] | None:
    try:
        point = [float(line[start : start + 8]) for start in (30, 38, 46)]
    except ValueError:
        return None
    return point if all(map(math.isfinite, point)) else None


def number(value: Any) -> float | None:
    """A finite number, also as text; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def index(value: Any) -> int | None:
    """An integer of 0 or more, also as text or with `.0`; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def _triple(value: Any) -> list[float] | None:
    if not isinstance(value, list) or len(value) != 3:
        return None
    found = [one for one in map(number, value) if one is not None]
    return found if len(found) == 3 else None


def _sizes(holder: Json) -> list[float] | None:
    found = [number(holder.get(f"box_size_{axis}")) for axis in "xyz"]
    sizes = [size for size in found if size is not None and size > 0]
    return sizes if len(sizes) == 3 else None
