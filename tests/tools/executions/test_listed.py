"""Rows that can be told apart, filters that the platform may lack, and inputs that were run again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeporigin_mcp.server import create_server
from tests.support.bench import Agent, Bench, agent_of
from tests.support.history import ABFE, ASPIRIN, CAFFEINE, DAY, DOCKING, HOUR, IBUPROFEN, docking
from tests.support.recording import Reply, Request, execution, recording, settings_for

pytestmark = pytest.mark.anyio

ADA, LOCAL = "5d9b0c1e-7a44-4f0e-9c55-3f1f0f6f2a10", "6b06d8f8-1f55-472c-a86c-f19651ba4b20"
"""The users of the simulated organisation; the bench's token is Ada's."""
OTHER_PROJECT = "09DEMAGPCR002"
IMPORT = "deeporigin.import-dataset"


def ran(bench: Bench, *smiles: str, ago: float = HOUR, **more: Any) -> str:
    return bench.platform.seed_run(DOCKING, docking(*smiles), ago_seconds=ago, **more)


async def ids(agent: Agent, **arguments: Any) -> list[str]:
    return [row["execution_id"] for row in (await agent.read("list_executions", **arguments))["executions"]]


async def test_rows_of_one_name_say_who_ran_them_with_what_and_where(agent: Agent, bench: Bench) -> None:
    ran(bench, ASPIRIN, name="dock", ago=3 * HOUR)
    ran(bench, ASPIRIN, CAFFEINE, name="dock", ago=2 * HOUR, created_by=LOCAL)
    ran(bench, ASPIRIN, CAFFEINE, name="dock", ago=HOUR, project_id=OTHER_PROJECT, visibility="visible")
    found = await agent.read("list_executions")
    newest, middle, oldest = found["executions"]
    assert found["other_rows_project"] == "Kinase pilot"
    assert [row["created_by"] for row in (newest, middle, oldest)] == ["Ada Simulated", "Local User", "Ada Simulated"]
    assert (newest["project"], middle.get("project"), oldest.get("project")) == ("GPCR selectivity", None, None)
    assert [row["inputs_summary"][:9] for row in (newest, middle, oldest)] == ["2 ligands", "2 ligands", "ligand CC"]
    assert newest["inputs_hash"] == middle["inputs_hash"] != oldest["inputs_hash"]


async def test_a_run_of_no_project_is_not_taken_for_one_of_the_servers_own(agent: Agent, bench: Bench) -> None:
    ran(bench, ASPIRIN, project_id=None)
    ran(bench, CAFFEINE)
    found = await agent.read("list_executions")
    assert [row.get("project") for row in found["executions"]] == [None, "no project"]
    assert found["other_rows_project"] == "Kinase pilot"
    async with bench.agent(project_id="") as of_no_project:
        found = await of_no_project.read("list_executions")
    assert [row.get("project") for row in found["executions"]] == ["Kinase pilot", None]
    assert "other_rows_project" not in found


async def test_rows_whose_projects_found_no_room_are_said_to_be_of_none(agent: Agent, bench: Bench) -> None:
    for number in range(10):
        for project in (OTHER_PROJECT, "09DEMAKNASE01"):
            ran(bench, ASPIRIN, name=f"{number} a name " * 9, project_id=project, created_by=(ADA, LOCAL)[number % 2])
    bench.platform.seed_executions(tool_key=ABFE, status="Failed")
    found = await agent.read("list_executions")
    assert "project" in found["cut"]
    assert "other_rows_project" not in found


@pytest.mark.parametrize("detail", ["concise", "detailed"])
@pytest.mark.parametrize("whole", [True, False])
async def test_what_all_rows_have_in_common_is_said_once(agent: Agent, bench: Bench, detail: str, whole: bool) -> None:
    for ligand in (ASPIRIN, CAFFEINE):
        ran(bench, ligand, session="of-one-afternoon")
    found = await agent.read("list_executions", detail=detail, fetch_all_pages=whole)
    same = found["same_in_all"]
    assert same["created_by"] == "Ada Simulated"
    assert (same.get("session") == "of-one-afternoon") is ("cluster_id" in same) is (detail == "detailed")
    assert not any(same.keys() & row.keys() for row in found["executions"])


async def test_one_row_alone_keeps_its_fields(agent: Agent, bench: Bench) -> None:
    ran(bench, ASPIRIN)
    found = await agent.read("list_executions", detail="detailed")
    assert "same_in_all" not in found
    assert {"created_by", "inputs_summary", "inputs_hash", "cluster_id"} < found["executions"][0].keys()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("me", "ada"),
        ("Ada Simulated", "ada"),
        ("ada", "ada"),
        ("ADA@deeporigin.invalid", "ada"),
        (ADA, "ada"),
        ("user", "local"),
        (LOCAL, "local"),
        ("Nobody", "none"),
        ("Simulate", "none"),
    ],
)
async def test_runs_of_a_person_are_found_by_whatever_names_them(
    agent: Agent, bench: Bench, asked: str, expected: str
) -> None:
    runs = {
        "ada": [
            bench.platform.seed_executions(era="2025")[0],
            ran(bench, ASPIRIN, ago=30),
        ],
        "local": [ran(bench, ASPIRIN, ago=20, created_by=LOCAL)],
        "none": [],
    }
    found = await agent.read("list_executions", created_by=asked)
    assert [row["execution_id"] for row in found["executions"]] == runs[expected][::-1]
    assert (found["count"], found["filtered_from"]) == (len(runs[expected]), 3)
    if expected == "none":
        assert "Ada Simulated" in found["next_step"]


async def test_a_person_whom_the_platform_does_not_list_is_found_by_the_id_that_rows_show(
    agent: Agent, bench: Bench
) -> None:
    name = ran(bench, ASPIRIN, created_by="left-the-company")
    (row,) = (await agent.read("list_executions"))["executions"]
    assert await ids(agent, created_by=row["created_by"]) == [name]


async def test_a_list_does_not_need_the_names(agent: Agent, bench: Bench) -> None:
    name = ran(bench, ASPIRIN, created_by=LOCAL)
    bench.fault("GET */organizations/users status=403")
    (row,) = (await agent.read("list_executions"))["executions"]
    assert (row["execution_id"], row["created_by"]) == (name, LOCAL)


async def test_two_people_of_one_name_are_told_apart(agent: Agent, bench: Bench) -> None:
    users = bench.platform.organisations["deeporigin"].users
    users[1] |= {"firstName": "Ada", "lastName": "Simulated"}
    ran(bench, ASPIRIN, ago=9)
    other = ran(bench, CAFFEINE, ago=5, created_by=LOCAL)
    shown = [row["created_by"] for row in (await agent.read("list_executions"))["executions"]]
    assert shown == [f"Ada Simulated ({users[number]['email']})" for number in (1, 0)]
    assert await ids(agent, created_by=shown[0]) == [other]
    assert len(await ids(agent, created_by="Ada")) == 2


async def test_a_part_of_a_name_in_any_case(agent: Agent, bench: Bench) -> None:
    name = ran(bench, ASPIRIN, name="Second round, BRD4")
    ran(bench, ASPIRIN, name="first round")
    found = await agent.read("list_executions", name_contains="brd4")
    assert [row["execution_id"] for row in found["executions"]] == [name]
    assert (found["count"], found["filtered_from"]) == (1, 2)


async def test_filters_of_this_server_have_pages_that_go_on(agent: Agent, bench: Bench) -> None:
    names = [ran(bench, ASPIRIN, ago=100 - number, created_by=[ADA, LOCAL][number % 2]) for number in range(10)]
    found = await agent.read("list_executions", created_by="me", page_size=3)
    seen = [row["execution_id"] for row in found["executions"]]
    assert found["has_more"]
    found = await agent.follow(found["next_step"])
    assert seen + [row["execution_id"] for row in found["executions"]] == names[::-1][1::2]


async def test_runs_created_before_a_time(agent: Agent, bench: Bench) -> None:
    old = ran(bench, ASPIRIN, ago=2 * DAY)
    ran(bench, ASPIRIN, ago=HOUR)
    found = await agent.read("list_executions", created_before="2026-10-04T00:00:00Z")
    assert ([row["execution_id"] for row in found["executions"]], found["count"]) == ([old], 1)
    assert "filtered_from" not in found, "the platform did it"
    assert await ids(agent, created_after="2026-10-04", created_before="2026-10-05T00:00:00Z") == []


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_platform_that_lacks_a_filter_gives_the_same_rows(refuses: bool) -> None:
    rows = [execution("Completed", f"e-{day}", createdAt=f"2026-10-0{day}T12:00:00.000Z") for day in range(9, 0, -1)]

    def answer(request: Request) -> Reply:
        if not request.path.endswith("/executions"):
            return Reply({"data": []})
        if refuses and "$lt" in json.loads(request.params.get("filter", "{}")).get("createdAt", {}):
            return Reply({"message": "Invalid filter"}, status=400)
        page, size = int(request.params["page"]), int(request.params["pageSize"])
        return Reply({"data": rows[page * size : (page + 1) * size], "count": len(rows)})

    async with recording() as server:
        server.handler = answer
        async with agent_of(create_server(settings_for(server.url))) as agent:
            found = await agent.read("list_executions", created_before="2026-10-04T00:00:00Z", page_size=2)
            assert [row["execution_id"] for row in found["executions"]] == ["e-3", "e-2"]
            assert (found["count"], found["filtered_from"], found["has_more"]) == (3, 9, True)
            assert [row["execution_id"] for row in (await agent.follow(found["next_step"]))["executions"]] == ["e-1"]


async def test_hidden_runs_are_counted_and_shown_when_asked_for(agent: Agent, bench: Bench) -> None:
    shown = ran(bench, ASPIRIN)
    hidden = ran(bench, CAFFEINE, visibility="hidden", ago=60)
    found = await agent.read("list_executions")
    assert [row["execution_id"] for row in found["executions"]] == [shown]
    assert (found["count"], found["hidden_left_out"]) == (1, 1)
    both = await agent.read("list_executions", include_hidden=True)
    assert [(row["execution_id"], row.get("hidden")) for row in both["executions"]] == [(hidden, True), (shown, None)]
    assert "hidden_left_out" not in both


@pytest.mark.parametrize("page_size", [3, 4, 20])
async def test_pages_with_hidden_runs_lose_and_repeat_nothing(agent: Agent, bench: Bench, page_size: int) -> None:
    names = [
        ran(bench, ASPIRIN, ago=100 - number, visibility="hidden" if number % 3 else "visible") for number in range(11)
    ]
    found = await agent.read("list_executions", page_size=page_size)
    seen = [row["execution_id"] for row in found["executions"]]
    while found["has_more"]:
        found = await agent.follow(found["next_step"])
        seen += [row["execution_id"] for row in found["executions"]]
    assert seen == names[::3][::-1]


async def test_a_list_of_nothing_but_hidden_runs_says_how_to_see_them(agent: Agent, bench: Bench) -> None:
    name = bench.raw(tool={"key": IMPORT, "version": "3.0.0"}, status="Completed")
    found = await agent.read("list_executions", tool_key=IMPORT)
    assert found["executions"] == [], "an import is hidden, even if its record does not say so"
    assert [row["execution_id"] for row in (await agent.follow(found["next_step"]))["executions"]] == [name]


async def test_the_dearest_come_first(agent: Agent, bench: Bench) -> None:
    cheap, dear, middle = (
        ran(bench, *smiles, ago=DAY) for smiles in ([ASPIRIN], [ASPIRIN, CAFFEINE, IBUPROFEN], [ASPIRIN, CAFFEINE])
    )
    free = bench.raw(status="Failed")
    assert await ids(agent, order="cost desc") == [dear, middle, cheap, free]
    assert await ids(agent, order="cost asc", page_size=2) == [cheap, middle]
    assert await ids(agent, order="quoted_price desc") == [dear, middle, cheap, free]


async def test_inputs_that_were_run_again_are_named_with_what_they_cost(agent: Agent, bench: Bench) -> None:
    twice = [ran(bench, ASPIRIN, CAFFEINE, ago=DAY + number) for number in range(2)]
    bench.platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=5, started=False)
    ran(bench, IBUPROFEN)
    found = await agent.read("list_executions")
    of = {row["execution_id"]: row["inputs_hash"] for row in found["executions"]}
    assert found["repeated"] == [{"inputs_hash": of[twice[0]], "count": 2, "cost": 0.8}]


@pytest.mark.parametrize("count", [8, 9, 40])
async def test_rows_of_inputs_that_were_run_again_are_told_however_little_room_there_is(
    agent: Agent, bench: Bench, count: int
) -> None:
    twice = {ran(bench, ASPIRIN, CAFFEINE, ago=number + 5, name="again " * 20) for number in range(2)}
    users = [user["id"] for user in bench.platform.organisations["deeporigin"].users]
    for number in range(count):
        project = [OTHER_PROJECT, "09DEMAKNASE01"][number % 2]
        who = users[number % 2]
        ran(bench, *[IBUPROFEN] * (number + 1), name=f"{number} a name " * 9, created_by=who, project_id=project)
        bench.raw(status="Failed", statusReason=f"{number} no place " * 9, createdBy=who)
    found = await agent.read("list_executions", fetch_all_pages=True)
    (again,) = found["repeated"]
    assert "inputs_summary" in found["cut"]
    named = {row["execution_id"] for row in found["executions"] if row.get("inputs_hash") == again["inputs_hash"]}
    assert named | {*again.get("execution_ids", ())} == twice


async def test_runs_again_on_other_pages_are_named_by_their_ids(agent: Agent, bench: Bench) -> None:
    twice = [ran(bench, ASPIRIN, CAFFEINE, ago=DAY + number) for number in range(2)]
    bench.platform.seed_executions(count=250)
    found = await agent.read("list_executions", fetch_all_pages=True)
    assert found["has_more"]
    assert sorted(twice) in [sorted(one["execution_ids"]) for one in found["repeated"]]


async def test_a_page_does_not_say_how_often_inputs_were_run_in_all(agent: Agent, bench: Bench) -> None:
    for number in range(4):
        ran(bench, ASPIRIN, CAFFEINE, ago=DAY + number)
    found = await agent.read("list_executions", page_size=3)
    assert found["has_more"]
    assert "repeated" not in found
    (again,) = (await agent.read("list_executions", page_size=3, fetch_all_pages=True))["repeated"]
    assert (again["count"], again["cost"]) == (4, 1.6)


async def test_detail_of_one_run_says_who_where_and_that_it_is_hidden(agent: Agent, bench: Bench) -> None:
    name = ran(bench, ASPIRIN, visibility="hidden", created_by=LOCAL)
    found = await agent.read("get_execution", execution_id=name, detail="detailed")
    assert (found["created_by"], found["hidden"]) == ("Local User", True)
    assert {"cluster_id", "inputs_hash"} < found.keys()


async def test_inputs_of_any_shape_make_no_list_unreadable(agent: Agent, bench: Bench) -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    for inputs in ([1], "text", {"a": deep}, {"": None}, {"n": 10**300}, {"x | y\n": {"name": "a | b\n" * 99}}):
        bench.raw(userInputs=inputs, createdBy={"not": "text"}, cluster="c", visibility=7)
    assert (await agent.read("list_executions"))["count"] == 6
