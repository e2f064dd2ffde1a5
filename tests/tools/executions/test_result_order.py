"""get_execution_results in an order: the best rows first, none lost, and no order that the platform did not follow."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deeporigin_mcp.simulator import parse_fault
from deeporigin_mcp.simulator.services.tables import Search
from tests.support.bench import Agent, Bench, calls_in_text, docking
from tests.support.facts import calls_in
from tests.support.rows import pages, rows_of_all, stored

pytestmark = pytest.mark.anyio

SCORES = [0.5, 10.25, -3, 9.75, 0.5, 2]


def scored(bench: Bench, *scores: Any, **more: Any) -> str:
    return stored(bench, *({"n": number, "score": score, **more} for number, score in enumerate(scores)))


def sorts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The orders that the platform is asked for from now on."""
    asked: list[Any] = []
    answer = Search.answer

    def noted(search: Search, rows: Any) -> Any:
        asked.append(search.sort)
        return answer(search, rows)

    monkeypatch.setattr(Search, "answer", noted)
    return asked


async def test_the_best_poses_of_a_run_are_one_call(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=5) as agent:
        started = await agent.read("create_execution", **docking("CCO", "CCN", "CCC", "c1ccccc1"), start=True)
        done = await agent.follow_to_the_end(started["next_step"])
        bench.clock.advance(600)
        name = done["executions"][0]["execution_id"]
        every = await rows_of_all(agent, execution_id=name)
        best = await agent.read("get_execution_results", execution_id=name, order="pose_score desc", limit=5)
    scores = sorted((row["pose_score"] for row in every), reverse=True)
    assert len(scores) == 12
    assert [row["pose_score"] for row in best["rows"]] == scores[:5]


@pytest.mark.parametrize(
    ("order", "first"),
    [("score desc", [1, 3, 5]), ("score asc", [2, 0, 4]), ("score", [2, 0, 4]), ("  score   DESC ", [1, 3, 5])],
)
async def test_numbers_are_ordered_as_numbers(agent: Agent, bench: Bench, order: str, first: list[int]) -> None:
    found = await agent.read("get_execution_results", execution_id=scored(bench, *SCORES), order=order, limit=3)
    assert [row["n"] for row in found["rows"]] == first


@pytest.mark.parametrize("order", ["", "  "])
async def test_an_empty_order_is_none(agent: Agent, bench: Bench, order: str) -> None:
    found = await agent.read("get_execution_results", execution_id=scored(bench, *SCORES), order=order)
    assert [row["n"] for row in found["rows"]] == [*range(6)]


async def test_the_next_call_names_the_order_and_the_type_again(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *SCORES)
    found = await agent.read(
        "get_execution_results", execution_id=name, order="score desc", result_type="pose", limit=4
    )
    ((_, arguments),) = calls_in(found["next_step"], agent.inputs)
    assert (arguments["order"], arguments["result_type"], arguments["limit"]) == ("score desc", "pose", 4)
    assert [row["n"] for row in (await agent.follow(found["next_step"]))["rows"]] == [4, 2]


@pytest.mark.parametrize("order", ["score desc", "id desc"])
async def test_a_cursor_knows_its_order_and_refuses_another(agent: Agent, bench: Bench, order: str) -> None:
    name = scored(bench, *SCORES)
    every = [row["n"] for row in (await agent.read("get_execution_results", execution_id=name, order=order))["rows"]]
    found = await agent.read("get_execution_results", execution_id=name, order=order, limit=2)
    cursor = calls_in_text(found["next_step"], "cursor")
    rest = await agent.read("get_execution_results", execution_id=name, cursor=cursor)
    assert [row["n"] for row in rest["rows"]] == every[2:]
    message = await agent.refused("get_execution_results", execution_id=name, cursor=cursor, order="n asc")
    assert [row["n"] for row in (await agent.follow(message))["rows"]] == [*range(6)]


async def test_a_cursor_without_an_order_refuses_one(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *SCORES)
    found = await agent.read("get_execution_results", execution_id=name, limit=2)
    cursor = calls_in_text(found["next_step"], "cursor")
    message = await agent.refused("get_execution_results", execution_id=name, cursor=cursor, order="score desc")
    assert (await agent.follow(message))["rows"][0]["n"] == 1


async def test_a_big_field_is_read_by_its_cursor_whatever_the_order(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *SCORES, sdf="x" * 3_000)
    found = await agent.read("get_execution_results", execution_id=name, order="score desc", limit=1)
    cursor = calls_in_text(found["rows"][0]["sdf"], "cursor")
    part = await agent.read("get_execution_results", execution_id=name, order="score desc", cursor=cursor)
    assert part["row"]["text"].startswith("xxx")


@pytest.mark.parametrize("cursor", ["page5[score desc]:nonsense", "page0[id asc]:bm9uc2Vuc2U=", "page1[score]:"])
async def test_a_made_up_cursor_loses_nothing_in_silence(agent: Agent, bench: Bench, cursor: str) -> None:
    name = scored(bench, *SCORES)
    answer = await agent.call("get_execution_results", {"execution_id": name, "cursor": cursor})
    assert answer.is_error or [row["n"] for row in answer.content["rows"]] == [2]
    assert answer.is_error is not cursor.startswith("page5")


async def test_beyond_the_end_the_way_back_is_in_the_same_order(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *SCORES)
    found = await agent.read("get_execution_results", execution_id=name, cursor="page99[score desc]:")
    assert (await agent.follow(found["next_step"]))["rows"][0]["n"] == 1


async def test_rows_far_down_are_not_read_together_with_those_before(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *range(300))
    found = await agent.read("get_execution_results", execution_id=name, cursor="page150[score desc]:", limit=100)
    assert [row["n"] for row in found["rows"]] == [*range(149, 49, -1)]
    assert len(bench.sent("POST", "result-explorer")) == 1


data = st.fixed_dictionaries(
    {"size": st.sampled_from([0, 5, 450])},
    optional={"score": st.sampled_from([0, 1, 1, 2.5, -7, 10, None, "good", "10", True])},
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=st.lists(data, min_size=1, max_size=60),
    versions=st.integers(1, 3),
    order=st.sampled_from(["score desc", "score asc", "n desc", "tool_version desc", "tool_version asc", "id desc"]),
    limit=st.integers(1, 70),
)
@example(rows=[{"size": 450, "score": 1}] * 60, versions=1, order="score desc", limit=70)
@example(rows=[{"size": 450}] * 30 + [{"size": 450, "score": 1}], versions=1, order="score desc", limit=9)
@example(rows=[{"size": 450}] * 260, versions=2, order="tool_version desc", limit=200)
async def test_in_any_order_every_row_comes_once_and_in_its_place(
    agent: Agent, bench: Bench, rows: list[dict[str, Any]], versions: int, order: str, limit: int
) -> None:
    texts = [{"note": "é" * row["size"], "more": "x" * row["size"]} for row in rows]
    name = stored(bench, *({"n": number, **row, **texts[number]} for number, row in enumerate(rows)))
    for number, row in enumerate(bench.platform.executions[name].own_results or []):
        row["tool_version"] = f"4.{number % versions}.0"
    field, way = order.split()
    if field == "score" and all(row.get("score") is None for row in rows):
        refused = await agent.error("get_execution_results", execution_id=name, order=order, limit=limit)
        assert refused.code == "invalid_argument"
        return
    found = await pages(agent, execution_id=name, order=order, limit=limit)
    seen = [row for page in found for row in page["rows"]]
    assert sorted(row["n"] for row in seen) == [*range(len(rows))]
    kept = [row.get(field) for row in seen] if field != "tool_version" else [row["n"] % versions for row in seen]
    values = [value for value in kept if isinstance(value, int | float)]
    assert all(first >= second if way == "desc" else first <= second for first, second in pairwise(values))


@pytest.mark.parametrize(
    ("order", "meant"),
    [
        ("pose_scor desc", "pose_score"),
        ("poseScore asc", "pose_score"),
        ("pose_score descending", "pose_score"),
        ("-pose_score", "pose_score"),
        ("zebra desc", None),
    ],
)
async def test_a_word_that_is_no_column_is_refused_with_the_columns(
    agent: Agent, bench: Bench, order: str, meant: str | None
) -> None:
    name = stored(bench, {"pose_score": 0.5, "binding_energy": -7}, {"pose_score": 0.75, "rank": 1})
    message = await agent.refused("get_execution_results", execution_id=name, order=order, limit=5)
    assert {"id", "pose_score", "binding_energy", "rank"} <= set(message.rsplit(": ", 1)[1].rstrip(".").split(", "))
    assert (f" {meant}?" in message) if meant else ("?" not in message)
    assert calls_in(message, agent.inputs) == [], "which way it was meant is not known"


@pytest.mark.parametrize("order", ["desc", "ASC", "x" * 200])
async def test_an_order_without_a_column_is_refused_before_anything_is_read(
    agent: Agent, bench: Bench, order: str
) -> None:
    refused = await agent.error("get_execution_results", execution_id=scored(bench, *SCORES), order=order)
    assert refused.code == "invalid_argument"
    assert not bench.sent("POST", "result-explorer")


async def test_a_column_that_only_late_rows_have_is_one(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *({"n": number} for number in range(30)), {"n": 30, "score": 1})
    found = await agent.read("get_execution_results", execution_id=name, order="score desc", limit=5)
    assert [row["n"] for row in found["rows"]] == [0, 1, 2, 3, 4]
    rest = await agent.read("get_execution_results", execution_id=name, order="score asc", limit=5)
    assert rest["rows"][0] == {"id": "0A00000000030", "n": 30, "score": 1}


async def test_a_refused_column_is_explained_by_the_rows(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *SCORES)
    bench.fault("POST */result-explorer/search status=400 times=2")
    answer = await agent.call("get_execution_results", {"execution_id": name, "order": "scores desc"})
    assert answer.error == ("invalid_argument", None)
    assert " score?" in answer.text


@pytest.mark.parametrize(("order", "refusals"), [("score desc", 2), ("measured_at desc", 1), ("id asc", 1)])
async def test_a_platform_that_does_not_sort_leads_to_the_call_without_order(
    agent: Agent, bench: Bench, order: str, refusals: int
) -> None:
    name = scored(bench, *SCORES)
    bench.fault(f"POST */result-explorer/search status=400 times={refusals}")
    message = await agent.refused("get_execution_results", execution_id=name, order=order, limit=7)
    ((_, arguments),) = calls_in(message, agent.inputs)
    assert arguments == {"execution_id": name, "limit": 7}
    assert len((await agent.follow(message))["rows"]) == 6


async def test_a_platform_that_fails_over_an_order_is_asked_without_it(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *SCORES)
    bench.platform.faults.append(parse_fault("POST */result-explorer/search status=500"))
    message = await agent.refused("get_execution_results", execution_id=name, order="score desc")
    bench.heal()
    assert len((await agent.follow(message))["rows"]) == 6


async def test_a_platform_that_refuses_everything_says_so(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *SCORES)
    bench.fault("POST */result-explorer/search status=400")
    refused = await agent.error("get_execution_results", execution_id=name, order="score desc")
    assert refused.code == "invalid_request"


async def test_a_platform_that_takes_one_field_only_is_asked_by_one(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sorts(bench, monkeypatch)
    name = scored(bench, *SCORES)
    bench.fault("POST */result-explorer/search status=400 times=1")
    found = await agent.read("get_execution_results", execution_id=name, order="score desc", limit=3)
    assert [row["n"] for row in found["rows"]] == [1, 3, 5]
    await agent.follow(found["next_step"])
    # A request without an order looks whether the run lacks ligands.
    assert [sort for sort in asked if sort] == [[("score", True)], [("score", True), ("id", False)]]


async def test_rows_that_the_platform_left_unsorted_are_not_passed_off_as_the_best(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = scored(bench, *SCORES)
    answer = Search.answer

    def unsorted(search: Search, rows: Any) -> Any:
        search.sort = []
        return answer(search, rows)

    monkeypatch.setattr(Search, "answer", unsorted)
    message = await agent.refused("get_execution_results", execution_id=name, order="score desc")
    assert len((await agent.follow(message))["rows"]) == 6


@pytest.mark.parametrize("arguments", [{"order": "logp desc"}, {"result_type": "molprops"}])
async def test_outputs_that_came_with_the_run_are_not_sorted_in_silence(
    agent: Agent, bench: Bench, arguments: dict[str, Any]
) -> None:
    outputs = {"molprops": [{"logp": 1.2}, {"logp": 3.4}]}
    name = bench.raw(status="Completed", jobOutputs=outputs)
    message = await agent.refused("get_execution_results", execution_id=name, **arguments)
    assert (await agent.follow(message))["outputs"] == outputs


async def test_stored_rows_are_ordered_beside_outputs(agent: Agent, bench: Bench) -> None:
    name = scored(bench, *SCORES)
    bench.platform.executions[name].stored["jobOutputs"] = {"summary": "done"}
    found = await agent.read("get_execution_results", execution_id=name, order="score desc", limit=1)
    assert [row["n"] for row in found["rows"]] == [1]


async def test_what_is_still_being_stored_is_asked_for_in_the_same_order(bench: Bench) -> None:
    bench.platform.ingestion_lag_seconds = 3_600
    async with bench.agent(auto_approve_up_to=1) as agent:
        started = await agent.read("create_execution", **docking(), start=True)
        done = await agent.follow_to_the_end(started["next_step"])
        name = done["executions"][0]["execution_id"]
        found = await agent.read("get_execution_results", execution_id=name, order="rank desc")
        bench.clock.advance(4_000)
        assert [row["rank"] for row in (await agent.follow(found["next_step"]))["rows"]] == [3, 2, 1]
