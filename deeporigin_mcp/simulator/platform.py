"""The whole state of a simulated platform, open to inspection by tests."""

import asyncio
import bisect
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from deeporigin_mcp.simulator.answers import not_found
from deeporigin_mcp.simulator.catalogue import Catalogue, standard_catalogue
from deeporigin_mcp.simulator.clock import Bell, Clock, ScaledClock
from deeporigin_mcp.simulator.executions import Execution
from deeporigin_mcp.simulator.faults import FaultRule
from deeporigin_mcp.simulator.identifiers import Identifiers
from deeporigin_mcp.simulator.organisations import Organisation, organisations
from deeporigin_mcp.simulator.seeds import earlier_run, raw_execution, seeded_dto

REMEMBERED_REQUESTS = 20_000
"""Requests kept in `Platform.requests`; older ones are forgotten."""

STREAMS_PER_USER_AND_PROJECT = 6
"""Event streams that one user may hold open on one project; the next is refused with 409."""


class Platform:
    """Organisations, catalogue, executions, money and the record of what came in.

    Args:
        clock: Simulated time; real time when None.
        seed: Of ids and run times: the same seed and calls give the same platform.
        ingestion_lag_seconds: How far the data platform is behind the tools service, simulated seconds.
        faults: Rules applied to requests, in order (see `faults`).
        streams_per_user: Event streams per user and project before 409.

    Attributes:
        executions: Every execution of every organisation, by `executionId`.
        organisations: By key.
        catalogue: Tool definitions.
        requests: (method, path with query, status) of each request, oldest first; 0 = no answer was sent.
        creates: Ids of executions that a create request made, in order.
        confirms: Ids of executions that a confirm dispatched, in order.
        cancels: Ids of executions that a cancel stopped, in order.
        faults: The rules, with their counters.
        unhealthy: Names of services whose health is down, such as `tools`.
        knows_include_hidden: False makes the data platform refuse `include_hidden`, as older ones do.
        lock: Held around changes; requests and tests may run on different threads.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        ingestion_lag_seconds: float = 2.0,
        faults: Iterable[FaultRule] = (),
        streams_per_user: int = STREAMS_PER_USER_AND_PROJECT,
    ) -> None:
        self.clock: Clock = ScaledClock(1.0) if clock is None else clock
        self.ids = Identifiers(seed)
        self.ingestion_lag_seconds = ingestion_lag_seconds
        self.faults = list(faults)
        self.streams_per_user = streams_per_user
        self.organisations: dict[str, Organisation] = organisations()
        self.catalogue: Catalogue = standard_catalogue()
        self.executions: dict[str, Execution] = {}
        self.by_data_platform_id: dict[str, Execution] = {}
        self.requests: list[tuple[str, str, int]] = []
        self.creates: list[str] = []
        self.confirms: list[str] = []
        self.cancels: list[str] = []
        self.unhealthy: set[str] = set()
        self.knows_include_hidden = True
        self.open_streams: dict[tuple[str, str], int] = {}
        self.bell = Bell()
        self.closing = False
        self.lock = threading.RLock()
        self._creation_order: dict[str, list[tuple[str, int, Execution]]] = {key: [] for key in self.organisations}
        self._added = 0

    def add(self, execution: Execution) -> Execution:
        """Put an execution into its organisation."""
        with self.lock:
            self.executions[execution.id] = execution
            self.by_data_platform_id[execution.data_platform_id] = execution
            created = str(execution.stored.get("createdAt") or "")
            self._added += 1
            bisect.insort(self._creation_order[execution.org], (created, self._added, execution))
        self.bell.ring()
        return execution

    def executions_of(self, org: str, *, newest_first: bool = False) -> list[Execution]:
        """The executions of one organisation by `createdAt`."""
        with self.lock:
            order = self._creation_order[org]
            return [entry[2] for entry in (reversed(order) if newest_first else order)]

    def execution(self, org: str, execution_id: str) -> Execution:
        """One execution of an organisation; that of another is as unknown as a wrong id."""
        execution = self.executions.get(execution_id)
        if execution is None or execution.org != org:
            raise not_found(f"Execution {execution_id} not found")
        return execution

    def status(self, execution_id: str) -> Any:
        """The status of an execution now."""
        return self.executions[execution_id].status

    def changed(self, execution: Execution) -> None:
        """Announce a change that time alone does not explain."""
        execution.touch()
        self.bell.ring()

    def remember(self, method: str, target: str, status: int) -> None:
        """Note a request and its answer."""
        with self.lock:
            self.requests.append((method, target, status))
            if len(self.requests) > REMEMBERED_REQUESTS:
                del self.requests[: -REMEMBERED_REQUESTS // 2]

    async def until_terminal(self, execution: Execution) -> None:
        """Wait, in simulated time, until an execution has ended; also ends when the server closes."""
        with self.bell.listen() as listener:
            while not self.closing and not execution.is_terminal:
                until = execution.next_change()
                if until is None:
                    return
                await listener.wait(self.clock, until)
        # Two tasks that wait for the same instant are then served in turn.
        await asyncio.sleep(0)

    def seed_run(
        self,
        tool_key: str,
        inputs: dict[str, Any],
        *,
        ago_seconds: float,
        org: str = "deeporigin",
        tool_version: str = "latest",
        project_id: str | None = "",
        started: bool = True,
        **body: Any,
    ) -> str:
        """Add a run that somebody created and started earlier, and that lives on as the state machine has it.

        Its inputs and its age decide whether it is running, completed, failed or out of money, with the progress,
        logs, results and charges of such a run. It is not among `creates` and `confirms`.

        Args:
            tool_key: Tool of the catalogue.
            inputs: Inputs that the tool accepts.
            ago_seconds: How long ago, simulated seconds.
            org: Organisation key.
            tool_version: Version selector.
            project_id: Project id; empty string for the organisation's first project, None for none.
            started: False leaves it `Quoted`.
            body: Further keys of the create request, such as `name`, `session` or `visibility`.

        Returns:
            Its id.

        Raises:
            ValueError: No such tool, or inputs that it refuses.
        """
        organisation = self.organisations[org]
        project = next(iter(organisation.projects)) if project_id == "" else project_id
        at = self.clock.now() - timedelta(seconds=ago_seconds)
        return self.add(
            earlier_run(
                self, organisation, tool_key, tool_version, inputs, at=at, started=started, projectId=project, **body
            )
        ).id

    def seed_executions(
        self,
        *,
        org: str = "deeporigin",
        count: int = 1,
        status: str | Sequence[str] = "Completed",
        tool_key: str = "deeporigin.docking",
        tool_version: str | None = None,
        era: str = "2026",
        project_id: str | None = "",
        session: str | None = None,
        name: str | None = None,
        visibility: str = "visible",
        start: datetime | None = None,
        spacing_seconds: float = 60.0,
        overrides: dict[str, Any] | None = None,
    ) -> list[str]:
        """Add finished history cheaply: static rows, `spacing_seconds` apart, the last one the newest.

        Args:
            org: Organisation key.
            count: How many.
            status: One status for all, or several taken in turn. Rows never change by time; a seeded
                `Quoted` one can be confirmed and then lives, seeded `Running` ones can be cancelled.
            tool_key: Tool of the catalogue.
            tool_version: Exact version; None for the newest.
            era: `2026`, or `2025`: `Succeeded`, plain-text progress, full cluster, no 2026 keys.
            project_id: Project id; empty string for the organisation's first project, None for none.
            session: `session` of each row.
            name: `name` of each row; None for a numbered one.
            visibility: `hidden` keeps the rows out of data-platform searches.
            start: `createdAt` of the first; None to end one spacing before now.
            spacing_seconds: Distance between rows.
            overrides: Keys put over each DTO.

        Returns:
            Their ids, oldest first.
        """
        ids = []
        organisation = self.organisations[org]
        project = next(iter(organisation.projects)) if project_id == "" else project_id
        statuses = [status] if isinstance(status, str) else list(status)
        with self.lock:
            for index in range(count):
                execution = seeded_dto(
                    self,
                    organisation,
                    index,
                    count,
                    status=statuses[index % len(statuses)],
                    tool_key=tool_key,
                    tool_version=tool_version,
                    era=era,
                    project_id=project,
                    session=session,
                    name=name,
                    visibility=visibility,
                    start=start,
                    spacing_seconds=spacing_seconds,
                    overrides=overrides or {},
                )
                ids.append(self.add(execution).id)
        return ids

    def add_execution(
        self, dto: dict[str, Any], *, org: str = "deeporigin", progress_tree: dict[str, Any] | None = None
    ) -> str:
        """Put an arbitrary raw DTO in, served exactly as given (a missing `executionId` is made up).

        Args:
            dto: The DTO, quirks included.
            org: Organisation key.
            progress_tree: What `progressReport` is when asked for v2; None to answer the DTO's own.

        Returns:
            Its id.
        """
        return self.add(raw_execution(self, dto, org, progress_tree)).id
