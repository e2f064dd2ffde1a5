"""get_execution_results by column: only those asked for, with names of molecules and what the numbers mean."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.support.bench import Agent, Bench, compact_size
from tests.support.facts import calls_in
from tests.support.rows import rows_of_all, stored, whole

pytestmark = pytest.mark.anyio

RESULTS = "get_execution_results"
SCORES = ["name", "pose_score", "binding_energy"]


def poses_of(bench: Bench, count: int, **more: Any) -> str:
    """Two poses of each ligand; these are stored as `ligand 0`, `ligand 1` and so on."""
    ids = [bench.platform.seed_entity("ligands", name=f"ligand {n}", smiles="C" * (n + 1)) for n in range(count)]
    rows = [
        {
            "ligand_id": ligand,
            "smiles": "C" * (number + 1),
            "file_path": f"tool-runs/e/{ligand}_{pose}.sdf",
            "pose_score": round(0.5 + number / 1000 - pose / 5, 4),
            "binding_energy": round(-5 - number / 100 + pose, 3),
            **more,
        }
        for number, ligand in enumerate(ids)
        for pose in (0, 1)
    ]
    return stored(bench, *rows)


def document(bench: Bench, **fields: Any) -> None:
    """The docking tool's output schema says this of the fields of its poses."""
    pose = {"type": "object", "properties": fields}
    outputs = {"type": "object", "properties": {"poses": {"type": "array", "items": pose}}}
    definitions = bench.platform.catalogue.definitions
    definitions[:] = [
        dataclasses.replace(one, outputs=outputs) if one.key == "deeporigin.docking" else one for one in definitions
    ]


def columns_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["column"]: row for row in found.get("columns", ())}


# Which are shown


async def test_rows_have_the_columns_asked_for_and_the_molecules_name(agent: Agent, bench: Bench) -> None:
    found = await agent.read(RESULTS, execution_id=poses_of(bench, 2), columns=["binding_energy"])
    assert found["rows"][0] == {"name": "ligand 0", "binding_energy": -5.0}
    assert [row["name"] for row in found["rows"]] == ["ligand 0", "ligand 0", "ligand 1", "ligand 1"]


async def test_twenty_poses_with_their_scores_cost_little(agent: Agent, bench: Bench) -> None:
    name = poses_of(bench, 10)
    answer = await agent.success(RESULTS, execution_id=name, columns=SCORES)
    everything = await agent.success(RESULTS, execution_id=name)
    assert len(answer.content["rows"]) == 20
    assert len(answer.text.encode()) < 1_000 < 2_000 < len(everything.text.encode())
    assert compact_size(answer.content) < 1_800


async def test_a_name_in_the_inputs_is_the_rows_where_the_ligand_is_not_stored(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"smiles": "CCO", "pose_score": 0.5}, {"ligand_id": "08N0WHERE0001", "pose_score": 0.25})
    ligands = [{"smiles": "CCO", "name": "ethanol"}, {"id": "08N0WHERE0001", "name": "lead 7", "smiles": "CCN"}]
    bench.platform.executions[name].stored["userInputs"] = {"ligands": ligands}
    found = await agent.read(RESULTS, execution_id=name, columns=["name", "pose_score"])
    assert found["rows"] == [{"name": "ethanol", "pose_score": 0.5}, {"name": "lead 7", "pose_score": 0.25}]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"ligand_id": "08N0WHERE0001", "smiles": "CCO"}, {"ligand_id": "08N0WHERE0001"}),
        ({"smiles": "CCO"}, {"smiles": "CCO"}),
        ({"ligand_name": "lead", "smiles": "CCO"}, {"name": "lead"}),
        ({"name": "of the tool"}, {"name": "of the tool"}),
        ({}, {"id": "0A00000000000"}),
    ],
)
async def test_where_no_name_is_known_something_else_tells_the_molecule(
    agent: Agent, bench: Bench, data: dict[str, Any], shown: dict[str, Any]
) -> None:
    found = await agent.read(RESULTS, execution_id=stored(bench, {**data, "logp": 1.5}), columns=["name", "logp"])
    assert found["rows"] == [{**shown, "logp": 1.5}]


async def test_a_pair_of_ligands_has_both_names(agent: Agent, bench: Bench) -> None:
    first, second = (bench.platform.seed_entity("ligands", name=name, smiles=name) for name in ("CC", "CCC"))
    name = stored(
        bench,
        {"ligand1_id": first, "ligand2_id": second, "ddG": {"total": -1.5, "unit": "kcal/mol"}},
        {"ligand1_id": first, "ligand2_id": "08N0WHERE0001", "ddG": {"total": -0.5, "unit": "kcal/mol"}},
    )
    found = await agent.read(RESULTS, execution_id=name, columns=["ddG.total"])
    assert found["rows"] == [{"name": "CC, CCC", "ddG.total": -1.5}, {"id": "0A00000000001", "ddG.total": -0.5}]


async def test_no_value_of_a_difference_of_unknown_sign_is_the_better_one(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"ligand1_id": "08A", "ligand2_id": "08B", "ddG": {"total": -1.5, "std": 0.2}})
    [column] = columns_of(await agent.read(RESULTS, execution_id=name, columns=["ddG.total"])).values()
    assert "better" not in column
    assert "not documented" in column["meaning"]


async def test_all_columns_come_with_the_name_too(agent: Agent, bench: Bench) -> None:
    (row, _) = (await agent.read(RESULTS, execution_id=poses_of(bench, 1)))["rows"]
    assert (row["name"], row["id"], row["smiles"]) == ("ligand 0", "0A00000000000", "C")


async def test_rows_come_without_names_where_ligands_cannot_be_read(agent: Agent, bench: Bench) -> None:
    name = poses_of(bench, 1)
    bench.fault("POST */ligands/search status=403")
    found = await agent.read(RESULTS, execution_id=name, columns=["pose_score"])
    assert [{*row} for row in found["rows"]] == [{"ligand_id", "pose_score"}] * 2


async def test_an_empty_list_of_columns_is_all(agent: Agent, bench: Bench) -> None:
    found = await agent.read(RESULTS, execution_id=stored(bench, {"a": 1, "b": 2}), columns=["", " "])
    assert found["rows"] == [{"id": "0A00000000000", "a": 1, "b": 2}]


async def test_columns_are_those_of_the_order_and_of_later_pages_too(agent: Agent, bench: Bench) -> None:
    name = poses_of(bench, 6)
    arguments = {"execution_id": name, "columns": SCORES, "order": "binding_energy asc", "limit": 5}
    found = await agent.read(RESULTS, **arguments)
    ((_, again),) = calls_in(found["next_step"], agent.inputs)
    assert again == {**arguments, "cursor": found["next_cursor"]}
    rows = await rows_of_all(agent, **arguments)
    assert [{*row} for row in rows] == [{*SCORES}] * 12
    assert [row["binding_energy"] for row in rows] == sorted(row["binding_energy"] for row in rows)


@pytest.mark.parametrize("columns", [["docking_score"], ["pose_score", "docking_score"], ["pose_score.value"]])
@pytest.mark.parametrize("more", [{}, {"best_per": "ligand_id"}])
async def test_a_column_that_does_not_exist_is_refused_with_those_that_do(
    agent: Agent, bench: Bench, columns: list[str], more: dict[str, Any]
) -> None:
    message = await agent.refused(RESULTS, execution_id=poses_of(bench, 2), columns=columns, **more)
    assert "pose_score?" in message
    named = message.rpartition(": ")[2].rstrip(".").split(", ")
    assert named == ["name", "id", "ligand_id", "smiles", "file_path", "pose_score", "binding_energy"]


async def test_a_column_that_only_later_rows_have_is_no_mistake(agent: Agent, bench: Bench) -> None:
    name = stored(bench, *({"n": number} for number in range(30)), {"n": 30, "score": 1.5})
    found = await agent.read(RESULTS, execution_id=name, columns=["n", "score"], limit=5)
    assert found["rows"][0] == {"id": "0A00000000000", "n": 0}
    assert (await rows_of_all(agent, execution_id=name, columns=["score"], limit=20))[-1]["score"] == 1.5


async def test_a_part_of_an_object_is_a_column(agent: Agent, bench: Bench) -> None:
    name = stored(bench, {"ddG": {"total": -1.5, "std": 0.25, "unit": "kcal/mol"}, "a.b": 3})
    found = await agent.read(RESULTS, execution_id=name, columns=["ddG.std", "a.b"])
    assert found["rows"] == [{"id": "0A00000000000", "ddG.std": 0.25, "a.b": 3}]
    assert columns_of(found)["ddG.std"]["unit"] == "kcal/mol"
    assert columns_of(found)["ddG.std"]["meaning"] == "standard deviation"


@pytest.mark.parametrize("column", ["sdf", "more.text"])
async def test_what_is_cut_in_a_column_is_read_by_its_cursor(agent: Agent, bench: Bench, column: str) -> None:
    long = "".join(map(str, range(900)))
    name = stored(bench, {"n": 1, "sdf": long, "more": {"n": 2, "text": long}})
    ((row),) = (await agent.read(RESULTS, execution_id=name, columns=[column]))["rows"]
    cursor = row[column].partition('cursor="')[2].partition('"')[0]
    assert await whole(agent, name, cursor) == long


async def test_columns_of_outputs_that_are_no_rows_are_refused(agent: Agent, bench: Bench) -> None:
    outputs = {"molprops": [{"logp": 1.2}]}
    name = bench.raw(status="Completed", jobOutputs=outputs)
    message = await agent.refused(RESULTS, execution_id=name, columns=["logp"])
    assert (await agent.follow(message))["outputs"] == outputs


# What they mean


async def test_pose_score_and_binding_energy_cannot_be_confused(agent: Agent, bench: Bench) -> None:
    columns = columns_of(await agent.read(RESULTS, execution_id=poses_of(bench, 3), columns=SCORES))
    score, energy = columns["pose_score"], columns["binding_energy"]
    assert (score["better"], score.get("unit")) == ("higher", None)
    assert (energy["better"], energy["unit"]) == ("lower", "kcal/mol")
    assert score["meaning"] != energy["meaning"]


async def test_only_columns_that_are_shown_and_hold_numbers_are_explained(agent: Agent, bench: Bench) -> None:
    name = poses_of(bench, 1, best_pose=True, effort=3)
    found = await agent.read(RESULTS, execution_id=name, columns=["binding_energy", "smiles", "best_pose"])
    assert [*columns_of(found)] == ["binding_energy"]
    assert "columns" not in await agent.read(RESULTS, execution_id=name, columns=["smiles"])


async def test_the_tools_own_words_count_most(agent: Agent, bench: Bench) -> None:
    document(
        bench,
        binding_energy={"type": "number", "unit": "kJ/mol", "description": "GBSA energy; lower values are better."},
        hinge={"type": "number", "minimum": 0, "maximum": 4, "description": "Hinge contacts. Higher is better"},
    )
    name = stored(bench, {"binding_energy": -40.5, "pose_score": 0.5, "hinge": 3, "odd": 1.5})
    found = await agent.read(RESULTS, execution_id=name)
    columns = columns_of(found)
    assert columns["binding_energy"]["unit"] == "kJ/mol"
    assert columns["hinge"] == {
        "column": "hinge",
        "better": "higher",
        "range": "0 to 4",
        "meaning": "Hinge contacts. Higher is better",
    }
    assert columns["pose_score"]["better"] == "higher"
    assert found["not_documented_by_the_tool"] == ["odd"]


@pytest.mark.parametrize(
    "schema",
    [
        {"description": "Higher is not better."},
        {"description": ["Higher is better"], "unit": 7, "minimum": "0"},
        "number",
        None,
    ],
)
async def test_what_says_nothing_is_not_taken_for_a_direction(agent: Agent, bench: Bench, schema: Any) -> None:
    document(bench, score=schema)
    found = await agent.read(RESULTS, execution_id=stored(bench, {"score": 1.5}))
    assert "better" not in columns_of(found).get("score", {})


@pytest.mark.parametrize("outputs", [[], {"$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/a"}}}}}, "x", None])
async def test_an_output_schema_of_any_shape_does_no_harm(agent: Agent, bench: Bench, outputs: Any) -> None:
    definitions = bench.platform.catalogue.definitions
    definitions[:] = [dataclasses.replace(one, outputs=outputs) for one in definitions]
    found = await agent.read(RESULTS, execution_id=poses_of(bench, 1), columns=SCORES)
    assert columns_of(found)["binding_energy"]["unit"] == "kcal/mol"


async def test_without_the_tools_definition_the_usual_units_are_there(agent: Agent, bench: Bench) -> None:
    name = poses_of(bench, 1)
    bench.fault("GET */definitions status=500")
    found = await agent.read(RESULTS, execution_id=name, columns=SCORES)
    assert columns_of(found)["binding_energy"]["unit"] == "kcal/mol"


@pytest.mark.parametrize(
    ("units", "shown"), [(("kJ/mol", "kJ/mol"), "kJ/mol"), (("kJ/mol", "kcal/mol"), "see {}"), ((7, None), "kcal/mol")]
)
@pytest.mark.parametrize("holder", ["", "ddG."])
async def test_a_unit_that_the_rows_name_is_the_columns(
    agent: Agent, bench: Bench, holder: str, units: tuple[Any, Any], shown: str
) -> None:
    values = [{"total" if holder else "dG": -1.5, "unit": unit} for unit in units]
    name = stored(bench, *({"ddG": value} if holder else value for value in values))
    found = await agent.read(RESULTS, execution_id=name)
    column = "ddG.total" if holder else "dG"
    assert columns_of(found)[column]["unit"] == shown.format(f"{holder}unit")


async def test_numbers_of_outputs_are_explained_too(agent: Agent, bench: Bench) -> None:
    name = bench.raw(status="Completed", jobOutputs={"molprops": [{"tpsa": 20.5, "pains": None}, {"pains": 1}]})
    columns = columns_of(await agent.read(RESULTS, execution_id=name))
    assert columns["tpsa"]["unit"] == "Å²"
    assert "not documented" in columns["pains"]["meaning"]


async def test_many_columns_to_explain_leave_room_for_what_they_are_of(agent: Agent, bench: Bench) -> None:
    rows = [{f"a_column_with_a_long_name_{number}": number / 7 for number in range(150)}] * 9
    document(bench, **{name: {"description": "What it is. " * 20, "minimum": 0} for name in rows[0]})
    name = stored(bench, *rows)
    assert len(await rows_of_all(agent, execution_id=name)) == 9
    outputs = bench.raw(status="Completed", jobOutputs={"rows": rows})
    found = await agent.read(RESULTS, execution_id=outputs)
    assert "cut" not in found
    assert found["has_more"]
