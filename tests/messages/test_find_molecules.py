"""What is said when molecules are looked for: what cannot be asked, and what to do where nothing is found."""

from __future__ import annotations

from typing import Any

import pytest

from deeporigin_mcp.tools.molecules import chemistry
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import PROJECT, Agent, Bench
from tests.support.history import HOUR

pytestmark = pytest.mark.anyio

OTHERS = "08DEPR0TE1N02"
BRD4 = "08BRD4PR0TE1N"
PROTEIN = {"id": "08DEPR0TE1N00", "file_path": "entities/proteins/toy.pdb"}


async def asked(agent: Agent, kind: str, **arguments: Any) -> str:
    answer = await agent.call("find_molecules", {"kind": kind, **arguments})
    if answer.is_error:
        return answer.text
    view = answer.content
    return "\n".join(str(view[name]) for name in ("note", "next_step") if name in view)


async def refused(agent: Agent) -> dict[str, str]:
    return {
        "argument of another kind": await asked(agent, "protein", smiles="CCO"),
        "poses by SMILES": await asked(agent, "pose", smiles="CCO"),
        "pockets by PDB id": await asked(agent, "pocket", pdb_id="1ABC"),
        "pockets by name": await asked(agent, "pocket", query="toy kinase"),
        "order": await asked(agent, "pose", order="best"),
        "cursor": await asked(agent, "pose", cursor="protein0.0:"),
        "SMILES": await asked(agent, "ligand", smiles="C1CC"),
        "unknown run": await asked(agent, "pose", execution_id="3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"),
    }


async def nothing(agent: Agent, run: str) -> dict[str, str]:
    return {
        "no such name": await asked(agent, "protein", query="xyz", project_id=PROJECT),
        "no such PDB id": await asked(agent, "protein", query="7xyz"),
        "no such SMILES": await asked(agent, "ligand", smiles="CCCCCCCCN"),
        "unknown project": await asked(agent, "ligand", project_id="09DEMAKNASE02"),
        "protein of another project": await asked(agent, "pose", protein_id=OTHERS),
        "unknown protein": await asked(agent, "pocket", protein_id="08N0SUCH00000"),
        "no pockets": await asked(agent, "pocket", protein_id=BRD4, project_id="09DEMASNDB0X3"),
        "no poses": await asked(agent, "pose", protein_id=PROTEIN["id"]),
        "run without poses": await asked(agent, "pose", execution_id=run),
        "after the last page": await asked(agent, "protein", cursor="protein0.50:"),
    }


async def test_messages_about_looking_for_molecules(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bench.platform.seed_run("deeporigin.pocket-finder", {"protein": PROTEIN}, ago_seconds=HOUR)
    async with bench.agent() as agent:
        messages = {**await refused(agent), **await nothing(agent, run)}
        monkeypatch.setattr(chemistry, "_rdkit", lambda: None)
        messages["without RDKit"] = await asked(agent, "ligand", smiles="C1=CC=CC=C1O")
    async with bench.agent(read_only=True) as agent:
        messages["read-only"] = await asked(agent, "protein", query="xyz")
    async with bench.agent(toolsets=("molecules",)) as agent:
        messages["only this toolset"] = await asked(agent, "pose", protein_id=PROTEIN["id"], project_id=PROJECT)
    assert_as_agreed("find_molecules", {case: text.replace(run, "RUN") for case, text in messages.items()})
