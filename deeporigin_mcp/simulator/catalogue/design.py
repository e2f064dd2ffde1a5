"""Protein preparation, ligand networks, enumeration, patents, structure reports and panels.

Failures: protein preparation is `Failed` when its selection skips every component; the enumerator is
`Failed` on an unreadable SMILES; a patent whose file name holds `scanned` has no text and is `Failed`.
"""

from deeporigin_mcp.simulator.catalogue.definition import Definition
from deeporigin_mcp.simulator.catalogue.shapes import (
    LIGAND_FILE,
    boolean,
    choice,
    file,
    inputs,
    integer,
    ligand,
    ligand_source,
    ligands,
    number,
    objects,
    protein,
    text,
)

PROTEIN_PREP = "deeporigin.protein-prep"
KONNEKTOR = "deeporigin.konnektor"
ENUMERATOR = "deeporigin.enumerator"
DRACO = "deeporigin.draco"
STRUCTURE_REPORT = "deeporigin.structure-report"
UNIPROT_DISCOVERY = "deeporigin.uniprot-discovery"
SECONDARY_PHARMA = "deeporigin.secondary-pharma"
IMPORT_DATASET = "deeporigin.import-dataset"


def _when(name: str, value: str, *required: str) -> dict[str, object]:
    return {
        "if": {"properties": {name: {"const": value}}, "required": [name]},
        "then": {"required": list(required)},
    }


_PROTEIN_PREP = inputs(
    {
        "action": choice("Action", {"recommend": "Recommend", "prepare": "Prepare"}),
        "protein": protein("file_path"),
        "selection": objects(
            {
                "source_sha256": text("Digest of the structure", pattern="^[0-9a-f]{64}$"),
                "analyzer_version": text("Analyzer version"),
                "decisions": {
                    "type": "object",
                    "x-display-name": "Decision per component",
                    "additionalProperties": {"enum": ["keep", "skip", "extract"]},
                },
            },
            "source_sha256",
            "decisions",
        ),
        "model_missing_loops": boolean("Model missing loops", default=True),
        "pdb_id": text("PDB id", pattern="^[A-Za-z0-9]{4}$"),
        "find_pockets": choice(
            "Pockets", {"no": "None", "novel": "Find", "from-crystal-ligand": "Around the crystal ligand"}
        ),
        "pocket_count": integer("Number of pockets", minimum=1, maximum=20),
        "pocket_min_size": number("Smallest pocket (cubic angstrom)", exclusiveMinimum=0),
        "crystal_ligand": objects({"ligand_id": text("Residue name"), "file_path": text("File")}),
    },
    "action",
    "protein",
    allOf=[_when("action", "prepare", "selection"), _when("find_pockets", "from-crystal-ligand", "crystal_ligand")],
)
_ENUMERATOR = inputs(
    {
        "ligand": ligand("smiles"),
        "job_type": choice(
            "Kind",
            {
                "SCAFFOLD": "Replace the scaffold",
                "ANALOGUE": "Replace a substituent",
                "AVAILABLE_REACTIONS": "List reactions",
                "REACTION": "React with building blocks",
            },
        ),
        "replace_ix": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
        "radius": integer("Environment radius (bonds)", minimum=1, maximum=5),
        "max_fragment_size": integer("Largest fragment (heavy atoms)", minimum=1, maximum=15),
        "reaction_sites": {
            "type": "array",
            "maxItems": 16,
            "items": objects(
                {
                    "reaction_id": text("Reaction"),
                    "reactant_role": text("Role"),
                    "atom_indices": {"type": "array", "items": {"type": "integer"}},
                },
                "reaction_id",
            ),
        },
    },
    "ligand",
    "job_type",
    allOf=[
        _when("job_type", "SCAFFOLD", "replace_ix"),
        _when("job_type", "ANALOGUE", "replace_ix"),
        _when("job_type", "REACTION", "reaction_sites"),
    ],
    additionalProperties=False,
)
_KONNEKTOR = inputs(
    {
        "ligands": ligands(files=True, least=2, most=500),
        "network_type": choice("Network", {"star": "Star", "mst": "Spanning tree", "cyclic": "Cyclic"}, default="mst"),
    },
    "ligands",
)
_SECONDARY_PHARMA = inputs(
    {
        "methods": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "enum": ["docking", "ligand-ml"]},
        },
        "effort": integer("Effort", default=1, minimum=1, maximum=5),
        "self_test": boolean("Self test", default=False),
        "ligands": ligands("smiles"),
        "uniprots": {"type": "array", "items": {"type": "string"}},
        **LIGAND_FILE,
    },
    "methods",
    oneOf=ligand_source(),
)
_IMPORT_DATASET = inputs(
    {
        "process_csv": boolean("Read CSV"),
        "process_sdf": boolean("Read SDF"),
        "process_pdb": boolean("Read PDB"),
        "file_path": text("File", format="file"),
    },
    "file_path",
)
_DRACO = inputs(
    {
        "input_file": file("Patent", "/inputs/input_file.pdf", pattern=r".*\.pdf$"),
    },
    "input_file",
)


def _enumerator(version: str) -> Definition:
    return Definition(ENUMERATOR, version, "Enumerator", "Enumerates analogues of a molecule.", _ENUMERATOR)


DEFINITIONS = (
    Definition(
        PROTEIN_PREP,
        "11.0.2",
        "Protein preparation",
        "Cleans a structure: components, missing loops, protonation, pockets.",
        _PROTEIN_PREP,
        steps=("prepare", "model-loops", "find-pockets"),
    ),
    Definition(KONNEKTOR, "1.2.0", "Konnektor", "Plans a network of ligand pairs.", _KONNEKTOR),
    _enumerator("1.0.0"),
    _enumerator("1.1.0"),
    Definition(
        DRACO,
        "1.4.1",
        "Patent extraction",
        "Extracts the molecules of a patent.",
        _DRACO,
        sync="none",
        steps=("read-pages", "extract-molecules"),
    ),
    Definition(
        STRUCTURE_REPORT,
        "1.0.0",
        "Structure report",
        "Assesses the quality of a structure.",
        inputs(
            {"protein": protein("file_path"), "pdb_id": text("PDB id", pattern="^[A-Z0-9]{4}$")},
            anyOf=[{"required": ["protein"]}, {"required": ["pdb_id"]}],
        ),
    ),
    Definition(
        UNIPROT_DISCOVERY,
        "1.0.1",
        "UniProt discovery",
        "Finds structures of a UniProt entry.",
        inputs({"uniprot_accession": text("Accession", minLength=6)}, "uniprot_accession"),
    ),
    Definition(
        SECONDARY_PHARMA,
        "3.0.0",
        "Secondary pharmacology",
        "Screens molecules against a panel of safety targets.",
        _SECONDARY_PHARMA,
        steps=("screen",),
        gpu=True,
    ),
    Definition(
        IMPORT_DATASET,
        "3.1.0",
        "Dataset import",
        "Registers molecules of a file.",
        _IMPORT_DATASET,
        steps=("import",),
    ),
)
