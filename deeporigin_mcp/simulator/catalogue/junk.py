"""Rows that a careful client has to survive: test tools, missing fields, duplicates (quirk 16)."""

from deeporigin_mcp.simulator.catalogue.definition import Definition
from deeporigin_mcp.simulator.catalogue.shapes import inputs, text, vector

BULK_DOCKING = "deeporigin.bulk-docking"
HELLO_TEST = "acme.hello-test"

_LEGACY = inputs(
    {
        # Without a type, as some definitions of 2025 have it.
        "protein": {"format": "file", "x-deeporigin-path": "/inputs/protein.pdb"},
        "pocket_center": vector("Pocket centre"),
        "box_size": vector("Box"),
        "smiles_list": {"type": "array", "items": {"type": "string"}},
    },
    "protein",
    "smiles_list",
)
_HELLO = Definition(
    HELLO_TEST,
    "0.0.1",
    None,
    None,
    inputs({"message": text("Message"), "times": {"type": "integer", "default": 1}, "opt": {"type": "string"}}),
    sync="none",
    steps=("greet",),
    manifest="",
)

DEFINITIONS = (
    Definition(
        BULK_DOCKING,
        "0.4.2",
        "Bulk docking",
        "Superseded by docking.",
        _LEGACY,
        sync="none",
        steps=("dock",),
        enabled=False,
        manifest="1.0.0",
    ),
    _HELLO,
    _HELLO,  # the platform lists some (key, version) pairs twice
    Definition("test-tool", "1.0.0-test", None, None, {}, sync="none", manifest="1"),
)
