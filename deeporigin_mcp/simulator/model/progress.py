"""`progressReport` in both eras: the v1 variants of platform-facts 5.3 and the v2 tree of 5.4.

Served runs report nothing. Of the workflow runs, docking tells lines of text, ABFE JSON text, RBFE, ADMET and the
docking of old versions their own forms, and the rest `{"complete": n}`; asked for v2, workflow runs answer with a
tree, except docking before version 4, which only ever wrote text.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deeporigin_mcp.simulator.model import keys
from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.simulator.model.clock import whole_seconds
from deeporigin_mcp.simulator.model.failures import failed_ligands
from deeporigin_mcp.simulator.model.identifiers import digest, fraction
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

    @property
    def workflow(self) -> str:
        """Name of the workflow, root of the tree."""
        return f"workflow-{self.resource_id}"

    def node_id(self, name: str) -> str:
        """A node's id: the workflow and some digits."""
        return f"{self.workflow}-{digest(self.resource_id, name) % 10**10}"


def first_era(run: Run, now: datetime) -> str | dict[str, Any] | None:
    """The v1 report at an instant."""
    line = run.timeline
    if line.served or not line.has_started(now):
        return None
    share = line.share_at(now)
    percent = round(100 * share, 1)
    match run.definition.key:
        case keys.DOCKING:
            return _docking_lines(run, share)
        case keys.ABFE:
            return _free_energy_text(run, share)
        case keys.RBFE:
            edges = enumerate(("system-prep", "rbfe"))
            return {
                run.node_id(name): {"counts": {}, "complete": min(100.0, percent * 2 / (index + 1))}
                for index, name in edges
            }
        case keys.ADMET:
            return {run.node_id("predict"): {"counts": {}, "complete": percent}}
        case keys.DRACO:
            return json.dumps({"counts": {"DO_PATENT": {"total": int(percent)}}})
        case _:
            return {"complete": percent}


def second_era(run: Run, now: datetime) -> Node | str | dict[str, Any] | None:
    """The v2 report at an instant: the tree where there is one, else the v1 report."""
    line = run.timeline
    text_only = run.definition.key == keys.DOCKING and run.definition.number < (4,)
    if line.served or text_only or not run.definition.steps:
        return first_era(run, now)
    if line.status_at(now) in {"Created", "Queued"} or not line.has_started(now):
        return None
    names = _leaf_names(run)
    leaves = [_leaf(run, now, name, index, len(names)) for index, name in enumerate(names)]
    done = sum(leaf["status"] in {"Succeeded", "Skipped"} for leaf in leaves)
    status = line.status_at(now)
    return {
        "id": run.workflow,
        "displayName": run.workflow,
        "status": "Succeeded" if status == "Completed" else status,
        "message": line.failure if status == "Failed" else None,
        "progress": f"{done}/{len(leaves)}",
        "children": _grouped(run, leaves),
    }


def _leaf_names(run: Run) -> list[str]:
    if run.definition.key == keys.DOCKING:
        batches = -(-ligand_count(run.inputs) // max(run.batch_size, 1))
        return [
            "prepare-ligands",
            *(f'dock(0:index:{n},ligands:"{run.batch_size}")' for n in range(batches)),
            "collect-poses",
        ]
    return list(run.definition.steps)


def _leaf(run: Run, now: datetime, name: str, index: int, count: int) -> Node:
    line = run.timeline
    leaf: Node = {"id": run.node_id(f"{index}{name}"), "displayName": name, "message": None}
    if _is_skipped(run, name):
        return {**leaf, "status": "Skipped", "message": "when 'false == true' evaluated false", "progress": "0/1"}
    ended = min(now, line.cancelled or now)
    length = (line.finished - line.started) / count
    starts = line.started + length * index
    ends = line.started + length * (index + 1)
    if ended < starts:
        return {**leaf, "status": "Queued", "progress": "0/1", "startedAt": None, "finishedAt": None}
    leaf["startedAt"] = _seconds(starts)
    if ended >= ends:
        broken = line.failure is not None and index == count - 1
        leaf |= {"status": "Failed" if broken else "Succeeded", "finishedAt": _seconds(ends)}
        leaf["progress"] = "0/1" if broken else "1/1"
        if broken:
            # A failed leaf may well say 100 (quirk 11).
            leaf |= {"message": line.failure, "toolProgress": {"complete": 100}}
        return leaf
    stopped = line.cancelled is not None and now >= line.cancelled
    leaf |= {"status": "Cancelled" if stopped else "Running", "progress": "0/1"}
    leaf["finishedAt"] = _seconds(ended) if stopped else None
    leaf["toolProgress"] = {"complete": round(100 * ((ended - starts) / (ends - starts)), 1)}
    return leaf


def _is_skipped(run: Run, name: str) -> bool:
    steps = run.inputs.get("steps")
    if isinstance(steps, list):
        return name.removesuffix("-task").replace("abfe-e2e", "abfe") not in steps
    if run.definition.key == keys.PROTEIN_PREP:
        wanted = {"model-loops": "model_missing_loops", "find-pockets": "find_pockets"}.get(name)
        return wanted is not None and run.inputs.get(wanted) in {False, None, "no"}
    return False


def _grouped(run: Run, leaves: list[Node]) -> list[Node]:
    """RBFE hides its free-energy step below a pipeline node, whose `progress` counts a hidden node too."""
    if run.definition.key != keys.RBFE:
        return leaves
    hidden = [leaf for leaf in leaves if leaf["displayName"] in {"system-prep", "rbfe"}]
    shown = [leaf for leaf in leaves if leaf not in hidden]
    running = next((leaf for leaf in hidden if leaf["status"] not in {"Succeeded", "Skipped"}), hidden[-1])
    done = sum(leaf["status"] == "Succeeded" for leaf in hidden)
    pipeline = {
        "id": run.node_id("pipeline"),
        "displayName": 'pair-pipeline(0:index:0,ligand1:{"id":"first"})',
        "status": running["status"],
        "message": None,
        "progress": f"{done + 1}/{len(hidden) + 1}",
        "children": hidden,
    }
    return [*shown[:1], pipeline, *shown[1:]]


def _docking_lines(run: Run, share: float) -> str:
    count = ligand_count(run.inputs)
    failed = failed_ligands(run.inputs)
    lines = [f"total_num_ligands = {count}"]
    lines += [
        f"ligand failed {index + 1}: {failed[index]}" if index in failed else f"ligand docked {index + 1}"
        for index in range(int(count * share))
    ]
    return "\n".join(lines)


def _free_energy_text(run: Run, share: float) -> str:
    if share >= 1.0 and run.timeline.failure is None:
        return json.dumps({"cmd": "FEP Results", **free_energy_terms(run.resource_id), "unit": "kcal/mol"})
    length = run.timeline.finished - run.timeline.started
    left = length * (1 - share) if share < 1.0 else timedelta()
    return json.dumps(
        {
            "cmd": "Absolute Binding FEP",
            "run_name": run.resource_id[:8],
            "status": "Failed" if share >= 1.0 else "Running",
            "sub_step": "binding" if share > 0.3 else "solvation",
            "current_name": f"window {int(share * 80)}",
            "target_step": 1_250_000,
            "current_steps": [int(1_250_000 * share)],
            "current_avg_step": int(1_250_000 * share),
            "time_remaining_curr_stage_s": left.total_seconds(),
        }
    )


def free_energy_terms(seed: str) -> dict[str, float]:
    """Believable parts of a binding free energy, kcal/mol, that add up to their total."""
    solvation = round(12 + 6 * fraction(seed, "solvation"), 2)
    binding = round(-(20 + 9 * fraction(seed, "binding")), 2)
    correction = round(-1.5 + fraction(seed, "correction"), 2)
    return {
        "Solvation": solvation,
        "Binding": binding,
        "AnalyticalCorr": correction,
        "Std": round(0.2 + 0.5 * fraction(seed, "std"), 2),
        "Total": round(solvation + binding + correction, 2),
    }


def _seconds(instant: datetime) -> str:
    return whole_seconds(instant).strftime("%Y-%m-%dT%H:%M:%SZ")
