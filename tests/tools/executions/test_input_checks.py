"""What a run refers to is looked up before it gets a price: what cannot work is refused, the rest is told."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult

from deeporigin_mcp.simulator import Platform, ScaledClock, running_simulator
from deeporigin_mcp.tools.catalogue import ligands
from deeporigin_mcp.tools.executions import input_checks
from tests.support.bench import PROJECT, PROTEIN, Agent, Bench, bench_token, docking, lines_of
from tests.support.facts import calls_in

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

LIST = "docking/ligand-lists/one.json"


def on(path: str, name: str = "") -> dict[str, Any]:
    """A docking run into the structure at this path."""
    return docking(protein={"file_path": path} | ({"id": name} if name else {}))


def of_list(count: int, path: str = LIST) -> dict[str, Any]:
    given = docking(ligands_file=path, ligands_count=count)
    del given["inputs"]["ligands"]
    return given


async def warnings(agent: Agent, **given: Any) -> list[str]:
    return (await agent.read("create_execution", **given)).get("input_warnings") or []


def heads(bench: Bench) -> list[str]:
    return [path.partition("/files/deeporigin/")[2] for path in bench.sent("HEAD")]


async def test_a_file_that_is_not_there_is_refused_before_a_price(agent: Agent, bench: Bench) -> None:
    bench.platform.creates.clear()
    refused = await agent.call("create_execution", on("entities/proteins/nothing.pdb"))
    assert refused.error == ("invalid_inputs", "nothing_created")
    (line,) = lines_of(refused.text)
    assert line.startswith("protein.file_path: ")
    assert "'entities/proteins/nothing.pdb'" in line
    assert calls_in(refused.text, agent.inputs)[0] == ("find_molecules", {"kind": "protein"})
    assert not bench.platform.creates


async def test_all_files_are_looked_up_at_once_and_named_in_their_order(agent: Agent, bench: Bench) -> None:
    pairs = [{"pose1": {"file_path": f"a{n}.sdf"}, "pose2": {"file_path": "poses/lead1.sdf"}} for n in range(3)]
    before = len(heads(bench))
    text = await agent.refused("create_execution", tool_key="deeporigin.rbfe", inputs={"pairs": pairs})
    assert [line.partition(":")[0] for line in lines_of(text)] == [f"pairs.{n}.pose1.file_path" for n in range(3)]
    assert sorted(heads(bench)[before:]) == ["a0.sdf", "a1.sdf", "a2.sdf", "poses/lead1.sdf"]


async def test_what_does_not_fit_the_schema_is_listed_beside_missing_files(agent: Agent) -> None:
    given = on("nothing.pdb")
    given["inputs"]["effort"] = 9
    text = await agent.refused("create_execution", **given)
    assert [line.partition(":")[0] for line in lines_of(text)] == ["effort", "protein.file_path"]
    assert [tool for tool, _ in calls_in(text, agent.inputs)][:2] == ["describe_platform_tool", "find_molecules"]


@pytest.mark.parametrize(
    "path",
    ["/media/usb/x.pdb", "~/x.pdb", "./x.pdb", "../x.pdb", "C:\\work\\x.pdb", "file:///D:/x.pdb", "/d/work/x.pdb"],
)
async def test_a_path_of_the_users_computer_leads_to_the_call_that_brings_it_in(agent: Agent, path: str) -> None:
    text = await agent.refused("create_execution", **on(path))
    assert "of a computer" in text
    (call,) = calls_in(text, agent.inputs)
    assert call == ("import_molecules", {"kind": "protein", "path": path})


async def test_a_file_of_no_molecule_leads_to_upload_file(agent: Agent) -> None:
    text = await agent.refused("create_execution", **of_list(3, "~/list.json"))
    assert calls_in(text, agent.inputs) == [("upload_file", {"path": "~/list.json"})]


async def test_a_server_without_tools_for_molecules_says_so(bench: Bench) -> None:
    async with bench.agent(toolsets=("executions",)) as agent:
        text = await agent.refused("create_execution", **on("nothing.pdb"))
    assert not calls_in(text, agent.inputs)
    assert "does not offer the tool" in text


@pytest.mark.parametrize(
    "path",
    [
        "entities/proteins/toy.pdb",
        "/entities/proteins/toy.pdb",
        "entities//proteins/./toy.pdb",
        "entities/proteins/toy.pdb#record-2",
    ],
)
async def test_a_path_is_read_as_the_platforms_clients_read_it(agent: Agent, path: str) -> None:
    assert await warnings(agent, **on(path)) == []


async def test_a_reference_to_a_file_is_looked_up(agent: Agent) -> None:
    text = await agent.refused("create_execution", **docking(protein={"file_path": {"$provider": "ufa", "key": "no"}}))
    assert lines_of(text)[0].startswith("protein.file_path: the platform has no file 'no'")


async def test_a_path_that_cannot_be_is_refused(agent: Agent, bench: Bench) -> None:
    before = len(heads(bench))
    text = await agent.refused("create_execution", **on("entities/../x.pdb"))
    assert "'..'" in lines_of(text)[0]
    assert len(heads(bench)) == before


async def test_a_file_is_looked_up_once_if_it_is_there_and_again_if_not(bench: Bench) -> None:
    async with bench.agent() as agent:
        bench.platform.requests.clear()
        for _ in range(2):
            await agent.read("create_execution", **docking())
            await agent.refused("create_execution", **on("later.pdb"))
        assert sorted(heads(bench)) == ["entities/proteins/toy.pdb", "later.pdb", "later.pdb"]
        bench.platform.add_file("later.pdb")
        await agent.read("create_execution", **on("later.pdb"))


@pytest.mark.parametrize("fault", ["status=400", "status=403", "status=503", "reset"])
async def test_what_the_platform_cannot_say_stops_nothing(bench: Bench, fault: str) -> None:
    for method, part in (("HEAD", "/files/"), ("GET", "/files/"), ("POST", "s/search")):
        bench.fault(f"{method} *{part}* {fault}")
    async with bench.agent() as agent:
        told = await warnings(agent, **docking())
    bench.heal()
    assert len(told) == 1
    assert "protein.file_path" in told[0]


async def test_a_slow_platform_costs_a_few_seconds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_checks, "CHECK_SECONDS", 0.2)
    bench.fault("HEAD * delay=300")
    async with bench.agent() as agent:
        told = await warnings(agent, **docking())
    bench.heal()
    assert [line for line in told if "protein.file_path" in line] == told != []


async def test_only_so_many_files_are_looked_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_checks, "MAX_FILES", 3)
    pairs = [{"pose1": {"file_path": f"poses/lead{n}.sdf"}, "pose2": {"file_path": "poses/a.sdf"}} for n in range(1, 8)]
    async with bench.agent() as agent:
        bench.platform.requests.clear()
        (told,) = await warnings(agent, tool_key="deeporigin.rbfe", inputs={"pairs": pairs})
    assert len(heads(bench)) == 3
    assert "pairs.2.pose1.file_path" in told


async def test_runs_without_files_and_ids_are_not_looked_up(agent: Agent, bench: Bench) -> None:
    bench.platform.requests.clear()
    inputs = {"ligands": [{"smiles": "CCO"}]}
    assert await warnings(agent, tool_key="deeporigin.mol-props-combined", inputs=inputs) == []
    assert not bench.sent("HEAD")
    assert not bench.sent("POST", "/search")


async def test_ids_of_a_kind_are_asked_for_at_once_and_not_again(bench: Bench) -> None:
    bench.platform.requests.clear()
    smiles = ("CCO", "Oc1ccccc1", "CC(=O)Nc1ccc(O)cc1")
    given = [{"id": f"08DEL1GAND00{n}", "smiles": text} for n, text in enumerate(smiles)]
    async with bench.agent() as agent:
        for _ in range(2):
            assert await warnings(agent, **docking(ligands=given)) == []
    assert len(bench.sent("POST", "ligands/search")) == len(bench.sent("POST", "proteins/search")) == 1


async def test_an_unknown_id_is_told_and_not_refused(agent: Agent) -> None:
    given = [{"id": "08NEW", "smiles": "CCO"}, {"id": "08DEL1GAND001", "smiles": "Oc1ccccc1"}]
    told = await warnings(agent, **docking(ligands=given, protein={**PROTEIN, "id": "08OTHER"}))
    assert sorted(line.partition(" is")[0] for line in told) == ["No ligand 08NEW", "No protein 08OTHER"]


async def test_a_file_that_is_not_the_proteins_own_is_told(agent: Agent) -> None:
    (told,) = await warnings(agent, **on("entities/proteins/brd4.pdb", PROTEIN["id"]))
    assert PROTEIN["id"] in told
    assert PROTEIN["file_path"] in told
    assert await warnings(agent, **on("/" + PROTEIN["file_path"], PROTEIN["id"])) == []


async def test_rows_of_a_list_file_are_counted_and_read(agent: Agent, bench: Bench) -> None:
    rows = [{"smiles": smiles} for smiles in ("CCO", "CCN", "CC(C")]
    bench.platform.add_file(LIST, json.dumps(rows[:2]).encode())
    assert await warnings(agent, **of_list(2)) == []
    text = await agent.refused("create_execution", **of_list(3))
    assert "2 rows" in lines_of(text)[0]
    bench.platform.add_file(LIST, json.dumps([*rows, {"smiles": "N[Pt]"}]).encode())
    text = await agent.refused("create_execution", **of_list(4))
    assert [line.partition(":")[0] for line in lines_of(text)] == ["ligands_file row 3", "ligands_file row 4"]


@pytest.mark.parametrize("content", [b"{}", b"no json", b"[" * 100_000, b" " * (input_checks.MAX_LIST_BYTES + 1)])
async def test_a_list_file_that_cannot_be_read_here_is_told(agent: Agent, bench: Bench, content: bytes) -> None:
    bench.platform.add_file(LIST, content)
    (told,) = await warnings(agent, **of_list(3))
    assert told.startswith("ligands_file: ")


async def test_a_list_file_in_another_format_is_left_to_the_platform(agent: Agent, bench: Bench) -> None:
    bench.platform.requests.clear()
    (told,) = await warnings(agent, **of_list(3, "entities/ligands/library.csv"))
    assert told.startswith("ligands_file: ")
    assert not bench.sent("GET", "signedUrl")


ELEMENTS = "has Pt; supported: H, C, N, O, F, P, S, Cl, Br, I"


async def test_a_ligand_that_no_chemist_could_read_is_refused(agent: Agent, bench: Bench) -> None:
    bench.platform.creates.clear()
    text = await agent.refused("create_execution", **docking("CCO", "CN(C)(C)(C)C", "N[Pt](N)(Cl)Cl"))
    first, second = lines_of(text)
    assert first.startswith('ligands.1.smiles: "CN(C)(C)(C)C" is not a SMILES that RDKit can read')
    assert second == f'ligands.2.smiles: "N[Pt](N)(Cl)Cl" {ELEMENTS}'
    assert not bench.platform.creates


async def test_an_unusual_element_is_told_where_a_tool_may_take_it(agent: Agent) -> None:
    inputs = {"ligands": [{"smiles": "N[Pt](N)(Cl)Cl"}]}
    told = await warnings(agent, tool_key="deeporigin.mol-props-combined", inputs=inputs)
    assert told == [f'ligands.0.smiles: "N[Pt](N)(Cl)Cl" {ELEMENTS}. {ligands.MAY_FAIL}']


async def test_an_unsupported_element_is_told_where_other_ligands_are_left_and_refused_where_none_is(
    agent: Agent, bench: Bench
) -> None:
    (told,) = await warnings(agent, **docking("CCO", "N[Pt](N)(Cl)Cl", "CCN"))
    assert told == f'ligands.1.smiles: "N[Pt](N)(Cl)Cl" {ELEMENTS}. {ligands.MAY_FAIL}'
    bench.platform.creates.clear()
    text = await agent.refused("create_execution", **docking("N[Pt](N)(Cl)Cl", "C[Pt]"))
    assert len(lines_of(text)) == 2
    assert not bench.platform.creates


@pytest.mark.parametrize("smiles", ["*CCO", "c1ccc2%10ccccc2c1.C%10"])
async def test_a_smiles_that_other_toolkits_may_take_is_told(agent: Agent, smiles: str) -> None:
    (told,) = await warnings(agent, **docking(smiles))
    assert told.endswith(ligands.MAY_FAIL)


async def test_another_spelling_of_a_molecule_is_a_duplicate(agent: Agent) -> None:
    (told,) = await warnings(agent, **docking("OCC", "CCN", "CCO"))
    assert told.startswith("ligands: 3 entries, 1 of them duplicates (CCO 2 times)")


async def test_salts_and_mixtures_are_told_and_sent_as_given(agent: Agent, bench: Bench) -> None:
    given = docking("CC(=O)[O-].[Na+]", "CCN.CCO", "CCC")
    made = await agent.read("create_execution", **given)
    (told,) = made["input_warnings"]
    assert "ligands.0.smiles is a salt ([Na+] beside CC(=O)[O-])" in told
    assert "ligands.1.smiles is a mixture" in told
    stored = bench.platform.executions[made["execution_id"]].stored["userInputs"]
    assert stored["ligands"] == given["inputs"]["ligands"]


async def test_a_salt_of_a_metal_that_no_drug_has_is_told_to_be_a_risk(agent: Agent) -> None:
    told = await warnings(agent, **docking("CC(=O)[O-].[Fe+2]", "CCC"))
    assert told == [f"ligands.0.smiles is a salt ([Fe+2] beside CC(=O)[O-]). {ligands.MAY_FAIL}"]


WITHOUT_RDKIT = (
    "import sys; sys.modules['rdkit'] = None; from deeporigin_mcp.cli import main; sys.exit(main(['serve']))"
)
"""A server on which importing RDKit fails as it does where it is not installed."""


async def test_without_rdkit_a_run_goes_from_its_quote_to_its_results_and_says_what_was_not_checked() -> None:
    with running_simulator(Platform(clock=ScaledClock(500))) as simulator:
        environment = {"DO_AUTH_TOKEN": bench_token(), "DO_ORG_KEY": "deeporigin", "DO_BASE_URL": simulator.base_url}
        environment |= {"DO_PROJECT_ID": PROJECT, "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "1", "PATH": os.environ["PATH"]}
        process = StdioServerParameters(command=sys.executable, args=["-c", WITHOUT_RDKIT], env=environment)
        async with Client(stdio_client(process)) as client:

            async def call(tool: str, **arguments: Any) -> tuple[bool, str, dict[str, Any]]:
                answer = await client.call_tool(tool, arguments)
                assert isinstance(answer, CallToolResult)
                (block,) = answer.content
                return bool(answer.is_error), getattr(block, "text", ""), answer.structured_content or {}

            is_error, text, _ = await call("create_execution", **docking("CCO", "CC(C"))
            assert is_error
            assert [line.partition(":")[0] for line in lines_of(text)] == ["ligands.1.smiles"]
            is_error, text, _ = await call("create_execution", **docking("C[Pt]"))
            assert is_error
            assert [line.partition(":")[0] for line in lines_of(text)] == ["ligands.0.smiles"]
            # RDKit would have refused the second one.
            _, _, made = await call("create_execution", **docking("CCO", "c1cccc1", "OCC", sync=False))
            assert made["input_warnings"] == [ligands.WITHOUT_RDKIT]
            name = made["execution_id"]
            is_error, text, _ = await call("confirm_execution", execution_id=name, expected_price=made["quoted_price"])
            assert not is_error, text
            _, _, waited = await call("wait_executions", execution_ids=[name], poll_interval_seconds=1)
            assert waited["all_done"]
            for _ in range(50):
                _, _, found = await call("get_execution_results", execution_id=name)
                if found.get("rows"):
                    break
            assert {row["smiles"] for row in found["rows"]} >= {"CCO", "OCC"}


async def test_a_ligand_id_of_another_molecule_is_told(agent: Agent) -> None:
    known = "08DEL1GAND001"
    assert await warnings(agent, **docking(ligands=[{"id": known, "smiles": "OC1=CC=CC=C1"}])) == []
    (told,) = await warnings(agent, **docking(ligands=[{"id": known, "smiles": "CCCCO"}]))
    assert known in told
