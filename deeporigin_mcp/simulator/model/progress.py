"""`progressReport` of a workflow run in both eras: v1 (platform-facts 5.3) and the v2 tree of steps (5.4).

In v1, docking writes lines of text, ABFE JSON text, and the rest `{"complete": percent}`. Docking before version 4
writes text even if asked for v2. Served runs report nothing.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import ABFE, DOCKING, Definition
from deeporigin_mcp.simulator.model.clock import whole_seconds
from deeporigin_mcp.simulator.model.failures import failed_ligands
from deeporigin_mcp.simulator.model.identifiers import digest
from deeporigin_mcp.simulator.model.prices import ligand_count
from deeporigin_mcp.simulator.model.timeline import Timeline

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What a report is made of.

    Attributes:
        definition: The tool.
        resource_id: Names the workflow.
        inputs: Checked inputs.
        timeline: The run's life.
        batch_size: Ligands per batch of a docking workflow.
    """

    definition: Definition
    resource_id: str
    inputs: dict[str, Any]
    timeline: Timeline
    batch_size: int = 16


def first_era(run: Run, now: datetime) -> str | Node | None:
    """The v1 report at an instant."""
    if run.timeline.served or not run.timeline.has_started(now):
        return None
    share = run.timeline.share_at(now)
    if run.definition.key == DOCKING:
        return _docking_lines(run, share)
    if run.definition.key == ABFE:
        return _free_energy_text(run, share)
    return {"complete": round(100 * share, 1)}


def second_era(run: Run, now: datetime) -> str | Node | None:
    """The v2 report at an instant: the tree where there is one, else the v1 report."""
    line = run.timeline
    text_only = run.definition.key == DOCKING and run.definition.number < (4,)
    if text_only or not run.definition.steps or line.served or not line.has_started(now):
        return first_era(run, now)
    names = _step_names(run)
    failures = _failures(run, names)
    # A run that fails ends with its failed step; the later ones take no time.
    last = len(names) if line.failure is None else 1 + min(failures)
    steps = [_step(run, now, name, index, last, failures.get(index)) for index, name in enumerate(names)]
    done = sum(step["status"] in {"Succeeded", "Skipped"} for step in steps)
    status = line.status_at(now)
    return {
        "id": f"workflow-{run.resource_id}",
        "displayName": f"workflow-{run.resource_id}",
        "status": "Succeeded" if status == "Completed" else status,
        "message": line.failure if status == "Failed" else None,
        "progress": f"{done}/{len(steps)}",
        "children": steps,
    }


def _step_names(run: Run) -> list[str]:
    if run.definition.key != DOCKING:
        return list(run.definition.steps)
    batches = -(-ligand_count(run.inputs) // max(run.batch_size, 1))
    docks = [f'dock({n}:index:{n},ligands:"{run.batch_size}")' for n in range(batches)]
    return ["prepare-ligands", *docks, "collect-poses"]


def _failures(run: Run, names: list[str]) -> dict[int, str]:
    """Why steps fail, by their index.

    Inputs for which the run fails are found out by its first step. A batch of which no ligand works fails alone: the
    others go on, and the run completes.
    """
    if run.timeline.failure is not None:
        return {next((index for index, name in enumerate(names) if _is_wanted(run, name)), 0): run.timeline.failure}
    if run.definition.key != DOCKING:
        return {}
    failed, size, count = failed_ligands(run.inputs), max(run.batch_size, 1), ligand_count(run.inputs)
    found = {}
    for number, start in enumerate(range(0, count, size)):
        batch = range(start, min(start + size, count))
        if all(index in failed for index in batch):
            found[1 + number] = f"no ligand of the batch could be processed; ligand {start + 1}: {failed[start]}"
    return found


def _is_wanted(run: Run, name: str) -> bool:
    wanted = run.inputs.get("steps")
    return not isinstance(wanted, list) or name.removesuffix("-task").replace("abfe-e2e", "abfe") in wanted


def _step(run: Run, now: datetime, name: str, index: int, count: int, failure: str | None) -> Node:
    """One leaf of the tree; the first `count` steps share the run's time evenly."""
    line = run.timeline
    number = digest(run.resource_id, index, name) % 10**10
    step: Node = {"id": f"workflow-{run.resource_id}-{number}", "displayName": name, "message": None}
    step |= {"progress": "0/1", "startedAt": None, "finishedAt": None}
    if not _is_wanted(run, name):
        return {**step, "status": "Skipped", "message": "when 'false == true' evaluated false"}
    if index >= count and line.status_at(now) == "Failed":
        return {**step, "status": "Omitted", "message": "omitted: depends condition not met"}
    length = (line.finished - line.started) / count
    starts, ends = line.started + length * index, line.started + length * (index + 1)
    moment = min(now, line.cancelled or now)
    if moment < starts:
        return {**step, "status": "Queued"}
    step["startedAt"] = _seconds(starts)
    if moment < ends:
        cancelled = line.cancelled is not None and now >= line.cancelled
        step |= {"status": "Cancelled", "finishedAt": _seconds(moment)} if cancelled else {"status": "Running"}
        return {**step, "toolProgress": {"complete": round(100 * ((moment - starts) / length), 1)}}
    step["finishedAt"] = _seconds(ends)
    if failure is not None:
        # A failed leaf may well say 100 (quirk 11).
        return {**step, "status": "Failed", "message": failure, "toolProgress": {"complete": 100}}
    return {**step, "status": "Succeeded", "progress": "1/1"}


def _docking_lines(run: Run, share: float) -> str:
    count = ligand_count(run.inputs)
    failed = failed_ligands(run.inputs)
    lines = [
        f"ligand failed {index + 1}: {failed[index]}" if index in failed else f"ligand docked {index + 1}"
        for index in range(int(count * share))
    ]
    return "\n".join([f"total_num_ligands = {count}", *lines])


def _free_energy_text(run: Run, share: float) -> str:
    if share >= 1.0 and run.timeline.failure is None:
        return json.dumps({"cmd": "FEP Results", "Total": -8.4, "Std": 0.4, "unit": "kcal/mol"})
    left = (run.timeline.finished - run.timeline.started) * (1 - share)
    report = {
        "cmd": "Absolute Binding FEP",
        "run_name": run.resource_id[:8],
        "status": "Failed" if share >= 1.0 else "Running",
        "sub_step": "binding" if share > 0.3 else "solvation",
        "target_step": 1_250_000,
        "current_avg_step": int(1_250_000 * share),
        "time_remaining_curr_stage_s": left.total_seconds(),
    }
    return json.dumps(report)


def _seconds(instant: datetime) -> str:
    return whole_seconds(instant).strftime("%Y-%m-%dT%H:%M:%SZ")
