"""Docking, constrained docking and pocket finding.

Failures that these tools decide from their inputs:

* a ligand whose SMILES cannot be read, or which holds a metal, fails; the run is `Completed` while at least
  one other ligand works, and `Failed` when none does;
* a search box longer than 80 angstrom on any side cannot be estimated: `FailedQuotation`;
* a `pocket_min_size` above 1000 finds no pocket: the pocket finder is `Failed`.
"""

from deeporigin_mcp.simulator.catalogue.definition import Definition
from deeporigin_mcp.simulator.catalogue.shapes import (
    LIGAND_FILE,
    SYNC_INSIDE,
    Schema,
    boolean,
    choice,
    inputs,
    integer,
    ligand,
    ligand_source,
    ligands,
    number,
    objects,
    pose,
    protein,
    text,
    vector,
)

DOCKING = "deeporigin.docking"
CONSTRAINED_DOCKING = "deeporigin.constrained-docking"
POCKET_FINDER = "deeporigin.pocket-finder"

_POCKET = objects(
    {
        "id": text("Pocket id"),
        "center": vector("Box centre (angstrom)"),
        "box_size_x": number("Box length x (angstrom)", exclusiveMinimum=0),
        "box_size_y": number("Box length y (angstrom)", exclusiveMinimum=0),
        "box_size_z": number("Box length z (angstrom)", exclusiveMinimum=0),
        "rotation_deg": vector("Box rotation (degrees)"),
    },
    "center",
    "box_size_x",
    "box_size_y",
    "box_size_z",
    **{"x-data-type": "Pocket", "x-display-name": "Pocket"},
)
_EFFORT = integer("Effort", default=1, minimum=1, maximum=5)


def _docking(version: str, *, files: bool) -> Definition:
    properties: Schema = {
        "protein": protein("file_path"),
        "pocket": _POCKET,
        "ligands": ligands("smiles"),
        "effort": _EFFORT,
        "sync": SYNC_INSIDE,
    }
    required = ("protein", "pocket") if files else ("protein", "pocket", "ligands")
    if files:
        properties |= LIGAND_FILE
    return Definition(
        key=DOCKING,
        version=version,
        name="Docking",
        description="Docks small molecules into a pocket of a protein and scores their poses.",
        inputs=inputs(properties, *required, **({"oneOf": ligand_source()} if files else {})),
        sync="inputs",
        steps=("prepare-ligands", "dock", "collect-poses"),
        gpu=True,
        manifest="6" if files else "3",
    )


_CONSTRAINED = inputs(
    {
        "protein": protein("file_path"),
        "pocket": _POCKET,
        "reference": objects(
            {"ligand": ligand("file_path", files=True), "pose": pose("Reference pose")}, "ligand", "pose"
        ),
        "ligands": ligands(files=True),
        "effort": _EFFORT,
        "constraint_energy": number("Constraint energy (kcal/mol)", default=5.0, minimum=0),
        "mcs_smarts": text("Common core as SMARTS"),
        "mcs_smiles": text("Common core as SMILES"),
        "sync": SYNC_INSIDE,
    },
    "protein",
    "pocket",
    "reference",
    "ligands",
)

_MODES = {
    "auto-find": "Find pockets",
    "define-by-selection": "From a selection of residues",
    "from-crystal-ligand": "Around the crystal ligand",
}
_POCKET_FINDER: Schema = inputs(
    {
        "protein": protein("file_path"),
        "mode": choice("Mode", _MODES, default="auto-find"),
        "pocket_count": integer("Number of pockets", default=1, minimum=1, maximum=20),
        "pocket_min_size": integer("Smallest pocket (cubic angstrom)", default=30, minimum=1),
        "selections": {"type": "array", "x-display-name": "Selections", "items": {"$ref": "#/$defs/selection"}},
        "pocket_radius": number("Radius (angstrom)", minimum=1, maximum=50),
        "align_to_pocket": boolean("Align the box to the pocket"),
        "crystal_ligand": {
            "x-display-name": "Crystal ligand",
            "oneOf": [
                objects({"file_path": text("Ligand file", format="file")}, "file_path"),
                objects({"ligand_id": text("Residue name of the ligand")}, "ligand_id"),
            ],
        },
        "box_geometry": choice("Box geometry", {"ligand-extents": "Around the ligand", "fixed-radius": "Fixed radius"}),
        "box_padding": number("Padding (angstrom)", minimum=0, maximum=20),
        "sync": SYNC_INSIDE,
    },
    "protein",
    allOf=[
        {
            "if": {"properties": {"mode": {"const": "define-by-selection"}}, "required": ["mode"]},
            "then": {"required": ["selections"]},
        },
        {
            "if": {"properties": {"mode": {"const": "from-crystal-ligand"}}, "required": ["mode"]},
            "then": {"required": ["crystal_ligand"]},
        },
    ],
    **{
        "$defs": {
            "selection": objects(
                {"chain": text("Chain"), "residues": {"type": "array", "items": {"type": "integer"}}}, "chain"
            )
        }
    },
)


def _pocket_finder(version: str) -> Definition:
    return Definition(
        key=POCKET_FINDER,
        version=version,
        name="Pocket finder",
        description="Finds or defines binding pockets of a protein.",
        inputs=_POCKET_FINDER,
        sync="inputs",
        steps=("find-pockets",),
    )


DEFINITIONS = (
    _docking("3.2.1", files=False),
    _docking("4.1.0", files=True),
    _docking("4.2.0", files=True),
    Definition(
        key=CONSTRAINED_DOCKING,
        version="3.0.2",
        name="Constrained docking",
        description="Docks analogues while holding a common core at a reference pose.",
        inputs=_CONSTRAINED,
        sync="inputs",
        steps=("dock",),
        gpu=True,
    ),
    _pocket_finder("2.4.0"),
    _pocket_finder("3.0.1"),
)
