"""get_execution_results: outputs and stored rows, every one and every big part of them within reach."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deeporigin_mcp.simulator.services.tables import Search
from tests.support.bench import ERAS, Agent, Bench, docking
from tests.support.facts import calls_in
from tests.support.rows import pages, rows_of_all, stored, unfolded

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ERAS)
async def test_a_completed_runs_rows_are_its_results(bench: Bench, mode: str) -> None:
    name = stored(bench, {"smiles": "CCO", "score": -7.5, "file_path": "poses/a.sdf", "note": None}, {"smiles": "CCN"})
    async with bench.agent(mode=mode) as agent:
        completed = await agent.read("get_execution", execution_id=name)
        assert await agent.follow(completed["next_step"]) == {
            "execution_id": name,
            "status": "Completed",
            "rows": [
                {"id": "0A00000000000", "smiles": "CCO", "score": -7.5, "file_path": "poses/a.sdf"},
                {"id": "0A00000000001", "smiles": "CCN"},
            ],
            "not_documented_by_the_tool": ["score"],
            "has_more": False,
        }


async def test_a_real_run_leads_to_its_poses(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        started = await agent.read("create_execution", **docking("CCO", "CCN"), start=True)
        done = await agent.follow_to_the_end(started["next_step"])
        bench.clock.advance(600)
        found = await agent.follow(done["next_step"])
    assert {row["smiles"] for row in found["rows"]} == {"CCO", "CCN"}


@pytest.mark.parametrize(
    ("ligands", "lost"), [(("CCO", "N[Pt](N)(Cl)Cl", "CCN"), 1), (("CCO", "CCO", "CCN"), 0), (("CCO", "CCN"), 0)]
)
async def test_ligands_without_rows_are_named_with_the_reason_that_the_log_gives(
    bench: Bench, ligands: tuple[str, ...], lost: int
) -> None:
    name = bench.platform.seed_run("deeporigin.docking", docking(*ligands, sync=False)["inputs"], ago_seconds=3600)
    async with bench.agent() as agent:
        found = await agent.read("get_execution_results", execution_id=name)
        assert (found["has_more"], "next_step" in found, "missing" in found) == (False, False, lost > 0)
        if lost:
            (row,) = found["missing"]
            assert (found["requested"], found["returned"], row["name"]) == (3, 2, "N[Pt](N)(Cl)Cl")
            assert "ligand" in row["reason"].lower()


@pytest.mark.parametrize("chosen", [{"limit": 1}, {"result_type": "pose"}, {"order": "pose_score desc", "limit": 1}])
async def test_what_is_missing_is_told_of_the_whole_run_whatever_is_shown_of_it(
    bench: Bench, chosen: dict[str, Any]
) -> None:
    inputs = docking("CCO", "N[Pt](N)(Cl)Cl", "CCN", sync=False)["inputs"]
    name = bench.platform.seed_run("deeporigin.docking", inputs, ago_seconds=3600)
    async with bench.agent() as agent:
        found = await agent.read("get_execution_results", execution_id=name, **chosen)
    assert (found["requested"], found["returned"], len(found["missing"])) == (3, 2, 1)


async def test_a_missing_ligand_that_no_log_names_leads_to_the_log(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"smiles": "CCO"})
    bench.platform.executions[name].stored["userInputs"] = {"ligands": [{"smiles": "CCO"}, {"smiles": "CCN"}]}
    found = await agent.read("get_execution_results", execution_id=name)
    assert [row["name"] for row in found["missing"]] == ["CCN"]
    assert found["next_step"].startswith("get_execution_logs")


async def test_a_run_that_lacks_nothing_is_read_with_as_many_requests_as_before(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"smiles": "CCO"})
    bench.platform.executions[name].stored["userInputs"] = {"ligands": [{"smiles": "CCO"}]}
    await agent.read("get_execution_results", execution_id=name)
    assert len(bench.sent("POST", "result-explorer")) == 1
    assert not bench.sent("POST", "ligands/search")


@pytest.mark.parametrize(
    "ligands", [None, [], "CCO", ["CCO", "CCC"], [{"name": "x"}], [{"id": "L1"}, {"smiles": "CCO"}]]
)
async def test_ligands_that_cannot_be_counted_are_not_missed(agent: Agent, bench: Bench, ligands: Any) -> None:
    name = stored(bench, {"smiles": "CCO", "score": -7.5})
    bench.platform.executions[name].stored["userInputs"] = {"ligands": ligands}
    assert "next_step" not in await agent.read("get_execution_results", execution_id=name)


async def test_outputs_that_came_with_the_run_are_shown_without_rows(agent: Agent, bench: Bench) -> None:
    name = bench.raw(status="Completed", jobOutputs={"molprops": [{"logp": 1.2, "pains": None}]})
    found = await agent.read("get_execution_results", execution_id=name)
    assert "rows" not in found
    assert found["outputs"] == {"molprops": [{"logp": 1.2, "pains": None}]}
    assert not bench.sent("POST", "result-explorer")


@pytest.mark.parametrize(
    ("outputs", "shown"),
    [
        ([{"pockets": 3}], {"pockets": 3}),
        ([{"a": 1}, {"a": 2}], {"items": [{"a": 1}, {"a": 2}]}),
        ("done", {"value": "done"}),
    ],
)
async def test_outputs_of_every_shape_are_an_object(agent: Agent, bench: Bench, outputs: Any, shown: Any) -> None:
    name = bench.raw(status="Succeeded", jobOutputs=outputs)
    found = await agent.read("get_execution_results", execution_id=name)
    assert (found["status"], found["outputs"], found["has_more"]) == ("Completed", shown, False)


async def test_rows_are_read_in_pages_of_the_platforms_cursor(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *({"n": number} for number in range(45)))
    found = await pages(agent, execution_id=name)
    assert [len(page["rows"]) for page in found] == [20, 20, 5]
    assert [row["n"] for page in found for row in page["rows"]] == [*range(45)]


async def test_a_type_is_asked_for_in_any_case_and_kept_in_the_next_call(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *({"n": number} for number in range(5)))
    assert len(await rows_of_all(agent, execution_id=name, result_type="Pose", limit=2)) == 5


async def test_a_type_that_the_run_does_not_have_names_those_it_has(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"n": 1})
    found = await agent.read("get_execution_results", execution_id=name, result_type="poses")
    assert (found["rows"], found["result_types"]) == ([], ["pose"])
    assert len((await agent.follow(found["next_step"]))["rows"]) == 1


async def test_a_platform_that_does_not_give_types_is_no_obstacle(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"n": 1})
    bench.fault("POST */result-explorer/search status=400 skip=1 times=1")
    found = await agent.read("get_execution_results", execution_id=name, result_type="poses")
    assert "result_types" not in found
    assert len((await agent.follow(found["next_step"]))["rows"]) == 1


async def test_what_is_still_being_stored_is_reported_as_such(bench: Bench) -> None:
    bench.platform.ingestion_lag_seconds = 3_600
    async with bench.agent(auto_approve_up_to=1) as rich:
        started = await rich.read("create_execution", **docking(), start=True)
        done = await rich.follow_to_the_end(started["next_step"])
        found = await rich.follow(done["next_step"])
        assert (found["status"], found["rows"]) == ("Completed", [])
        bench.clock.advance(4_000)
        assert (await rich.follow(found["next_step"]))["rows"]


async def test_a_run_that_stored_nothing_is_not_waited_for(agent: Agent, bench: Bench) -> None:
    found = await agent.read("get_execution_results", execution_id=stored(bench))
    ((tool, _),) = calls_in(found["next_step"], agent.inputs)
    assert tool == "get_execution_logs"


async def test_a_state_that_cannot_be_read_is_not_taken_for_an_empty_result(agent: Agent, bench: Bench) -> None:
    bench.fault("POST */executions/search status=400")
    name = stored(bench)
    found = await agent.read("get_execution_results", execution_id=name)
    assert calls_in(found["next_step"], agent.inputs) == [("get_execution_results", {"execution_id": name})]


@pytest.mark.parametrize(("status", "then"), [("Running", "wait_executions"), ("Failed", "get_execution_logs")])
async def test_a_run_that_is_not_completed_says_what_to_do(agent: Agent, bench: Bench, status: str, then: str) -> None:
    found = await agent.read("get_execution_results", execution_id=bench.raw(status=status))
    assert found["next_step"].startswith(f"It is {status} and has no results. {then}(")


async def test_a_run_that_failed_says_why_where_its_results_are_asked_for(bench: Bench) -> None:
    inputs = docking("N[Pt](N)(Cl)Cl", sync=False)["inputs"]
    name = bench.platform.seed_run("deeporigin.docking", inputs, ago_seconds=3600)
    async with bench.agent() as agent:
        run = await agent.read("get_execution", execution_id=name)
        found = await agent.read("get_execution_results", execution_id=name)
    assert "Pt" in found["status_reason"]
    assert (found["status_reason"], found["failed_parts"]) == (run["status_reason"], run["failed_parts"])


async def test_an_id_of_the_other_kind_is_recognised(agent: Agent, bench: Bench) -> None:
    other = bench.platform.executions[bench.seeded()].data_platform_id
    assert "Did you mean get_execution(" in await agent.refused("get_execution_results", execution_id=other)


@pytest.mark.parametrize(
    "cursor",
    ["nonsense", "page0:bm9uc2Vuc2U=", "row:0A00000000009:1@0", "row:0A00000000000:9.9@0", "outputs:@5"],
)
async def test_a_cursor_that_leads_nowhere_is_refused(agent: Agent, bench: Bench, cursor: str) -> None:
    name = stored(bench, {"n": 1})
    refused = await agent.error("get_execution_results", execution_id=name, cursor=cursor)
    assert refused.code in ("invalid_argument", "invalid_request")


async def test_rows_that_do_not_fit_are_on_the_next_pages(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *({"n": number, "note": "é" * 450, "more": "x" * 450} for number in range(300)))
    found = await pages(agent, execution_id=name, limit=200)
    assert [row["n"] for page in found for row in page["rows"]] == [*range(300)]
    assert len(found) < 40


async def test_a_row_without_an_id_is_capped_too(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"smiles": "CCO", "sdf": "x" * 10**6}, {"n": 2})
    for row in bench.platform.executions[name].own_results or []:
        row["id"] = None
    found = await agent.read("get_execution_results", execution_id=name)
    assert [row.get("smiles") or row.get("n") for row in found["rows"]] == ["CCO", 2]
    assert found["rows"][0]["sdf"].endswith("x… [1000000 characters]")


@pytest.mark.parametrize("meta", [{}, {"hasMore": True}, None])
async def test_an_envelope_without_cursors_loses_no_row(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch, meta: Any
) -> None:
    answer = Search.answer
    monkeypatch.setattr(Search, "answer", lambda search, rows: {**answer(search, rows), "meta": meta})
    name = stored(bench, *({"n": number} for number in range(250)))
    found = await agent.read("get_execution_results", execution_id=name, limit=60)
    seen = [row["n"] for row in found["rows"]]
    while found["has_more"]:
        found = await agent.follow(found["next_step"])
        seen += [row["n"] for row in found["rows"]]
    assert seen == [*range(250)]


async def test_a_field_of_a_mebibyte_is_summed_up_and_can_be_read_to_its_end(agent: Agent, bench: Bench) -> None:
    sdf = "".join(f"line {number}\n" for number in range(8_000))
    name = stored(bench, {"smiles": "CCO", "sdf": sdf, "score": -7.5}, {"smiles": "CCN"})
    found = await agent.read("get_execution_results", execution_id=name)
    row = found["rows"][0]
    assert (row["smiles"], row["score"], found["rows"][1]["smiles"]) == ("CCO", -7.5, "CCN")
    assert f"[{len(sdf)} characters; cursor=" in row["sdf"]
    assert await unfolded(agent, name, row["sdf"]) == sdf


async def test_a_huge_array_is_summed_up_and_can_be_read_to_its_end(agent: Agent, bench: Bench) -> None:
    grid = [[number, number + 0.5, {"name": f"atom {number}"}] for number in range(3_000)]
    name = bench.raw(status="Completed", jobOutputs={"first": 1, "grid": grid, "last": "kept"})
    found = await agent.read("get_execution_results", execution_id=name)
    assert (found["outputs"]["first"], found["outputs"]["last"], found["has_more"]) == (1, "kept", True)
    rest = await agent.follow(found["next_step"])
    assert rest["outputs"]["items"][0] in (grid[0], grid[len(found["outputs"]["grid"]) - 1])
    assert await unfolded(agent, name, found["outputs"]["grid"]) == grid


values = st.recursive(
    st.booleans() | st.integers(-(10**6), 10**6) | st.text('ab"\\\n\x01é', max_size=700),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=12)
        | st.dictionaries(st.text("abcdefgh", min_size=1, max_size=8), inner, min_size=1, max_size=12)
    ),
    max_leaves=60,
)


def deep(levels: int) -> Any:
    value: Any = ["bottom"]
    for _ in range(levels):
        value = {"in": value}
    return value


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(st.text("xyz", min_size=1, max_size=6), values, min_size=1, max_size=40))
@example({f"field {number}": number for number in range(4_000)})
@example({"big": ["y" * 400] * 300, "wide": {str(number): [number] * 50 for number in range(300)}})
@example({"deep": deep(60)})
async def test_whatever_a_run_found_can_be_read_whole(agent: Agent, bench: Bench, outputs: dict[str, Any]) -> None:
    name = bench.raw(status="Completed", jobOutputs=outputs)
    found = await agent.read("get_execution_results", execution_id=name)
    assert await unfolded(agent, name, found["outputs"]) == json.loads(json.dumps(outputs))
    for _ in range(5):
        # Each next call is one that works as it stands, however deep it leads.
        found = await agent.follow(found["next_step"]) if found["has_more"] else found


async def test_a_limit_that_has_no_room_goes_on_by_cursor(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *({"n": number, "smiles": "C" * 250} for number in range(200)))
    found = await agent.read("get_execution_results", execution_id=name, limit=200)
    shown = len(found["rows"])
    assert (0 < shown < 200, found["has_more"]) == (True, True)
    assert f" {shown}." in found["next_step"]
    rows = [row["n"] for row in found["rows"]]
    while "next_cursor" in found:
        found = await agent.read("get_execution_results", execution_id=name, limit=200, cursor=found["next_cursor"])
        rows += [row["n"] for row in found["rows"]]
    assert rows == [*range(200)]
    assert not found["has_more"]


@pytest.mark.parametrize("field", ["inputs", "metadata", "billing"])
async def test_what_a_cursor_reads_comes_under_the_name_of_what_it_is_of(
    agent: Agent, bench: Bench, field: str
) -> None:
    long = {"items": [{"smiles": "C" * 90, "n": number} for number in range(900)]}
    keys = {"inputs": "userInputs", "metadata": "metadata", "billing": "billingTransaction"}
    name = bench.raw(status="Completed", jobOutputs={"done": True}, **{keys[field]: long})
    detailed = await agent.read("get_execution", execution_id=name, detail="detailed")
    assert detailed["cut"] == [field]
    tool, arguments = calls_in(detailed["next_step"], agent.inputs)[-1]
    found = await agent.read(tool, **arguments)
    assert {field} == {"outputs", "inputs", "metadata", "billing", "row", "rows"} & found.keys()
    assert found["next_cursor"].startswith(f"{field}:")
