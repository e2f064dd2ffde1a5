"""What outlives a call: the platform client and work in the background, of the server or, over HTTP, of a caller."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import anyio
import anyio.abc
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver.context import Context
from mcp_types import InputRequiredResult

from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.audit_log import AuditLog
from deeporigin_mcp.tools.approvals.ledger import BudgetScope, Ledger
from deeporigin_mcp.tools.approvals.pending import OpenQuestions
from deeporigin_mcp.tools.responses.views import Completeness
from deeporigin_mcp.tools.runtime import call_log

if TYPE_CHECKING:
    from deeporigin_mcp.platform.waiting.followers import Followers
    from deeporigin_mcp.tools.runtime.names import Names
    from deeporigin_mcp.tools.runtime.notifier import Notifier

T = TypeVar("T")

at_the_latest: ContextVar[Callable[[], Any] | None] = ContextVar("at_the_latest")
"""What the call under way returns when `CALL_SECONDS` are over, set by its tool; an error where that is None."""
CALL_SECONDS = 50.0
"""No call lasts longer: most clients give up at 60 s (mcp-facts 2)."""
MAX_CALL_SECONDS = 35.0
"""How long a tool waits for a creation or a confirmation; the rest is for finding out what became of it."""
LOOK_UP_SECONDS = 10.0
"""How long it then reads back."""
RECENT_SECONDS = 10.0
"""How long the newest executions are fresh, because each key press requests completions."""
RECENT_ROWS = 100
RECENT_SHOWN = 20
"""Of these, how many are kept with more than id and name, for a list that a person chooses from."""
MAX_KNOWN_FILES = 10_000
MAX_ENDED_TRANSFERS = 20
"""Outcomes that are kept for a call that asks for them again."""


@dataclass
class ServerState:
    """Opened by the server's lifespan, or for a caller over HTTP; tools reach it through their context."""

    client: DeepOriginClient
    tasks: anyio.abc.TaskGroup
    audit: AuditLog = field(default_factory=lambda: AuditLog(None))
    has_read_back: bool = False
    """Whether the outcomes of confirmations that an ended process had sent were read back."""
    creations: dict[str, tuple[str, BackgroundWork[dict[str, Any]]]] = field(default_factory=dict)
    """Creations whose response has not come, by idempotency key, each with the fingerprint of its request."""
    approved_creations: dict[str, str] = field(default_factory=dict)
    """By which rule a person approved a creation whose execution has not been seen, by idempotency key."""
    creating: dict[str, anyio.Lock] = field(default_factory=dict)
    """One lock per idempotency key in use: two calls with the same key must not both create."""
    known_files: set[str] = field(default_factory=set)
    """Paths on the platform at which there was a file; see `know_file`."""
    costs_seen: dict[str, tuple[float, object]] = field(default_factory=dict)
    """What runs cost lately, by tool, and when that was read (`tools/catalogue/costs_seen.py`)."""
    completeness: dict[str, Completeness] = field(default_factory=dict)
    """Of runs that ended, by id (`tools/executions/completeness.py`)."""
    transfers: dict[str, BackgroundWork[Any]] = field(default_factory=dict)
    """Uploads and downloads that outlast a call, by what the same call would name again."""
    shown_runs: dict[str, BackgroundWork[Any]] = field(default_factory=dict)
    """What pages show of runs, by execution id, last used last (`tools/files/shown_runs.py`)."""
    has_peers: bool = False
    """Whether a caller's next call may reach another process than this one: over HTTP, behind a balancer."""
    uses: int = 0
    """Requests and background work that use it now."""

    @property
    def settings(self) -> Settings:
        return self.client.settings

    @cached_property
    def questions(self) -> OpenQuestions:
        """Questions to a person that are open, or whose answer has not been used."""
        return OpenQuestions(self.client.timing.since_boot)

    @cached_property
    def followers(self) -> Followers:
        """All subscriptions to executions."""
        from deeporigin_mcp.platform.waiting.followers import Followers

        return Followers(self.client.observer, self.client.timing, self.tasks)

    @cached_property
    def recent(self) -> RecentExecutions:
        """What completes the ids of executions, and is listed as resources."""
        return RecentExecutions(self.client)

    @cached_property
    def ledger(self) -> Ledger:
        """What was approved and started, shared with all processes and callers that have the same settings."""
        return Ledger.of(self.settings)

    @cached_property
    def names(self) -> Names:
        """Names of projects and people."""
        from deeporigin_mcp.tools.runtime.names import Names

        return Names(self.client)

    @cached_property
    def notifier(self) -> Notifier:
        """Who is told when a run that was started here is over; only where `settings.notify` says whom."""
        from deeporigin_mcp.tools.runtime.notifier import Notifier

        return Notifier(self.client, self.followers, self.ledger.notices(self.scope), self.tasks)

    def tell_at_its_end(self, execution_id: str) -> None:
        """See to it, beside all calls, that whom the operator named is told when this run is over."""
        if self.settings.notify is not None:
            self.notifier.follow(execution_id)

    @property
    def is_following(self) -> bool:
        """Whether somebody has to be told of a run's end."""
        return "notifier" in vars(self) and self.notifier.is_following

    @property
    def scope(self) -> BudgetScope:
        """What the budget is for."""
        return BudgetScope(self.settings.base_url, self.settings.org_key, self.settings.session)

    def record(self, execution: Execution, decision: str, reason: str, *, price: Decimal | None = None) -> None:
        """Put a decision about money on record; see `AuditLog.record`."""
        self.audit.record(self.settings, execution, decision, reason, price=price, now=self.client.timing.wall())

    def know_file(self, path: str) -> None:
        """Keep in mind that there is a file, because it was found there, or has just been written."""
        if len(self.known_files) < MAX_KNOWN_FILES:
            self.known_files.add(path)

    def forget_ended_transfers(self) -> None:
        """Drop the oldest outcomes of transfers that no call has asked for again."""
        ended = [key for key, work in self.transfers.items() if work.has_ended]
        for key in ended[:-MAX_ENDED_TRANSFERS]:
            del self.transfers[key]

    @contextlib.asynccontextmanager
    async def key_lock(self, key: str) -> AsyncIterator[None]:
        lock = self.creating.setdefault(key, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.statistics().tasks_waiting and not lock.locked():
                self.creating.pop(key, None)


ToolContext = Context[ServerState, Any]


class ClientAsked(Exception):  # noqa: N818 (no error)
    """Raised by a tool that needs to ask the client first (2026-07-28): the result of this round of the call."""

    def __init__(self, request: InputRequiredResult) -> None:
        super().__init__("input required")
        self.request = request


def state_of(context: ToolContext) -> ServerState:
    """The only way from a tool to its client and settings: over HTTP these are the request's own."""
    return state_of_request(context.request_context)


def state_of_request(request: ServerRequestContext[Any, Any]) -> ServerState:
    """The same for a request that is not a tool call, such as one about a task or a resource."""
    state: ServerState = request.lifespan_context
    return state


@contextlib.asynccontextmanager
async def open_state(
    client: DeepOriginClient, audit: AuditLog | None = None, *, has_peers: bool = False
) -> AsyncIterator[ServerState]:
    """The state of a running server, or of one of its callers; leaving it ends background work and all connections.

    Args:
        has_peers: see `ServerState`.
    """
    async with client, anyio.create_task_group() as tasks:
        state = ServerState(client=client, tasks=tasks, audit=audit or AuditLog(None), has_peers=has_peers)
        if client.settings.notify is not None:
            tasks.start_soon(state.notifier.run)
        try:
            yield state
        finally:
            tasks.cancel_scope.cancel()
            if has_peers and state.is_following:
                # This process goes on, so that others would take it for following them.
                await state.notifier.release()


class BackgroundWork(Generic[T]):
    """Work that goes on when the call that began it has to return or is cancelled."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._started = False
        self._done = anyio.Event()
        self._value: T | None = None
        self._error: Exception | None = None

    @property
    def has_ended(self) -> bool:
        return self._done.is_set()

    async def _run(self, state: ServerState) -> None:
        try:
            with call_log.background_work():
                self._value = await self._work()
        except Exception as error:  # noqa: BLE001 (kept for whoever waits for it)
            self._error = error
        finally:
            state.uses -= 1
            self._done.set()

    async def result(self, state: ServerState, seconds: float) -> tuple[bool, T | None]:
        """Start it, or join it, and wait at most so long: (whether it has ended, its value). Raises what it raised."""
        if not self._started:
            self._started = True
            # Counted from now on, not from its first step: the call that starts it may end before that.
            state.uses += 1
            state.tasks.start_soon(self._run, state)
        with anyio.move_on_after(seconds):
            await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._done.is_set(), self._value


class Shown(NamedTuple):
    """What tells a person which execution it is; times are the platform's."""

    execution_id: str
    name: str
    status: str
    tool_key: str
    created_at: str


class Recent(NamedTuple):
    """Ids and names of the newest executions, newest first, and how many there are in all (`total`).

    `shown`: the newest that are not hidden.
    """

    names: list[tuple[str, str]]
    total: int
    shown: list[Shown]


class RecentExecutions:
    """Reads the newest executions once in `RECENT_SECONDS`, however many requests come."""

    def __init__(self, client: DeepOriginClient) -> None:
        self._client = client
        self._reading = anyio.Lock()
        self._found = Recent([], 0, [])
        self._until = float("-inf")

    async def read(self) -> Recent:
        """The newest hundred.

        Raises:
            DeepOriginError: they cannot be read.
        """
        async with self._reading:
            now = self._client.timing.monotonic()
            if now >= self._until:
                response = await self._client.listing.page(ListQuery(order="createdAt desc"), 0, RECENT_ROWS)
                found = [one for one in map(Execution, response["data"]) if one.execution_id]
                shown = [one for one in found if not one.is_hidden][:RECENT_SHOWN]
                self._found = Recent(
                    [(one.execution_id, one.name) for one in found],
                    response["count"],
                    [Shown(one.execution_id, one.name, one.status, one.tool_key, one.created_at) for one in shown],
                )
                self._until = now + RECENT_SECONDS
            return self._found
