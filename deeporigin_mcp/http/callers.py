"""Who calls over HTTP: every request in its caller's own state, and a bounded number of these kept for the next one.

A caller is a token; two tokens of one person are two callers. Each organisation and project that a caller names has a
state of its own, found by a keyed hash of the three under a key that only this process has, so that no credentials are
kept as a name. States are closed when nobody has used them for a while, or to make room; one in use never is.

Anybody can make up a token. A caller is known once the platform has served a request with it. What those that are not
known yet may take is limited for all of them together: they wait in line for it, and nothing of theirs is kept.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import anyio.abc
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, EmptyResult
from starlette.datastructures import Headers

from deeporigin_mcp.errors import BusyError, CredentialError, DeepOriginError
from deeporigin_mcp.http.credentials import caller_settings
from deeporigin_mcp.http.guard import Caller
from deeporigin_mcp.http.wishes import LISTEN
from deeporigin_mcp.platform import DeepOriginClient, Timing
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.places import TOKEN_HEADER
from deeporigin_mcp.tools.approvals.audit_log import AuditLog
from deeporigin_mcp.tools.responses.errors import error_result, explained
from deeporigin_mcp.tools.runtime.state import LOOK_UP_SECONDS, ServerState, open_state

logger = logging.getLogger("deeporigin_mcp")

MAX_CALLERS = 256
"""States kept at a time."""
MAX_STATES_EACH = 16
"""Organisations and projects that one caller may use at a time."""
MAX_CALLS_EACH = 64
"""Requests that one caller may have under way at a time; and all who have no usable credentials, together."""
MAX_STREAMS_EACH = 16
"""How many of these may be subscriptions, which last as long as their client."""
MAX_UNKNOWN_CALLS = 64
"""Requests of all callers that are not known yet. The platform decides about each within one of its answers."""
LINE_SECONDS = 10.0
"""How long a caller that is not known yet waits in line."""
MAX_KNOWN = 4096
IDLE_SECONDS = 600.0
SWEEP_SECONDS = 60.0

NEEDS_NO_CALLER = frozenset(
    {
        *("initialize", "ping", "server/discover"),
        *("tools/list", "prompts/list", "resources/list", "resources/templates/list"),
        "prompts/get",
    }
)
"""What is the same for everybody, and answered without credentials."""
PRINCIPAL_PURPOSE = b"deeporigin-mcp/question/1"


@dataclass
class _Entry:
    state: ServerState
    caller: str
    closing: anyio.Event = field(default_factory=anyio.Event)
    last_used: float = 0.0


class CallerPool:
    """The states of those who called lately.

    Args:
        operator: settings without credentials.
        connect: makes a caller's platform client.
        timing: clock and sleep; replaced in tests.
        max_callers, max_states_each: states kept at a time, in all and of one caller.
        max_calls_each, max_streams_each: requests of one caller at a time, and how many of them may be subscriptions.
        max_unknown_calls: requests at a time of all callers that are not known yet.
        line_seconds: how long one more of these waits.
    """

    def __init__(
        self,
        operator: Settings,
        *,
        connect: Callable[[Settings], DeepOriginClient] = DeepOriginClient,
        timing: Timing | None = None,
        max_callers: int = MAX_CALLERS,
        max_states_each: int = MAX_STATES_EACH,
        max_calls_each: int = MAX_CALLS_EACH,
        max_streams_each: int = MAX_STREAMS_EACH,
        max_unknown_calls: int = MAX_UNKNOWN_CALLS,
        line_seconds: float = LINE_SECONDS,
    ) -> None:
        self._operator = operator
        self._connect = connect
        self._timing = timing or Timing()
        self._max_callers = max_callers
        self._max_states_each = max_states_each
        self._max_calls_each = max_calls_each
        self._max_streams_each = max_streams_each
        self._max_unknown_calls = max_unknown_calls
        self._line_seconds = line_seconds
        self._key = secrets.token_bytes(32)
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._opening = anyio.Lock()
        self._strangers = 0
        self._known: OrderedDict[str, None] = OrderedDict()
        self._line = anyio.Lock()
        self._unknown: Counter[str] = Counter()
        self._change = anyio.Event()
        self._streams: dict[anyio.CancelScope, str] = {}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._audit = AuditLog(None)

    def __len__(self) -> int:
        return len(self._entries)

    # What the server asks for (`server.Callers`)

    @contextlib.asynccontextmanager
    async def open(self, audit: AuditLog) -> AsyncIterator[ServerState]:
        """Run the pool; what it yields has no credentials and can send nothing."""
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
        """Go on with a request in the state of whoever its headers name."""
        if ctx.request_id is None or ctx.method in NEEDS_NO_CALLER:
            return await call_next(ctx)
        settings = caller_settings(self._operator, ctx.request)
        async with contextlib.AsyncExitStack() as stack:
            try:
                state = await stack.enter_async_context(self.state_for(settings))
                if ctx.method == LISTEN:
                    return await self._listen(replace(ctx, lifespan_context=state), call_next)
            except BusyError as busy:
                return _no_room(ctx, busy)
            return await call_next(replace(ctx, lifespan_context=state))

    def principal(self, ctx: ServerRequestContext[Any, Any]) -> str | None:
        """What a question's state is sealed for: the same for one caller in every worker, and tells nothing of it."""
        settings = caller_settings(self._operator, ctx.request)
        if settings.token is None or settings.problem:
            return None
        return _digest(settings, PRINCIPAL_PURPOSE)

    def caller_of(self, headers: Headers) -> Caller:
        """A name for the caller whose token these headers carry, and whether it is known by now."""
        caller = self._caller(headers.get(TOKEN_HEADER, "").strip())
        return caller, lambda: self.knows(caller)

    def _caller(self, token: str) -> str:
        return hmac.new(self._key, token.encode(), "sha256").hexdigest() if token else ""

    def knows(self, caller: str) -> bool:
        """Whether the platform has served a request with this caller's token."""
        return caller in self._known

    def _meet(self, caller: str) -> None:
        is_new = caller not in self._known
        self._known[caller] = None
        self._known.move_to_end(caller)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        if is_new:
            self._leave_line(caller, self._unknown[caller])

    async def _wait_in_line(self, caller: str) -> None:
        """Take one of the places for callers that are not known yet; each is free again once its caller is known.

        Raises:
            BusyError: the others keep theirs for too long.
        """

        def is_full() -> bool:
            return self._unknown.total() >= self._max_unknown_calls and not self.knows(caller)

        if is_full() or self._line.locked():
            with anyio.move_on_after(self._line_seconds) as waiting:
                async with self._line:
                    while is_full():
                        await self._change.wait()
            if waiting.cancelled_caught:
                raise BusyError("This MCP server waits for the platform to check the credentials of many others.")
        if not self.knows(caller):
            self._unknown[caller] += 1

    def _leave_line(self, caller: str, places: int = 1) -> None:
        self._unknown[caller] -= min(places, self._unknown[caller])
        if not self._unknown[caller]:
            del self._unknown[caller]
        change, self._change = self._change, anyio.Event()
        change.set()

    def end_streams(self) -> None:
        """End the streams of subscriptions, which would last as long as their clients, so that the server can stop."""
        for scope in [*self._streams]:
            scope.cancel()

    # States

    @contextlib.asynccontextmanager
    async def state_for(self, settings: Settings) -> AsyncIterator[ServerState]:
        """The caller's state, for one request.

        Raises:
            BusyError: everything is in use.
        """
        if not self._can_call(settings):
            # Whoever cannot call the platform is told so by whatever they call, and takes no one's place.
            if self._strangers >= self._max_calls_each:
                raise BusyError(
                    f"This MCP server runs {self._max_calls_each} calls without usable credentials already."
                )
            self._strangers += 1
            try:
                entry = await self._live(settings)
                try:
                    yield entry.state
                finally:
                    entry.closing.set()
            finally:
                self._strangers -= 1
            return
        name, caller = _digest(settings, self._key), self._caller(_token(settings))
        is_unknown = not self.knows(caller)
        if is_unknown:
            await self._wait_in_line(caller)
        try:
            async with self._opening:
                entry = self._entries.get(name) or await self._kept(name, settings, caller)
                if sum(other.state.holds for other in self._of(caller).values()) >= self._max_calls_each:
                    raise BusyError(
                        f"This MCP server runs {self._max_calls_each} calls with these credentials already."
                    )
                self._entries.move_to_end(name)
                entry.state.holds += 1
            try:
                yield entry.state
            finally:
                entry.state.holds -= 1
                entry.last_used = self._timing.monotonic()
                if not entry.state.holds and not self.knows(caller):
                    # Nobody comes back to it but whoever makes up tokens, and it has connections to the platform.
                    self._close(name, entry)
        finally:
            if is_unknown:
                self._leave_line(caller)

    def _of(self, caller: str) -> dict[str, _Entry]:
        return {name: entry for name, entry in self._entries.items() if entry.caller == caller}

    def _can_call(self, settings: Settings) -> bool:
        try:
            settings.require_token(self._timing.wall())
        except CredentialError:
            return False
        return True

    async def _kept(self, name: str, settings: Settings, caller: str) -> _Entry:
        mine = self._of(caller)
        if len(mine) >= self._max_states_each:
            self._close_idle(
                mine,
                f"This MCP server serves {self._max_states_each} organisations and projects with these credentials "
                "already.",
            )
        elif len(self._entries) >= self._max_callers:
            self._close_idle(
                self._entries,
                f"This MCP server serves {self._max_callers} callers at this moment and has no room.",
            )
        self._entries[name] = entry = await self._live(settings, caller)
        return entry

    def _close_idle(self, among: Mapping[str, _Entry], otherwise: str) -> None:
        idle = next((name for name, entry in among.items() if not entry.state.holds), None)
        if idle is None:
            raise BusyError(otherwise)
        self._close(idle, among[idle])

    def _close(self, name: str, entry: _Entry) -> None:
        entry.closing.set()
        # A state that broke is out already, and another may have its name.
        if self._entries.get(name) is entry:
            del self._entries[name]

    async def _live(self, settings: Settings, caller: str = "") -> _Entry:
        """A state that is open until it is told to close."""
        assert self._tasks is not None  # noqa: S101 (the server runs only while the pool is open)
        entry: _Entry = await self._tasks.start(self._life, settings, caller)
        return entry

    async def _life(self, settings: Settings, caller: str, *, task_status: anyio.abc.TaskStatus[_Entry]) -> None:
        """One task holds one state open, as its scopes must be left where they were entered."""
        entry = None
        client = self._connect(settings)
        if caller:
            client.on_accepted(lambda: self._meet(caller))
        try:
            async with open_state(client, self._audit, has_peers=True) as state:
                entry = _Entry(state, caller, last_used=self._timing.monotonic())
                task_status.started(entry)
                await entry.closing.wait()
        except Exception as error:
            if entry is None:
                raise
            # Whatever broke is this caller's alone: the server and all others go on.
            logger.error("The state of a caller ended badly: %s", type(_first(error)).__name__)  # noqa: TRY400
        finally:
            for name in [name for name, other in self._entries.items() if other is entry]:
                del self._entries[name]

    async def _sweep(self) -> None:
        while True:
            await self._timing.sleep(SWEEP_SECONDS)
            too_old = self._timing.monotonic() - IDLE_SECONDS
            for name, entry in [*self._entries.items()]:
                if not entry.state.holds and entry.last_used <= too_old:
                    self._close(name, entry)

    async def _listen(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a stream, which lasts as long as its client, to callers that are known."""
        caller = self._caller(_token(ctx.lifespan_context.settings))
        if [*self._streams.values()].count(caller) >= self._max_streams_each:
            raise BusyError(f"This MCP server serves {self._max_streams_each} streams with these credentials already.")
        with anyio.CancelScope() as scope:
            self._streams[scope] = caller
            try:
                await self._require_known(ctx.lifespan_context, caller)
                return await call_next(ctx)
            finally:
                del self._streams[scope]
        return EmptyResult(result_type="complete")

    async def _require_known(self, state: ServerState, caller: str) -> None:
        """Ask the platform whether it takes the credentials. If it does not answer now, earlier answers count.

        Raises:
            MCPError: it does not, or that cannot be found out.
        """
        try:
            with anyio.move_on_after(LOOK_UP_SECONDS):
                await state.recent.read()
        except DeepOriginError as refusal:
            if isinstance(refusal, CredentialError) or not self.knows(caller):
                raise MCPError(INVALID_REQUEST, explained(refusal)) from None
        if not self.knows(caller):
            raise BusyError("The platform did not answer in time, so these credentials could not be checked.")


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _token(settings: Settings) -> str:
    return settings.token.get_secret_value() if settings.token else ""


def _digest(settings: Settings, key: bytes) -> str:
    # Lengths first, so that no two callers can be written alike.
    parts = [part.encode() for part in (_token(settings), settings.org_key, settings.project_id)]
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, text, "sha256").hexdigest()


def _no_room(ctx: ServerRequestContext[Any, Any], busy: BusyError) -> HandlerResult:
    """The refusal where its reader finds it: a model reads results of tools, and no errors of the protocol."""
    if ctx.method != "tools/call":
        raise MCPError(INTERNAL_ERROR, explained(busy))
    return error_result(busy)
