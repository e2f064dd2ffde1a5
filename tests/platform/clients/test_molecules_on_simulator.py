"""From a structure and SMILES to pose files, by our client against the simulated platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deeporigin_mcp.errors import NotFoundError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.clients.import_records import LigandInput
from deeporigin_mcp.platform.records.entities import Pocket, Pose
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import Platform, RunningSimulator, ScaledClock, make_token, running_simulator

pytestmark = pytest.mark.anyio

PDB = "ATOM      1  CA  ALA A   1       0.000   0.000   0.000  1.00  0.00           C  \nEND\n"


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    # The platform's time passes by itself: it works while our client waits for its response.
    with running_simulator(Platform(clock=ScaledClock(2_000))) as found:
        yield found


def client_of(
    simulator: RunningSimulator, org_key: str = "deeporigin", project_id: str = "09DEMAKNASE01"
) -> DeepOriginClient:
    return DeepOriginClient(
        Settings(token=make_token(), org_key=org_key, project_id=project_id, base_url=simulator.base_url)
    )


async def run(client: DeepOriginClient, tool_key: str, inputs: dict[str, object]) -> str:
    body = {"inputs": inputs, "approveAmount": -1}
    quote = Execution(await client.executions.create(tool_key=tool_key, tool_version="latest", data=body))
    if quote.status == "Quoted":
        await client.executions.confirm(quote.execution_id)
    (ended,) = await client.executions.wait(quote.execution_id)
    assert Execution(ended).status == "Completed", Execution(ended).status_reason
    return quote.execution_id


async def test_a_structure_and_smiles_become_pose_files_on_disk(simulator: RunningSimulator, tmp_path: Path) -> None:
    structure = tmp_path / "model.pdb"
    structure.write_text(PDB)
    async with client_of(simulator) as client:
        imported = await client.imports.protein(await client.imports.stage(structure, ".pdb"), name="my model")
        (protein,) = imported.proteins
        assert imported.is_completed
        assert (await client.files.stat(protein.file_path)).size == len(PDB)
        rows = [LigandInput("CCO", "ethanol"), LigandInput("CCN", "amine")]
        ligands = (await client.imports.ligands(rows)).ligands
        assert [ligand and ligand.smiles for ligand in ligands] == ["CCO", "CCN"]
        named = {"id": protein.id, "file_path": protein.file_path}
        finding = await run(client, "deeporigin.pocket-finder", {"protein": named})
        pocket = Pocket((await client.results.pockets(compute_job_id=finding))["data"][0])
        docking = await run(
            client,
            "deeporigin.docking",
            {
                "protein": named,
                "pocket": pocket.as_input,
                "ligands": [ligand.as_input for ligand in ligands if ligand],
                "effort": 1,
            },
        )
        poses = [Pose(row) for row in (await client.results.poses(compute_job_id=docking, best_pose=True))["data"]]
        assert len(poses) == 2
        targets = [(pose.file_path, tmp_path / f"{pose.id}.sdf") for pose in poses]
        await client.files.download_many(targets)
        assert all(target.read_text().rstrip().endswith("$$$$") for _, target in targets)


async def test_another_organisation_sees_neither_rows_nor_files(simulator: RunningSimulator, tmp_path: Path) -> None:
    structure = tmp_path / "model.pdb"
    structure.write_text(PDB)
    async with client_of(simulator) as client:
        (protein,) = (await client.imports.protein(await client.imports.stage(structure, ".pdb"))).proteins
    async with client_of(simulator, "acme", "09ACMEPR0J001") as other:
        for read in (other.entities.get("proteins", protein.id), other.files.stat(protein.file_path)):
            with pytest.raises(NotFoundError):
                await read
