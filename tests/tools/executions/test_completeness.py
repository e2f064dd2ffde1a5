"""What runs that ended lack: said by get, wait and results alike, once read, within bounds, and never falsely."""

from __future__ import annotations

from typing import Any

import pytest

from deeporigin_mcp.tools.executions import completeness, create_execution
from deeporigin_mcp.tools.executions.completeness import MAX_RUNS
from tests.support.bench import BOX, ERAS, PROTEIN, SESSION, Agent, Bench, docking
from tests.support.bench import compact_size as size
from tests.support.rows import stored

pytestmark = pytest.mark.anyio

PLATINUM = "N[Pt](N)(Cl)Cl"
UNREADABLE = "CC(=O"
DOCKING, ADMET = "deeporigin.docking", "deeporigin.admet-properties"


def ran(bench: Bench, *smiles: str, ago_seconds: float = 3600, **body: Any) -> str:
    inputs = docking(*smiles, sync=False)["inputs"]
    return bench.platform.seed_run(DOCKING, inputs, ago_seconds=ago_seconds, **body)


async def waited(agent: Agent, *names: str, **arguments: Any) -> list[dict[str, Any]]:
    found = await agent.read("wait_executions", execution_ids=[*names], **arguments)
    rows: list[dict[str, Any]] = found["executions"]
    return rows


def parts(view: dict[str, Any]) -> dict[str, Any]:
    names = ("requested", "returned", "missing", "missing_count")
    return {name: view[name] for name in names if name in view}


def reads(bench: Bench) -> int:
    return len(bench.sent("POST", "result-explorer"))


@pytest.mark.parametrize("mode", ERAS)
async def test_get_wait_and_results_name_the_same_ligands_and_read_the_rows_once(bench: Bench, mode: str) -> None:
    named = bench.platform.seed_entity("ligands", name="SAR-02", smiles=PLATINUM)
    ligands = [{"smiles": "CCO"}, {"id": named, "smiles": PLATINUM}, {"smiles": UNREADABLE}, {"smiles": "CCN"}]
    name = bench.platform.seed_run(
        DOCKING, {"protein": PROTEIN, "pocket": BOX, "ligands": ligands, "sync": False}, ago_seconds=3600
    )
    async with bench.agent(mode=mode) as agent:
        found = await agent.read("get_execution", execution_id=name)
        assert (found["status"], found["requested"], found["returned"]) == ("Completed", 4, 2)
        assert [row["name"] for row in found["missing"]] == ["SAR-02", UNREADABLE]
        assert "Pt" in found["missing"][0]["reason"]
        assert UNREADABLE in found["missing"][1]["reason"]
        looks = reads(bench)
        (row,) = await waited(agent, name)
        detailed = await agent.read("get_execution", execution_id=name, detail="detailed")
        assert parts(found) == parts(row) == parts(detailed)
        assert reads(bench) == looks, "what is known is not read again"
        results = await agent.read("get_execution_results", execution_id=name)
        assert parts(results) == parts(found)
        assert reads(bench) == looks + 1, "the rows that are shown"


async def test_the_call_that_sees_a_run_end_names_what_it_lacks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create_execution, "ENDED_SECONDS", 40.0)
    ligands = [{"smiles": "CCO"}, {"smiles": PLATINUM}]
    inputs: dict[str, Any] = {"ligands": ligands, "properties": ["herg"]}
    name = bench.platform.seed_run(ADMET, inputs, ago_seconds=0, started=False)
    async with bench.agent(auto_approve_up_to=5) as agent:
        confirmed = await agent.read("confirm_execution", execution_id=name, wait_seconds=45)
        assert (confirmed["status"], confirmed["requested"], confirmed["returned"]) == ("Completed", 2, 1)
        assert [row["name"] for row in confirmed["missing"]] == [PLATINUM]
        inputs["ligands"] = [{"smiles": "CCO"}, {"smiles": "CCN"}]
        started = await agent.read("create_execution", tool_key=ADMET, inputs=inputs, start=True)
    assert (started["status"], parts(started)) == ("Completed", {"requested": 2, "returned": 2})


async def test_a_whole_run_says_so_at_the_price_of_one_request(agent: Agent, bench: Bench) -> None:
    name = ran(bench, "CCO", "CCN")
    bench.platform.requests.clear()
    found = await agent.read("get_execution", execution_id=name)
    assert parts(found) == {"requested": 2, "returned": 2}
    assert len(bench.platform.requests) == 2


@pytest.mark.parametrize(
    ("status", "inputs"),
    [
        ("Running", {"ligands": [{"smiles": "CCO"}, {"smiles": "CCN"}]}),
        ("Quoted", {"ligands": [{"smiles": "CCO"}, {"smiles": "CCN"}]}),
        ("InsufficientFunds", {"ligands": [{"smiles": "CCO"}, {"smiles": "CCN"}]}),
        ("Completed", {"ligands": [{"smiles": "CCO"}]}),
        ("Completed", {"ligands": [{"smiles": "CCO"}, {"id": "08A"}]}),
        ("Completed", {"ligands": [{"smiles": "CCO"}] * 4_000}),
        ("Completed", {"ligands": "CCO"}),
        ("Completed", {"ligands": ["CCO", "CCN"]}),
        ("Completed", {"ligands_file": "a.json", "ligands_count": 4_000}),
        ("Completed", {"ligands_file": "a.json", "ligands_count": "many"}),
        ("Completed", {}),
    ],
)
async def test_where_a_look_could_tell_nothing_none_is_taken(
    agent: Agent, bench: Bench, status: str, inputs: dict[str, Any]
) -> None:
    name = bench.raw(status=status, userInputs=inputs)
    bench.platform.requests.clear()
    assert not parts(await agent.read("get_execution", execution_id=name))
    assert reads(bench) == 0


@pytest.mark.parametrize("fault", ["POST */result-explorer/* status=500", "POST */result-explorer/* status=403"])
async def test_what_cannot_be_read_is_not_spoken_of_and_is_read_the_next_time(
    agent: Agent, bench: Bench, fault: str
) -> None:
    name = ran(bench, "CCO", PLATINUM)
    bench.fault(fault)
    assert not parts(await agent.read("get_execution", execution_id=name))
    assert not parts((await waited(agent, name))[0])
    bench.heal()
    assert (await agent.read("get_execution", execution_id=name))["returned"] == 1


async def test_without_the_log_the_missing_are_named_and_the_reason_comes_with_the_log(
    agent: Agent, bench: Bench
) -> None:
    name = ran(bench, "CCO", PLATINUM)
    bench.fault("POST */user_logs/* status=403")
    (row,) = (await agent.read("get_execution", execution_id=name))["missing"]
    assert (row["name"], "Pt" in row["reason"].replace(PLATINUM, "")) == (PLATINUM, False)
    bench.heal()
    (row,) = (await agent.read("get_execution", execution_id=name))["missing"]
    assert "Pt" in row["reason"]


async def test_results_that_take_too_long_to_read_leave_the_answer_as_it_is(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "LOOK_SECONDS", 0.05)
    name = ran(bench, "CCO", PLATINUM)
    bench.fault("POST */result-explorer/* delay=1000")
    found = await agent.read("get_execution", execution_id=name)
    assert (found["status"], parts(found)) == ("Completed", {})
    bench.heal()
    bench.clock.advance(2000)


async def test_a_wait_lasts_while_results_are_being_stored_but_not_beyond_its_own_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.agent() as agent:
        late = ran(bench, "CCO", PLATINUM, ago_seconds=0)
        (row,) = await waited(agent, late, timeout_seconds=50)
        while row["status"] != "Completed":
            (row,) = await waited(agent, late, timeout_seconds=50)
        assert (row["requested"], row["returned"]) == (2, 1), "two seconds were worth it"
        bench.platform.ingestion_lag_seconds = 3600
        later = ran(bench, "CCO", PLATINUM, ago_seconds=0)
        bench.clock.advance(120)
        found = await agent.read("wait_executions", execution_ids=[later], timeout_seconds=2)
        assert found["waited_seconds"] <= 2
        assert (found["executions"][0]["status"], parts(found["executions"][0])) == ("Completed", {})
        found = await agent.read("wait_executions", execution_ids=[later], timeout_seconds=40)
        assert found["waited_seconds"] <= sum(completeness.STORING_PAUSES)
        assert not parts(found["executions"][0]), "nothing false is said of what is not stored yet"


async def test_a_ligand_whose_result_came_while_it_was_asked_whether_all_are_stored_is_not_called_missing(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.platform, "ingestion_lag_seconds", 60)
    name = ran(bench, "CCO", "CCN", ago_seconds=0)
    while bench.platform.status(name) != "Completed":
        bench.clock.advance(1)
    async with bench.stored_meanwhile(60):
        found = await agent.read("get_execution", execution_id=name)
    assert parts(found) == {"requested": 2, "returned": 2}


async def test_a_wait_looks_at_ten_runs_and_at_the_others_the_next_time(agent: Agent, bench: Bench) -> None:
    names = [ran(bench, "CCO", PLATINUM, session=SESSION) for _ in range(MAX_RUNS + 2)]
    first = await waited(agent, *names)
    assert [bool(parts(row)) for row in first] == [True] * MAX_RUNS + [False] * 2
    assert all(parts(row) for row in await waited(agent, *names))


async def test_a_hundred_rows_that_lack_something_keep_their_numbers(agent: Agent, bench: Bench) -> None:
    names = [ran(bench, "CCO", *[f"{PLATINUM}.{'C' * number}" for number in range(1, 9)]) for _ in range(30)]
    for start in (0, 10, 20):
        await waited(agent, *names[start : start + 10])
    found = await agent.read("wait_executions", execution_ids=[*names, *names])
    assert all((row["requested"], row["returned"]) == (9, 1) for row in found["executions"])
    assert size(found) <= 20_000


async def test_more_missing_ligands_than_fit_are_counted(agent: Agent, bench: Bench) -> None:
    lost = [f"{PLATINUM}.{'C' * number}" for number in range(1, 60)]
    name = ran(bench, "CCO", *lost)
    found = await agent.read("get_execution", execution_id=name)
    assert (found["requested"], found["returned"], found["missing_count"]) == (60, 1, 59)
    (row,) = await waited(agent, name)
    assert 0 < len(row["missing"]) < len(found["missing"]) <= completeness.MAX_MISSING
    assert (row["missing_count"], size(row) < 1_000) == (59, True)


async def test_a_run_that_failed_returned_nothing_and_its_reason_names_the_ligand(agent: Agent, bench: Bench) -> None:
    named = bench.platform.seed_entity("ligands", name="SAR-07", smiles=PLATINUM)
    ligands = [{"id": named, "smiles": PLATINUM}]
    one = bench.platform.seed_run(
        DOCKING, {"protein": PROTEIN, "pocket": BOX, "ligands": ligands, "sync": False}, ago_seconds=3600
    )
    two = ran(bench, UNREADABLE, PLATINUM)
    found = await agent.read("get_execution", execution_id=one)
    assert "ligand 1 (SAR-07)" in found["status_reason"]
    assert (found["failed_parts"], parts(found)) == ("step prepare-ligands", {})
    row, other = await waited(agent, one, two)
    assert row["status_reason"] == found["status_reason"]
    assert parts(other) == {"requested": 2, "returned": 0}


async def test_rows_of_a_run_that_failed_after_some_ligands_are_counted(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"smiles": "CCO", "score": 1.5}, status="Failed")
    bench.platform.executions[name].stored["userInputs"] = docking("CCO", "CCN")["inputs"]
    found = await agent.read("get_execution", execution_id=name)
    assert (found["requested"], found["returned"], [row["name"] for row in found["missing"]]) == (2, 1, ["CCN"])


async def test_rows_of_pairs_say_nothing_of_single_ligands(agent: Agent, bench: Bench) -> None:
    for status in ("Completed", "Failed"):
        name = stored(bench, {"ligand1_id": "08A", "ligand2_id": "08B", "ddG": -1.5}, status=status)
        bench.platform.executions[name].stored["userInputs"] = {"ligands": [{"id": "08A"}, {"id": "08B"}]}
        assert not parts(await agent.read("get_execution", execution_id=name))


async def test_outputs_of_a_run_that_was_served_come_with_what_they_lack(agent: Agent, bench: Bench) -> None:
    inputs = docking("CCO", PLATINUM)["inputs"]
    name = bench.platform.seed_run(DOCKING, {**inputs, "sync": True}, ago_seconds=3600)
    found = await agent.read("get_execution_results", execution_id=name)
    assert (len(found["outputs"]["poses"]), found["requested"], found["returned"]) == (3, 2, 1)


async def test_a_batch_that_failed_is_visible_in_its_row_everywhere(agent: Agent, bench: Bench) -> None:
    name = ran(bench, "CCO", "CCN", PLATINUM, UNREADABLE, "CCC", batchSize=2)
    ran(bench, "CCO", "CCN")
    bench.platform.requests.clear()
    _, row = (await agent.read("list_executions"))["executions"]
    assert (row["status"], row["failed_parts"], size(row) < 300) == ("Completed", "2 of 5 ligands", True)
    assert reads(bench) == 0
    (row,) = await waited(agent, name)
    # Of the steps only the execution itself tells.
    assert (row["failed_parts"], row["requested"], row["returned"]) == ("2 of 5 ligands, step dock-1", 5, 3)
    assert (await agent.read("get_execution", execution_id=name))["failed_parts"] == row["failed_parts"]


async def test_ligands_that_failed_are_counted_alike_in_a_list_and_in_the_run_itself(
    agent: Agent, bench: Bench
) -> None:
    name = ran(bench, "CCO", PLATINUM)
    (row,) = (await agent.read("list_executions"))["executions"]
    found = await agent.read("get_execution", execution_id=name)
    assert row["failed_parts"] == found["failed_parts"] == "1 of 2 ligands"
    unexplained = stored(bench, {"smiles": "CCO", "score": 1.5})
    bench.platform.executions[unexplained].stored["userInputs"] = docking("CCO", "CCN")["inputs"]
    found = await agent.read("get_execution", execution_id=unexplained)
    assert (found["returned"], found.get("failed_parts")) == (1, None), "no result is no failure"
    cancelled = bench.raw(status="Cancelled", userInputs=docking("CCO", "CCN")["inputs"])
    found = await agent.read("get_execution", execution_id=cancelled)
    assert (found["returned"], found.get("failed_parts")) == (0, None), "what was not tried has not failed"


async def test_a_ligand_without_a_reason_is_no_failure_however_many_have_one(bench: Bench) -> None:
    failed = ["N" + "C" * number for number in range(1, 24)]
    name = stored(bench, {"smiles": "CCO", "score": 1.5}, *({"smiles": one, "reason": "no pose"} for one in failed))
    run = bench.platform.executions[name].stored
    for last, said in ([], "23 of 24 ligands"), (["CCCl"], None):
        run["userInputs"] = docking("CCO", *failed, *last)["inputs"]
        async with bench.agent() as new:
            found = await new.read("get_execution", execution_id=name)
        assert (found["missing_count"], found.get("failed_parts")) == (23 + len(last), said)


async def test_the_row_of_a_failed_run_names_its_ligand_in_every_kind_of_list(agent: Agent, bench: Bench) -> None:
    ran(bench, PLATINUM)
    for arguments in ({}, {"fetch_all_pages": True}):
        (row,) = (await agent.read("list_executions", **arguments))["executions"]
        assert f"ligand 1 ({PLATINUM})" in row["status_reason"]


async def test_what_is_remembered_is_bounded(agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completeness, "MAX_REMEMBERED", 2)
    names = [ran(bench, "CCO", "CCN") for _ in range(3)]
    await waited(agent, *names)
    looks = reads(bench)
    assert all(parts(row) for row in await waited(agent, *names))
    assert looks < reads(bench) <= looks + 3
