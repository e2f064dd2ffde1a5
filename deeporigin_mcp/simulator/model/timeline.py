"""The life of one dispatched run as instants fixed at dispatch; every later state is read off the clock.

Running times, simulated seconds (plus or minus 5 %), are in `catalogue.json`. These depend on more than the number of
ligands:

| tool | seconds |
|---|---|
| docking, constrained docking | 40 + 6 per ligand and effort |
| protein preparation | 8 to recommend, 60 to prepare, + 240 with loops, + 45 with novel pockets |
| patents | 30 + 2 per page |
| ABFE | 170 + 4 h x windows / 80 x repeats (a test run: 10 min) |
| RBFE | 170 + 3 h x repeats, + 20 min per pair beyond the first (a test run: 10 min) |

A workflow run is `Created` for 0.3 s, `Queued` for about 3 s and starts and ends on whole seconds; a served run
starts after 0.1 s. Failed runs last a third of the time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from deeporigin_mcp.simulator.model import keys
from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.simulator.model.clock import whole_seconds
from deeporigin_mcp.simulator.model.prices import page_count, pair_count

CREATED_SECONDS = 0.3
QUEUED_SECONDS = 3.0
SERVED_WAIT_SECONDS = 0.1
FAILING_SHARE = 1 / 3
PROGRESS_STEPS = 10
"""A running execution reports progress this many times, evenly."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Instants of one run.

    Attributes:
        created: Dispatch.
        queued: Handed to the scheduler.
        started: First second of computing.
        finished: Terminal, unless cancelled before.
        ingested: The data platform holds all results.
        failure: Why the run fails; None when it completes.
        served: Answered by a running service (blocking call), not by a workflow.
        cancelled: When it was stopped.
    """

    created: datetime
    queued: datetime
    started: datetime
    finished: datetime
    ingested: datetime
    failure: str | None
    served: bool
    cancelled: datetime | None = None

    def cancel(self, at: datetime) -> "Timeline":
        """The same life, ended at an instant."""
        return replace(self, cancelled=at)

    def status_at(self, now: datetime) -> str:
        """The execution's status at an instant."""
        if self.cancelled is not None and now >= self.cancelled:
            return "Cancelled"
        if now >= self.finished:
            return "Completed" if self.failure is None else "Failed"
        if now >= self.started:
            return "Running"
        return "Queued" if now >= self.queued else "Created"

    def has_started(self, now: datetime) -> bool:
        """Whether computing began, even if it ended since."""
        return min(now, self.cancelled or now) >= self.started

    def settled_at(self) -> datetime:
        """From here on the tools service says the same for ever; the data platform follows by `ingested`."""
        return self.cancelled or self.finished

    def share_at(self, now: datetime) -> float:
        """Share of the computing done, 0 to 1, moving in steps."""
        moment = min(now, self.cancelled or now, self.finished)
        if moment <= self.started:
            return 0.0
        if moment >= self.finished:
            return 1.0
        share = (moment - self.started) / (self.finished - self.started)
        return int(share * PROGRESS_STEPS) / PROGRESS_STEPS

    def changes(self, ingestion_lag_seconds: float) -> list[datetime]:
        """Instants at which anything visible changes, in order: what an event stream announces."""
        length = self.finished - self.started
        steps = [self.started + length * step / PROGRESS_STEPS for step in range(1, PROGRESS_STEPS)]
        appeared = self.created + timedelta(seconds=ingestion_lag_seconds)
        instants = {self.queued, self.started, *steps, self.finished, self.ingested, appeared}
        if self.cancelled is not None:
            instants = {instant for instant in instants if instant < self.cancelled}
            instants |= {self.cancelled, max(appeared, self.cancelled)}
        return sorted(instants)

    def history(self) -> list[tuple[datetime, str]]:
        """Status changes with their instants, in order, as far as they will go."""
        steps = [
            (self.created, "Created"),
            (self.queued, "Queued"),
            (self.started, "Running"),
            (self.finished, "Completed" if self.failure is None else "Failed"),
        ]
        if self.cancelled is None:
            return steps
        return [step for step in steps if step[0] < self.cancelled] + [(self.cancelled, "Cancelled")]


def planned(
    created: datetime,
    seconds: float,
    *,
    served: bool,
    failure: str | None,
    ingestion_lag_seconds: float,
) -> Timeline:
    """The life of a run dispatched at `created` that computes for `seconds`."""
    wait = SERVED_WAIT_SECONDS if served else CREATED_SECONDS + QUEUED_SECONDS
    queued = created + timedelta(seconds=min(wait / 2, CREATED_SECONDS))
    started = created + timedelta(seconds=wait)
    length = seconds * (1.0 if failure is None else FAILING_SHARE)
    if not served:
        started = whole_seconds(started + timedelta(seconds=1))
        length = max(1.0, round(length))
    finished = started + timedelta(seconds=length)
    return Timeline(
        created=created,
        queued=queued,
        started=started,
        finished=finished,
        ingested=finished + timedelta(seconds=ingestion_lag_seconds),
        failure=failure,
        served=served,
    )


def run_seconds(definition: Definition | None, inputs: dict[str, Any], ligands: int) -> float:
    """How long a run of a tool computes, simulated seconds, before jitter; 30 where nothing says so."""
    if definition is not None and definition.key in _SECONDS:
        return _SECONDS[definition.key](inputs, ligands)
    if definition is None or definition.seconds is None:
        return 30.0
    return definition.seconds["fixed"] + definition.seconds.get("per_ligand", 0.0) * ligands


def _docking(inputs: dict[str, Any], ligands: int) -> float:
    return 40.0 + 6.0 * ligands * float(inputs.get("effort", 1))


def _protein_prep(inputs: dict[str, Any], ligands: int) -> float:  # noqa: ARG001
    if inputs["action"] == "recommend":
        return 8.0
    loops = 240.0 if inputs.get("model_missing_loops") else 0.0
    return 60.0 + loops + (45.0 if inputs.get("find_pockets") == "novel" else 0.0)


def _legs(inputs: dict[str, Any]) -> tuple[int, int, bool]:
    legs = [inputs.get(name) or {} for name in ("binding", "solvation")]
    windows = sum(leg.get("n_windows", 40) for leg in legs)
    repeats = max(leg.get("repeats", 1) for leg in legs)
    return windows, repeats, any(leg.get("test_run") for leg in legs)


def _abfe(inputs: dict[str, Any], ligands: int) -> float:  # noqa: ARG001
    windows, repeats, test_run = _legs(inputs)
    return 600.0 if test_run else 170.0 + 4 * 3600.0 * windows / 80 * repeats


def _rbfe(inputs: dict[str, Any], ligands: int) -> float:  # noqa: ARG001
    _, repeats, test_run = _legs(inputs)
    return 600.0 if test_run else 170.0 + 3 * 3600.0 * repeats + 1200.0 * (pair_count(inputs) - 1)


def _patent(inputs: dict[str, Any], ligands: int) -> float:  # noqa: ARG001
    return 30.0 + 2.0 * page_count(inputs)


_SECONDS: dict[str, Callable[[dict[str, Any], int], float]] = {
    keys.DOCKING: _docking,
    keys.CONSTRAINED_DOCKING: _docking,
    keys.ABFE: _abfe,
    keys.RBFE: _rbfe,
    keys.PROTEIN_PREP: _protein_prep,
    keys.DRACO: _patent,
}
