"""get_execution_results with best_per: one row of each group, the best, out of all that can be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deeporigin_mcp.tools.executions import best_rows
from tests.support.bench import Agent, Bench, docking
from tests.support.facts import calls_in
from tests.support.rows import pages, rows_of_all, stored

pytestmark = pytest.mark.anyio

RESULTS = "get_execution_results"
POSES: list[dict[str, Any]] = [
    {"ligand_id": "08A", "pose_score": 0.5, "binding_energy": -9.5},
    {"ligand_id": "08A", "pose_score": 0.9, "binding_energy": -7.0},
    {"ligand_id": "08B", "pose_score": 0.7, "binding_energy": -8.0},
    {"ligand_id": "08B", "pose_score": 0.6, "binding_energy": -6.0},
    {"ligand_id": "08C", "pose_score": 0.3, "binding_energy": -5.0},
]


@pytest.mark.parametrize(
    ("arguments", "best", "best_by"),
    [
        ({}, [1, 2, 4], "highest pose_score"),
        ({"columns": ["binding_energy", "n"]}, [0, 2, 4], "lowest binding_energy"),
        ({"columns": ["n"]}, [1, 2, 4], "highest pose_score"),
        ({"order": "binding_energy asc"}, [0, 2, 4], "lowest binding_energy"),
        # Whichever way they are listed: the best is the best.
        ({"order": "binding_energy desc"}, [4, 2, 0], "lowest binding_energy"),
        ({"order": "pose_score asc"}, [4, 2, 1], "highest pose_score"),
        ({"order": "n desc"}, [4, 3, 1], "highest n"),
        ({"order": "n"}, [0, 2, 4], "lowest n"),
    ],
)
async def test_each_group_has_its_best_row(
    agent: Agent, bench: Bench, arguments: dict[str, Any], best: list[int], best_by: str
) -> None:
    name = stored(bench, *({"n": number, **pose} for number, pose in enumerate(POSES)))
    found = await agent.read(RESULTS, execution_id=name, best_per="ligand_id", **arguments)
    assert [row["n"] for row in found["rows"]] == best
    assert (found["best_by"], found["groups"], found["rows_read"]) == (best_by, 3, 5)
    assert not found["has_more"]


async def test_the_best_poses_of_120_ligands_are_one_answer(agent: Agent, bench: Bench) -> None:
    rows = [
        {"ligand_id": f"08L{number:03d}", "smiles": "C" * 60, "pose_score": number / 1000 + pose / 5}
        for number in range(120)
        for pose in (0, 1, 2)
    ]
    columns = ["ligand_id", "pose_score"]
    found = await agent.read(
        RESULTS, execution_id=stored(bench, *rows), columns=columns, best_per="ligand_id", limit=200
    )
    assert not found["has_more"]
    assert {row["ligand_id"]: row["pose_score"] for row in found["rows"]} == {
        row["ligand_id"]: row["pose_score"] for row in rows[2::3]
    }
    assert (found["groups"], found["rows_read"]) == (120, 360)


values = st.sampled_from([None, 0, 1, 1, 2.5, -7, 10, True, "good"])
rows_of_groups = st.fixed_dictionaries({"group": st.sampled_from(["a", "b", "c", 1, "1", None]), "score": values})


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=st.lists(rows_of_groups, min_size=1, max_size=40),
    lower_is_better=st.booleans(),
    limit=st.integers(1, 12),
    read_at_once=st.integers(1, 50),
    columns=st.sampled_from([None, ["n", "score", "group"]]),
)
@example(rows=[{"group": "a", "score": 1}] * 5, lower_is_better=True, limit=1, read_at_once=2, columns=None)
async def test_the_best_of_each_group_come_once_each_in_their_order_in_pages_of_any_size(
    agent: Agent,
    bench: Bench,
    rows: list[dict[str, Any]],
    lower_is_better: bool,
    limit: int,
    read_at_once: int,
    columns: list[str] | None,
) -> None:
    name = stored(bench, *({"n": number, "score": None, **row} for number, row in enumerate(rows)))
    arguments: dict[str, Any] = {"order": f"score {'asc' if lower_is_better else 'desc'}", "best_per": "group"}
    if columns:
        arguments["columns"] = columns
    asked = {"group", "score"} <= {key for row in rows for key, value in row.items() if value is not None}
    if not asked:
        assert (await agent.error(RESULTS, execution_id=name, limit=limit, **arguments)).code == "invalid_argument"
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(best_rows, "PAGE_ROWS", read_at_once)
        found = await pages(agent, execution_id=name, limit=limit, **arguments)
    shown = [row for page in found for row in page["rows"]]
    groups = {repr(row["group"]) for row in rows if row["group"] is not None}
    assert sorted(repr(row["group"]) for row in shown) == sorted(groups), "each once"
    numbers = [row["score"] for row in rows if _is_number(row["score"])]
    best = min if lower_is_better else max
    for row in shown:
        mates = [mate["score"] for mate in rows if repr(mate["group"]) == repr(row["group"])]
        of_group = [value for value in mates if _is_number(value)]
        if of_group:
            assert row["score"] == best(of_group)
        elif numbers:
            assert not _is_number(row.get("score"))
    seen = [row["score"] for row in shown if _is_number(row.get("score"))]
    assert seen == sorted(seen, reverse=not lower_is_better)
    if numbers:
        assert all(_is_number(row.get("score")) for row in shown[: len(seen)]), "rows without a number are last"
    assert {(page["groups"], page["rows_read"]) for page in found} == {(len(groups), len(rows))}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


async def test_a_cursor_alone_reads_on_in_its_groups_and_order(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *({"n": number, **pose} for number, pose in enumerate(POSES)))
    found = await agent.read(RESULTS, execution_id=name, best_per="ligand_id", limit=1)
    rest = await agent.read(RESULTS, execution_id=name, cursor=found["next_cursor"])
    assert [row["n"] for row in [*found["rows"], *rest["rows"]]] == [1, 2, 4]
    assert (rest["best_by"], rest["groups"]) == ("highest pose_score", 3)


@pytest.mark.parametrize(
    "other",
    [{"best_per": "pose_score"}, {"order": "n asc"}, {"best_per": "pose_score", "order": "n asc"}],
)
async def test_a_cursor_refuses_other_groups_and_another_order(
    agent: Agent, bench: Bench, other: dict[str, str]
) -> None:
    name = stored(bench, *({"n": number, **pose} for number, pose in enumerate(POSES)))
    found = await agent.read(RESULTS, execution_id=name, best_per="ligand_id", limit=1)
    message = await agent.refused(RESULTS, execution_id=name, cursor=found["next_cursor"], **other)
    ((_, again),) = calls_in(message, agent.inputs)
    assert again == {"execution_id": name, **other}


async def test_a_cursor_of_all_rows_refuses_groups(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *POSES)
    found = await agent.read(RESULTS, execution_id=name, limit=1)
    message = await agent.refused(RESULTS, execution_id=name, cursor=found["next_cursor"], best_per="ligand_id")
    assert (await agent.follow(message))["groups"] == 3


async def test_the_next_call_names_everything_again(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *POSES)
    arguments = {
        "execution_id": name,
        "result_type": "pose",
        "columns": ["ligand_id"],
        "best_per": "ligand_id",
        "order": "binding_energy asc",
        "limit": 2,
    }
    found = await agent.read(RESULTS, **arguments)
    ((_, again),) = calls_in(found["next_step"], agent.inputs)
    assert again == {**arguments, "cursor": found["next_cursor"]}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"best_per": "ligand"}, "ligand_id"),
        ({"best_per": "ligand_id", "order": "score desc"}, "pose_score"),
    ],
)
async def test_a_group_or_an_order_that_is_no_column_is_refused_with_the_columns(
    agent: Agent, bench: Bench, arguments: dict[str, str], named: str
) -> None:
    message = await agent.refused(RESULTS, execution_id=stored(bench, *POSES), **arguments)
    assert f"{named}?" in message
    assert {"id", "ligand_id", "pose_score", "binding_energy"} <= set(
        message.rpartition(": ")[2].rstrip(".").split(", ")
    )


async def test_without_a_documented_direction_an_order_is_asked_for(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"ligand_id": "08A", "fit": 1, "gap": 2.5}, {"ligand_id": "08A", "fit": 2})
    message = await agent.refused(RESULTS, execution_id=name, best_per="ligand_id")
    assert "fit, gap" in message
    assert (await agent.follow(message))["rows"][0]["fit"] == 2


async def test_rows_without_numbers_have_no_best_one(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"ligand_id": "08A", "note": "x"}, {"ligand_id": "08A", "note": "y"})
    message = await agent.refused(RESULTS, execution_id=name, best_per="ligand_id")
    assert len((await agent.follow(message))["rows"]) == 2
    found = await agent.read(RESULTS, execution_id=name, best_per="ligand_id", order="note desc")
    assert found["rows"][0]["note"] == "y"


async def test_rows_of_no_group_are_left_out_and_counted(agent: Agent, bench: Bench) -> None:
    found = await agent.read(
        RESULTS, execution_id=stored(bench, *POSES, {"pose_score": 1}, {"pose_score": 2}), best_per="ligand_id"
    )
    assert (found["groups"], found["rows_read"]) == (3, 7)
    assert found["note"].endswith(" 2 rows.")


@pytest.mark.parametrize("others", [POSES, []])
async def test_ligands_that_were_given_without_an_id_are_groups_by_their_smiles(
    agent: Agent, bench: Bench, others: list[dict[str, Any]]
) -> None:
    rows = [{"smiles": smiles, "pose_score": score} for smiles, score in (("CCO", 0.8), ("CCO", 0.95), ("CCN", 0.1))]
    found = await agent.read(RESULTS, execution_id=stored(bench, *others, *rows), best_per="ligand_id")
    best = [row["pose_score"] for row in found["rows"] if "smiles" in row]
    assert (best, found["groups"]) == ([0.95, 0.1], 5 if others else 2)
    assert "note" not in found


async def test_of_more_rows_than_can_be_read_it_is_said_how_many_were(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_rows, "PAGE_ROWS", 2)
    monkeypatch.setattr(best_rows, "MOST_READ", 3)
    found = await agent.read(RESULTS, execution_id=stored(bench, *POSES), best_per="ligand_id")
    assert (found["groups"], found["rows_read"]) == (2, 3)
    assert " 3 " in found["note"]
    assert "missing" not in found, "what was not read is not missing"


async def test_what_was_read_in_time_is_compared(agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best_rows, "PAGE_ROWS", 2)
    name = stored(bench, *POSES)
    bench.fault("POST */result-explorer/search delay=9 skip=2")
    async with bench.time_up(best_rows.READ_SECONDS):
        found = await agent.read(RESULTS, execution_id=name, best_per="ligand_id")
    assert (found["groups"], found["rows_read"]) == (2, 4)
    assert " 4 " in found["note"]
    bench.heal()


async def test_a_platform_that_returns_nothing_in_time_is_an_error(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_rows, "READ_SECONDS", 0.3)
    name = stored(bench, *POSES)
    bench.fault("POST */result-explorer/search delay=9")
    assert (await agent.error(RESULTS, execution_id=name, best_per="ligand_id")).code == "platform_failed"
    bench.heal()


async def test_the_best_are_of_one_type_where_one_is_asked_for(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *POSES, {"ligand_id": "08A", "pose_score": 9})
    (bench.platform.executions[name].own_results or [])[-1]["result_type"] = "other"
    found = await agent.read(RESULTS, execution_id=name, best_per="ligand_id", result_type="pose")
    assert found["rows"][0]["pose_score"] == 0.9


async def test_missing_ligands_are_named_beside_the_best(bench: Bench) -> None:
    inputs = docking("CCO", "N[Pt](N)(Cl)Cl", "CCN", sync=False)["inputs"]
    name = bench.platform.seed_run("deeporigin.docking", inputs, ago_seconds=3600)
    async with bench.agent() as agent:
        found = await agent.read(RESULTS, execution_id=name, best_per="smiles", columns=["pose_score"])
    assert (found["requested"], found["returned"], found["groups"]) == (3, 2, 2)
    assert [row["name"] for row in found["missing"]] == ["N[Pt](N)(Cl)Cl"]


async def test_a_run_without_rows_says_why(agent: Agent, bench: Bench) -> None:
    found = await agent.read(RESULTS, execution_id=bench.seeded("Running"), best_per="ligand_id")
    assert (found["rows"], found["has_more"]) == ([], False)
    outputs = {"molprops": [{"logp": 1.2}]}
    message = await agent.refused(
        RESULTS, execution_id=bench.raw(status="Completed", jobOutputs=outputs), best_per="ligand_id"
    )
    assert "best_per" in message
    assert (await agent.follow(message))["outputs"] == outputs


async def test_beyond_the_end_the_way_back_is_in_the_same_groups(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *POSES)
    found = await agent.read(RESULTS, execution_id=name, cursor="page99[pose_score desc per ligand_id]:")
    assert found["rows"] == []
    assert (await agent.follow(found["next_step"]))["groups"] == 3


async def test_a_part_of_an_object_is_ordered_by_here(agent: Agent, bench: Bench) -> None:
    totals = [0.5, -2.5, 1.5, -0.5]
    name = stored(bench, *({"ddG": {"total": total}} for total in totals), {"note": "none"})
    rows = await rows_of_all(agent, execution_id=name, order="ddG.total asc", columns=["ddG.total"], limit=2)
    assert [row.get("ddG.total") for row in rows] == [*sorted(totals), None]
