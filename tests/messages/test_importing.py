"""What import_molecules says: errors, notes, next steps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.simulator.model.archive import fetched
from deeporigin_mcp.tools.molecules import chemistry
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import Agent, Bench, running_bench

pytestmark = pytest.mark.anyio

TOOL = "import_molecules"
ANY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|08[0-9A-Z]{11}|[0-9a-f]{32,64}|simulated-\d+")
PDB = (fetched("https://files.rcsb.org/download/1iep.pdb") or b"").decode()
NEW = "CCNC(C)=O"
LIST = "smiles,name,IC50\nCC(=O)[O-].[Na+],salt,1\n[Pt],metal,2\nClCCF,first,3\nFCCCl,again,4\nC1CC,,5\n"


class Said:
    """What an agent was told, by case."""

    def __init__(self, bench: Bench, agent: Agent) -> None:
        self.by_case: dict[str, str] = {}
        self._bench = bench
        self._agent = agent

    async def __call__(self, case: str, **arguments: Any) -> dict[str, Any]:
        answer = await self._agent.call(TOOL, arguments)
        self._bench.heal()
        code = [f"code: {answer.error.code}"] if answer.error else []
        self.by_case[case] = ANY_ID.sub("<id>", "\n".join([*code, answer.text]))
        return answer.content


async def test_messages_of_importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.doc").write_text("x")
    with running_bench(auto_advance=True) as bench:
        async with bench.agent(files=(tmp_path,)) as agent:
            say = Said(bench, agent)
            await _sources(say)
            await _proteins(say, bench)
            await _ligands(say, bench)
            await _long(say, bench, monkeypatch)
            monkeypatch.setattr(chemistry, "_rdkit", lambda: None)
            await say("no RDKit, failed", kind="ligands", smiles=["C11"])
            await say("no RDKit, no row", kind="ligands", smiles=["C11", NEW])
    assert_as_agreed("importing", say.by_case)


async def _sources(say: Said) -> None:
    await say("no source", kind="ligands")
    await say("two sources", kind="protein", pdb_id="1IEP", url="https://a.example/b.pdb")
    await say("a source that does not fit", kind="ligands", pdb_id="1IEP")
    await say("a suffix that does not fit", kind="ligands", path="notes.doc")
    await say("a text without its format", kind="ligands", text="CCO")
    await say("a format that does not fit", kind="poses", text="CCO", format="smi", protein_id="08DEPR0TE1001")
    await say("a text that is too long", kind="protein", text="x" * 70_000, format="pdb")
    await say("not a PDB id", kind="protein", pdb_id="kinase")
    await say("not a public address", kind="protein", url="https://localhost/a.pdb")
    await say("an entry that is not there", kind="protein", pdb_id="9ZZZ")
    await say("a list of something else", kind="ligands", smiles=["CCO", {"name": "a"}])
    await say("a table without SMILES", kind="ligands", text="name,activity\na,1\n", format="csv")
    await say("an empty list", kind="ligands", text="\n", format="smi")
    await say("poses of no protein", kind="poses", text="x", format="sdf")
    await say("poses of an unknown protein", kind="poses", text="x", format="sdf", protein_id="08N0WHERE0000")


async def _proteins(say: Said, bench: Bench) -> None:
    await say("no atoms", kind="protein", text="HEADER\nEND\n", format="pdb")
    await say("checked structure", kind="protein", text=PDB, format="pdb", check_only=True)
    await say("entry", kind="protein", pdb_id="1IEP")
    await say("the entry again", kind="protein", pdb_id="1IEP")
    await say("the entry by another name", kind="protein", pdb_id="1IEP", name="mine")
    await say("another run", kind="protein", execution_id=bench.seeded("Completed"))
    bench.fault("POST */executions status=400 times=1")
    await say("refused", kind="protein", text=PDB, format="pdb")


async def _ligands(say: Said, bench: Bench) -> None:
    await say("checked list", kind="ligands", text=LIST, format="csv", check_only=True)
    await say("list", kind="ligands", text=LIST, format="csv")
    await say("checked list, known molecules", kind="ligands", text=LIST, format="csv", check_only=True)
    bench.fault("POST */ligands/search status=403")
    await say("checked list, not looked up", kind="ligands", text=LIST, format="csv", check_only=True)
    await say("nothing usable", kind="ligands", smiles=["[Pt]", "C1CC"])
    ligands = bench.platform.organisations["deeporigin"].entities["ligands"]
    next(row for row in ligands.values() if row["smiles"] == "FCCCl")["deleted"] = True
    await say("deleted before, and there already", kind="ligands", smiles=["FCCCl", {"smiles": "CCO", "name": "mine"}])
    bench.fault("POST */executions reset times=1")
    await say("lost", kind="ligands", smiles=[NEW])


async def _long(say: Said, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.platform.import_price = 1.5
    await say("priced", kind="ligands", smiles=[NEW])
    with monkeypatch.context() as patched:
        patched.setattr("deeporigin_mcp.simulator.state.lifecycle._starts_at_once", lambda *_: True)
        await say("charged without approval", kind="ligands", smiles=[NEW])
    bench.platform.import_price = 0
    with monkeypatch.context() as patched:
        patched.setattr("deeporigin_mcp.platform.clients.imports.SERVED_ROWS", 1)
        patched.setattr("deeporigin_mcp.tools.molecules.import_molecules.CALL_SECONDS", 60.0)
        patched.setattr("deeporigin_mcp.tools.molecules.import_molecules.RESPONSE_SECONDS", 60.0)
        await say("still running", kind="ligands", smiles=[NEW, "CCBr"])
