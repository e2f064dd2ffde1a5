"""A run for the methods section and for a spreadsheet: files that outlast the conversation."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ASPIRIN,
    CAFFEINE,
    CISPLATIN,
    DAY,
    DOCKING,
    HOUR,
    IBUPROFEN,
    NICOTINE,
    OXALIPLATIN,
    docking,
    price_of,
)

COLLEAGUE = "6b06d8f8-1f55-472c-a86c-f19651ba4b20"
"""Whose name is Local User."""


# To cite


def _to_be_cited(platform: Platform) -> Judge:
    inputs = docking(ASPIRIN, CAFFEINE, NICOTINE, effort=3)
    run = platform.seed_run(
        DOCKING, inputs, ago_seconds=2 * DAY, name="final set", tool_version="4.1.0", created_by=COLLEAGUE
    )
    platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE, NICOTINE), ago_seconds=HOUR, name="final set, once more")

    def judge(answer: Answer) -> Iterator[str]:
        if answer.text("tool_version") != "4.1.0":
            yield f"it ran with 4.1.0, told was {answer.text('tool_version')}"
        if answer.text("ran_by") != "Local User":
            yield f"Local User ran it, told was {answer.text('ran_by')}"
        told = answer.number("usd")
        if told is None or abs(told - price_of(platform, run)) > 0.005:
            yield f"it cost {price_of(platform, run):.2f} USD, told was {told}"

    return judge


def _with_checksums(folder: Path) -> Iterator[str]:
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.json")]
    if [record.get("name") for record in records] != ["final set"]:
        yield "one JSON file about 'final set' was wanted"
    elif not records[0].get("result_files") or not all("md5" in file for file in records[0]["result_files"]):
        yield "its result files were to have checksums"


async def _run_named(solver: Solver, name: str) -> dict[str, Any]:
    found = await solver.read("list_executions", name_contains=name)
    row = next(row for row in found["executions"] if row["name"] == name)
    return {**found.get("same_in_all", {}), **row}


async def _cited(solver: Solver, name: str = "final set", what: str = "record") -> dict[str, Any]:
    run = await _run_named(solver, name)
    await solver.read("download_files", execution_id=run["execution_id"], what=what)
    return {"tool_version": run["tool_version"], "ran_by": run["created_by"], "usd": run["cost"]}


async def _the_files_only(solver: Solver) -> dict[str, Any]:
    return await _cited(solver, what="all")


async def _the_other_run(solver: Solver) -> dict[str, Any]:
    return await _cited(solver, "final set, once more")


CITE_A_RUN = Task(
    id="cite-a-run",
    prompt="For the supporting information I need the record of our docking 'final set' as a JSON file: everything "
    "that is needed to cite or repeat it, with checksums of its result files. And tell me for the text: which version "
    "of the tool was it, who ran it, and what did it cost?",
    answer_form='{"tool_version": "…", "ran_by": "name", "usd": 0.0}',
    arrange=_to_be_cited,
    reference=_cited,
    on_disk=_with_checksums,
    mistakes=(
        Mistake("saves the files, and no record", _the_files_only),
        Mistake("takes the run of a similar name", _the_other_run),
    ),
)


# For a spreadsheet


LIGANDS = (ASPIRIN, CISPLATIN, CAFFEINE, IBUPROFEN, OXALIPLATIN, NICOTINE)


def _a_plate(platform: Platform) -> Judge:
    platform.seed_run(DOCKING, docking(*LIGANDS), ago_seconds=DAY, name="plate 3")

    def judge(answer: Answer) -> Iterator[str]:
        if set(answer.texts("without_result")) != {CISPLATIN, OXALIPLATIN}:
            yield f"the two platinum complexes have no result, told were {answer.texts('without_result')}"

    return judge


def _one_table(folder: Path) -> Iterator[str]:
    tables = [[*csv.DictReader(path.read_text(encoding="utf-8").splitlines())] for path in folder.rglob("*.csv")]
    if len(tables) != 1:
        yield f"one CSV was wanted, there are {len(tables)}"
    elif not all(any(smiles in row.values() for row in tables[0]) for smiles in LIGANDS):
        yield "each of the six molecules was to have a row"
    if [*folder.rglob("*.sdf")]:
        yield "no other files were wanted"


async def _as_a_table(solver: Solver, what: str = "table") -> dict[str, Any]:
    run = await _run_named(solver, "plate 3")
    found = await solver.read("download_files", execution_id=run["execution_id"], what=what)
    return {"without_result": [row["name"] for row in found["missing"]]}


async def _as_files(solver: Solver) -> dict[str, Any]:
    return await _as_a_table(solver, "best_poses")


async def _read_by_the_model(solver: Solver) -> dict[str, Any]:
    run = await _run_named(solver, "plate 3")
    found = await solver.read("get_execution_results", execution_id=run["execution_id"], limit=100)
    return {"without_result": [row["name"] for row in found["missing"]]}


TABLE_FOR_A_SPREADSHEET = Task(
    id="table-for-a-spreadsheet",
    prompt="Save all results of the docking 'plate 3' as one table that I can open in a spreadsheet, no other files. "
    "The molecules that gave nothing should be in it too: which are these (SMILES)?",
    answer_form='{"without_result": ["SMILES"]}',
    arrange=_a_plate,
    reference=_as_a_table,
    on_disk=_one_table,
    mistakes=(Mistake("saves the poses too", _as_files), Mistake("reads the rows and saves none", _read_by_the_model)),
)

TASKS = (CITE_A_RUN, TABLE_FOR_A_SPREADSHEET)
