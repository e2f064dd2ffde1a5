"""Who calls over HTTP: every request in its caller's own state, and a bounded number of these kept for the next one.

A caller is a token, an organisation and a project; two tokens of one person are two callers. A state is found by a
keyed hash of the three under a key that only this process has, so that no credentials are kept as a name. States
are closed when nobody has used them for a while, or to make room; one in use never is.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import anyio.abc
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, CallToolResult, EmptyResult, TextContent

from deeporigin_mcp.errors import BusyError, CredentialError, DeepOriginError
from deeporigin_mcp.http.credentials import caller_settings
from deeporigin_mcp.platform import DeepOriginClient, Timing
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.audit import AuditLog
from deeporigin_mcp.tools.state import LOOK_UP_SECONDS, ServerState, open_state
from deeporigin_mcp.tools.surface import explained

logger = logging.getLogger("deeporigin_mcp")

MAX_CALLERS = 256
MAX_CALLS_EACH = 64
"""Requests that one caller may have under way at a time."""
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
LISTEN = "subscriptions/listen"
PRINCIPAL_PURPOSE = b"deeporigin-mcp/question/1"


@dataclass
class _Entry:
    state: ServerState
    closing: anyio.Event = field(default_factory=anyio.Event)
    last_used: float = 0.0


class CallerPool:
    """The states of those who called lately.

    Args:
        operator: settings without credentials.
        connect: makes a caller's platform client.
        timing: clock and sleep; replaced in tests.
        max_callers: states kept at a time.
        max_calls_each: requests of one caller at a time.
    """

    def __init__(
        self,
        operator: Settings,
        *,
        connect: Callable[[Settings], DeepOriginClient] = DeepOriginClient,
        timing: Timing | None = None,
        max_callers: int = MAX_CALLERS,
        max_calls_each: int = MAX_CALLS_EACH,
    ) -> None:
        self._operator = operator
        self._connect = connect
        self._timing = timing or Timing()
        self._max_callers = max_callers
        self._max_calls_each = max_calls_each
        self._key = secrets.token_bytes(32)
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._opening = anyio.Lock()
        self._strangers = 0
        self._streams: set[anyio.CancelScope] = set()
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
            except BusyError as busy:
                return _no_room(ctx, busy)
            mine = replace(ctx, lifespan_context=state)
            if ctx.method != LISTEN:
                return await call_next(mine)
            await _require_known(state)
            return await self._listen(mine, call_next)

    def principal(self, ctx: ServerRequestContext[Any, Any]) -> str | None:
        """What a question's state is sealed for: the same for one caller in every worker, and tells nothing of it."""
        settings = caller_settings(self._operator, ctx.request)
        if settings.token is None or settings.problem:
            return None
        return _digest(settings, PRINCIPAL_PURPOSE)

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
        name = _digest(settings, self._key)
        async with self._opening:
            entry = self._entries.get(name) or await self._kept(name, settings)
            if entry.state.holds >= self._max_calls_each:
                raise BusyError(f"This MCP server runs {self._max_calls_each} calls with these credentials already.")
            self._entries.move_to_end(name)
            entry.state.holds += 1
        try:
            yield entry.state
        finally:
            entry.state.holds -= 1
            entry.last_used = self._timing.monotonic()

    def _can_call(self, settings: Settings) -> bool:
        try:
            settings.require_token(self._timing.wall())
        except CredentialError:
            return False
        return True

    async def _kept(self, name: str, settings: Settings) -> _Entry:
        if len(self._entries) >= self._max_callers:
            idle = next((key for key, entry in self._entries.items() if not entry.state.holds), None)
            if idle is None:
                raise BusyError(f"This MCP server serves {self._max_callers} callers at this moment and has no room.")
            self._entries.pop(idle).closing.set()
        self._entries[name] = entry = await self._live(settings)
        return entry

    async def _live(self, settings: Settings) -> _Entry:
        """A state that is open until it is told to close."""
        assert self._tasks is not None  # noqa: S101 (the server runs only while the pool is open)
        entry: _Entry = await self._tasks.start(self._life, settings)
        return entry

    async def _life(self, settings: Settings, *, task_status: anyio.abc.TaskStatus[_Entry]) -> None:
        """One task holds one state open, as its scopes must be left where they were entered."""
        entry = None
        try:
            async with open_state(self._connect(settings), self._audit) as state:
                entry = _Entry(state, last_used=self._timing.monotonic())
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
                    self._entries.pop(name).closing.set()

    async def _listen(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        with anyio.CancelScope() as scope:
            self._streams.add(scope)
            try:
                return await call_next(ctx)
            finally:
                self._streams.discard(scope)
        return EmptyResult(result_type="complete")


async def _require_known(state: ServerState) -> None:
    """Refuse a stream, which lasts as long as its client, to whom the platform refuses: it would keep a caller's place.

    Whoever has no credentials at all takes none, and a platform that does not answer now is no reason.

    Raises:
        MCPError: the platform does not take the credentials.
    """
    try:
        with anyio.move_on_after(LOOK_UP_SECONDS):
            await state.recent.read()
    except DeepOriginError as refusal:
        if isinstance(refusal, CredentialError) and refusal.http_status is not None:
            raise MCPError(INVALID_REQUEST, explained(refusal)) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _digest(settings: Settings, key: bytes) -> str:
    token = settings.token.get_secret_value() if settings.token else ""
    # Lengths first, so that no two callers can be written alike.
    parts = [part.encode() for part in (token, settings.org_key, settings.project_id)]
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, text, "sha256").hexdigest()


def _no_room(ctx: ServerRequestContext[Any, Any], busy: BusyError) -> HandlerResult:
    """The refusal where its reader finds it: a model reads results of tools, and no errors of the protocol."""
    if ctx.method != "tools/call":
        raise MCPError(INTERNAL_ERROR, explained(busy))
    return CallToolResult(is_error=True, content=[TextContent(type="text", text=explained(busy))])
