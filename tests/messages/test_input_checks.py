"""What is said of files, ids and molecules in a run's inputs before it gets a price."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeporigin_mcp.tools.catalogue import ligands
from deeporigin_mcp.tools.executions import input_checks
from deeporigin_mcp.tools.molecules import chemistry
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import PROTEIN, Bench, docking

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

RBFE = {
    "tool_key": "deeporigin.rbfe",
    "inputs": {
        "pairs": [{"pose1": {"file_path": f"poses/lead{n}.sdf"}, "pose2": {"file_path": "no/b.sdf"}} for n in (1, 2)]
    },
}


def on(path: str) -> dict[str, Any]:
    return docking(protein={"file_path": path})


def of_list(count: int, path: str = "docking/ligand-lists/one.json") -> dict[str, Any]:
    given = docking(ligands_file=path, ligands_count=count)
    del given["inputs"]["ligands"]
    return given


async def test_messages_about_what_inputs_refer_to(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.platform.add_file(
        "docking/ligand-lists/one.json", json.dumps([{"smiles": "CCO"}, {"smiles": "CC(C"}]).encode()
    )
    said: dict[str, str] = {}

    async def refused(case: str, given: dict[str, Any], **settings: Any) -> None:
        async with bench.agent(**settings) as agent:
            said[case] = await agent.refused("create_execution", **given)

    async def told(case: str, given: dict[str, Any]) -> None:
        async with bench.agent() as agent:
            said[case] = "\n".join((await agent.read("create_execution", **given))["input_warnings"])

    await refused("no such file", on("entities/proteins/nothing.pdb"))
    await refused("no such file twice", RBFE)
    await refused("no such list file", of_list(3, "docking/ligand-lists/two.json"))
    await refused("a file of a computer", on("~/work/hbx2 model.pdb"))
    await refused("a list file of a computer", of_list(3, "C:\\list.json"))
    await refused("an impossible path", on("entities/../x.pdb"))
    await refused("no such file, without tools for molecules", on("nothing.pdb"), toolsets=("executions",))
    await refused("no such file beside other problems", docking(protein={"file_path": "nothing.pdb"}, effort=9))
    await refused("another number of rows", of_list(3))
    await refused("molecules", docking("CCO", "CN(C)(C)(C)C", "c1cccc1", "C[Pt]"))
    proteins = ({**PROTEIN, "id": "08NEW"}, {**PROTEIN, "file_path": "entities/proteins/brd4.pdb"})
    await told("an unknown protein", docking(protein=proteins[0]))
    await told("another file than the protein's", docking(protein=proteins[1]))
    await told("unknown ligands", docking(ligands=[{"id": f"08NEW{n}", "smiles": "C" * n} for n in range(1, 8)]))
    await told("molecules that may work", docking("CC(=O)[O-].[Na+]", "CCN.CCO", "C" * 1_001, "CCO", "OCC"))
    metal = {"tool_key": "deeporigin.mol-props-combined", "inputs": {"ligands": [{"smiles": "C[Pt]"}]}}
    await told("an element that may work", metal)
    monkeypatch.setattr(input_checks, "MAX_FILES", 1)
    monkeypatch.setattr(ligands, "MAX_CHECKED", 1)
    pair = {"pose1": {"file_path": "poses/lead1.sdf"}, "pose2": {"file_path": "poses/lead2.sdf"}}
    await told("more files than are looked up", {"tool_key": "deeporigin.rbfe", "inputs": {"pairs": [pair]}})
    await told("more ligands than are read", docking("CCO", "CCN"))
    monkeypatch.setattr(chemistry, "_rdkit", lambda: None)
    await told("without RDKit", docking())
    assert_as_agreed("input_checks", said)
