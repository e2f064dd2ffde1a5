"""Who calls over HTTP: every request in its caller's own state, and a limited number of these kept for the next one.

A caller is a token; two tokens of one person are two callers. Each organisation and project that a caller names has a
state of its own, found by a keyed hash of the three whose key only this process has, so that no credentials are kept as
a name. A state that nobody uses has no connections after half a minute, and is closed after a while, or to make room;
nothing of this happens while it is in use. Nothing is kept of unknown callers (`known_callers`).
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import anyio.abc
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, EmptyResult
from starlette.datastructures import Headers

from deeporigin_mcp.errors import BusyError, CredentialError, DeepOriginError
from deeporigin_mcp.http.compatibility import LISTEN
from deeporigin_mcp.http.credentials import caller_settings
from deeporigin_mcp.http.guard import Caller
from deeporigin_mcp.http.known_callers import KnownCallers
from deeporigin_mcp.platform import DeepOriginClient, Timing
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.places import TOKEN_HEADER
from deeporigin_mcp.settings.reading import bare_token
from deeporigin_mcp.tools.approvals.audit_log import AuditLog
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS
from deeporigin_mcp.tools.responses.errors import error_result, explained
from deeporigin_mcp.tools.runtime.state import LOOK_UP_SECONDS, ServerState, open_state

logger = logging.getLogger("deeporigin_mcp")

IDLE_SECONDS = KEPT_SECONDS
"""How long a state is kept after its last use: it knows which answers to elicitations were used."""
CONNECTED_SECONDS = 30.0
"""How long it keeps its connections to the platform."""
SWEEP_SECONDS = 15.0

NEEDS_NO_CALLER = frozenset(
    {
        *("initialize", "ping", "server/discover"),
        *("tools/list", "prompts/list", "resources/templates/list"),
        "prompts/get",
    }
)
"""Methods with the same result for everybody, for which credentials are not needed."""
PRINCIPAL_PURPOSE = b"deeporigin-mcp/question/1"


@dataclass(frozen=True)
class CallerLimits:
    """What callers may take of one process.

    Attributes:
        states: how many are kept.
        states_each: organisations and projects that one caller may use at a time.
        calls_each: requests that one caller may have under way; and all without usable credentials, together.
        streams_each: how many of these may be subscriptions, which last as long as their client.
        unknown_calls: requests under way of all unknown callers. The platform decides about each with one response.
        queue_seconds: how long one more of these waits.
    """

    states: int = 1024
    states_each: int = 16
    calls_each: int = 64
    streams_each: int = 16
    unknown_calls: int = 64
    queue_seconds: float = 10.0


@dataclass
class _Entry:
    """An open state, kept under its name; those of requests without usable credentials have none and are not kept."""

    state: ServerState
    name: str
    caller: str
    last_used: float
    closing: anyio.Event = field(default_factory=anyio.Event)


class CallerPool:
    """The states of those who called lately.

    Args:
        operator: settings without credentials.
        connect: makes a caller's platform client.
        timing: clock and sleep; replaced in tests.
    """

    def __init__(
        self,
        operator: Settings,
        *,
        connect: Callable[[Settings], DeepOriginClient] = DeepOriginClient,
        timing: Timing | None = None,
        limits: CallerLimits | None = None,
    ) -> None:
        self._operator = operator
        self._connect = connect
        self._timing = timing or Timing()
        self._limits = limits or CallerLimits()
        self._key = secrets.token_bytes(32)
        self._known = KnownCallers(self._limits.unknown_calls, self._limits.queue_seconds)
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._opening: dict[str, tuple[str, anyio.Event]] = {}
        """The states that are being opened, by name: the caller, and when that is over."""
        self._calls_without_credentials = 0
        self._streams: dict[anyio.CancelScope, str] = {}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._audit = AuditLog(None)

    def __len__(self) -> int:
        return len(self._entries)

    # The protocol `server.Callers`

    @contextlib.asynccontextmanager
    async def open(self, audit: AuditLog) -> AsyncIterator[ServerState]:
        """Run the pool; the state that it yields has no credentials and can send nothing."""
        self._audit = audit
        async with open_state(self._connect(self._operator), audit) as nobody, anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._sweep)
            try:
                yield nobody
            finally:
                self._tasks = None
                self._entries.clear()
                tasks.cancel_scope.cancel()

    async def serve(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle a request with the state of the caller that its headers name."""
        if ctx.request_id is None or ctx.method in NEEDS_NO_CALLER:
            return await call_next(ctx)
        settings = caller_settings(self._operator, ctx.request)
        async with contextlib.AsyncExitStack() as stack:
            try:
                state = await stack.enter_async_context(self.state_for(settings))
                if ctx.method == LISTEN:
                    return await self._listen(replace(ctx, lifespan_context=state), call_next)
            except BusyError as busy:
                return _busy(ctx, busy)
            return await call_next(replace(ctx, lifespan_context=state))

    def principal(self, ctx: ServerRequestContext[Any, Any]) -> str | None:
        """What an elicitation is bound to: the same for a caller in every worker. It reveals no credentials."""
        settings = caller_settings(self._operator, ctx.request)
        if settings.token is None or settings.problem:
            return None
        return _digest(settings, PRINCIPAL_PURPOSE)

    def caller_of(self, headers: Headers) -> Caller:
        """A name for the caller whose token these headers carry, and whether it is known by now."""
        caller = self._caller(bare_token(headers.get(TOKEN_HEADER, "")))
        return caller, lambda: caller in self._known

    def _caller(self, token: str) -> str:
        return hmac.new(self._key, token.encode(), "sha256").hexdigest() if token else ""

    def end_streams(self) -> None:
        """End the subscriptions, which would last as long as their clients, so that the server can stop."""
        for scope in [*self._streams]:
            scope.cancel()

    # States

    @contextlib.asynccontextmanager
    async def state_for(self, settings: Settings) -> AsyncIterator[ServerState]:
        """The caller's state, for one request.

        Raises:
            BusyError: a limit is reached.
        """
        if not self._can_call(settings):
            async with self._own_state(settings) as state:
                yield state
            return
        caller = self._caller(_token(settings))
        async with self._known.place(caller):
            entry = await self._kept(_digest(settings, self._key), settings, caller)
            if sum(other.state.uses for other in self._of(caller)) >= self._limits.calls_each:
                raise _limit(f"{self._limits.calls_each} calls with these credentials", "too_many_calls")
            entry.state.uses += 1
            try:
                yield entry.state
            finally:
                entry.state.uses -= 1
                entry.last_used = self._timing.monotonic()
                if not entry.state.uses and caller not in self._known:
                    # Most unknown callers are made-up tokens that never return, and a state has connections.
                    self._close(entry)

    @contextlib.asynccontextmanager
    async def _own_state(self, settings: Settings) -> AsyncIterator[ServerState]:
        """A state for one request without usable credentials: it only says what is wrong, and is not kept."""
        if self._calls_without_credentials >= self._limits.calls_each:
            raise _limit(f"{self._limits.calls_each} calls without usable credentials", "too_many_calls")
        self._calls_without_credentials += 1
        try:
            entry = await self._opened(settings)
            try:
                yield entry.state
            finally:
                self._close(entry)
        finally:
            self._calls_without_credentials -= 1

    def _of(self, caller: str) -> list[_Entry]:
        return [entry for entry in self._entries.values() if entry.caller == caller]

    def _can_call(self, settings: Settings) -> bool:
        try:
            settings.require_token(self._timing.wall())
        except CredentialError:
            return False
        return True

    async def _kept(self, name: str, settings: Settings, caller: str) -> _Entry:
        """The state of this name. One request opens it, and others of its caller wait for that; nobody else does."""
        while name in self._opening:
            await self._opening[name][1].wait()
        if name not in self._entries:
            self._make_room(caller)
            is_over = anyio.Event()
            self._opening[name] = caller, is_over
            try:
                self._entries[name] = await self._opened(settings, name, caller)
            finally:
                del self._opening[name]
                is_over.set()
        self._entries.move_to_end(name)
        return self._entries[name]

    def _make_room(self, caller: str) -> None:
        each, most = self._limits.states_each, self._limits.states
        mine = self._of(caller)
        if len(mine) + sum(other == caller for other, _ in self._opening.values()) >= each:
            self._close_idle(
                mine, _limit(f"{each} organisations and projects with these credentials", "too_many_projects")
            )
        elif len(self._entries) + len(self._opening) >= most:
            self._close_idle(self._entries.values(), _limit(f"{most} callers", "too_many_callers"))

    def _close_idle(self, among: Iterable[_Entry], otherwise: BusyError) -> None:
        # Those that only wait to tell somebody of a run's end go last; the caller's next call takes that up again.
        idle = min(
            (entry for entry in among if not entry.state.uses), key=lambda entry: entry.state.is_following, default=None
        )
        if idle is None:
            raise otherwise
        self._close(idle)

    def _close(self, entry: _Entry) -> None:
        entry.closing.set()
        # A state that broke is closed already, and another may have its name.
        if self._entries.get(entry.name) is entry:
            del self._entries[entry.name]

    async def _opened(self, settings: Settings, name: str = "", caller: str = "") -> _Entry:
        """A state that is open until its entry is closed."""
        assert self._tasks is not None  # noqa: S101 (the server runs only while the pool is open)
        entry: _Entry = await self._tasks.start(self._keep_open, settings, name, caller)
        return entry

    async def _keep_open(
        self, settings: Settings, name: str, caller: str, *, task_status: anyio.abc.TaskStatus[_Entry]
    ) -> None:
        """One task holds one state open, as its scopes must be left where they were entered."""
        entry = None
        client = self._connect(settings)
        if caller:
            client.on_accepted(lambda: self._known.add(caller))
        try:
            async with open_state(client, self._audit, has_peers=True) as state:
                entry = _Entry(state, name, caller, self._timing.monotonic())
                task_status.started(entry)
                await entry.closing.wait()
        except Exception as error:
            if entry is None:
                raise
            _log_failure(error)
        finally:
            if entry is not None:
                self._close(entry)

    async def _sweep(self) -> None:
        while True:
            await self._timing.sleep(SWEEP_SECONDS)
            for entry in [*self._entries.values()]:
                unused_seconds = self._timing.monotonic() - entry.last_used
                if entry.state.uses or entry.state.is_following or unused_seconds < CONNECTED_SECONDS:
                    continue
                if unused_seconds >= IDLE_SECONDS:
                    self._close(entry)
                else:
                    await self._disconnect(entry)

    async def _disconnect(self, entry: _Entry) -> None:
        """Close its connections; its next request opens new ones."""
        try:
            await entry.state.client.close_connections()
        except Exception as error:  # noqa: BLE001 (as in `_keep_open`)
            _log_failure(error)
            self._close(entry)

    async def _listen(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a subscription to a caller that the platform accepts; it lasts as long as its client."""
        caller = self._caller(_token(ctx.lifespan_context.settings))
        if [*self._streams.values()].count(caller) >= self._limits.streams_each:
            raise _limit(f"{self._limits.streams_each} subscriptions with these credentials", "too_many_streams")
        with anyio.CancelScope() as scope:
            self._streams[scope] = caller
            try:
                await self._require_known(ctx.lifespan_context, caller)
                return await call_next(ctx)
            finally:
                del self._streams[scope]
        return EmptyResult(result_type="complete")

    async def _require_known(self, state: ServerState, caller: str) -> None:
        """Ask the platform whether it accepts the credentials. While it cannot be asked, a known caller stays known.

        Raises:
            MCPError: it refuses them, or cannot be asked about an unknown caller.
        """
        try:
            with anyio.move_on_after(LOOK_UP_SECONDS):
                await state.recent.read()
        except DeepOriginError as error:
            if isinstance(error, CredentialError) or caller not in self._known:
                raise MCPError(INVALID_REQUEST, explained(error)) from None
        if caller not in self._known:
            raise BusyError(
                f"Timed out after {LOOK_UP_SECONDS:g} s waiting for the platform to check these credentials.",
                code="timed_out",
            )


def _limit(reached: str, code: str) -> BusyError:
    return BusyError(f"This MCP server is serving {reached}, the most that it allows at a time.", code=code)


def _log_failure(error: BaseException) -> None:
    """Whatever broke is this caller's alone: the server and all others go on."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    logger.error("The state of a caller failed: %s", type(error).__name__)


def _token(settings: Settings) -> str:
    return settings.token.get_secret_value() if settings.token else ""


def _digest(settings: Settings, key: bytes) -> str:
    # Lengths first, so that no two callers can be written alike.
    parts = [part.encode() for part in (_token(settings), settings.org_key, settings.project_id)]
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, text, "sha256").hexdigest()


def _busy(ctx: ServerRequestContext[Any, Any], busy: BusyError) -> HandlerResult:
    """A model reads the results of tools, and no errors of the protocol."""
    if ctx.method != "tools/call":
        raise MCPError(INTERNAL_ERROR, explained(busy))
    return error_result(busy)
