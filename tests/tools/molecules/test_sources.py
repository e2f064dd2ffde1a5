"""Where molecules come from: addresses, files of the platform, the text of a call; what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.bench import Agent, Bench
from tests.support.imports import HITS, PDB, TOOL, content, ids, rows, sdf

pytestmark = pytest.mark.anyio


async def test_a_public_address_is_fetched_by_the_platform(agent: Agent, bench: Bench) -> None:
    bench.platform.web = {
        "https://data.example.org/models/a%20b.pdb?v=2": PDB,
        "https://data.example.org/hits.csv": b"smiles,name\nCCNC(C)=O,amide\n",
    }
    found = await agent.read(TOOL, kind="protein", url="https://data.example.org/models/a%20b.pdb?v=2")
    assert rows(bench, "proteins")[found["as_input"]["id"]]["protein_name"] == "a b"
    found = await agent.read(TOOL, kind="ligands", url="https://data.example.org/hits.csv")
    assert rows(bench)[ids(found)[0]]["name"] == "amide"


async def test_a_file_that_was_uploaded_before_is_imported_by_its_path(agent: Agent, bench: Bench) -> None:
    bench.platform.add_file("uploads/hits.sdf", sdf(*HITS))
    found = await agent.read(TOOL, kind="ligands", url="uploads/hits.sdf")
    assert found["imported"] == 3
    assert content(bench, "uploads/hits.sdf") == sdf(*HITS)
    again = await agent.read(TOOL, kind="ligands", url="/uploads/hits.sdf")
    assert again["as_input"] == found["as_input"]
    assert (await agent.error(TOOL, kind="ligands", url="uploads/none.sdf"))[0] == "file_not_found"


@pytest.mark.parametrize(
    "url",
    [
        "http://data.example.org/a.pdb",
        "https://localhost/a.pdb",
        "https://127.4.5.6/a.pdb",
        "https://[::1]/a.pdb",
        "https://2130706433/a.pdb",
        "https://0x7f000001/a.pdb",
        "https://0x7f.1/a.pdb",
        "https://127.1/a.pdb",
        "https://10.0.0.7/a.pdb",
        "https://169.254.169.254/latest/a.pdb",
        "https://metadata.google.internal/a.pdb",
        "https://intranet/a.pdb",
        "https://localhost./a.pdb",
        "https://user@data.example.org/a.pdb",
        "https://data.example.org:8443/a.pdb",
        "https://data.example.org:x/a.pdb",
        "file:///etc/passwd.pdb",
        "data://example.org/a.pdb",
    ],
)
async def test_what_is_not_a_public_https_address_never_reaches_the_platform(
    agent: Agent, bench: Bench, url: str
) -> None:
    assert await agent.error(TOOL, kind="protein", url=url) == ("invalid_url", "nothing_changed")
    assert not bench.sent("POST")


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "protein"},
        {"kind": "protein", "pdb_id": "1IEP", "path": "model.pdb"},
        {"kind": "protein", "smiles": ["CCO"]},
        {"kind": "ligands", "pdb_id": "1IEP"},
        {"kind": "ligands", "path": "model.pdb"},
        {"kind": "poses", "smiles": ["CCO"]},
        {"kind": "poses", "text": "CCO", "format": "smi", "protein_id": "08T"},
        {"kind": "ligands", "text": "CCO"},
        {"kind": "ligands", "smiles": [{"name": "no SMILES"}]},
        {"kind": "ligands", "smiles": []},
        {"kind": "ligands", "text": "name\na\n", "format": "csv"},
        {"kind": "ligands", "text": "", "format": "smi"},
        {"kind": "protein", "text": "x" * 70_000, "format": "pdb"},
        {"kind": "protein", "pdb_id": "../x"},
        {"kind": "protein", "path": "../model.pdb"},
        {"kind": "protein", "execution_id": "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"},
    ],
)
async def test_a_source_that_does_not_fit_is_refused_and_nothing_is_sent(
    agent: Agent, bench: Bench, arguments: dict[str, Any]
) -> None:
    assert (await agent.error(TOOL, **arguments))[1] == "nothing_changed"
    assert not bench.sent("PUT")
    assert bench.platform.creates == []


async def test_a_file_that_was_fetched_and_is_not_imported_is_not_left_behind(bench: Bench) -> None:
    async with bench.agent(project_id="") as agent:
        url = "https://files.rcsb.org/download/1iep.pdb"
        assert (await agent.error(TOOL, kind="protein", url=url)).code == "no_project"
    assert bench.sent("POST", "/files/")
    assert len(bench.sent("DELETE", "/imports/staging/")) == 1


async def test_the_rows_of_a_file_that_is_too_large_to_be_read_back_are_there(
    agent: Agent, bench: Bench, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await agent.read(TOOL, kind="ligands", path="hits.sdf")
    monkeypatch.setattr("deeporigin_mcp.tools.molecules.sources.MAX_FETCHED_BYTES", 10)
    (run,) = (one for one in bench.platform.executions.values() if one.inputs.get("process_sdf"))
    found = await agent.read(TOOL, kind="ligands", execution_id=run.id)
    assert (found["imported"], ids(found)) == (3, ids(done))


async def test_the_id_of_another_run_is_no_import(agent: Agent, bench: Bench) -> None:
    refused = await agent.refused(TOOL, kind="ligands", execution_id=bench.seeded("Completed"))
    assert "get_execution_results" in refused
