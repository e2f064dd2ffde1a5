"""Prepared proteins, networks, enumerations, patents, reports, panels and imports."""

from collections.abc import Iterator

from deeporigin_mcp.simulator.catalogue import design
from deeporigin_mcp.simulator.catalogue.shapes import path_of
from deeporigin_mcp.simulator.findings.energies import edges
from deeporigin_mcp.simulator.findings.poses import pockets
from deeporigin_mcp.simulator.findings.rows import Finder, Found, Row, number, working_ligands
from deeporigin_mcp.simulator.identifiers import friendly_of


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


FINDERS: dict[str, Finder] = {
    design.PROTEIN_PREP: _protein,
    design.KONNEKTOR: _network,
    design.ENUMERATOR: _enumeration,
    design.DRACO: _patent,
    design.STRUCTURE_REPORT: _report,
    design.UNIPROT_DISCOVERY: _candidates,
    design.SECONDARY_PHARMA: _panel,
    design.IMPORT_DATASET: _imported,
}
