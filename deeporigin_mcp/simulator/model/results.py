"""What a completed run found: `jobOutputs` of served runs, and rows of the result explorer.

Values are numbers derived from the inputs by a digest: believable in size, the same on every read, and meaningless.
Shapes: platform-facts 7 (last column) and 1.16.
"""

from collections.abc import Callable, Iterator
from typing import Any

from deeporigin_mcp.simulator.model import keys
from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.simulator.model.failures import failed_ligands
from deeporigin_mcp.simulator.model.identifiers import fraction, friendly_of
from deeporigin_mcp.simulator.model.prices import pair_count
from deeporigin_mcp.simulator.model.progress import free_energy_terms
from deeporigin_mcp.simulator.model.validation import path_of

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


# Poses and pockets

POSES_PER_LIGAND = 3


def _poses(execution: str, inputs: Row) -> Iterator[Found]:
    protein = inputs.get("protein") or {}
    for ligand in working_ligands(inputs):
        name = ligand.get("id") or ligand.get("smiles")
        energy = number(-11.5, -4.5, "energy", protein.get("id"), name)
        for rank in range(POSES_PER_LIGAND):
            identifier = friendly_of("0A", execution, name, rank)
            yield (
                "pose",
                {
                    "id": identifier,
                    "ligand_id": ligand.get("id"),
                    "protein_id": protein.get("id"),
                    "pocket_id": (inputs.get("pocket") or {}).get("id"),
                    "smiles": ligand.get("smiles"),
                    "file_path": f"tool-runs/{execution}/poses/{identifier}.sdf",
                    "binding_energy": round(energy + 0.7 * rank, 3),
                    "pose_score": round(number(0.55, 0.98, "score", name) / (1 + 0.3 * rank), 4),
                    "rank": rank + 1,
                    "best_pose": rank == 0,
                    "effort": inputs.get("effort", 1),
                },
            )


def pockets(execution: str, inputs: Row) -> Iterator[Found]:
    """As many pockets as were asked for; one in the modes that define it."""
    protein = inputs.get("protein") or {}
    wanted = int(inputs.get("pocket_count") or 1) if inputs.get("mode", "auto-find") == "auto-find" else 1
    for index in range(wanted):
        identifier = friendly_of("0A", execution, "pocket", index)
        sides = [number(14, 26, identifier, axis) for axis in "xyz"]
        yield (
            "pocket",
            {
                "id": identifier,
                "protein_id": protein.get("id"),
                "file_path": f"tool-runs/{execution}/pockets/pocket_{index + 1}.pdb",
                "center": [number(-30, 30, identifier, "centre", axis) for axis in "xyz"],
                "box": {**{f"box_size_{a}": s for a, s in zip("xyz", sides, strict=True)}, "rotation_deg": [0.0] * 3},
                "volume": number(150, 900, identifier, "volume") / (index + 1),
                "total_sasa": number(200, 800, identifier, "sasa"),
                "polar_sasa": number(80, 300, identifier, "polar"),
                "drugability_score": number(0.2, 0.95, identifier, "score"),
                "pocket_count": inputs.get("pocket_count"),
                "pocket_min_size": inputs.get("pocket_min_size"),
            },
        )


# Properties

_RANGES = {
    "fraction_csp3": (0, 1),
    "logd": (-1, 5),
    "logp": (-1, 6),
    "logs": (-7, 0),
    "molecular_weight": (120, 560),
    "sa_score": (1, 6),
    "tpsa": (10, 140),
}
_REGRESSIONS = frozenset({"caco2", "clearance", "half_life", "ppb", "solubility"})


def _molprops(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    for ligand in working_ligands(inputs):
        smiles = ligand["smiles"]
        data: Row = {"ligand_id": ligand.get("id"), "smiles": smiles}
        for name in inputs["molprops"]:
            if name in _RANGES:
                data[name] = number(*_RANGES[name], name, smiles)
            else:
                data[name] = int(fraction(name, smiles) * (2 if name == "pains" else 8))
        yield "molprop", data


def _protonation(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    smiles = inputs["ligand"]["smiles"]
    major = round(60 + 39 * fraction(smiles, inputs["pH"]), 2)
    yield (
        "protonationstate",
        {
            "ligand_id": inputs["ligand"].get("id"),
            "smiles": smiles,
            "pH": inputs["pH"],
            "filter_percentage": inputs["filter_percentage"],
            "protonation_states": {
                "smiles_list": [smiles, f"{smiles}.[H+]"],
                "concentration_list": [major, round(100 - major, 2)],
            },
        },
    )


def _admet(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    failed = failed_ligands(inputs)
    for index, ligand in enumerate(ligands_of(inputs)):
        base = {"ligand_id": ligand.get("id"), "smiles": ligand["smiles"], "method": inputs["method"]}
        if index in failed:
            yield "admetfailure", {**base, "properties": inputs["properties"], "reason": failed[index]}
            continue
        values = {
            f"{name}_{'regression' if name in _REGRESSIONS else 'classification'}": number(0, 1, name, ligand["smiles"])
            for name in inputs["properties"]
        }
        yield "admetproperty", {**base, **values}


def _metabolism(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    for ligand in working_ligands(inputs):
        base = {"ligand_id": ligand.get("id"), "smiles": ligand["smiles"]}
        yield "metabolismmolecule", {**base, "max_probability": number(0.2, 0.95, "som", ligand["smiles"])}


# Free energies


def _system(execution: str, inputs: Row) -> Iterator[Found]:
    folder = f"tool-runs/{execution}/system"
    yield (
        "preparedsystem",
        {
            "protein_id": inputs["protein"].get("id"),
            "ligand1_id": inputs["pose1"].get("id"),
            "ligand2_id": (inputs.get("pose2") or {}).get("id"),
            "binding_xml_file_path": f"{folder}/binding.xml",
            "solvation_xml_ligand_file_path": f"{folder}/solvation.xml",
            "system_pdb_file_path": f"{folder}/system.pdb",
            "solute_pdb_file_path": f"{folder}/solute.pdb",
            "padding": inputs["padding"],
            "retain_waters": inputs["retain_waters"],
            "protonate_protein": inputs["protonate_protein"],
            # The platform writes a small h in results and a capital one in inputs (quirk 32).
            "add_h_atoms": inputs["add_H_atoms"],
        },
    )


def _abfe(execution: str, inputs: Row) -> Iterator[Found]:
    prepared = inputs.get("prepared_system") or {}
    terms = free_energy_terms(execution)
    yield (
        "abferesult",
        {
            "protein_id": (inputs.get("protein") or {}).get("id") or prepared.get("protein_id"),
            "ligand1_id": (inputs.get("pose1") or {}).get("id") or prepared.get("ligand1_id"),
            "dG": terms["Total"],
            "std": terms["Std"],
            "unit": "kcal/mol",
            "terms": terms,
            "overlap_file_path": f"tool-runs/{execution}/overlap.png",
        },
    )


def edges(inputs: Row) -> list[tuple[object, object]]:
    """Pairs of ligand or pose ids that a network joins."""
    if "pairs" in inputs:
        return [(pair["pose1"].get("id"), pair["pose2"].get("id")) for pair in inputs["pairs"]]
    if "prepared_systems" in inputs:
        return [(system.get("ligand1_id"), system.get("ligand2_id")) for system in inputs["prepared_systems"]]
    names = [ligand.get("id") for ligand in inputs["ligands"]]
    star = inputs.get("network_type") == "star"
    return [(names[0 if star else n], names[(n + 1) % len(names)]) for n in range(pair_count(inputs))]


def _rbfe(execution: str, inputs: Row) -> Iterator[Found]:
    for first, second in edges(inputs):
        total = number(-3, 3, execution, first, second)
        yield (
            "rbferesult",
            {
                "protein_id": (inputs.get("protein") or {}).get("id"),
                "ligand1_id": first,
                "ligand2_id": second,
                "ddG": {"total": total, "std": number(0.1, 0.6, execution, "std", first), "unit": "kcal/mol"},
            },
        )


# The rest


def _protein(execution: str, inputs: Row) -> Iterator[Found]:
    source = inputs["protein"]
    if inputs["action"] == "recommend":
        components = [
            {"id": "chain:A", "kind": "chain", "label": "Chain A", "recommendation": "keep", "reason": "protein"},
            {"id": "water:1", "kind": "water", "label": "HOH 1", "recommendation": "skip", "reason": "bulk"},
        ]
        yield "proteinrecommendation", {"protein_id": source.get("id"), "components": components}
        return
    yield (
        "preparedprotein",
        {
            "id": friendly_of("08", execution, "protein"),
            "parent_id": source.get("id"),
            "file_path": f"tool-runs/{execution}/prepared.pdb",
            "loops_modelled": inputs["model_missing_loops"],
        },
    )
    if inputs.get("find_pockets") == "novel":
        yield from pockets(execution, {**inputs, "mode": "auto-find"})


def _network(execution: str, inputs: Row) -> Iterator[Found]:
    joined = [{"ligand1_id": a, "ligand2_id": b, "score": number(0.4, 1, a, b)} for a, b in edges(inputs)]
    html = f"tool-runs/{execution}/network.html"
    network = {"edges": joined, "is_connected": True, "network": {}, "network_html_file": html}
    yield "ligandnetwork", {"ligand_network": network, "network_html": "<html><body>network</body></html>"}


def _enumeration(execution: str, inputs: Row) -> Iterator[Found]:
    smiles = inputs["ligand"]["smiles"]
    if inputs["job_type"] == "AVAILABLE_REACTIONS":
        reaction = {"reaction_id": "amide-coupling", "reaction_name": "Amide coupling", "reactant_role": "A"}
        yield "availablereaction", {**reaction, "atom_indices": [0], "smiles": smiles}
        return
    path = f"tool-runs/{execution}/enumeration.csv"
    yield "enumerationresult", {"csv_file_path": path, "cap_hit": False, "parent_smiles": smiles}


def _patent(execution: str, inputs: Row) -> Iterator[Found]:
    for index in range(3):
        path = f"tool-runs/{execution}/molecule_{index + 1}.mol"
        yield (
            "patentmolecule",
            {"smiles": "C" * (index + 2), "file_path": path, "source": path_of(inputs["input_file"])},
        )


def _report(execution: str, inputs: Row) -> Iterator[Found]:
    source = inputs.get("pdb_id") or (inputs.get("protein") or {}).get("id")
    path = f"tool-runs/{execution}/report.json"
    yield "structurereport", {"source": source, "resolution": number(1.2, 3.2, "res", source), "file_path": path}


def _candidates(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    accession = inputs["uniprot_accession"]
    for index in range(2):
        resolution = number(1.4, 3.5, accession, index)
        yield "structurecandidate", {"uniprot_accession": accession, "rank": index + 1, "resolution": resolution}


def _panel(execution: str, inputs: Row) -> Iterator[Found]:
    targets = inputs.get("uniprots") or ["P35372", "Q12809"]
    for ligand in working_ligands(inputs):
        for target in targets:
            base = {"ligand_id": ligand.get("id"), "smiles": ligand.get("smiles"), "uniprot": target}
            if "ligand-ml" in inputs["methods"]:
                yield "ligandmlprediction", {**base, "probability": number(0, 1, target, ligand.get("smiles"))}
            if "docking" in inputs["methods"]:
                pose = friendly_of("0A", execution, target, ligand.get("smiles"))
                yield "panelpose", {**base, "id": pose, "binding_energy": number(-10, -3, target, pose)}


def _imported(execution: str, inputs: Row) -> Iterator[Found]:
    yield "importedligand", {"id": friendly_of("08", execution), "source": inputs["file_path"], "created": True}


_FINDERS: dict[str, Finder] = {
    keys.DOCKING: _poses,
    keys.CONSTRAINED_DOCKING: _poses,
    keys.POCKET_FINDER: pockets,
    keys.MOLPROPS: _molprops,
    keys.PROTONATION: _protonation,
    keys.ADMET: _admet,
    keys.METABOLISM: _metabolism,
    keys.SYSTEM_PREP: _system,
    keys.ABFE: _abfe,
    keys.RBFE: _rbfe,
    keys.PROTEIN_PREP: _protein,
    keys.KONNEKTOR: _network,
    keys.ENUMERATOR: _enumeration,
    keys.DRACO: _patent,
    keys.STRUCTURE_REPORT: _report,
    keys.UNIPROT_DISCOVERY: _candidates,
    keys.SECONDARY_PHARMA: _panel,
    keys.IMPORT_DATASET: _imported,
}

_OUTPUTS: dict[str, dict[str, str]] = {
    keys.DOCKING: {"poses": "pose"},
    keys.CONSTRAINED_DOCKING: {"poses": "pose"},
    keys.POCKET_FINDER: {"pockets": "pocket"},
    keys.MOLPROPS: {"molprops": "molprop"},
    keys.ADMET: {"admet_properties": "admetproperty", "admet_failures": "admetfailure"},
    keys.METABOLISM: {"molecules": "metabolismmolecule", "sites": ""},
    keys.ENUMERATOR: {"available_reactions": "availablereaction", "enumeration_results": "enumerationresult"},
    keys.STRUCTURE_REPORT: {"structure_reports": "structurereport"},
    keys.UNIPROT_DISCOVERY: {"candidates": "structurecandidate"},
    keys.SECONDARY_PHARMA: {"ligand_ml_predictions": "ligandmlprediction", "panel_poses": "panelpose"},
    keys.IMPORT_DATASET: {"ligands": "importedligand", "proteins": "", "poses": ""},
}
"""Lists in `jobOutputs` and the result types that they hold, of the tools whose outputs are nothing else."""


def findings(definition: Definition, execution: str, inputs: Row) -> list[Found]:
    """Every result of a completed run, in order."""
    finder = _FINDERS.get(definition.key)
    return list(finder(execution, inputs)) if finder else []


def job_outputs(definition: Definition, execution: str, inputs: Row) -> Row | list[Row]:
    """`jobOutputs` of a served run: an object, or a list of one for protonation (quirk 13)."""
    found = findings(definition, execution, inputs)

    def rows(kind: str) -> list[Row]:
        return [data for name, data in found if name == kind]

    match definition.key:
        case keys.PROTONATION:
            return [found[0][1]]
        case keys.KONNEKTOR:
            return found[0][1]
        case keys.SYSTEM_PREP:
            return {"system": found[0][1]}
        case keys.PROTEIN_PREP:
            prepared = rows("preparedprotein")
            return {"protein": prepared[0], "pockets": rows("pocket")} if prepared else {"recommendation": found[0][1]}
        case key:
            return {name: rows(kind) for name, kind in _OUTPUTS.get(key, {}).items()}
