"""`deeporigin-mcp wait`: a shell command that ends when runs are over, for a client's background shell (design 7)."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import anyio

from deeporigin_mcp.errors import CredentialError, DeepOriginError, SettingsError
from deeporigin_mcp.logs import configure_logging, say
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery
from deeporigin_mcp.platform.records.money import added, usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.status import SUCCEEDED
from deeporigin_mcp.platform.waiting.engine import WaitState, watch
from deeporigin_mcp.platform.waiting.observer import ACTIVE
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.executions.completeness import looked_at
from deeporigin_mcp.tools.executions.wait_executions import wait_view
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, WORD_CHARACTERS
from deeporigin_mcp.tools.runtime.state import ServerState

EXIT_ALL_COMPLETED, EXIT_NOT_COMPLETED, EXIT_USAGE, EXIT_NOT_OVER = range(4)
POLL_SECONDS = 10.0
"""The event stream makes ends prompt."""
STORING_SECONDS = 5.0
"""How long a line waits for results that are being stored: until then nobody knows which are missing."""
MAX_NAMED = 20
WHICH_SESSION = "Give the session: get_workspace shows it, and DEEPORIGIN_MCP_SESSION sets it."
NO_RUNS = "Give ids of runs, or --session."


def wait(ids: Sequence[str], *, session: str | None, timeout_seconds: float | None, until_any: bool) -> int:
    """Wait, print a line for each run when it is over, and a summary; the exit code.

    Args:
        session: also wait for all runs of this session that are unfinished now; empty: that of the settings.
        timeout_seconds: None waits as long as it takes.
        until_any: return when the first is over.
    """
    try:
        settings = Settings.load()
        configure_logging(settings.log_level)
        if session == "" and "session" not in settings.model_fields_set:
            raise SettingsError(WHICH_SESSION)
        if session is None and not any(name.strip() for name in ids):
            raise SettingsError(NO_RUNS)
        settings.require_token()
    except (SettingsError, CredentialError) as error:
        _complain(explained(error))
        return EXIT_USAGE
    if session is not None:
        session = session.strip() or settings.session
    waited = anyio.run(
        _waited, settings, [name.strip() for name in ids if name.strip()], session, timeout_seconds, until_any
    )
    if isinstance(waited, DeepOriginError):
        _complain(explained(waited))
        return EXIT_NOT_COMPLETED
    say(waited.summary)
    return waited.exit_code


async def _waited(
    settings: Settings, ids: list[str], session: str | None, timeout_seconds: float | None, until_any: bool
) -> Ended | DeepOriginError:
    async with DeepOriginClient(settings) as client, anyio.create_task_group() as tasks:
        ended = await _ended(ServerState(client, tasks), ids, session, timeout_seconds, until_any)
    return ended  # noqa: RET504 (for mypy a task group may swallow what is raised)


async def _ended(
    state: ServerState, ids: list[str], session: str | None, timeout_seconds: float | None, until_any: bool
) -> Ended | DeepOriginError:
    """What has ended; or why the session's runs are unknown."""
    client = state.client
    if session is not None:
        try:
            found = await client.listing.all(ListQuery(session=session, status=ACTIVE), fields=("status",))
        except DeepOriginError as error:
            return error
        rows = [Execution(row) for row in found["data"]]
        ids += [row.execution_id for row in rows if row.execution_id and not row.is_settled]
    ended = Ended(state, [*dict.fromkeys(ids)], until_any=until_any)
    left, until = ended.ids, client.timing.monotonic() + (timeout_seconds or 0.0)
    while left:
        seen = await watch(
            client.observer,
            left,
            until="any" if until_any else "all",
            poll_interval_seconds=POLL_SECONDS,
            timeout_seconds=None if timeout_seconds is None else max(0.0, until - client.timing.monotonic()),
            timing=client.timing,
            report=ended.report,
        )
        await ended.report(seen)
        left = seen.pending
        # A quote is over for the engine, and nothing that anybody waits for with --any.
        if not until_any or ended.over or (timeout_seconds is not None and client.timing.monotonic() >= until):
            break
    return ended


class Ended:
    """What has ended so far; each run is printed once."""

    def __init__(self, state: ServerState, ids: list[str], *, until_any: bool) -> None:
        self.ids = ids
        self._until_any = until_any
        self.over: dict[str, Execution] = {}
        self._quoted: list[str] = []
        self._lost: list[str] = []
        self._pending: dict[str, str] = {}
        self._state = state

    async def report(self, state: WaitState) -> None:
        """Print what is over now and was not before."""
        for name in dict.fromkeys(state.ids):
            execution = Execution(state.found.get(name, {}))
            if name in state.pending:
                self._pending[name] = "cannot be read now" if name in state.failed else execution.status
                continue
            self._pending.pop(name, None)
            if name in self.over or name in self._quoted or name in self._lost:
                continue
            if name in state.given_up:
                self._lost.append(name)
                # The words of the tool: unknown id, no right, token over.
                [row] = wait_view(replace(state, ids=[name]), self._state.settings).executions
                say(f"{one_line(name, NAME_CHARACTERS)}  cannot be read: {row.error}")
            elif execution.status == "Quoted":
                self._quoted.append(name)
                say(f"{_named(name, execution)}  waits for a yes: {usd(execution.quoted_price)}")
            else:
                self.over[name] = execution
                await self._say_over(name, execution)

    async def _say_over(self, name: str, execution: Execution) -> None:
        parts = [_named(name, execution), _cost(execution)]
        looked = await looked_at(self._state, [execution], seconds_left=STORING_SECONDS)
        found = looked.parts.get(execution.execution_id)
        if found is not None and found.requested is not None and found.returned != found.requested:
            parts.append(f"{found.requested - (found.returned or 0)} of {found.requested} ligands without a result")
        say("  ".join(parts))

    @property
    def exit_code(self) -> int:
        is_enough = self._until_any and self.over
        if (self._pending or self._quoted) and not is_enough:
            return EXIT_NOT_OVER
        completed = all(execution.status == SUCCEEDED for execution in self.over.values())
        return EXIT_ALL_COMPLETED if completed and (is_enough or not self._lost) else EXIT_NOT_COMPLETED

    @property
    def summary(self) -> str:
        """Such as `2 of 3 over: 1 Completed, 1 Failed, 3.20 USD. Not over: 9f3c… Running.`"""
        if not self.ids:
            return "No run of this session is unfinished."
        counts = Counter(execution.status for execution in self.over.values())
        parts = [f"{count} {one_line(status, WORD_CHARACTERS)}" for status, count in counts.items()]
        # What is only held for a cancelled run, or was given back, is no cost.
        costs: dict[str, list[Decimal]] = {}
        for execution in self.over.values():
            if execution.cost is not None:
                state = execution.cost_state if execution.cost_state != "charged" else ""
                costs.setdefault(state, []).append(execution.cost)
        parts += [f"{usd(added(each))} {state}".strip() for state, each in costs.items()]
        if unknown := len(self.over) - sum(map(len, costs.values())):
            parts.append(f"{unknown} without a known cost")
        sentences = [f"{len(self.over)} of {len(self.ids)} over" + (f": {', '.join(parts)}" if parts else "")]
        if self._quoted:
            sentences.append(f"{len(self._quoted)} only quoted, waiting for a yes")
        if self._lost:
            sentences.append(f"{len(self._lost)} cannot be read, so whether they are over is unknown")
        if self._pending:
            named = [f"{one_line(name, NAME_CHARACTERS)} {status}" for name, status in self._pending.items()]
            more = [f"{len(named) - MAX_NAMED} more"] if len(named) > MAX_NAMED else []
            sentences.append(f"Not over: {', '.join([*named[:MAX_NAMED], *more])}")
        return ". ".join(sentences) + "."


def _named(name: str, execution: Execution) -> str:
    parts = [one_line(name, NAME_CHARACTERS), one_line(execution.status, WORD_CHARACTERS)]
    if called := one_line(execution.name, NAME_CHARACTERS):
        parts.append(f'"{called}"')
    return "  ".join(parts)


def _cost(execution: Execution) -> str:
    if execution.cost is None:
        return "cost not known"
    return f"{usd(execution.cost)} {execution.cost_state}".strip()


def _complain(text: str) -> None:
    sys.stderr.write(f"deeporigin-mcp: {text}\n")
