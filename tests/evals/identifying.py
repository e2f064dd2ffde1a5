"""What people give wrongly or vaguely: ids of the other kind, names of projects and tools, misspelt keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ADMET,
    ASPIRIN,
    CAFFEINE,
    CISPLATIN,
    DAY,
    DOCKING,
    HOUR,
    IBUPROFEN,
    MOLPROPS,
    PARACETAMOL,
    docking,
    molprops,
)

_KNOWN_ID = "0AW1TNESS0001"


def _known_by_its_other_id(platform: Platform) -> Judge:
    platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=2 * HOUR, name="of today")
    run = platform.seed_run(DOCKING, docking(CISPLATIN), ago_seconds=DAY, name="of yesterday")
    execution = platform.executions[run]
    platform.by_data_platform_id[_KNOWN_ID] = execution
    execution.data_platform_id = _KNOWN_ID

    def judge(answer: Answer) -> Iterator[str]:
        if answer.text("execution_id") != run:
            yield f"it is {run}, told was {answer.text('execution_id')}"
        if answer.text("status") != "Failed":
            yield f"it is Failed, told was {answer.text('status')}"
        told = answer.number("usd")
        if told is None or abs(told - 0.2) > 0.005:
            yield f"it cost 0.20 USD, told was {told}"

    return judge


async def _be_taught_the_kind(solver: Solver) -> dict[str, Any]:
    refusal = await solver.refused("get_execution", execution_id=_KNOWN_ID)
    run = await solver.follow(refusal)
    return {"execution_id": run["execution_id"], "status": run["status"], "usd": run["cost"]}


async def _say_that_there_is_none(solver: Solver) -> dict[str, Any]:
    await solver.refused("get_execution", execution_id=_KNOWN_ID)
    return {"execution_id": "", "status": "unknown", "usd": 0}


async def _take_the_newest(solver: Solver) -> dict[str, Any]:
    row = (await solver.rows())[0]
    return {"execution_id": row["execution_id"], "status": row["status"], "usd": row["cost"]}


OTHER_ID_KIND = Task(
    id="other-id-kind",
    prompt=f"The web app shows a run {_KNOWN_ID}. How did it end, and what did it cost?",
    answer_form='{"execution_id": "…", "status": "…", "usd": 0.0}',
    arrange=_known_by_its_other_id,
    reference=_be_taught_the_kind,
    mistakes=(
        Mistake("gives up at the refusal", _say_that_there_is_none),
        Mistake("takes the newest run for it", _take_the_newest),
    ),
)

PROJECT = "09DEMAGPCR002"


def _three_projects(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        projects = [platform.executions[name].project_id for name in platform.creates]
        if projects != [PROJECT]:
            yield f"one quote was to be made in {PROJECT}, they are in {projects}"
        if answer.text("project_id") != PROJECT:
            yield f"it is {PROJECT}, told was {answer.text('project_id')}"

    return judge


async def _ask_which_project(solver: Solver) -> dict[str, Any]:
    return await _quoted_in(solver, "GPCR selectivity")


async def _quoted_in(solver: Solver, name: str) -> dict[str, Any]:
    found = await solver.read("find_platform_tools", query="molecular properties", limit=1)
    arguments = {"tool_key": found["tools"][0]["tool_key"], "inputs": molprops(ASPIRIN, IBUPROFEN)}
    refusal = await solver.refused("create_execution", **arguments)
    ids = {found[2]: found[1] for found in re.finditer(r"(\w{13}) \(([^)]+)\)", refusal)}
    made = await solver.read("create_execution", **arguments, project_id=ids[name])
    return {"execution_id": made["execution_id"], "project_id": made["project_id"]}


async def _take_the_first_project(solver: Solver) -> dict[str, Any]:
    return await _quoted_in(solver, "Kinase pilot")


PROJECT_BY_NAME = Task(
    id="project-by-name",
    prompt=f"Get a quote for the molecular properties of {ASPIRIN} and {IBUPROFEN} in our selectivity project.",
    answer_form='{"execution_id": "…", "project_id": "…"}',
    arrange=_three_projects,
    reference=_ask_which_project,
    environment={"DO_PROJECT_ID": ""},
    creates=1,
    mistakes=(Mistake("takes the first project", _take_the_first_project),),
)


def _no_such_project(platform: Platform) -> Judge:
    names = {row["name"] for row in platform.organisations["deeporigin"].projects.values()}

    def judge(answer: Answer) -> Iterator[str]:
        if answer.truth("quoted") is not False:
            yield "nothing could be quoted, and the answer has to say so"
        if set(answer.texts("projects")) != names:
            yield f"the projects are {sorted(names)}, told was {answer.texts('projects')}"

    return judge


async def _tell_the_projects(solver: Solver) -> dict[str, Any]:
    workspace = await solver.read("get_workspace")
    return {"quoted": False, "projects": [row["name"] for row in workspace["projects"]]}


async def _quote_it_anywhere(solver: Solver) -> dict[str, Any]:
    workspace = await solver.read("get_workspace")
    await solver.read(
        "create_execution",
        tool_key=MOLPROPS,
        inputs=molprops(ASPIRIN),
        project_id=workspace["projects"][-1]["project_id"],
    )
    return {"quoted": True, "projects": [row["name"] for row in workspace["projects"]]}


UNKNOWN_PROJECT = Task(
    id="unknown-project",
    prompt=(
        f"Get a quote for the molecular properties of {ASPIRIN} in the project 'Oncology 2024'. If there is no such "
        "project, quote nothing and tell me which projects there are."
    ),
    answer_form='{"quoted": true, "projects": ["name"]}',
    arrange=_no_such_project,
    reference=_tell_the_projects,
    environment={"DO_PROJECT_ID": ""},
    mistakes=(Mistake("quotes it in some other project", _quote_it_anywhere),),
)


def _ten_docking_runs(platform: Platform) -> Judge:
    completed = [
        platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=hours * HOUR, name=f"batch {hours}")
        for hours in range(1, 8)
    ]
    for hours in (1.5, 2.5, 3.5):
        platform.seed_run(DOCKING, docking(CISPLATIN), ago_seconds=hours * HOUR, name="batch with platinum")
    platform.seed_run(MOLPROPS, molprops(ASPIRIN), ago_seconds=HOUR, name="properties")

    def judge(answer: Answer) -> Iterator[str]:
        if answer.number("count") != len(completed):
            yield f"{len(completed)} docking runs are completed, told was {answer.number('count')}"

    return judge


async def _correct_the_words(solver: Solver) -> dict[str, Any]:
    refusal = await solver.refused("list_executions", tool_key="deeporigin.dokcing", status=["Complete"])
    meant = re.search(r"did you mean (\w+)", refusal)
    assert meant
    found = await solver.read("list_executions", tool_key="deeporigin.dokcing", status=[meant[1]], page_size=1)
    if key := re.search(r"Did you mean ([\w.-]+)\?", found.get("next_step", "")):
        found = await solver.read("list_executions", tool_key=key[1], status=[meant[1]], page_size=1)
    return {"count": found["count"]}


async def _believe_the_empty_list(solver: Solver) -> dict[str, Any]:
    found = await solver.call("list_executions", {"tool_key": "deeporigin.dokcing", "status": ["Completed"]})
    return {"count": found.content.get("count", 0)}


async def _count_every_status(solver: Solver) -> dict[str, Any]:
    found = await solver.read("list_executions", tool_key=DOCKING)
    return {"count": found["count"]}


MISSPELT = Task(
    id="misspelt",
    prompt="How many deeporigin.dokcing runs have status Complete?",
    answer_form='{"count": 0}',
    arrange=_ten_docking_runs,
    reference=_correct_the_words,
    mistakes=(
        Mistake("believes the empty list of a misspelt key", _believe_the_empty_list),
        Mistake("leaves the status out", _count_every_status),
    ),
)


def _by_what_it_does(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        if answer.text("tool_key") not in (ADMET, MOLPROPS):
            yield f"solubility is predicted by {ADMET} and {MOLPROPS}, told was {answer.text('tool_key')}"
            return
        column = {ADMET: "solubility", MOLPROPS: "logs"}[answer.text("tool_key")]
        if answer.text("input_value").lower() != column:
            yield f"it is asked for as {column!r}, told was {answer.text('input_value')!r}"

    return judge


async def _search_the_field_term(solver: Solver) -> dict[str, Any]:
    found = await solver.read("find_platform_tools", query="solubility")
    for row in found["tools"]:
        tool = await solver.read("describe_platform_tool", tool_key=row["tool_key"])
        for word in ("solubility", "logs"):
            if re.search(rf"\b{word}\b", json.dumps(tool["inputs_schema"])):
                return {"tool_key": row["tool_key"], "input_value": word}
    raise AssertionError(found)


async def _take_docking(solver: Solver) -> dict[str, Any]:
    found = await solver.read("find_platform_tools", query="docking", limit=1)
    return {"tool_key": found["tools"][0]["tool_key"], "input_value": "solubility"}


async def _make_a_value_up(solver: Solver) -> dict[str, Any]:
    return {"tool_key": ADMET, "input_value": "aqueous_solubility"}


TOOL_BY_PURPOSE = Task(
    id="tool-by-purpose",
    prompt=(
        f"Which of the platform's tools predicts the aqueous solubility of molecules such as {PARACETAMOL}, and by "
        "which value in its inputs do I ask for it?"
    ),
    answer_form='{"tool_key": "…", "input_value": "…"}',
    arrange=_by_what_it_does,
    reference=_search_the_field_term,
    mistakes=(
        Mistake("names a tool for something else", _take_docking),
        Mistake("makes an input up", _make_a_value_up),
    ),
)

TASKS = (OTHER_ID_KIND, PROJECT_BY_NAME, UNKNOWN_PROJECT, MISSPELT, TOOL_BY_PURPOSE)
