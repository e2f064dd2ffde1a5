"""Keys of the tools for which the simulator computes something of their own; every tool is in `catalogue.json`."""

DOCKING = "deeporigin.docking"
CONSTRAINED_DOCKING = "deeporigin.constrained-docking"
POCKET_FINDER = "deeporigin.pocket-finder"

MOLPROPS = "deeporigin.mol-props-combined"
PROTONATION = "deeporigin.mol-props-protonation"
ADMET = "deeporigin.admet-properties"
METABOLISM = "deeporigin.metabolism"

SYSTEM_PREP = "deeporigin.system-prep"
ABFE = "deeporigin.abfe-end-to-end"
RBFE = "deeporigin.rbfe"

PROTEIN_PREP = "deeporigin.protein-prep"
KONNEKTOR = "deeporigin.konnektor"
ENUMERATOR = "deeporigin.enumerator"
DRACO = "deeporigin.draco"
STRUCTURE_REPORT = "deeporigin.structure-report"
UNIPROT_DISCOVERY = "deeporigin.uniprot-discovery"
SECONDARY_PHARMA = "deeporigin.secondary-pharma"
IMPORT_DATASET = "deeporigin.import-dataset"
