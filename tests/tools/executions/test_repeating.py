"""create_execution(like=…): the same run again, with nothing but the changes given."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform.records.values import is_list_of_objects
from deeporigin_mcp.tools.executions.repeating import changed, merged
from tests.support.bench import ABFE, PROJECT, Agent, Bench, docking
from tests.support.facts import calls_in
from tests.support.history import ASPIRIN, CAFFEINE, CISPLATIN, DOCKING, HOUR, MOLPROPS, UNREADABLE, molprops
from tests.support.history import docking as of_history

pytestmark = pytest.mark.anyio

LIGANDS = [{"id": f"08L1GAND0000{n}", "smiles": "C" * n + "O"} for n in range(1, 5)]
OTHER_CLUSTER = "1f6f2c58-31c1-4a55-9a51-000000000002"

names = st.text("abc+0", min_size=1, max_size=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4)


async def first_run(agent: Agent, **more: Any) -> str:
    inputs = docking("CO", effort=3)["inputs"] | {"ligands": LIGANDS}
    found = await agent.read("create_execution", tool_key="deeporigin.docking", inputs=inputs, **more)
    return str(found["execution_id"])


def stored(bench: Bench, found: dict[str, Any]) -> dict[str, Any]:
    return bench.platform.executions[found["execution_id"]].stored


@given(objects)
def test_no_change_changes_nothing(inputs: dict[str, Any]) -> None:
    assert merged(inputs, {}) == inputs
    assert changed(inputs, copy.deepcopy(inputs)) == []


@given(objects, objects)
def test_scalars_and_nulls_are_a_merge_patch_and_the_original_stays(
    inputs: dict[str, Any], change: dict[str, Any]
) -> None:
    flat = {name: value for name, value in change.items() if not isinstance(value, dict)}
    before = copy.deepcopy(inputs)
    after = merged(inputs, flat)
    assert inputs == before
    for name in {**inputs, **flat}:
        if name in flat and flat[name] is None:
            assert name not in after
        else:
            assert after[name] == flat.get(name, inputs.get(name))
    assert merged(after, flat) == after, "the same change twice is one change"


@given(objects, objects)
def test_what_differs_is_listed_and_nothing_else(one: dict[str, Any], other: dict[str, Any]) -> None:
    text = [json.dumps(each, sort_keys=True) for each in (one, other)]
    lines = changed(one, other)
    if text[0] == text[1]:
        assert not lines
    assert len(lines) >= sum(name not in other for name in one) + sum(name not in one for name in other)


@given(st.lists(st.sampled_from(LIGANDS), min_size=1, max_size=4, unique_by=lambda one: one["id"]), st.data())
def test_a_name_removes_its_entry_and_no_other(ligands: list[dict[str, Any]], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(ligands))
    field = data.draw(st.sampled_from(("id", "smiles")))
    after = merged({"ligands": ligands}, {"ligands": {gone[field]: None}})
    assert after["ligands"] == [one for one in ligands if one != gone]
    assert is_list_of_objects(ligands)


async def test_a_run_is_repeated_as_it_was(agent: Agent, bench: Bench) -> None:
    first = await first_run(agent, tool_version="4.1.0", batch_size=8, cluster_id=OTHER_CLUSTER)
    found = await agent.read("create_execution", like=first)
    old, new = bench.platform.executions[first], bench.platform.executions[found["execution_id"]]
    assert new.id != old.id
    assert (new.inputs, new.tool, new.stored["cluster"]) == (old.inputs, old.tool, old.stored["cluster"])
    assert (new.batch_size, new.stored["projectId"]) == (8, PROJECT)
    assert found["status"] == "Quoted"
    assert found["changes"] == [f"none: an exact double of {first}", "version: 4.1.0 as before; 4.2.0 is newer"]


async def test_only_what_differs_is_given_and_the_answer_lists_it(agent: Agent, bench: Bench) -> None:
    first = await first_run(agent)
    change = {"effort": 5, "ligands": {LIGANDS[1]["id"]: None}, "pocket": {"box_size_x": 25}}
    found = await agent.read("create_execution", like=first, inputs=change, batch_size=4)
    inputs = stored(bench, found)["userInputs"]
    before = bench.platform.executions[first].inputs
    assert inputs == {
        **before,
        "effort": 5,
        "ligands": [LIGANDS[0], *LIGANDS[2:]],
        "pocket": {**before["pocket"], "box_size_x": 25},
    }
    assert bench.platform.executions[found["execution_id"]].batch_size == 4
    assert sorted(found["changes"]) == [
        "batch_size: default → 4",
        "effort: 3 → 5",
        "ligands: without CCO (4 → 3)",
        "pocket.box_size_x: 18 → 25",
    ]


async def test_a_ligand_is_replaced_added_and_named_by_its_place(agent: Agent, bench: Bench) -> None:
    first = await first_run(agent)
    change = {"0": None, LIGANDS[3]["smiles"]: {"smiles": "CCN"}, "+": [{"smiles": "CCS"}]}
    found = await agent.read("create_execution", like=first, inputs={"ligands": change})
    assert stored(bench, found)["userInputs"]["ligands"] == [*LIGANDS[1:3], {"smiles": "CCN"}, {"smiles": "CCS"}]


async def test_a_protein_replaces_the_whole_one(agent: Agent, bench: Bench) -> None:
    first = await first_run(agent)
    protein = {"id": "08DEPR0TE1N01", "file_path": "entities/proteins/brd4.pdb"}
    found = await agent.read("create_execution", like=first, inputs={"protein": protein})
    assert stored(bench, found)["userInputs"]["protein"] == protein


async def test_a_ligand_that_is_not_in_it_is_an_error_that_names_those_that_are(agent: Agent, bench: Bench) -> None:
    first = await first_run(agent)
    message = await agent.refused("create_execution", like=first, inputs={"ligands": {"aspirin": None}})
    assert "CCO" in message
    assert bench.platform.creates == [first]


async def test_changed_inputs_are_checked_as_new_ones(agent: Agent, bench: Bench) -> None:
    first = await first_run(agent)
    changes: tuple[dict[str, Any], ...] = ({"effort": 9}, {"protein": None}, {"ligand": []})
    for change in changes:
        error = await agent.error("create_execution", like=first, inputs=change)
        assert error == ("invalid_inputs", "nothing_created")
    assert bench.platform.creates == [first]


async def test_another_tool_is_no_repetition(agent: Agent) -> None:
    first = await first_run(agent)
    error = await agent.error("create_execution", like=first, tool_key=ABFE["tool_key"])
    assert error == ("invalid_argument", "nothing_created")
    found = await agent.read("create_execution", like=first, tool_key="deeporigin.docking")
    assert found["changes"] == [f"none: an exact double of {first}"]


async def test_an_exact_double_says_where_the_result_is_already(agent: Agent, bench: Bench) -> None:
    ended = bench.platform.seed_run(DOCKING, of_history(ASPIRIN, CAFFEINE), ago_seconds=HOUR)
    running = bench.platform.seed_run(DOCKING, of_history(ASPIRIN, CAFFEINE), ago_seconds=10)
    for run, tool in ((ended, "get_execution_results"), (running, "wait_executions")):
        found = await agent.read("create_execution", like=run)
        first, second = calls_in(found["next_step"], agent.inputs)
        assert (first[0], run in str(first[1]), second[0]) == (tool, True, "confirm_execution")
        # Neither a quote nor another run has its result.
        for other in ({"like": found["execution_id"]}, {"like": run, "inputs": {"effort": 2}}):
            ((name, _),) = calls_in((await agent.read("create_execution", **other))["next_step"], agent.inputs)
            assert name == "confirm_execution"


async def test_another_cluster_or_batch_size_is_no_exact_double(agent: Agent) -> None:
    first = await first_run(agent, batch_size=8)
    found = await agent.read("create_execution", like=first, batch_size=2, cluster_id=OTHER_CLUSTER)
    assert [line.partition(":")[0] for line in found["changes"]] == ["cluster_id", "batch_size"]
    same = await agent.read("create_execution", like=first, batch_size=8)
    assert same["changes"] == [f"none: an exact double of {first}"]


async def test_a_batch_size_that_the_record_of_a_run_does_not_have_is_not_called_the_default(
    agent: Agent, bench: Bench
) -> None:
    elsewhere = bench.platform.seed_run(DOCKING, of_history(ASPIRIN), ago_seconds=HOUR, batchSize=2)
    found = await agent.read("create_execution", like=elsewhere, batch_size=4)
    assert found["changes"] == ["batch_size: not recorded → 4"]


async def test_an_unknown_run_and_neither_tool_nor_run_are_errors(agent: Agent) -> None:
    gone = "00000000-0000-4000-8000-000000000000"
    assert await agent.error("create_execution", like=gone) == ("not_found", "nothing_created")
    assert await agent.error("create_execution") == ("invalid_argument", "nothing_created")


async def test_a_version_that_is_gone_is_said_with_what_is_there(agent: Agent, bench: Bench) -> None:
    tool = {"key": "deeporigin.docking", "version": "3.9.0"}
    first = bench.raw(status="Completed", tool=tool, userInputs=docking()["inputs"])
    message = await agent.refused("create_execution", like=first, inputs={"effort": 2})
    assert "3.9.0" in message
    ((name, arguments),) = calls_in(message, agent.inputs)
    assert (name, arguments) == (
        "create_execution",
        {"like": first, "inputs": {"effort": 2}, "tool_version": "4.2.0"},
    )
    found = await agent.read(name, **arguments)
    assert found["changes"] == ["version: 3.9.0 → 4.2.0", "effort: 2 added"]


async def test_a_disabled_tool_is_not_repeated(agent: Agent, bench: Bench) -> None:
    tool = {"key": "deeporigin.bulk-docking", "version": "1.0.3"}
    first = bench.raw(status="Completed", tool=tool, userInputs={"x": 1})
    assert (await agent.error("create_execution", like=first)).outcome == "nothing_created"
    assert bench.platform.creates == []


async def test_the_same_key_repeats_once(agent: Agent, bench: Bench) -> None:
    first = await first_run(agent)
    again = [await agent.read("create_execution", like=first, idempotency_key="again") for _ in range(2)]
    assert again[0]["execution_id"] == again[1]["execution_id"]
    error = await agent.error("create_execution", like=first, inputs={"effort": 1}, idempotency_key="again")
    assert error.code == "key_in_use"
    assert len(bench.platform.creates) == 2


async def test_a_tool_that_is_not_allowed_is_not_repeated(bench: Bench) -> None:
    first = bench.seeded("Completed")
    async with bench.agent(allowed_tool_keys=("acme.hello-test",)) as agent:
        assert (await agent.error("create_execution", like=first)).code == "tool_not_allowed"
    assert bench.platform.creates == []


async def test_what_got_no_result_is_run_again_by_one_call(agent: Agent, bench: Bench) -> None:
    first = bench.platform.seed_run(MOLPROPS, molprops(ASPIRIN, CISPLATIN, CAFFEINE), ago_seconds=HOUR)
    found = await agent.read("create_execution", like=first, inputs={"ligands": "missing"})
    assert stored(bench, found)["userInputs"]["ligands"] == [{"smiles": CISPLATIN}]
    assert found["changes"][-1] == f"ligands: without {ASPIRIN}, {CAFFEINE} (3 → 1)"


async def test_of_a_failed_run_everything_is_missing(agent: Agent, bench: Bench) -> None:
    inputs = docking("CCO", "CCN")["inputs"]
    first = bench.raw(status="Failed", userInputs=inputs, completedAt="2026-10-05T08:30:00.000Z")
    found = await agent.read("create_execution", like=first, inputs={"ligands": "missing"})
    assert stored(bench, found)["userInputs"]["ligands"] == inputs["ligands"]
    assert found["changes"] == [f"none: an exact double of {first}"]


async def test_what_can_never_work_is_refused_again(agent: Agent, bench: Bench) -> None:
    first = bench.platform.seed_run(DOCKING, of_history(ASPIRIN, UNREADABLE), ago_seconds=HOUR)
    error = await agent.error("create_execution", like=first, inputs={"ligands": "missing"})
    assert error == ("invalid_inputs", "nothing_created")


async def test_only_what_the_schema_says_sends_to_the_schema(agent: Agent, bench: Bench) -> None:
    first = bench.platform.seed_run(DOCKING, of_history(ASPIRIN, UNREADABLE), ago_seconds=HOUR)
    cases: tuple[tuple[dict[str, Any], bool], ...] = (({}, False), ({"effort": 9}, True))
    for change, is_of_schema in cases:
        message = await agent.refused("create_execution", like=first, inputs=change)
        assert ("describe_platform_tool" in message) is is_of_schema
        # Where the molecules are all that is wrong, that is what has to be corrected.
        assert ("Correct these molecules" in message) is not is_of_schema


async def test_nothing_missing_and_not_over_are_said(agent: Agent, bench: Bench) -> None:
    whole = bench.platform.seed_run(DOCKING, of_history(ASPIRIN, CAFFEINE), ago_seconds=HOUR)
    running = bench.platform.seed_run(DOCKING, of_history(ASPIRIN, CAFFEINE), ago_seconds=10)
    quoted = await first_run(agent)
    for run, code in ((whole, "nothing_missing"), (running, "not_over"), (quoted, "not_over")):
        error = await agent.error("create_execution", like=run, inputs={"ligands": "missing"})
        assert error == (code, "nothing_created")


async def test_a_list_in_a_file_is_read_to_leave_one_out(agent: Agent, bench: Bench) -> None:
    bench.platform.add_file("lists/1.json", json.dumps(LIGANDS).encode())
    inputs = docking("CO")["inputs"]
    del inputs["ligands"]
    inputs |= {"ligands_file": "lists/1.json", "ligands_count": 4}
    first = bench.raw(status="Completed", userInputs=inputs)
    found = await agent.read("create_execution", like=first, inputs={"ligands": {"CCO": None}})
    repeated = stored(bench, found)["userInputs"]
    assert repeated["ligands"] == [LIGANDS[0], *LIGANDS[2:]]
    assert not {"ligands_file", "ligands_count"} & repeated.keys()
    assert found["changes"] == ["ligands: without CCO (4 → 3)"]
    same = await agent.read("create_execution", like=first, inputs={"effort": 2})
    assert stored(bench, same)["userInputs"]["ligands_file"] == "lists/1.json"


async def test_a_ligand_is_named_as_the_platform_knows_it(agent: Agent, bench: Bench) -> None:
    rows = (await agent.read("find_molecules", kind="ligand", limit=3))["molecules"]
    ligands = [{"id": row["as_input"]["id"], "smiles": row["as_input"]["smiles"]} for row in rows]
    first = bench.raw(status="Completed", userInputs=docking("CO")["inputs"] | {"ligands": ligands})
    found = await agent.read("create_execution", like=first, inputs={"ligands": {rows[1]["name"]: None}})
    assert stored(bench, found)["userInputs"]["ligands"] == [ligands[0], ligands[2]]
