"""Create bodies in the shapes that the official tool classes send (platform-facts 7.1), with values of our own."""

from typing import Any

Body = dict[str, Any]

PROTEIN = {"id": "08G0LDENPR001", "file_path": "entities/proteins/golden.pdb"}
FIRST = {"id": "08G0LDENLG001", "smiles": "c1ccncc1"}
SECOND = {"id": "08G0LDENLG002", "smiles": "CC(C)O"}
POSE = {"id": "0AG0LDENP0001", "file_path": "entities/poses/golden.sdf"}
OTHER_POSE = {"id": "0AG0LDENP0002", "file_path": "entities/poses/silver.sdf"}
POCKET = {
    "box_size_x": 16.0,
    "box_size_y": 18.0,
    "box_size_z": 15.0,
    "center": [7.5, -3.0, 0.25],
    "id": "0AG0LDENPK001",
}
PREPARED = {
    "binding_xml_file_path": "systems/bound.xml",
    "solvation_xml_ligand_file_path": "systems/free.xml",
    "protein_id": "08G0LDENPR001",
    "ligand1_id": "08G0LDENLG001",
}
PREPARATION = {"add_H_atoms": False, "protonate_protein": False, "retain_waters": True, "padding": 1.2}
FILES = {"protein_file": "golden.pdb", "protein_hash": ""}
SELECTION = {
    "source_sha256": "0f" * 32,
    "analyzer_version": "2.0.0",
    "decisions": {"chain:B": "keep", "water:7": "skip"},
}
MD = {"T": 298.15, "cutoff": 0.9, "dt": 0.004}


def leg(windows: int, steps: int) -> Body:
    """A leg of a free-energy calculation."""
    return {
        "emeq_md_options": MD,
        "prod_md_options": MD,
        "n_windows": windows,
        "npt_reduce_restraints_ns": 0.5,
        "nvt_heating_ns": 0.25,
        "repeats": 1,
        "replex_period_ps": 2.5,
        "steps": steps,
        "test_run": 0,
    }


LEGS = {"binding": leg(48, 1_000_000), "solvation": leg(32, 400_000)}
RBFE_LEGS = {"binding": leg(24, 1_000_000), "solvation": leg(24, 400_000)}


def body(inputs: Body, **top: Any) -> Body:
    """A body with the parts that every call has."""
    return {"inputs": inputs, "outputs": {}, **top}


GOLDEN: list[tuple[str, str, str, Body]] = [
    (
        "docking one ligand, quote",
        "deeporigin.docking",
        "4",
        body(
            {"effort": 1, "pocket": POCKET, "protein": PROTEIN, "ligands": [FIRST], "sync": True},
            metadata=FILES,
            name="Docking golden",
            approveAmount=-1,
            batchSize=16,
        ),
    ),
    (
        "docking two ligands, capped",
        "deeporigin.docking",
        "4",
        body(
            {"effort": 3, "pocket": POCKET, "protein": PROTEIN, "ligands": [FIRST, SECOND], "sync": False},
            metadata=FILES,
            name="capped",
            approveAmount=5,
            batchSize=4,
        ),
    ),
    (
        "docking from a file",
        "deeporigin.docking",
        "4",
        body(
            {
                "effort": 1,
                "pocket": POCKET,
                "protein": PROTEIN,
                "ligands_file": "lists/ligands.json",
                "ligands_count": 240,
                "sync": False,
            },
            metadata=FILES,
        ),
    ),
    (
        "pockets, automatic",
        "deeporigin.pocket-finder",
        "3",
        body(
            {"protein": PROTEIN, "mode": "auto-find", "sync": True, "pocket_count": 2, "pocket_min_size": 25},
            metadata={},
            approveAmount=-1,
        ),
    ),
    (
        "pockets, around the crystal ligand",
        "deeporigin.pocket-finder",
        "3",
        body(
            {
                "protein": PROTEIN,
                "mode": "from-crystal-ligand",
                "sync": True,
                "crystal_ligand": {"ligand_id": "XYZ"},
                "box_geometry": "ligand-extents",
                "box_padding": 3.5,
            },
            metadata={},
            approveAmount=-1,
        ),
    ),
    (
        "pockets, by selection",
        "deeporigin.pocket-finder",
        "3",
        body(
            {
                "protein": PROTEIN,
                "mode": "define-by-selection",
                "sync": False,
                "selections": [{"chain": "A", "residues": [10, 11]}],
                "pocket_radius": 8.0,
                "align_to_pocket": True,
            },
            metadata={},
        ),
    ),
    (
        "properties, quote",
        "deeporigin.mol-props-combined",
        "2",
        body({"ligands": [FIRST, SECOND], "molprops": ["logp", "tpsa"]}, metadata={}, sync=False, approveAmount=-1),
    ),
    (
        "properties, run",
        "deeporigin.mol-props-combined",
        "2",
        body({"ligands": [FIRST, SECOND], "molprops": ["fraction_csp3", "pains"]}, metadata={}, sync=True),
    ),
    (
        "protonation",
        "deeporigin.mol-props-protonation",
        "latest",
        body({"ligand": FIRST, "pH": 6.5, "filter_percentage": 2.0}, metadata={}, sync=True),
    ),
    (
        "protonation of a bare SMILES, quote",
        "deeporigin.mol-props-protonation",
        "latest",
        body({"ligand": {"smiles": "CCN"}, "pH": 7.4, "filter_percentage": 1.0}, sync=True, approveAmount=-1),
    ),
    (
        "absolute free energy",
        "deeporigin.abfe-end-to-end",
        "2",
        body(
            {"steps": ["system-prep", "abfe"], "protein": PROTEIN, "pose1": POSE, **PREPARATION, **LEGS},
            approveAmount=-1,
            name="golden abfe",
        ),
    ),
    (
        "absolute free energy of a prepared system",
        "deeporigin.abfe-end-to-end",
        "2",
        body({"steps": ["abfe"], "prepared_system": PREPARED, **LEGS}),
    ),
    (
        "relative free energies of ligands",
        "deeporigin.rbfe",
        "2",
        body(
            {
                "steps": ["konnektor", "system-prep", "rbfe"],
                "ligands": [{"id": "08A", "file_path": "a.sdf"}, {"id": "08B", "file_path": "b.sdf"}],
                "network_type": "cyclic",
                "protein": PROTEIN,
                **PREPARATION,
                **RBFE_LEGS,
            },
            approveAmount=-1,
        ),
    ),
    (
        "relative free energies of pairs",
        "deeporigin.rbfe",
        "2",
        body(
            {
                "steps": ["system-prep", "rbfe", "cycle-closure"],
                "protein": PROTEIN,
                "pairs": [{"pose1": POSE, "pose2": OTHER_POSE}],
                **PREPARATION,
                **RBFE_LEGS,
                "exp_abfe": [{"ligand_id": "08A", "dG": -8.4}],
            },
            name="pairs",
        ),
    ),
    (
        "relative free energies of prepared systems, capped",
        "deeporigin.rbfe",
        "2",
        body(
            {"steps": ["rbfe"], "prepared_systems": [{**PREPARED, "ligand2_id": "08B"}], **RBFE_LEGS},
            approveAmount=60,
        ),
    ),
    (
        "system preparation",
        "deeporigin.system-prep",
        "2",
        body(
            {"protein": PROTEIN, "pose1": POSE, **PREPARATION, "box_size": [7.0, 7.0, 9.0], "pose2": OTHER_POSE},
            metadata={},
            sync=True,
            approveAmount=-1,
        ),
    ),
    (
        "protein preparation",
        "deeporigin.protein-prep",
        "11",
        body(
            {
                "action": "prepare",
                "protein": PROTEIN,
                "selection": SELECTION,
                "model_missing_loops": True,
                "pdb_id": "9xyz",
                "find_pockets": "novel",
                "pocket_count": 1,
                "pocket_min_size": 35.0,
            },
            metadata={},
            sync=False,
            approveAmount=-1,
            name="Preparing golden",
        ),
    ),
    (
        "protein recommendation",
        "deeporigin.protein-prep",
        "11",
        body({"action": "recommend", "protein": PROTEIN}, metadata={}, sync=True),
    ),
    (
        "ADMET",
        "deeporigin.admet-properties",
        "2",
        body({"properties": ["herg", "ames"], "ligands": [FIRST]}, metadata={}, sync=True, approveAmount=-1),
    ),
    (
        "ADMET of a project",
        "deeporigin.admet-properties",
        "2",
        body(
            {"method": "maplight", "properties": ["caco2"], "batchSize": 60, "project": {"id": "09A"}},
            metadata={},
            sync=False,
        ),
    ),
    (
        "network",
        "deeporigin.konnektor",
        "latest",
        body(
            {"ligands": [{"file_path": "a.sdf", **FIRST}, {"file_path": "b.sdf", **SECOND}], "network_type": "star"},
            metadata={},
            sync=False,
            name="golden network",
            approveAmount=-1,
        ),
    ),
    (
        "enumeration of scaffolds",
        "deeporigin.enumerator",
        "latest",
        body(
            {"ligand": FIRST, "job_type": "SCAFFOLD", "replace_ix": [2], "radius": 2, "max_fragment_size": 8},
            metadata={},
            sync=True,
        ),
    ),
    (
        "enumeration by reaction",
        "deeporigin.enumerator",
        "latest",
        body(
            {
                "ligand": FIRST,
                "job_type": "REACTION",
                "reaction_sites": [{"reaction_id": "r9", "reactant_role": "B", "atom_indices": [3]}],
            },
            metadata={},
            sync=True,
        ),
    ),
    (
        "available reactions",
        "deeporigin.enumerator",
        "latest",
        body({"ligand": FIRST, "job_type": "AVAILABLE_REACTIONS"}, metadata={}, sync=True),
    ),
    (
        "patent",
        "deeporigin.draco",
        "latest",
        body({"input_file": {"$provider": "ufa", "key": "patent/golden.pdf"}}, approveAmount=-1),
    ),
    (
        "metabolism",
        "deeporigin.metabolism",
        "latest",
        body({"ligands": [FIRST], "force": True}, metadata={}, sync=True, name="Sites"),
    ),
    (
        "structure report",
        "deeporigin.structure-report",
        "latest",
        body({"pdb_id": "9XYZ"}, metadata={}, sync=False, approveAmount=-1),
    ),
    (
        "UniProt discovery",
        "deeporigin.uniprot-discovery",
        "latest",
        body({"uniprot_accession": "Q9Y6K9"}, metadata={}, sync=False, approveAmount=-1),
    ),
    (
        "secondary pharmacology",
        "deeporigin.secondary-pharma",
        "3",
        body(
            {"methods": ["docking"], "effort": 1, "self_test": False, "ligands": [FIRST], "uniprots": ["Q9Y6K9"]},
            metadata={},
            sync=False,
            batchSize=30,
            approveAmount=-1,
        ),
    ),
    (
        "constrained docking",
        "deeporigin.constrained-docking",
        "3",
        body(
            {
                "effort": 1,
                "pocket": POCKET,
                "protein": PROTEIN,
                "reference": {"ligand": {"file_path": "a.sdf", **FIRST}, "pose": {"file_path": "poses/ref.sdf"}},
                "ligands": [SECOND],
                "constraint_energy": 4.0,
                "mcs_smarts": "CO",
                "sync": True,
            },
            metadata=FILES,
            batchSize=8,
            approveAmount=-1,
        ),
    ),
    (
        "import",
        "deeporigin.import-dataset",
        "3",
        body({"process_csv": True, "file_path": "imports/list.csv"}, metadata={}, sync=True, visibility="hidden"),
    ),
]
"""(name, tool key, version selector, body without projectId, clusterId, app and session)."""
