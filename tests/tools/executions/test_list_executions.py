"""list_executions."""

from __future__ import annotations

import itertools
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deeporigin_mcp.server import create_server
from deeporigin_mcp.simulator import parse_fault
from deeporigin_mcp.tools.executions.list_totals import MOST_TOOLS
from deeporigin_mcp.tools.executions.lists import MAX_PROGRESS_REQUESTS
from deeporigin_mcp.tools.responses.text import as_text
from tests.support.bench import PROJECT, SESSION, Agent, Bench, agent_of, compact_size, running_bench
from tests.support.facts import calls_in
from tests.support.history import ABFE, DOCKING, abfe, docking
from tests.support.recording import capped_listing, execution, recording, settings_for

pytestmark = pytest.mark.anyio


async def every_row(agent: Agent, **arguments: Any) -> list[str]:
    """The ids of all pages, as an agent reads them by next_step alone."""
    found = await agent.read("list_executions", **arguments)
    names = [row["execution_id"] for row in found["executions"]]
    while found["has_more"]:
        found = await agent.follow(found["next_step"])
        names += [row["execution_id"] for row in found["executions"]]
        assert len(names) < 5000
    return names


async def test_the_newest_come_first_each_with_what_is_needed_to_pick_one(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=3, status=["Completed", "Running", "Quoted"], name="Pilot")
    found = await agent.read("list_executions")
    assert [row["execution_id"] for row in found["executions"]] == names[::-1]
    same = found["same_in_all"]
    assert {key: found[key] for key in found if key != "executions"} == {
        "same_in_all": {
            "tool_key": "deeporigin.docking",
            "tool_version": same["tool_version"],
            "created_by": "Ada Simulated",
            "inputs_summary": "2 ligands, protein 08SEEDPR0TE1N, effort 1",
            "inputs_hash": same["inputs_hash"],
        },
        "repeated": [{"inputs_hash": same["inputs_hash"], "count": 2, "cost": 0.8}],
        "count": 3,
        "page": 0,
        "page_size": 20,
        "has_more": False,
    }
    quoted, running, completed = found["executions"]
    assert quoted == {
        "execution_id": names[2],
        "name": "Pilot",
        "status": "Quoted",
        "quoted_price": 0.4,
        "created_at": "2026-10-05T08:59:00.000Z",
    }
    assert (completed["runtime_seconds"], running["status"]) == (46, "Running")
    assert not {"progress_percent", "project_id", "started_at"} & completed.keys()


async def test_a_list_of_quotes_says_what_becomes_of_them(bench: Bench) -> None:
    bench.platform.seed_executions(count=2, status=["Quoted", "Running"])
    async with bench.agent() as agent:
        assert "cancel_execution" in (await agent.read("list_executions", status=["Quoted"]))["next_step"]
        assert "next_step" not in await agent.read("list_executions")
    async with bench.agent(read_only=True) as agent:
        assert "next_step" not in await agent.read("list_executions", status=["Quoted"])


async def test_detailed_rows_have_all_scalar_facts(agent: Agent, bench: Bench) -> None:
    bench.seeded("Completed")
    (row,) = (await agent.read("list_executions", detail="detailed"))["executions"]
    assert (row["project_id"], row["progress_percent"]) == (PROJECT, 100)
    assert (row["started_at"], row["completed_at"]) == ("2026-10-05T08:59:04.000Z", "2026-10-05T08:59:50.000Z")


async def test_an_empty_list_has_no_more(agent: Agent) -> None:
    found = await agent.read("list_executions", tool_key="deeporigin.rbfe")
    assert (found["count"], found["executions"], found["has_more"]) == (0, [], False)


async def test_each_filter_narrows_the_list(agent: Agent, bench: Bench) -> None:
    platform = bench.platform
    old = bench.seeded("Completed", start=bench.clock.now().replace(hour=1))
    other_tool = bench.seeded("Failed", tool_key="deeporigin.pocket-finder")
    other_project = bench.seeded("Running", project_id="09DEMAGPCR002")
    ours = platform.seed_executions(count=2, status=["Quoted", "Succeeded"], session=SESSION)

    assert await every_row(agent, tool_key="deeporigin.pocket-finder") == [other_tool]
    assert await every_row(agent, project_id="09DEMAGPCR002") == [other_project]
    assert await every_row(agent, session=SESSION) == ours[::-1], "rows without a session are not this session's"
    assert await every_row(agent, status=["Completed"]) == [ours[1], old], "both words for success"
    assert await every_row(agent, status=["Quoted", "Running"]) == [other_project, ours[0]]
    assert old not in await every_row(agent, created_after="2026-10-05T02:00:00Z")
    assert await every_row(agent, created_after="2026-10-05T10:59:00+09:00", status=["Completed"]) == [ours[1]]
    assert await every_row(agent, created_after="2026-10-06") == []
    assert (await every_row(agent, order="createdAt asc"))[0] == old


async def test_the_count_of_a_session_leaves_out_what_has_none(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=30)
    ours = bench.platform.seed_executions(count=5, session=SESSION, spacing_seconds=200)
    found = await agent.read("list_executions", session=SESSION, page_size=3)
    assert [row["execution_id"] for row in found["executions"]] == ours[:1:-1]
    assert (found["count"], found["has_more"]) == (5, True)
    found = await agent.follow(found["next_step"])
    assert [row["execution_id"] for row in found["executions"]] == ours[1::-1]
    assert (found["count"], found["has_more"]) == (5, False)


async def test_created_after_is_exclusive(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=2)
    assert await every_row(agent, created_after="2026-10-05T08:58:00.000Z") == [names[1]]


@pytest.mark.parametrize(
    "order", ["createdAt desc", "createdat ASC", "created_at desc", "name", "tool? asc", " status  desc "]
)
async def test_orders_are_taken_in_any_spelling(agent: Agent, bench: Bench, order: str) -> None:
    bench.platform.seed_executions(count=2)
    assert len(await every_row(agent, order=order)) == 2


@pytest.mark.parametrize(
    "order",
    ["price desc", "", "createdAt down", "createdAt desc, name asc", "createdAt;drop", "-createdAt", "newest first"],
)
async def test_an_unknown_order_is_refused_before_anything_is_sent(agent: Agent, bench: Bench, order: str) -> None:
    assert (await agent.error("list_executions", order=order)).code == "invalid_argument"
    assert not bench.sent("GET")


@pytest.mark.parametrize("time", ["yesterday", "", "2026-13-01", "1700000000", "2026-05-07 25:00"])
async def test_an_invalid_time_is_refused_before_anything_is_sent(agent: Agent, bench: Bench, time: str) -> None:
    assert (await agent.error("list_executions", created_after=time)).code == "invalid_argument"
    assert not bench.sent("GET")


async def test_pages_are_numbered_from_zero_and_go_on(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=7)[::-1]
    found = await agent.read(
        "list_executions", page=1, page_size=3, tool_key="deeporigin.docking", status=["Completed"]
    )
    assert [row["execution_id"] for row in found["executions"]] == names[3:6]
    assert (found["count"], found["has_more"]) == (7, True)
    ((tool, arguments),) = calls_in(found["next_step"], agent.inputs)
    assert (tool, arguments["page"], arguments["page_size"]) == ("list_executions", 2, 3)
    assert (arguments["tool_key"], arguments["status"]) == ("deeporigin.docking", ["Completed"])
    assert [row["execution_id"] for row in (await agent.follow(found["next_step"]))["executions"]] == names[6:]


@pytest.mark.parametrize(("count", "has_more"), [(9, False), (10, False), (11, True)])
async def test_has_more_is_exact(agent: Agent, bench: Bench, count: int, has_more: bool) -> None:
    bench.platform.seed_executions(count=count)
    assert (await agent.read("list_executions", page_size=10))["has_more"] is has_more


async def test_a_page_behind_the_end_is_empty(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=2)
    found = await agent.read("list_executions", page=9)
    assert (found["executions"], found["count"], found["has_more"]) == ([], 2, False)


async def test_a_page_behind_the_end_names_the_last_one(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=7)
    found = await agent.read("list_executions", page=9, page_size=3, tool_key="deeporigin.docking")
    assert len((await agent.follow(found["next_step"]))["executions"]) == 1


async def test_every_page_at_once_reads_them_all_and_shows_what_fits(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=1100)
    found = await agent.read("list_executions", fetch_all_pages=True, detail="detailed", page=7)
    assert (found["count"], found["page"], found["page_size"], found["has_more"]) == (1100, 7, 20, True)
    assert [row["execution_id"] for row in found["executions"]] == names[::-1][140:160]
    assert found["total"]["count"] == 1100
    assert len(bench.sent("GET", "pageSize=1000")) == 2


async def test_every_page_at_once_comes_with_what_the_runs_of_each_tool_come_to(agent: Agent, bench: Bench) -> None:
    statuses = ["Completed", "Failed", "Quoted", "Running"]
    bench.platform.seed_executions(count=90, status=statuses)
    bench.platform.seed_executions(count=40, status=statuses, tool_key="deeporigin.mol-props-combined")
    bench.platform.seed_executions(count=3, status="Quoted", tool_key="deeporigin.pocket-finder")
    found = await agent.read("list_executions", fetch_all_pages=True)
    assert found["has_more"], "the totals are those of all runs, not of the rows that fit"
    assert found["page_size"] == len(found["executions"])
    names, sums = await every_row(agent), dict[str, dict[str, float]]()
    assert len(names) == found["count"] == 133
    for name in names:
        row = await agent.read("get_execution", execution_id=name)
        total = sums.setdefault(row["tool_key"], {"count": 0})
        total["count"] += 1
        field = "cost" if "cost" in row else "quoted_price"
        if field in row:
            total[field] = round(total.get(field, 0) + row[field], 6)
    assert [total["count"] for total in found["totals"]] == [90, 3, 40], "the dearest come first"
    assert {total.pop("tool_key"): total for total in found["totals"]} == sums
    assert found["total"] == {
        "tools": 3,
        "count": 133,
        **{key: round(sum(total.get(key, 0) for total in sums.values()), 6) for key in ("quoted_price", "cost")},
    }
    assert not {"totals", "total"} & (await agent.read("list_executions")).keys()


@pytest.mark.parametrize("tools", [MOST_TOOLS, MOST_TOOLS + 1, 90])
async def test_totals_that_are_cut_keep_the_dearest_and_still_add_up(agent: Agent, bench: Bench, tools: int) -> None:
    for number in range(tools):
        for _ in range(1 if number == tools - 1 else 3):
            bench.raw(
                status="Completed",
                tool={"key": f"acme.tool-{number:02d}", "version": "1.0.0"},
                billingTransaction={"status": "Approved", "totalCost": 0.1 * (number + 1)},
            )
    found = await agent.read("list_executions", fetch_all_pages=True)
    spent = 0.1 * (3 * sum(range(1, tools)) + tools)
    rows = found["totals"]
    assert len(rows) == min(tools, MOST_TOOLS)
    assert found["total"] == {"tools": tools, "count": 3 * tools - 2, "cost": pytest.approx(spent, abs=1e-9)}
    assert sum(row["cost"] for row in rows) == pytest.approx(spent, abs=1e-9)
    assert sum(row["count"] for row in rows) == found["count"]
    assert rows[0]["tool_key"] == f"acme.tool-{tools - 2:02d}"
    assert rows[-1]["tool_key"].endswith("further tools") is (tools > MOST_TOOLS)
    assert len(found["executions"]) == 20


async def test_what_nobody_was_billed_for_is_summed_by_its_quotes(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=3, status="Quoted")
    bench.raw(status="Failed", tool={"key": "acme.free", "version": "1"})
    found = await agent.read("list_executions", fetch_all_pages=True)
    assert found["total"] == {"tools": 2, "count": 4, "quoted_price": 1.2, "unpriced": 1}
    assert found["totals"][-1] == {"tool_key": "acme.free", "count": 1, "unpriced": 1}


def quote(*totals: Any) -> dict[str, Any]:
    """A quotation of items at these prices."""
    return {"successfulQuotations": [{"priceTotal": total} for total in totals]}


async def test_sums_say_how_many_runs_they_know_no_price_of(agent: Agent, bench: Bench) -> None:
    started = {"startedAt": "2026-11-29T00:00:00Z"}
    records: dict[str, list[dict[str, Any]]] = {
        "refund": [{"status": "Completed", "billingTransaction": {"totalCost": cost}} for cost in (7.5, -5)],
        "half a price": [{"status": "Quoted", "quotationResult": quote(2, None)}],
        "never ran": [
            {"status": status, "quotationResult": quote(50)}
            for status in ("Cancelled", "InsufficientFunds", "FailedQuotation")
        ],
        "no price": [{"status": "Running", **started}, {"status": "Completed", "quotationResult": quote(3, "?")}],
        "runs": [{"status": "Running", "quotationResult": quote(0.1, "0.20"), **started}],
        "no number": [{"status": "Completed", "billingTransaction": {"totalCost": 1e18}}],
    }
    for tool, runs in records.items():
        for run in runs:
            bench.raw(tool={"key": tool, "version": "1"}, **run)
    found = await agent.read("list_executions", fetch_all_pages=True)
    assert {row.pop("tool_key"): row for row in found["totals"]} == {
        "refund": {"count": 2, "cost": 2.5},
        "half a price": {"count": 1, "unpriced": 1},
        "never ran": {"count": 3},
        "no price": {"count": 2, "unpriced": 2},
        "runs": {"count": 1, "quoted_price": 0.3},
        "no number": {"count": 1, "unpriced": 1},
    }
    assert found["total"] == {"tools": 6, "count": 10, "quoted_price": 0.3, "cost": 2.5, "unpriced": 4}
    shown = {row["tool_key"] for row in found["executions"] if {"quoted_price", "cost"} & row.keys()}
    assert shown == {"refund", "never ran", "runs"}, "a part of a price is no price"


async def test_a_workflow_that_runs_shows_how_far_it_is(agent: Agent, bench: Bench) -> None:
    names = [bench.platform.seed_run(ABFE, abfe(lead), ago_seconds=3600) for lead in ("lead7", "lead5", "lead9")]
    found = await agent.read("list_executions", status=["Running"])
    waited = await agent.read("wait_executions", execution_ids=names, timeout_seconds=0)
    for row in [*found["executions"], *waited["executions"]]:
        alone = await agent.read("get_execution", execution_id=row["execution_id"])
        assert 0 < row["progress_percent"] == alone["progress_percent"] < 100


async def test_progress_is_asked_for_where_a_row_says_nothing_of_it_and_not_too_often(
    agent: Agent, bench: Bench
) -> None:
    names = bench.platform.seed_executions(count=MAX_PROGRESS_REQUESTS + 2, status="Running")
    bench.platform.faults.append(parse_fault(f"GET */executions/{names[-1]} status=404"))
    found = await agent.read("list_executions")
    assert [row["execution_id"] for row in found["executions"]] == names[::-1]
    asked = [path.rpartition("/")[2] for path in bench.sent("GET", "/executions/")]
    assert sorted(asked) == sorted(names[-MAX_PROGRESS_REQUESTS:]), "and one that is not answered keeps its row"


@pytest.mark.parametrize("detail", ["concise", "detailed"])
async def test_a_row_says_the_same_whether_its_page_or_every_page_was_read(
    agent: Agent, bench: Bench, detail: str
) -> None:
    for era in ("2025", "2026"):
        bench.platform.seed_executions(count=6, era=era, status=["Completed", "Failed", "Running", "Quoted"])
    by_page = await agent.read("list_executions", detail=detail)
    whole = await agent.read("list_executions", detail=detail, fetch_all_pages=True)
    assert whole["executions"] == by_page["executions"]
    assert len(whole["executions"]) == 12


LONG: dict[str, Any] = {
    "status": ["Completed", "Failed", "Running", "Quoted"],
    "name": "A rather long name of a run that somebody gave it, with all that was on their mind",
}


async def test_ten_thousand_rows_stay_within_what_a_model_should_read(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=10_000, **LONG)
    for detail in ("concise", "detailed"):
        found = await agent.read("list_executions", detail=detail, page_size=10_000)
        assert (found["count"], found["page_size"], found["has_more"]) == (10_000, 50, True)
        assert len(found["executions"]) == 50
    assert compact_size(await agent.read("list_executions")) <= 5_000


@pytest.mark.parametrize("arguments", [{}, {"detail": "detailed"}, {"fetch_all_pages": True}, {"session": SESSION}])
@pytest.mark.parametrize("page_size", [7, 20, 40, 100, 200])
async def test_whoever_counts_pages_with_one_page_size_reads_every_row_once(
    agent: Agent, bench: Bench, page_size: int, arguments: dict[str, Any]
) -> None:
    count = min(301, 6 * page_size + 1)
    names = bench.platform.seed_executions(count=count, session=SESSION, **LONG)
    seen: list[str] = []
    for page in range(-(-count // page_size)):
        found = await agent.read("list_executions", page=page, page_size=page_size, **arguments)
        assert (found["page"], found["page_size"]) == (page, page_size)
        assert found["has_more"] is (page_size * (page + 1) < count)
        assert all(row["status"] for row in found["executions"])
        seen += [row["execution_id"] for row in found["executions"]]
    assert seen == names[::-1]


async def test_columns_that_had_no_room_are_named(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=200, **LONG)
    found = await agent.read("list_executions", page_size=200)
    assert {"created_at", "status_reason"} <= {*found["cut"]}
    assert not {*found["cut"]} & {key for row in found["executions"] for key in row}
    assert "cut" not in await agent.read("list_executions", page_size=5)


@pytest.mark.parametrize(("page_size", "count"), [(201, 301), (500, 501), (1000, 301), (10_000, 301)])
async def test_pages_too_large_for_a_response_continue_in_pages_that_are_not(
    agent: Agent, bench: Bench, page_size: int, count: int
) -> None:
    names = bench.platform.seed_executions(count=count, **LONG)
    first = await agent.read("list_executions", page_size=page_size)
    message = await agent.refused("list_executions", page=1, page_size=page_size)
    for step in (first["next_step"], message):
        found = await agent.follow(step)
        seen = [row["execution_id"] for row in (*first["executions"], *found["executions"])]
        while found["has_more"]:
            found = await agent.read("list_executions", page=found["page"] + 1, page_size=found["page_size"])
            seen += [row["execution_id"] for row in found["executions"]]
        assert seen == names[::-1]


async def test_a_platform_with_smaller_pages_than_asked_for_loses_no_row() -> None:
    rows = [execution("Completed", execution_id=f"e-{number:03d}", startedAt=None) for number in range(301)]
    async with recording() as server:
        server.handler = capped_listing(rows, cap=100)
        async with agent_of(create_server(settings_for(server.url))) as agent:
            names: list[str] = []
            for page in itertools.count():
                found = await agent.read("list_executions", page=page, page_size=200)
                names += [row["execution_id"] for row in found["executions"]]
                if not found["has_more"]:
                    break
    assert names == [row["executionId"] for row in rows]


async def test_a_list_that_has_room_is_shown_whole_however_large_its_page(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=150)
    found = await agent.read("list_executions", page_size=10_000)
    assert [row["execution_id"] for row in found["executions"]] == names[::-1]
    assert not found["has_more"]


async def test_a_usual_concise_row_is_small(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=20, status=["Completed", "Running", "Quoted", "Failed", "Cancelled"])
    found = await agent.read("list_executions")
    assert compact_size(found["executions"]) / len(found["executions"]) <= 250


async def test_fifty_runs_that_differ_in_everything_are_all_in_one_page_of_small_rows(
    agent: Agent, bench: Bench
) -> None:
    users = [user["id"] for user in bench.platform.organisations["deeporigin"].users]
    names = [
        bench.platform.seed_run(
            DOCKING,
            docking(*["CC(=O)Oc1ccccc1C(=O)O"] * (number + 1), effort=number % 5 + 1),
            ago_seconds=1000 - number,
            name=f"Second round of the BRD4 series, part {number}",
            created_by=users[number % 2],
            project_id=["09DEMAKNASE01", "09DEMAGPCR002"][number % 2],
        )
        for number in range(50)
    ]
    found = await agent.read("list_executions", page_size=50)
    assert [row["execution_id"] for row in found["executions"]] == names[::-1]
    assert compact_size(found["executions"]) <= 300 * 50
    for row in found["executions"]:
        assert {"created_by", "project", "inputs_summary", "inputs_hash", "status", "created_at"} <= row.keys() | {
            "project"
        }
    assert len(as_text(found).splitlines()[2]) < 300


async def test_huge_rows_are_shown_one_at_a_time(agent: Agent, bench: Bench) -> None:
    names = [
        bench.raw(status="Failed", statusReason="r" * 9000, tool={"key": "k" * 7000, "version": "1"}) for _ in "123"
    ]
    assert sorted(await every_row(agent)) == sorted(names)


examples = st.tuples(
    st.integers(0, 90),
    st.integers(1, 100),
    st.sampled_from(["concise", "detailed"]),
    st.integers(1, 110),
    st.booleans(),
)


def test_following_next_step_shows_every_execution_exactly_once() -> None:
    async def read(bench: Bench, session: str, page_size: int, detail: str, whole: bool) -> list[str]:
        async with bench.agent() as agent:
            return await every_row(agent, session=session, page_size=page_size, detail=detail, fetch_all_pages=whole)

    with running_bench() as bench:

        @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(examples)
        def shown_once(example: tuple[int, int, str, int, bool]) -> None:
            count, page_size, detail, length, whole = example
            session = f"s{len(bench.platform.executions)}-{len(bench.platform.requests)}"
            names = bench.platform.seed_executions(
                count=count, name="n" * length, status=["Completed", "Running", "Quoted"], session=session
            )
            # The platform's filter lets these through.
            bench.platform.seed_executions(count=min(count, 9), session=None, spacing_seconds=100)
            assert anyio.run(read, bench, session, page_size, detail, whole) == names[::-1]

        shown_once()


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
async def test_a_time_at_the_edge_of_the_calendar_is_refused(agent: Agent, when: str) -> None:
    assert (await agent.error("list_executions", created_after=when)).code == "invalid_argument"


@pytest.mark.parametrize("key", ["docking", "deeporigin.dockin", "Deeporigin.Docking", "acme.docking"])
async def test_a_list_that_is_empty_because_of_a_wrong_key_says_so(agent: Agent, bench: Bench, key: str) -> None:
    bench.seeded("Failed")
    for tool, keys in (("list_executions", {"tool_key": key}), ("search_executions", {"tool_keys": [key]})):
        found = await agent.read(tool, **keys, status=["Failed"] if tool == "list_executions" else "Failed")
        assert repr(key) in found["next_step"]
        assert "deeporigin.docking" in found["next_step"]


async def test_a_filter_that_cannot_be_checked_hides_no_empty_list(agent: Agent, bench: Bench) -> None:
    bench.fault("GET */definitions status=403")
    assert (await agent.read("list_executions", tool_key="docking"))["executions"] == []


async def test_rows_of_no_project_do_not_hide_that_there_is_no_such_project(agent: Agent, bench: Bench) -> None:
    bench.raw(projectId=None)
    for tool in ("list_executions", "search_executions"):
        found = await agent.read(tool, project_id="09N0SUCHPR0J1")
        assert "09DEMAKNASE01 (Kinase pilot)" in found["next_step"]


async def test_the_message_about_a_time_in_words_has_the_present_time(agent: Agent, bench: Bench) -> None:
    bench.seeded()
    message = await agent.refused("list_executions", created_after="yesterday")
    assert (await agent.follow(message))["count"] == 1


async def test_progress_is_not_asked_for_rows_that_have_no_room(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=20, status="Running")
    bench.platform.seed_executions(count=400, status="Completed")
    found = await agent.read("list_executions", page_size=1000, order="status asc")
    assert found["has_more"]
    assert {row["status"] for row in found["executions"]} == {"Completed"}
    assert bench.sent("GET", "/executions/") == []


async def test_the_next_page_is_a_field_as_long_as_there_is_one(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=45)
    pages = [await agent.read("list_executions", page=page) for page in range(3)]
    assert [page.get("next_page") for page in pages] == [1, 2, None]
    assert [page["has_more"] for page in pages] == [True, True, False]
