"""All tasks, and what their references cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from tests.evals import (
    again,
    costs,
    failures,
    findings,
    identifying,
    journeys,
    monitoring,
    repeating,
    spending,
    stopping,
    telling_apart,
    volume,
)
from tests.evals.task import Task

TASKS: tuple[Task, ...] = (
    *monitoring.TASKS,
    *costs.TASKS,
    *failures.TASKS,
    *findings.TASKS,
    *stopping.TASKS,
    *spending.TASKS,
    *identifying.TASKS,
    *repeating.TASKS,
    *again.TASKS,
    *volume.TASKS,
    *telling_apart.TASKS,
    *journeys.TASKS,
)
BY_ID = {task.id: task for task in TASKS}

COSTS = Path(__file__).parent / "costs.json"


class Cost(TypedDict):
    """Calls of the reference, and bytes that a model writes and reads in them."""

    calls: int
    bytes: int


def known_costs() -> dict[str, Cost]:
    """What the references cost when that was reviewed last, by task."""
    found: dict[str, Cost] = json.loads(COSTS.read_text(encoding="utf-8"))
    return found
