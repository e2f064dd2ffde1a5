"""Reading what runs found, and comparing: the best of many, versions of a tool, and answers at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver, inputs_of, required_inputs
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ASPIRIN,
    CAFFEINE,
    CISPLATIN,
    DAY,
    DOCKING,
    IBUPROFEN,
    MOLPROPS,
    NICOTINE,
    PARACETAMOL,
    docking,
)

TOLERANCE = 0.002


def _docking_weeks(platform: Platform) -> Judge:
    batches = {
        "batch A": (ASPIRIN, CAFFEINE),
        "batch B": (IBUPROFEN, PARACETAMOL),
        "batch C": (NICOTINE, "Cc1ccccc1", "CCOC(=O)c1ccccc1"),
    }
    ids = [
        platform.seed_run(DOCKING, docking(*smiles), ago_seconds=(days + 1) * DAY, name=name)
        for days, (name, smiles) in enumerate(batches.items())
    ]
    platform.seed_run(DOCKING, docking(CISPLATIN), ago_seconds=2 * DAY, name="batch D")
    before = [
        platform.seed_run(DOCKING, docking(smiles), ago_seconds=days * DAY, name=f"earlier {smiles}")
        for days, smiles in ((9, "O=C(O)c1ccccc1"), (10, "Oc1ccccc1"))
    ]

    def energies(names: list[str]) -> dict[str, tuple[float, str]]:
        """The lowest energy (kcal/mol) of each run, and of which molecule."""
        return {
            name: min((data["binding_energy"], data["smiles"]) for _, data in platform.executions[name].found())
            for name in names
        }

    recent = energies(ids)
    best = min(recent, key=lambda name: recent[name])
    assert min(energies(before).values()) < recent[best], "an older run has to be better than the best recent one"

    def judge(answer: Answer) -> Iterator[str]:
        energy, smiles = recent[best]
        if answer.text("execution_id") != best:
            yield f"the best run is {best}, told was {answer.text('execution_id')}"
        if answer.text("smiles") != smiles:
            yield f"the molecule is {smiles}, told was {answer.text('smiles')}"
        told = answer.number("binding_energy")
        if told is None or abs(told - energy) > TOLERANCE:
            yield f"its energy is {energy} kcal/mol, told was {told}"

    return judge


async def _compare_the_poses(solver: Solver) -> dict[str, Any]:
    return await _best_of(solver, created_after=solver.ago(days=7))


async def _best_of(solver: Solver, **filters: Any) -> dict[str, Any]:
    best: dict[str, Any] = {"binding_energy": 0.0}
    for row in await solver.rows(tool_key=DOCKING, status=["Completed"], **filters):
        pose = await _best_pose(solver, row["execution_id"])
        if pose["binding_energy"] < best["binding_energy"]:
            best = pose
    return best


async def _best_pose(solver: Solver, execution_id: str, order: str = "binding_energy asc") -> dict[str, Any]:
    found = await solver.read(
        "get_execution_results", execution_id=execution_id, columns=["smiles", "binding_energy"], order=order, limit=1
    )
    (pose,) = found["rows"]
    return {"execution_id": execution_id, "smiles": pose["smiles"], "binding_energy": pose["binding_energy"]}


async def _search_all_of_history(solver: Solver) -> dict[str, Any]:
    return await _best_of(solver)


async def _take_the_newest(solver: Solver) -> dict[str, Any]:
    row = (await solver.rows(tool_key=DOCKING, status=["Completed"]))[0]
    return await _best_pose(solver, row["execution_id"])


async def _order_the_wrong_way(solver: Solver) -> dict[str, Any]:
    recent = await solver.rows(tool_key=DOCKING, status=["Completed"], created_after=solver.ago(days=7))
    poses = [await _best_pose(solver, row["execution_id"], "binding_energy desc") for row in recent]
    return min(poses, key=lambda pose: pose["binding_energy"])


BEST_DOCKING = Task(
    id="best-docking",
    prompt="Which docking of the last seven days found the pose with the lowest binding energy, and of which molecule?",
    answer_form='{"execution_id": "…", "smiles": "…", "binding_energy": 0.0}',
    arrange=_docking_weeks,
    reference=_compare_the_poses,
    mistakes=(
        Mistake("looks further back than asked", _search_all_of_history),
        Mistake("takes the newest run", _take_the_newest),
        Mistake("begins with the highest energies", _order_the_wrong_way),
    ),
)


def _two_versions(platform: Platform) -> Judge:
    old, new = (platform.catalogue.resolve(DOCKING, version) for version in ("3.2.1", "4.2.0"))
    assert old is not None
    assert new is not None
    added = set(new.inputs["properties"]) - set(old.inputs["properties"])
    no_longer_required = set(old.inputs["required"]) - set(new.inputs["required"])

    def judge(answer: Answer) -> Iterator[str]:
        if set(answer.texts("new_inputs")) != added:
            yield f"new inputs are {sorted(added)}, told was {answer.texts('new_inputs')}"
        if set(answer.texts("no_longer_required")) != no_longer_required:
            yield f"no longer required are {sorted(no_longer_required)}, told was {answer.texts('no_longer_required')}"

    return judge


async def _compare_the_schemas(solver: Solver) -> dict[str, Any]:
    found = await solver.read("find_platform_tools", query="docking", limit=1)
    tool_key = found["tools"][0]["tool_key"]
    old, new = [
        await solver.read("describe_platform_tool", tool_key=tool_key, tool_version=version)
        for version in ("3.2.1", "4.2.0")
    ]
    return {
        "new_inputs": sorted(set(inputs_of(new)) - set(inputs_of(old))),
        "no_longer_required": sorted(set(required_inputs(old)) - set(required_inputs(new))),
    }


async def _say_that_they_are_alike(solver: Solver) -> dict[str, Any]:
    return {"new_inputs": [], "no_longer_required": []}


async def _compare_the_minor_ones(solver: Solver) -> dict[str, Any]:
    old, new = [
        await solver.read("describe_platform_tool", tool_key=DOCKING, tool_version=version)
        for version in ("4.1.0", "4.2.0")
    ]
    return {
        "new_inputs": sorted(set(inputs_of(new)) - set(inputs_of(old))),
        "no_longer_required": sorted(set(required_inputs(old)) - set(required_inputs(new))),
    }


COMPARE_VERSIONS = Task(
    id="compare-versions",
    prompt="We still dock with 3.2.1. Which inputs does 4.2.0 take that 3.2.1 does not, and which became optional?",
    answer_form='{"new_inputs": ["name"], "no_longer_required": ["name"]}',
    arrange=_two_versions,
    reference=_compare_the_schemas,
    mistakes=(
        Mistake("says that nothing changed", _say_that_they_are_alike),
        Mistake("compares with 4.1.0", _compare_the_minor_ones),
    ),
)


def _free_and_fast(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        if len(platform.creates) != 1:
            yield f"one run was to be created, there are {len(platform.creates)}"
            return
        run = platform.executions[platform.creates[0]]
        truth = {data["smiles"]: data for _, data in run.found()}
        for name, column in (("logp", "logp"), ("tpsa", "tpsa")):
            told = answer.numbers(name)
            for smiles in (ASPIRIN, CAFFEINE):
                right = truth.get(smiles, {}).get(column)
                if right is None or abs(told.get(smiles, -99.0) - right) > TOLERANCE:
                    yield f"{column} of {smiles} is {right}, told was {told.get(smiles)}"
        if run.charged:
            yield f"it cost {run.charged} USD"

    return judge


async def _compute_at_once(solver: Solver) -> dict[str, Any]:
    found = await solver.read("find_platform_tools", query="logP and polar surface area")
    tool = await solver.follow(found["next_step"])
    assert {"logp", "tpsa"} <= {*tool["inputs_schema"]["properties"]["molprops"]["items"]["enum"]}
    inputs = {"ligands": [{"smiles": ASPIRIN}, {"smiles": CAFFEINE}], "molprops": ["logp", "tpsa"]}
    done = await solver.read("create_execution", tool_key=tool["tool_key"], inputs=inputs, start=True)
    rows = done["outputs"]["molprops"]
    return {name: {row["smiles"]: row[name] for row in rows} for name in ("logp", "tpsa")}


async def _recite_from_memory(solver: Solver) -> dict[str, Any]:
    inputs = {"ligands": [{"smiles": ASPIRIN}, {"smiles": CAFFEINE}], "molprops": ["logp", "tpsa"]}
    await solver.read("create_execution", tool_key=MOLPROPS, inputs=inputs, start=True)
    return {"logp": {ASPIRIN: 1.19, CAFFEINE: -0.07}, "tpsa": {ASPIRIN: 63.6, CAFFEINE: 58.4}}


async def _swap_the_molecules(solver: Solver) -> dict[str, Any]:
    told = await _compute_at_once(solver)
    return {name: {ASPIRIN: values[CAFFEINE], CAFFEINE: values[ASPIRIN]} for name, values in told.items()}


QUICK_PROPERTIES = Task(
    id="quick-properties",
    prompt=(
        f"What logP and TPSA does the platform compute for {ASPIRIN} and {CAFFEINE}? Run whatever is free; "
        "nothing that costs money."
    ),
    answer_form='{"logp": {"SMILES": 0.0}, "tpsa": {"SMILES": 0.0}}',
    arrange=_free_and_fast,
    reference=_compute_at_once,
    creates=1,
    starts=1,
    mistakes=(
        Mistake("recites values from memory", _recite_from_memory),
        Mistake("mixes the molecules up", _swap_the_molecules),
    ),
)

TASKS = (BEST_DOCKING, COMPARE_VERSIONS, QUICK_PROPERTIES)
