"""Two organisations on one server: neither finds, reads or overwrites the molecules and files of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from mcp_types import PromptReference, ResourceTemplateReference

from deeporigin_mcp.simulator.model.molecules import helix_pdb
from deeporigin_mcp.tools.protocol.resources import EXECUTION
from tests.support.bench import ACME_PROJECT, PROJECT, Agent, Answer, Bench, running_bench
from tests.support.history import HOUR
from tests.support.site import ADA, EVE, Site, running_site

pytestmark = pytest.mark.anyio

SAME_PATH = "uploads/plan.txt"
KINDS = ("protein", "ligand", "pocket", "pose")


@dataclass
class Side:
    """One organisation: its caller, what it has, and every response that the caller got."""

    org: str
    agent: Agent
    project: str
    protein: dict[str, str]
    ligand: dict[str, str]
    runs: dict[str, str]
    paths: list[str]
    received: list[str] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """In names and contents of this side only."""
        return f"only-{self.org}"

    @property
    def secrets(self) -> set[str]:
        """What the other side must not read: names, ids and paths."""
        ids = {self.protein["id"], self.ligand["id"], *self.runs.values()}
        return {self.mark, self.project, *ids, *self.paths}

    async def call(self, tool: str, **arguments: Any) -> Answer:
        answer = await self.agent.call(tool, arguments)
        self.received.append(answer.text + str(answer.content))
        return answer

    async def read(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.call(tool, **arguments)
        assert not answer.is_error, answer.text
        return answer.content


def made_up(bench: Bench, org: str, project: str, agent: Agent) -> Side:
    """A protein, a ligand, pockets and poses of an organisation, and a file at a path that both have."""
    platform = bench.platform
    mark, path = f"only-{org}", f"entities/proteins/{org}.pdb"
    platform.add_file(path, helix_pdb().encode(), org=org)
    platform.add_file(SAME_PATH, f"plan of {mark}".encode(), org=org)
    protein_id = platform.seed_entity("proteins", org=org, protein_name=f"target {mark}", pdb_id="9ZZZ", file_path=path)
    ligand_id = platform.seed_entity("ligands", org=org, name=f"hit {mark}", smiles="CCCCCCO")
    protein = {"id": protein_id, "file_path": path}
    ligand = {"id": ligand_id, "smiles": "CCCCCCO"}
    box = {"center": [0, 0, 0], "box_size_x": 18, "box_size_y": 18, "box_size_z": 18}
    inputs: dict[str, dict[str, Any]] = {
        "pocket": {"protein": protein, "pocket_count": 1},
        "pose": {"protein": protein, "pocket": box, "ligands": [ligand]},
    }
    tools = {"pocket": "deeporigin.pocket-finder", "pose": "deeporigin.docking"}
    runs = {
        kind: platform.seed_run(tools[kind], given, ago_seconds=HOUR, org=org, name=f"{kind} run {mark}")
        for kind, given in inputs.items()
    }
    paths = [data["file_path"] for run in runs.values() for _, data in platform.executions[run].found()]
    return Side(org, agent, project, protein, ligand, runs, [path, *paths])


@pytest.fixture
def bench() -> Iterator[Bench]:
    # Its time passes while a call waits for its import.
    with running_bench(auto_advance=True) as found:
        yield found


@pytest.fixture
async def site(bench: Bench, anyio_backend: str) -> AsyncIterator[Site]:
    async with running_site(bench) as found:
        yield found


@pytest.fixture
async def sides(bench: Bench, site: Site) -> AsyncIterator[tuple[Side, Side]]:
    async with site.agent(ADA) as ada, site.agent(EVE) as eve:
        made = (
            made_up(bench, "deeporigin", PROJECT, ada),
            made_up(bench, "acme", ACME_PROJECT, eve),
        )
        yield made
        for side, other in (made, made[::-1]):
            assert side.received
            for text in side.received:
                assert [secret for secret in other.secrets if secret in text] == []


def hidden(answer: Answer, *asked: str) -> str:
    """What an answer says beside what was asked, which it may repeat."""
    text = answer.text + str(answer.content)
    for word in asked:
        text = text.replace(word, "…")
    return text


async def pry(side: Side, tool: str, **arguments: Any) -> Answer:
    """Ask for what is the other's. The answer may repeat what was asked, and no other word of theirs."""
    answer = await side.agent.call(tool, arguments)
    asked = [entry for value in arguments.values() for entry in (value if isinstance(value, list) else [value])]
    side.received.append(hidden(answer, *map(str, asked)))
    return answer


async def test_each_finds_its_own_molecules_and_none_of_the_others(sides: tuple[Side, Side]) -> None:
    for side, other in (sides, sides[::-1]):
        for kind in KINDS:
            assert (await side.read("find_molecules", kind=kind))["molecules"]
        assert side.mark in str(await side.read("find_molecules", kind="protein", query="target"))
        (own,) = (await side.read("find_molecules", kind="protein", pdb_id="9zzz"))["molecules"]
        assert own["as_input"] == side.protein
        (own,) = (await side.read("find_molecules", kind="ligand", smiles="CCCCCCO"))["molecules"]
        assert own["as_input"] == side.ligand
        for kind, run in side.runs.items():
            assert (await side.read("find_molecules", kind=kind, execution_id=run))["molecules"]
            assert (await pry(side, "find_molecules", kind=kind, execution_id=other.runs[kind])).is_error
        for kind, arguments in (
            ("protein", {"protein_id": other.protein["id"]}),
            ("protein", {"query": other.protein["id"]}),
            ("protein", {"query": other.mark}),
            ("protein", {"project_id": other.project}),
            ("ligand", {"ligand_id": other.ligand["id"]}),
            ("ligand", {"query": other.mark}),
            ("ligand", {"project_id": other.project}),
            ("pocket", {"protein_id": other.protein["id"]}),
            ("pocket", {"project_id": other.project}),
            ("pose", {"protein_id": other.protein["id"], "project_id": other.project}),
            ("pose", {"ligand_id": other.ligand["id"]}),
        ):
            found = await pry(side, "find_molecules", kind=kind, **arguments)
            assert found.content["molecules"] == []
    for side in sides:
        # What is looked for is there to be found.
        assert all(any(secret in text for text in side.received) for secret in (side.mark, *side.paths))


async def test_a_cursor_of_one_reads_nothing_of_the_other(sides: tuple[Side, Side]) -> None:
    for side, other in (sides, sides[::-1]):
        first = await other.read("find_molecules", kind="ligand", limit=1)
        answer = await pry(side, "find_molecules", kind="ligand", limit=1, cursor=first["next_cursor"])
        assert other.ligand["id"] not in answer.text


async def test_what_one_imports_the_other_does_not_find(sides: tuple[Side, Side]) -> None:
    ids: dict[str, set[str]] = {}
    for side in sides:
        named = [{"smiles": "CCCCCCCO", "name": f"new {side.mark}"}]
        ligands = await side.read("import_molecules", kind="ligands", smiles=named)
        protein = await side.read(
            "import_molecules", kind="protein", text=helix_pdb(), format="pdb", name=f"structure {side.mark}"
        )
        ids[side.org] = {ligands["as_input"][0]["id"], protein["as_input"]["id"]}
    ours, theirs = ids.values()
    assert not ours & theirs
    for side, other in (sides, sides[::-1]):
        for kind in ("protein", "ligand"):
            for one in ids[other.org]:
                found = await pry(side, "find_molecules", kind=kind, query=one)
                assert found.content["molecules"] == []


async def test_an_import_of_one_is_not_read_by_the_other(sides: tuple[Side, Side], bench: Bench) -> None:
    ours, theirs = sides
    await theirs.read("import_molecules", kind="ligands", smiles=["CCCCCCCCO"])
    run = bench.platform.creates[-1]
    assert (await pry(ours, "import_molecules", kind="ligands", execution_id=run)).is_error
    answer = await pry(ours, "import_molecules", kind="poses", text="x", format="sdf",
                       protein_id=theirs.protein["id"])  # fmt: skip
    assert answer.is_error


async def test_files_are_listed_and_linked_for_their_own_side_only(sides: tuple[Side, Side]) -> None:
    for side, other in (sides, sides[::-1]):
        await side.read("list_files")
        (run,) = (await side.read("list_files", execution_id=side.runs["pocket"]))["files"]
        assert run["path"] in side.paths
        for arguments in ({"path": f"tool-runs/{other.runs['pose']}/"}, {"path": "entities/proteins/"}):
            listed = await pry(side, "list_files", **arguments)
            assert not [row for row in listed.content["files"] if row["path"] in other.paths]
        for tool in ("list_files", "download_files"):
            assert (await pry(side, tool, execution_id=other.runs["pose"])).is_error
        stolen = await pry(side, "download_files", paths=other.paths)
        for link in _links_in(stolen.content):
            assert (await fetched(link)).status_code == 404


async def test_a_path_that_both_have_is_each_ones_own_file(sides: tuple[Side, Side], bench: Bench) -> None:
    for side in sides:
        answer = await side.read("download_files", paths=[SAME_PATH])
        (link,) = _links_in(answer)
        assert (await fetched(link)).text == f"plan of {side.mark}"
        await side.read("upload_file", text=f"note of {side.mark}", destination="uploads/note.txt")
        assert (await side.call("upload_file", text="x", destination=SAME_PATH)).is_error
    for side in sides:
        file = bench.platform.organisations[side.org].files["uploads/note.txt"]
        assert file.content == f"note of {side.mark}".encode()


async def test_completion_and_resources_name_nothing_of_the_other(sides: tuple[Side, Side]) -> None:
    for side, other in (sides, sides[::-1]):
        for typed in ("", "p", other.runs["pose"][:6]):
            found = await side.agent.client.complete(
                ResourceTemplateReference(uri=EXECUTION), {"name": "execution_id", "value": typed}
            )
            side.received.append(str(found.completion.values))
        found = await side.agent.client.complete(
            PromptReference(name="price_and_run"), {"name": "project_id", "value": other.project[:4]}
        )
        side.received.append(str(found.completion.values))


async def fetched(link: str) -> httpx.Response:
    """What anybody gets who has a link."""
    async with httpx.AsyncClient() as http:
        return await http.get(link)


def _links_in(content: Any) -> list[str]:
    if isinstance(content, dict):
        return [link for value in content.values() for link in _links_in(value)]
    if isinstance(content, list):
        return [link for value in content for link in _links_in(value)]
    return [content] if isinstance(content, str) and content.startswith("http") else []
