"""The life of one dispatched run as instants fixed at dispatch; every later state is read off the clock.

A workflow run is `Created` for 0.3 s, `Queued` for about 3 s, and starts and ends on whole seconds; a served run
starts after 0.1 s. Failed runs last a third of the time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.simulator.model.clock import whole_seconds

CREATED_SECONDS = 0.3
QUEUED_SECONDS = 3.0
SERVED_WAIT_SECONDS = 0.1
FAILING_SHARE = 1 / 3
USUAL_SECONDS = 30.0
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

    def last_change(self, now: datetime) -> tuple[datetime, str]:
        """When the status at an instant began, and the status."""
        return [step for step in self.history() if step[0] <= now or step[1] == "Created"][-1]

    def status_at(self, now: datetime) -> str:
        """The execution's status at an instant."""
        return self.last_change(now)[1]

    def has_started(self, now: datetime) -> bool:
        """Whether computing began, even if it ended since."""
        return min(now, self.cancelled or now) >= self.started

    def share_at(self, now: datetime) -> float:
        """Share of the computing done, 0 to 1, moving in steps."""
        share = (min(now, self.cancelled or self.finished) - self.started) / (self.finished - self.started)
        return max(0, int(share * PROGRESS_STEPS)) / PROGRESS_STEPS

    def changes(self) -> list[datetime]:
        """Instants at which anything visible changes, in order: what an event stream announces."""
        length = self.finished - self.started
        appeared = self.created + (self.ingested - self.finished)
        steps = [self.started + length * step / PROGRESS_STEPS for step in range(1, PROGRESS_STEPS)]
        instants = {self.queued, self.started, *steps, self.finished, self.ingested, appeared}
        if self.cancelled is not None:
            instants = {instant for instant in instants if instant < self.cancelled}
            instants |= {self.cancelled, max(appeared, self.cancelled)}
        return sorted(instants)


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
    ingested = finished + timedelta(seconds=ingestion_lag_seconds)
    return Timeline(created, queued, started, finished, ingested, failure, served)


def run_seconds(definition: Definition | None, inputs: dict[str, Any], ligands: int) -> float:
    """How long a run of a tool computes, simulated seconds, by the `seconds` of its catalogue entry."""
    seconds = definition.seconds if definition is not None else None
    if seconds is None:
        return USUAL_SECONDS
    legs = [inputs.get(name) or {} for name in ("binding", "solvation")]
    if any(leg.get("test_run") for leg in legs):
        return seconds["test_run"]
    return seconds["fixed"] + seconds.get("per_ligand", 0.0) * ligands * float(inputs.get("effort", 1))
