"""What a completed run found: `jobOutputs` of served runs, and rows of the result explorer.

Values are numbers derived from the inputs by a digest: believable in size, the same on every read, and meaningless.
Shapes: platform-facts 7 (last column) and 1.16.
"""

from deeporigin_mcp.simulator.catalogue import Definition, design, free_energy, properties, structure
from deeporigin_mcp.simulator.findings import designs, energies, poses, predictions
from deeporigin_mcp.simulator.findings.rows import Finder, Found, Row

__all__ = ["Found", "findings", "job_outputs"]

_FINDERS: dict[str, Finder] = {
    **poses.FINDERS,
    **predictions.FINDERS,
    **energies.FINDERS,
    **designs.FINDERS,
}


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
        case structure.DOCKING | structure.CONSTRAINED_DOCKING:
            return {"poses": rows("pose")}
        case structure.POCKET_FINDER:
            return {"pockets": rows("pocket")}
        case properties.MOLPROPS:
            return {"molprops": rows("molprop")}
        case properties.PROTONATION:
            return [found[0][1]]
        case design.KONNEKTOR:
            return found[0][1]
        case properties.ADMET:
            return {"admet_properties": rows("admetproperty"), "admet_failures": rows("admetfailure")}
        case properties.METABOLISM:
            return {"molecules": rows("metabolismmolecule"), "sites": []}
        case free_energy.SYSTEM_PREP:
            return {"system": rows("preparedsystem")[0]}
        case design.PROTEIN_PREP:
            prepared, advice = rows("preparedprotein"), rows("proteinrecommendation")
            return {"protein": prepared[0], "pockets": rows("pocket")} if prepared else {"recommendation": advice[0]}
        case design.ENUMERATOR:
            reactions = rows("availablereaction")
            return {"available_reactions": reactions, "enumeration_results": rows("enumerationresult")}
        case design.STRUCTURE_REPORT:
            return {"structure_reports": rows("structurereport")}
        case design.UNIPROT_DISCOVERY:
            return {"candidates": rows("structurecandidate")}
        case design.SECONDARY_PHARMA:
            return {"ligand_ml_predictions": rows("ligandmlprediction"), "panel_poses": rows("panelpose")}
        case design.IMPORT_DATASET:
            return {"ligands": rows("importedligand"), "proteins": [], "poses": []}
        case _:
            return {}
