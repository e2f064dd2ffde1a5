"""get_execution_logs: the newest lines first, and every line within reach."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.bench import ERAS, Agent, Bench, compact_size
from tests.support.facts import calls_in
from tests.support.rows import log_row

pytestmark = pytest.mark.anyio


def logged(bench: Bench, *messages: str, levels: tuple[str, ...] = (), status: str = "Failed") -> str:
    """A run with these lines, oldest first."""
    name = bench.seeded(status)
    rows = [
        log_row(name, number, message, levels[number] if levels else "info") for number, message in enumerate(messages)
    ]
    bench.platform.executions[name].own_logs = rows
    return name


async def all_rows(agent: Agent, **arguments: Any) -> list[dict[str, Any]]:
    """Every row, page by page as the answers say."""
    found = await agent.read("get_execution_logs", **arguments)
    rows = list(found["rows"])
    for _ in range(2_000):
        if not found["has_more"]:
            return rows
        found = await agent.follow(found["next_step"])
        rows += found["rows"]
    raise AssertionError("it never ends")


@pytest.mark.parametrize("mode", ERAS)
async def test_the_end_of_a_failed_runs_log_comes_first(bench: Bench, mode: str) -> None:
    name = logged(
        bench, "Started.", "Ligand 2: no pose", "Run failed: out of memory", levels=("info", "warning", "error")
    )
    async with bench.agent(mode=mode) as agent:
        failed = await agent.read("get_execution", execution_id=name)
        found = await agent.follow(failed["next_step"])
    assert found == {
        "execution_id": name,
        "rows": [
            {"time": "2026-10-05T09:00:02.000Z", "level": "error", "message": "Run failed: out of memory"},
            {"time": "2026-10-05T09:00:01.000Z", "level": "warning", "message": "Ligand 2: no pose"},
            {"time": "2026-10-05T09:00:00.000Z", "level": "info", "message": "Started."},
        ],
        "offset": 0,
        "has_more": False,
    }


async def test_a_time_that_is_missing_is_the_one_of_storing(agent: Agent, bench: Bench) -> None:
    name = logged(bench, "x")
    (bench.platform.executions[name].own_logs or [{}])[0]["date"] = None
    found = await agent.read("get_execution_logs", execution_id=name)
    assert found["rows"][0]["time"] == "2026-10-05T09:00:00.000Z"


async def test_lines_are_filtered_by_level_and_by_text(agent: Agent, bench: Bench) -> None:
    name = logged(bench, "a GPU", "b gpu", "c", "d Gpu", levels=("info", "WARN", "error", "debug"))

    async def messages(**filters: Any) -> str:
        found = await agent.read("get_execution_logs", execution_id=name, **filters)
        return " ".join(row["message"][0] for row in found["rows"])

    assert await messages(level="error") == "c"
    assert await messages(level="warning") == "c b"
    assert await messages(level="info") == "c b a"
    assert await messages(contains="gpu") == "d b a"
    assert await messages(contains="gpu", level="info") == "b a"


@pytest.mark.parametrize("refused", [1, 2])
async def test_a_platform_that_does_not_filter_is_filtered_here_and_it_is_said(
    agent: Agent, bench: Bench, refused: int
) -> None:
    name = logged(bench, *(f"line {number}" + " odd" * (number % 2) for number in range(1300)))
    seen: list[str] = []
    step = None
    for _ in range(20):
        # Only the ways of asking that come first are refused, at each call anew.
        bench.fault(f"POST */user_logs/search status=400 times={refused}")
        call = agent.follow(step) if step else agent.read("get_execution_logs", execution_id=name, contains="odd")
        found = await call
        assert found["note"]
        seen += [row["message"] for row in found["rows"]]
        step = found.get("next_step")
        if not found["has_more"]:
            break
    expected = [f"line {number} odd" for number in range(1, 1300, 2)]
    assert seen == (expected if refused == 2 else expected[::-1])


async def test_a_platform_that_does_not_sort_is_read_in_its_own_order(agent: Agent, bench: Bench) -> None:
    name = logged(bench, "first", "second")
    bench.fault("POST */user_logs/search status=400 times=1")
    found = await agent.read("get_execution_logs", execution_id=name)
    assert [row["message"] for row in found["rows"]] == ["first", "second"]
    assert found["note"]


async def test_a_long_search_here_stops_and_goes_on(agent: Agent, bench: Bench) -> None:
    name = logged(bench, "needle", *["hay"] * 6_000)
    bench.fault("POST */user_logs/search status=400 times=1")
    found = await agent.read("get_execution_logs", execution_id=name, contains="needle")
    assert (found["rows"], found["has_more"]) == ([], True)
    assert "5000" in found["note"]
    bench.fault("POST */user_logs/search status=400 times=1")
    assert (await agent.follow(found["next_step"]))["rows"][0]["message"] == "needle"


@pytest.mark.parametrize("status", [403, 404, 400])
async def test_an_organisation_without_logs_is_led_to_the_execution(agent: Agent, bench: Bench, status: int) -> None:
    name = bench.seeded("Failed")
    bench.fault(f"POST */user_logs/search status={status}")
    message = await agent.refused("get_execution_logs", execution_id=name)
    assert (await agent.follow(message))["status"] == "Failed"


async def test_a_refused_token_is_not_taken_for_missing_logs(agent: Agent, bench: Bench) -> None:
    bench.fault("POST */user_logs/search status=401")
    refused = await agent.call("get_execution_logs", {"execution_id": bench.seeded("Failed")})
    assert refused.error == ("credentials", None)
    assert calls_in(refused.text, agent.inputs) == []


async def test_an_empty_log_of_a_run_that_goes_on_leads_to_waiting(agent: Agent, bench: Bench) -> None:
    name = logged(bench, status="Running")
    for filters in ({}, {"contains": "x"}):
        found = await agent.read("get_execution_logs", execution_id=name, **filters)
        assert found["rows"] == []
        assert calls_in(found["next_step"], agent.inputs) == [("wait_executions", {"execution_ids": [name]})]


@pytest.mark.parametrize("status", ["Failed", "Completed"])
async def test_an_empty_log_of_a_run_that_is_over_does_not_lead_back_to_itself(
    agent: Agent, bench: Bench, status: str
) -> None:
    name = logged(bench, status=status)
    found = await agent.read("get_execution_logs", execution_id=name)
    assert (await agent.follow(found["next_step"]))["status"] == status


async def test_beyond_the_oldest_line_the_newest_is_named(agent: Agent, bench: Bench) -> None:
    found = await agent.read("get_execution_logs", execution_id=logged(bench, "a"), offset=5)
    assert (await agent.follow(found["next_step"]))["rows"]


async def test_an_unknown_id_is_not_an_empty_log(agent: Agent, bench: Bench) -> None:
    assert (await agent.error("get_execution_logs", execution_id="nope")).code == "not_found"
    name = bench.seeded()
    other = bench.platform.executions[name].data_platform_id
    assert (await agent.follow(await agent.refused("get_execution_logs", execution_id=other)))["execution_id"] == name


async def test_a_message_is_one_line_and_a_cut_one_can_be_read_whole(agent: Agent, bench: Bench) -> None:
    long = "Frames:\n" + "\x1b[31m frame\n" * 200
    name = logged(bench, "old", long, "new | line")
    found = await agent.read("get_execution_logs", execution_id=name)
    assert found["rows"][1]["message"].endswith("…")
    whole = await agent.follow(found["next_step"])
    assert whole["rows"][0]["message"].endswith("frame")
    assert whole["rows"][0]["message"].count("frame") == 200


async def test_two_mebibytes_are_read_to_the_last_line_in_responses_that_fit(agent: Agent, bench: Bench) -> None:
    name = logged(bench, *(f"{number} " + '"\\' * 1_050 for number in range(1_000)))
    rows = await all_rows(agent, execution_id=name, limit=500)
    assert [row["message"].split()[0] for row in rows] == [str(number) for number in range(999, -1, -1)]


async def test_a_message_of_two_mebibytes_is_capped(agent: Agent, bench: Bench) -> None:
    name = logged(bench, "x" * 2**21, '\x01é"' * 2**20)
    rows = await all_rows(agent, execution_id=name)
    assert len(rows) == 2
    alone = await agent.read("get_execution_logs", execution_id=name, limit=1, offset=1)
    assert 10_000 < compact_size(alone) < 20_000
    assert f"11999 of {2**21}" in alone["note"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    messages=st.lists(st.text(max_size=40) | st.sampled_from(["y" * 900, '"' * 600]), max_size=40),
    limit=st.integers(1, 60),
)
async def test_paging_loses_nothing_and_repeats_nothing(
    agent: Agent, bench: Bench, messages: list[str], limit: int
) -> None:
    marked = [f"#{number} {message}" for number, message in enumerate(messages)]
    rows = await all_rows(agent, execution_id=logged(bench, *marked), limit=limit)
    assert [row["message"].split()[0] for row in rows] == [f"#{number}" for number in range(len(messages))][::-1]


@pytest.mark.parametrize("limit", [7, 40, 50, 100])
async def test_whoever_counts_offsets_by_the_limit_reads_every_line_once(
    agent: Agent, bench: Bench, limit: int
) -> None:
    name = logged(bench, *(f"{number}: " + "word " * 120 for number in range(301)))
    seen: list[str] = []
    for offset in range(0, 301, limit):
        found = await agent.read("get_execution_logs", execution_id=name, limit=limit, offset=offset)
        assert found.get("next_offset") == (offset + limit if offset + limit < 301 else None)
        seen += [row["message"].partition(":")[0] for row in found["rows"]]
    assert seen == [str(number) for number in range(300, -1, -1)]


async def test_lines_that_have_no_room_are_said_to_and_where_they_go_on(agent: Agent, bench: Bench) -> None:
    name = logged(bench, *(f"{number}: " + "word " * 120 for number in range(301)))
    found = await agent.read("get_execution_logs", execution_id=name, limit=500)
    shown = len(found["rows"])
    assert found["next_offset"] == shown
    assert f" {shown}." in found["next_step"]
