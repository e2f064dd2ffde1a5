"""The calls that are disturbed here, and their requests."""

from __future__ import annotations

from typing import Any

from tests.faults.proxy import Place

PROJECT = "09DEMAKNASE01"
DOCKING_INPUTS: dict[str, Any] = {
    "protein": {"file_path": "entities/proteins/toy.pdb"},
    "pocket": {"center": [1, 2, 3], "box_size_x": 20, "box_size_y": 20, "box_size_z": 20},
    "ligands": [{"smiles": "CCO"}],
}
CREATION: dict[str, Any] = {
    "tool_key": "deeporigin.docking",
    "inputs": DOCKING_INPUTS,
    "idempotency_key": "the same",
}

LIST = "GET /tools/deeporigin/tools/executions?"
READ = "GET /tools/deeporigin/tools/executions/"
CREATE = "POST /tools/deeporigin/tools/deeporigin.docking"
CONFIRM = ":confirm"

OF_A_CREATION = {
    "the tool": Place("GET /tools/protected/tools/deeporigin.docking/latest"),
    "the file": Place("HEAD /files/deeporigin/"),
    "the key": Place(LIST),
    "the cluster": Place("GET /tools/deeporigin/clusters"),
    "the creation": Place(CREATE),
}
"""The requests of a creation with a key, in order."""
OF_A_CONFIRMATION = {
    # Nobody is waited for, so it is read once only.
    "the quote": Place(READ),
    "earlier failures": Place(LIST),
    "what is spent": Place(LIST, nth=2),
    "the confirmation": Place(CONFIRM),
    "the state": Place(READ, nth=2),
}
"""The requests of a confirmation within a budget, in order."""
OF_A_CREATION_WITH_A_START = {
    **OF_A_CREATION,
    "earlier failures": Place(LIST, nth=2),
    # There is no question to ask, so the quote is read once only.
    "the quote": Place(READ),
    "what is spent": Place(LIST, nth=3),
    "the confirmation": Place(CONFIRM),
    "the state": Place(READ, nth=2),
}
IMPORT: dict[str, Any] = {"kind": "ligands", "smiles": ["FCCCl", "CC(C)CCF"]}
OF_AN_IMPORT = {
    "the file": Place("PUT /files/deeporigin/imports/staging/"),
    "the import": Place("POST /tools/deeporigin/tools/deeporigin.import-dataset"),
    "its rows": Place("POST /data-platform/deeporigin/ligands/search"),
}
"""The requests of an import that change or show something, in order."""


def places(requests: list[str], known: dict[str, Place]) -> list[str]:
    """The names of requests, in order; what has no name stands for itself."""
    return [
        next((name for name, place in known.items() if place.is_last_of(requests[: index + 1])), request)
        for index, request in enumerate(requests)
    ]
