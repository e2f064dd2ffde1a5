"""What the searches of find_molecules have in common: what is searched for, the rows, and where a page begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.tools.responses.size_limit import size
from deeporigin_mcp.tools.responses.views import View

Kind = Literal["protein", "ligand", "pocket", "pose"]
ORDERS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "protein": {"created": ("created_at", "desc"), "name": ("protein_name", "asc")},
    "ligand": {"created": ("created_at", "desc"), "name": ("name", "asc")},
    "pocket": {
        "druggability": ("drugability_score", "desc"),
        "volume": ("volume", "desc"),
        "created": ("created_at", "desc"),
    },
    "pose": {
        "pose_score": ("pose_score", "desc"),
        "binding_energy": ("binding_energy", "asc"),
        "created": ("created_at", "desc"),
    },
}
"""What each kind is ordered by, the usual first: by its name in rows, the platform's field and usual direction."""
ID = re.compile(r"(?=.*\d)[0-9A-Z]{13}")
PDB_ID = re.compile(r"[0-9][A-Za-z0-9]{3}|pdb_[A-Za-z0-9]{8}", re.IGNORECASE)
INPUT_CHARACTERS = 4_000
"""A longer object is not shown: what is cut is no input any more."""
NAME_CHARACTERS = 80


class MoleculeRow(View):
    """One protein, ligand, pocket or pose. `id` is shown where there is no `as_input`.

    `druggability` from 0 to 1, `binding_energy` in kcal/mol; `created` is a date; `by`: who changed it last.
    """

    id: str | None = None
    name: str | None = None
    pdb_id: str | None = None
    prepared: bool | None = None
    prepared_from: str | None = None
    pose_score: float | None = None
    binding_energy: float | None = None
    best: bool | None = None
    druggability: float | None = None
    volume_cubic_angstrom: float | None = None
    ligand_id: str | None = None
    smiles: str | None = None
    protein_id: str | None = None
    execution_id: str | None = None
    file_path: str | None = None
    project: str | None = None
    created: str | None = None
    by: str | None = None
    as_input: dict[str, Any] | None = None


class Search(NamedTuple):
    """What is searched for.

    `given`: the conditions by argument; `project`: only this one; `sort`: the platform's field and the direction.
    """

    client: DeepOriginClient
    kind: Kind
    given: Mapping[str, str]
    project: str | None
    sort: tuple[str, str]
    limit: int


class Place(NamedTuple):
    """Where a page begins: which of several searches, the platform's cursor in it, and rows to skip there.

    An order that the platform pages by offset has no cursors: all rows before are skipped.
    """

    search: int = 0
    cursor: str | None = None
    skipped: int = 0


class Found(NamedTuple):
    """Rows with their places, the place after them, and what has to be said of them."""

    rows: list[Json]
    places: list[Place]
    after: Place | None
    note: str | None = None


def usable(entity_id: str, as_input: Json | None) -> dict[str, Any]:
    if as_input is None or size(as_input) > INPUT_CHARACTERS:
        return {"id": entity_id}
    return {"as_input": as_input}
