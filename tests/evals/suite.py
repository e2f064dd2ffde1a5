"""All tasks, and what their references cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from tests.evals import (
    again,
    costs,
    environment,
    failures,
    findings,
    identifying,
    journeys,
    missing,
    monitoring,
    record,
    repeating,
    results_read,
    spending,
    stopping,
    sums,
    taking_stock,
    telling_apart,
    volume,
)
from tests.evals.task import Task

TASKS: tuple[Task, ...] = (
    *monitoring.TASKS,
    *costs.TASKS,
    *sums.TASKS,
    *failures.TASKS,
    *missing.TASKS,
    *findings.TASKS,
    *results_read.TASKS,
    *stopping.TASKS,
    *spending.TASKS,
    *identifying.TASKS,
    *repeating.TASKS,
    *again.TASKS,
    *volume.TASKS,
    *telling_apart.TASKS,
    *taking_stock.TASKS,
    *environment.TASKS,
    *record.TASKS,
    *journeys.TASKS,
)
BY_ID = {task.id: task for task in TASKS}

COSTS = Path(__file__).parent / "costs.json"


class Cost(TypedDict):
    """Calls of the reference, and bytes that a model writes and reads in them.

    `requests`: that the platform gets, without those that look at executions and for their results: how often one polls
    is a matter of time.
    """

    calls: int
    bytes: int
    requests: int


def known_costs() -> dict[str, Cost]:
    """What the references cost when that was reviewed last, by task."""
    found: dict[str, Cost] = json.loads(COSTS.read_text(encoding="utf-8"))
    return found
