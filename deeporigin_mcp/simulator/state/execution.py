"""One execution and the DTOs that the tools service shows of it (platform-facts 1.3).

Live executions store what never changes plus a `Timeline`; the rest is read off the clock at each look. Static
executions (seeded rows, quotes, rejected runs) store the whole DTO.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.simulator.model.clock import Clock, instant_of, stamp
from deeporigin_mcp.simulator.model.prices import Item
from deeporigin_mcp.simulator.model.progress import Run, first_era, second_era
from deeporigin_mcp.simulator.model.results import Result, job_outputs, results_of
from deeporigin_mcp.simulator.model.timeline import Timeline

Dto = dict[str, Any]
T = TypeVar("T")

TERMINAL = frozenset({"Completed", "Succeeded", "Failed", "Cancelled", "InsufficientFunds", "FailedQuotation"})
"""Statuses that no action changes; a quote is not among them."""


@dataclass(slots=True, eq=False)
class Execution:
    """A row of the tools service.

    Attributes:
        clock: Where "now" comes from.
        org: Organisation key.
        stored: The DTO's constant part; for a static execution all of it.
        data_platform_id: The id of its row in the data platform, another than `executionId`.
        definition: None for seeded rows of unknown tools.
        items: Billable lines; empty for rows that were not priced here.
        served: Answered by a running service: its results come inline, a confirm of it blocks.
        batch_size: Ligands per batch of a workflow.
        timeline: None for static executions.
        charged: USD taken from the organisation's balance.
        charged_at: When.
        revision: Counts changes that time alone does not explain.
        read: What the tool reads in the files of its inputs: `ligands` of a list file, `atoms` of a protein.
        imported: Results of an import, which are rows by now; None for other runs.
        rejected: Why records of an import got no row, by index.
        own_logs: Log rows to serve as they are, instead of derived ones.
        own_results: Result rows to serve as they are, instead of derived ones.
    """

    clock: Clock
    org: str
    stored: Dto
    data_platform_id: str
    definition: Definition | None = None
    items: list[Item] = field(default_factory=list)
    served: bool = False
    batch_size: int = 16
    timeline: Timeline | None = None
    charged: float = 0.0
    charged_at: datetime | None = None
    revision: int = 0
    read: Dto = field(default_factory=dict)
    imported: list[Result] | None = None
    rejected: dict[int, str] = field(default_factory=dict)
    own_logs: list[Dto] | None = None
    own_results: list[Dto] | None = None
    _settled: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`executionId`, which the data platform calls `compute_job_id`."""
        return str(self.stored["executionId"])

    @property
    def status(self) -> Any:
        """The status now; whatever a raw row holds, None included."""
        if self.timeline is None:
            return self.stored.get("status")
        return self.timeline.status_at(self.clock.now())

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended for good."""
        return self.status in TERMINAL

    @property
    def project_id(self) -> str | None:
        """`projectId`, None when the run belongs to no project."""
        return self.stored.get("projectId")

    @property
    def tool(self) -> Dto:
        """`{key, version}`; empty when a raw row has none."""
        tool = self.stored.get("tool")
        return tool if isinstance(tool, dict) else {}

    @property
    def created_at(self) -> datetime | None:
        """`createdAt` as an instant; None when a raw row has none."""
        return instant_of(self.stored.get("createdAt"))

    @property
    def inputs(self) -> Dto:
        """Checked inputs, empty when a raw row has none."""
        inputs = self.stored.get("userInputs")
        return inputs if isinstance(inputs, dict) else {}

    @property
    def work(self) -> Dto:
        """The inputs with what is read in their files, as the tool sees them."""
        return {**self.inputs, **self.read} if self.read else self.inputs

    def remembered(self, name: str, make: Callable[[], T]) -> T:
        """What `make` returns; kept under a name once nothing changes any more, because lists are long."""
        if name in self._settled:
            return cast("T", self._settled[name])
        made = make()
        if self.timeline is None or self.clock.now() >= self.timeline.ingested:
            self._settled[name] = made
        return made

    def touch(self) -> None:
        """Forget what was rendered: something changed that time alone does not explain."""
        self.revision += 1
        self._settled.clear()

    def dto(self, version: int = 1) -> Dto:
        """The DTO as `GET` answers it, with the progress report of an era (1 or 2)."""
        now = self.clock.now()
        if self.timeline is None:
            return dict(self.stored)
        return self._live(self.timeline, now, version)

    def list_row(self) -> Dto:
        """The DTO as a list row: v1, with `type` (platform-facts 1.1). Do not change what it returns."""
        return self.remembered("row", lambda: {"type": "ToolExecution", **self.dto()})

    def list_row_json(self) -> bytes:
        """`list_row` encoded."""
        return self.remembered("json", lambda: json.dumps(self.list_row(), separators=(",", ":")).encode())

    def found(self) -> list[Result]:
        """Results of a completed run; empty before, and for rows that no tool here explains."""
        if self.definition is None or self.status not in {"Completed", "Succeeded"}:
            return []
        if self.imported is not None:
            return self.imported
        return results_of(self.definition, self.id, self.work)

    def change_count(self) -> tuple[int, int]:
        """A value that differs whenever a look at the execution would show something new."""
        if self.timeline is None:
            return self.revision, 0
        now = self.clock.now()
        return self.revision, sum(instant <= now for instant in self.timeline.changes())

    def next_change(self) -> datetime | None:
        """The next instant at which time alone changes it, None when there is none."""
        if self.timeline is None:
            return None
        now = self.clock.now()
        return next((instant for instant in self.timeline.changes() if instant > now), None)

    def _live(self, timeline: Timeline, now: datetime, version: int) -> Dto:
        since, status = timeline.last_change(now)
        updated = stamp(since)
        dto = dict(self.stored)
        dto["status"] = status
        dto["updatedAt"] = updated
        dto["startedAt"] = stamp(timeline.started) if timeline.has_started(now) else None
        # A cancelled execution never gets a completion time (quirk 8).
        dto["completedAt"] = stamp(timeline.finished) if status in {"Completed", "Failed"} else None
        if status == "Failed":
            dto["statusReason"] = timeline.failure if self.served else {"message": timeline.failure}
        if self.definition is None:
            return dto
        if self.served and status == "Completed":
            dto["jobOutputs"] = job_outputs(self.definition, self.found())
        if not self.served and self.definition.steps:
            dto["metadata"] = {**(dto.get("metadata") or {}), "method": "workflow", "reconciledAt": updated}
        run = Run(self.definition, str(dto["resourceId"]), self.inputs, timeline, self.batch_size)
        dto["progressReport"] = first_era(run, now) if version == 1 else second_era(run, now)
        return dto
