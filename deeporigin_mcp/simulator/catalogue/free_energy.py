"""Absolute and relative binding free energies, and the preparation of their systems.

Failures: the tools see files, not structures, so file names decide.

* A pose file whose name holds `covalent` is a covalent binder: ABFE and system preparation are `Failed`.
* An RBFE pair in which exactly one file name holds `charged` changes the net charge: that edge fails, and
  the run with it.
"""

from deeporigin_mcp.simulator.catalogue.definition import Definition
from deeporigin_mcp.simulator.catalogue.shapes import (
    Schema,
    boolean,
    choice,
    inputs,
    integer,
    ligands,
    number,
    objects,
    pose,
    protein,
    text,
    vector,
)

ABFE = "deeporigin.abfe-end-to-end"
RBFE = "deeporigin.rbfe"
SYSTEM_PREP = "deeporigin.system-prep"

_PREPARATION: Schema = {
    "add_H_atoms": boolean("Add hydrogens", default=True),
    "protonate_protein": boolean("Protonate the protein", default=True),
    "retain_waters": boolean("Keep waters", default=False),
    "padding": number("Padding of the box (nm)", default=1.0, minimum=0.5, maximum=5.0),
}
_PREPARED = objects(
    {
        "binding_xml_file_path": text("Bound system", format="file"),
        "solvation_xml_ligand_file_path": text("Ligand in water", format="file"),
        "protein_id": text("Protein id"),
        "ligand1_id": text("First ligand id"),
        "ligand2_id": text("Second ligand id"),
    },
    "binding_xml_file_path",
    "solvation_xml_ligand_file_path",
)
_DEFS: Schema = {
    "md_options": objects(
        {
            "T": number("Temperature (K)", default=298.15, minimum=200, maximum=400),
            "cutoff": number("Cutoff (nm)", default=0.9, minimum=0.5, maximum=2.0),
            "dt": number("Time step (ps)", default=0.004, exclusiveMinimum=0, maximum=0.005),
        }
    ),
    "leg": objects(
        {
            "emeq_md_options": {"$ref": "#/$defs/md_options"},
            "prod_md_options": {"$ref": "#/$defs/md_options"},
            "n_windows": integer("Windows", minimum=1, maximum=96),
            "npt_reduce_restraints_ns": number("NPT equilibration (ns)", minimum=0),
            "nvt_heating_ns": number("NVT heating (ns)", minimum=0),
            "repeats": integer("Repeats", default=1, minimum=1, maximum=10),
            "replex_period_ps": number("Exchange period (ps)", exclusiveMinimum=0),
            "steps": integer("Steps per window", minimum=1),
            "test_run": integer("Short test run", default=0, minimum=0, maximum=1),
        }
    ),
    "prepared_system": _PREPARED,
    "affinity": objects(
        {"ligand_id": text("Ligand id"), "dG": number("Binding free energy (kcal/mol)")}, "ligand_id", "dG"
    ),
}
_LEGS: Schema = {
    "binding": {"$ref": "#/$defs/leg", "x-display-name": "Bound leg"},
    "solvation": {"$ref": "#/$defs/leg", "x-display-name": "Solvated leg"},
}


def _steps(names: dict[str, str], default: list[str]) -> Schema:
    return {
        "type": "array",
        "x-display-name": "Steps",
        "items": {"type": "string", "enum": list(names), "x-enum-display-names": list(names.values())},
        "minItems": 1,
        "uniqueItems": True,
        "default": default,
    }


def _abfe(version: str) -> Definition:
    return Definition(
        key=ABFE,
        version=version,
        name="Absolute binding free energy",
        description="Computes the absolute binding free energy of one pose by molecular dynamics.",
        inputs=inputs(
            {
                "steps": _steps({"system-prep": "System preparation", "abfe": "Free energy"}, ["system-prep", "abfe"]),
                "protein": protein("file_path"),
                "pose1": pose(),
                "prepared_system": {"$ref": "#/$defs/prepared_system"},
                **_PREPARATION,
                **_LEGS,
            },
            oneOf=[{"required": ["protein", "pose1"]}, {"required": ["prepared_system"]}],
            **{"$defs": _DEFS},
        ),
        sync="none",
        steps=("system-prep-task", "abfe-e2e-task"),
        gpu=True,
    )


_RBFE_STEPS = {
    "konnektor": "Network of ligands",
    "system-prep": "System preparation",
    "rbfe": "Free energy",
    "cycle-closure": "Cycle closure",
}
_RBFE = inputs(
    {
        "steps": _steps(_RBFE_STEPS, ["konnektor", "system-prep", "rbfe"]),
        "protein": protein("file_path"),
        "ligands": ligands("file_path", files=True, least=2, most=500),
        "network_type": choice("Network", {"star": "Star", "mst": "Spanning tree", "cyclic": "Cyclic"}),
        "pairs": {
            "type": "array",
            "x-display-name": "Pairs",
            "minItems": 1,
            "items": objects({"pose1": pose("From"), "pose2": pose("To")}, "pose1", "pose2"),
        },
        "prepared_systems": {
            "type": "array",
            "x-display-name": "Prepared systems",
            "minItems": 1,
            "items": {"$ref": "#/$defs/prepared_system"},
        },
        "exp_abfe": {"type": "array", "items": {"$ref": "#/$defs/affinity"}},
        "fep_abfe": {"type": "array", "items": {"$ref": "#/$defs/affinity"}},
        **_PREPARATION,
        **_LEGS,
    },
    oneOf=[{"required": ["ligands"]}, {"required": ["pairs"]}, {"required": ["prepared_systems"]}],
    **{"$defs": _DEFS},
)
_SYSTEM_PREP = inputs(
    {
        "protein": protein("file_path"),
        "pose1": pose("Pose"),
        "pose2": pose("Second pose"),
        **_PREPARATION,
        "box_size": vector("Box (nm)"),
    },
    "protein",
    "pose1",
)

DEFINITIONS = (
    _abfe("1.8.0"),
    _abfe("2.1.4"),
    Definition(
        key=RBFE,
        version="2.3.0",
        name="Relative binding free energies",
        description="Computes differences of binding free energy along a network of ligand pairs.",
        inputs=_RBFE,
        sync="none",
        steps=("konnektor", "system-prep", "rbfe", "cycle-closure"),
        gpu=True,
    ),
    Definition(
        key=SYSTEM_PREP,
        version="2.0.6",
        name="System preparation",
        description="Solvates and parametrises a complex of protein and ligand for simulation.",
        inputs=_SYSTEM_PREP,
        steps=("system-prep-task",),
    ),
)
