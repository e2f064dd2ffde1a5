"""What a simulated platform knows, open to inspection by tests."""

import asyncio
import bisect
import threading
from collections.abc import Iterable
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import Catalogue, standard_catalogue
from deeporigin_mcp.simulator.model.clock import Clock, ScaledClock
from deeporigin_mcp.simulator.model.identifiers import Identifiers
from deeporigin_mcp.simulator.state.execution import Execution
from deeporigin_mcp.simulator.state.faults import FaultRule
from deeporigin_mcp.simulator.state.organisations import Organisation, organisations
from deeporigin_mcp.simulator.state.refusals import not_found

REMEMBERED_REQUESTS = 20_000
"""Requests kept in `State.requests`; older ones are forgotten."""

STREAMS_PER_USER_AND_PROJECT = 6
"""Event streams that one user may hold open on one project; the next is refused with 409."""


class State:
    """Organisations, catalogue, executions, money and the record of what came in.

    Args:
        clock: Simulated time; real time when None.
        seed: Of ids and run times: the same seed and calls give the same platform.
        ingestion_lag_seconds: How far the data platform is behind the tools service, simulated seconds.
        faults: Rules applied to requests, in order (see `faults`).

    Attributes:
        executions: Every execution of every organisation, by `executionId`.
        organisations: By key.
        catalogue: Tool definitions.
        requests: (method, path with query, status) of each request, oldest first; 0 = no answer was sent.
        creates: Ids of executions that a create request made, in order.
        confirms: Ids of executions that a confirm dispatched, in order.
        cancels: Ids of executions that a cancel stopped, in order.
        faults: The rules, with their counters.
        web: Pages of the internet that the platform can fetch, by address, beside those of `model.archive`.
        import_price: What an import costs, USD; 0 as on the platform.
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
    ) -> None:
        self.clock: Clock = ScaledClock(1.0) if clock is None else clock
        self.ids = Identifiers(seed)
        self.started = self.clock.now()
        self.ingestion_lag_seconds = ingestion_lag_seconds
        self.faults = list(faults)
        self.streams_per_user = STREAMS_PER_USER_AND_PROJECT
        self.organisations: dict[str, Organisation] = organisations()
        self.catalogue: Catalogue = standard_catalogue()
        self.executions: dict[str, Execution] = {}
        self.by_data_platform_id: dict[str, Execution] = {}
        self.requests: list[tuple[str, str, int]] = []
        self.creates: list[str] = []
        self.confirms: list[str] = []
        self.cancels: list[str] = []
        self.web: dict[str, bytes] = {}
        self.import_price = 0.0
        self.unhealthy: set[str] = set()
        self.knows_include_hidden = True
        self.open_streams: dict[tuple[str, str], int] = {}
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
        self.clock.wake()
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
        self.clock.wake()

    def remember(self, method: str, target: str, status: int) -> None:
        """Note a request and its answer."""
        with self.lock:
            self.requests.append((method, target, status))
            if len(self.requests) > REMEMBERED_REQUESTS:
                del self.requests[: -REMEMBERED_REQUESTS // 2]

    async def until_terminal(self, execution: Execution) -> None:
        """Wait, in simulated time, until an execution has ended; also ends when the server closes."""
        with self.clock.listen() as listener:
            while not self.closing and not execution.is_terminal:
                until = execution.next_change()
                if until is None:
                    return
                await listener.wait(until)
        # Two tasks that wait for the same instant are then served in turn.
        await asyncio.sleep(0)
