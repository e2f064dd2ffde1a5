"""search_executions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from deeporigin_mcp.simulator.services.tables import Search
from tests.support.bench import PROJECT, Agent, Bench, compact_size, docking
from tests.support.facts import calls_in

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _stored_at_once(bench: Bench) -> None:
    bench.platform.ingestion_lag_seconds = 0


async def found_names(agent: Agent, **arguments: Any) -> list[str]:
    found = await agent.read("search_executions", **arguments)
    assert not found["has_more"]
    return [row["execution_id"] for row in found["rows"]]


async def test_columns_are_taken_by_the_names_that_rows_show(agent: Agent, bench: Bench) -> None:
    name, _ = bench.seeded("Completed"), bench.seeded("Completed")
    stored_as = bench.platform.executions[name].data_platform_id
    for column, value in (("execution_id", name), ("data_platform_id", stored_as), ("id", stored_as)):
        condition = {"column": column, "op": "eq", "value": value}
        assert await found_names(agent, filters=[condition]) == [name]
        found = await agent.read("search_executions", filters=[condition], select=["execution_id", "id"])
        assert found["rows"] == [{"execution_id": name, "id": stored_as}]


async def test_a_row_names_both_ids_and_no_money(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Completed", name="Pilot")
    found = await agent.read("search_executions")
    (row,) = found["rows"]
    assert row == {
        "execution_id": name,
        "data_platform_id": bench.platform.executions[name].data_platform_id,
        "name": "Pilot",
        "tool_key": "deeporigin.docking",
        "tool_version": row["tool_version"],
        "status": "Completed",
        "started_at": "2026-10-05T08:59:04.000Z",
        "completed_at": "2026-10-05T08:59:50.000Z",
        "project_id": PROJECT,
    }
    assert (found["limit"], found["offset"], found["has_more"]) == (20, 0, False)
    assert "total_count" not in found
    read = await agent.read("get_execution", execution_id=row["data_platform_id"], source="data_platform")
    assert read["execution_id"] == name


async def test_each_filter_narrows_the_search(agent: Agent, bench: Bench) -> None:
    docked = bench.seeded("Completed", name="Kinase pilot", start=bench.clock.now().replace(hour=1))
    pocket = bench.seeded("Failed", tool_key="deeporigin.pocket-finder", name="Pockets")
    moved = bench.seeded("Completed", project_id="09DEMAGPCR002", name="Elsewhere")
    hidden = bench.seeded("Completed", visibility="hidden", name="Kinase hidden")

    assert set(await found_names(agent)) == {docked, pocket, moved}
    assert await found_names(agent, tool_keys=["deeporigin.pocket-finder"]) == [pocket]
    assert set(await found_names(agent, tool_keys=["deeporigin.pocket-finder", "deeporigin.docking"])) == {
        docked,
        pocket,
        moved,
    }
    assert await found_names(agent, status="Failed") == [pocket]
    assert await found_names(agent, compute_job_id=docked) == [docked]
    assert await found_names(agent, project_id="09DEMAGPCR002") == [moved]
    icontains = {"column": "name", "op": "icontains", "value": "KINASE"}
    assert await found_names(agent, filters=[icontains]) == [docked]
    assert await found_names(agent, filters=[icontains], include_hidden=True) == [hidden, docked]
    late = {"column": "started_at", "op": "gt", "value": "2026-10-05T02:00:00Z"}
    some = {"column": "status", "op": "in", "value": ["Completed", "Cancelled"]}
    assert await found_names(agent, filters=[late, some]) == [moved]
    assert await found_names(agent, filters=[{"column": "status", "op": "neq", "value": "Completed"}]) == [pocket]


async def test_selected_columns_come_as_the_platform_names_them(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Completed", session="s-1")
    found = await agent.read("search_executions", select=["id", "compute_job_id", "tags", "status"])
    assert found["rows"] == [
        {
            "id": bench.platform.executions[name].data_platform_id,
            "compute_job_id": name,
            "tags": {"app": "python-client", "session": "s-1"},
            "status": "Completed",
        }
    ]


@pytest.mark.parametrize(("count", "has_more"), [(4, False), (5, False), (6, True)])
async def test_has_more_is_exact_and_the_next_step_keeps_the_filters(
    agent: Agent, bench: Bench, count: int, has_more: bool
) -> None:
    names = bench.platform.seed_executions(count=count, name='Pilot | "quoted" (1)')
    filters = [{"column": "name", "op": "icontains", "value": '"quoted" (1)'}]
    found = await agent.read(
        "search_executions", limit=5, filters=filters, status="Completed", with_total_count=True, include_hidden=True
    )
    assert (len(found["rows"]), found["has_more"], found["total_count"]) == (min(count, 5), has_more, count)
    if has_more:
        ((_, arguments),) = calls_in(found["next_step"], agent.inputs)
        assert (arguments["filters"], arguments["status"], arguments["include_hidden"]) == (filters, "Completed", True)
        assert [row["execution_id"] for row in (await agent.follow(found["next_step"]))["rows"]] == [names[0]]


async def test_every_row_is_shown_once_within_the_size_of_a_response(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=120)
    found = await agent.read("search_executions", limit=1000)
    shown = [row["execution_id"] for row in found["rows"]]
    while found["has_more"]:
        assert compact_size(found) <= 6_000
        found = await agent.follow(found["next_step"])
        shown += [row["execution_id"] for row in found["rows"]]
    assert shown == names[::-1]


async def test_a_platform_with_shorter_pages_loses_no_row(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = bench.platform.seed_executions(count=20)
    answer = Search.answer

    def capped(search: Search, rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
        search.limit = min(search.limit, 7)
        return answer(search, rows)

    monkeypatch.setattr(Search, "answer", capped)
    found = await agent.read("search_executions", limit=10)
    shown = [row["execution_id"] for row in found["rows"]]
    while found["has_more"]:
        assert found["next_offset"] == len(shown)
        found = await agent.follow(found["next_step"])
        shown += [row["execution_id"] for row in found["rows"]]
    assert shown == names[::-1]


async def test_an_offset_skips(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=3)
    found = await agent.read("search_executions", offset=2)
    assert [row["execution_id"] for row in found["rows"]] == [names[0]]
    beyond = await agent.read("search_executions", offset=50)
    assert (beyond["rows"], beyond["has_more"]) == ([], False)
    assert len((await agent.follow(beyond["next_step"]))["rows"]) == 3


async def test_a_run_whose_results_are_being_stored_is_found_as_such(agent: Agent, bench: Bench) -> None:
    bench.platform.ingestion_lag_seconds = 60
    async with bench.agent(auto_approve_up_to=1) as rich:
        quote = await rich.read("create_execution", **docking())
        await rich.read("confirm_execution", execution_id=quote["execution_id"])
        bench.clock.advance(60)
        found = await rich.read("search_executions", compute_job_id=quote["execution_id"])
    assert [row["status"] for row in found["rows"]] == ["DataIngesting"]


async def test_a_platform_that_does_not_know_hidden_runs_says_so(agent: Agent, bench: Bench) -> None:
    bench.platform.knows_include_hidden = False
    assert (await agent.error("search_executions", include_hidden=True)).code == "invalid_request"


@pytest.mark.parametrize("column", ["price", "tool", "x" * 300, "started_at; drop", "id"])
async def test_an_unknown_column_is_refused_by_the_platform(agent: Agent, bench: Bench, column: str) -> None:
    bench.fault("POST */executions/search status=400")
    for arguments in ({"filters": [{"column": column, "op": "eq", "value": "x"}]}, {"select": [column, "name"]}):
        answer = await agent.call("search_executions", arguments)
        assert answer.error == ("invalid_request", None)
        assert calls_in(answer.text, agent.inputs) == [], "what was asked for is nobody's to rewrite"


@pytest.mark.parametrize(("status", "meant"), [("running", "Running"), ("Complete", "Completed"), ("FAILED", "Failed")])
async def test_a_misspelt_status_is_refused_before_anything_is_sent(
    agent: Agent, bench: Bench, status: str, meant: str
) -> None:
    asked = (
        {"status": status},
        {"filters": [{"column": "status", "op": "eq", "value": status}]},
        {"filters": [{"column": "status", "op": "in", "value": ["Quoted", status]}]},
    )
    for arguments in asked:
        answer = await agent.call("search_executions", arguments)
        assert answer.error == ("invalid_argument", None)
        assert f"{meant}?" in answer.text
    assert not bench.sent("POST")


@pytest.mark.parametrize("status", ["Succeeded", "DataIngesting", "Pondering"])
async def test_a_status_that_the_platform_may_know_is_searched_for(agent: Agent, bench: Bench, status: str) -> None:
    assert (await agent.read("search_executions", status=status))["rows"] == []
    assert bench.sent("POST", "/executions/search")


async def test_the_message_about_very_many_invalid_words_is_short(agent: Agent) -> None:
    found = await agent.read("search_executions", tool_keys=[f"acme.docking-{number}" for number in range(500)])
    assert 0 < len(found["next_step"]) < 2_000
    filters = [{"column": f"createdAt{number}", "op": "eq", "value": "x" * 50} for number in range(200)]
    assert len(await agent.refused("search_executions", filters=filters)) < 4_000


@pytest.mark.parametrize("limit", [7, 20, 40, 200])
async def test_whoever_counts_offsets_by_the_limit_reads_every_row_once(agent: Agent, bench: Bench, limit: int) -> None:
    names = bench.platform.seed_executions(count=301, name="A rather long name of a run, with what was on their mind")
    bench.clock.advance(600)
    seen: list[str] = []
    for offset in range(0, 301, limit):
        found = await agent.read("search_executions", limit=limit, offset=offset)
        assert found.get("next_offset") == (offset + limit if offset + limit < 301 else None)
        seen += [row["execution_id"] for row in found["rows"]]
    assert sorted(seen) == sorted(names)


async def test_a_limit_that_has_no_room_goes_on_after_the_rows_shown(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=600, name="A rather long name of a run, with what was on their mind")
    bench.clock.advance(600)
    found = await agent.read("search_executions", limit=1000)
    shown = len(found["rows"])
    assert found["next_offset"] == shown
    assert (await agent.follow(found["next_step"]))["offset"] == shown


async def test_a_value_that_is_cut_says_how_much_is_missing_and_how_to_read_it(agent: Agent, bench: Bench) -> None:
    ligands = [{"smiles": "C" * 30, "id": f"08LIGAND{number:05d}"} for number in range(120)]
    bench.raw(userInputs={"effort": 3}, status="Completed")
    name = bench.raw(userInputs={"ligands": ligands, "effort": 3}, status="Completed")
    bench.clock.advance(600)
    found = await agent.read("search_executions", select=["compute_job_id", "compute_metadata"])
    assert found["cut"] == ["compute_metadata"]
    (row,) = [row for row in found["rows"] if row["compute_job_id"] == name]
    *kept, mark = row["compute_metadata"]["userInputs"]["ligands"]
    assert (kept, mark) == (ligands[: len(kept)], f"[{120 - len(kept)} more entries]")
    alone = await agent.follow(found["next_step"])
    (row,) = alone["rows"]
    assert row["compute_metadata"]["userInputs"]["ligands"] == ligands
    assert "cut" not in alone


async def test_a_value_too_large_for_any_search_is_read_on_where_the_execution_is(agent: Agent, bench: Bench) -> None:
    ligands = [{"smiles": "C" * 90, "id": f"08LIGAND{number:05d}"} for number in range(900)]
    bench.raw(userInputs={"ligands": ligands}, status="Completed")
    bench.clock.advance(600)
    found = await agent.read("search_executions", select=["compute_job_id", "compute_metadata"], limit=1)
    assert "more entries]" in found["rows"][0]["compute_metadata"]["userInputs"]["ligands"][-1]
    detailed = await agent.follow(found["next_step"])
    tool, arguments = calls_in(detailed["next_step"], agent.inputs)[-1]
    page = await agent.read(tool, **arguments)
    assert page["inputs"]["ligands"][:2] == ligands[:2]
