"""Whether runs that ended have a result of each ligand that they were given (design 4).

Looked at where the inputs list several ligands, once for each run, within bounds of runs, rows and seconds. What was
not looked at, could not be read or is still being stored is not spoken of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, is_list_of_objects, text
from deeporigin_mcp.platform.waiting.engine import LAST_POLL_SECONDS
from deeporigin_mcp.tools.executions.details import ExecutionDetailView, ended_view
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.failures import failed_parts, ids_meant, reason_of
from deeporigin_mcp.tools.responses.views import REASON_CHARACTERS, Completeness, ExecutionView, MissingRow, WaitRow
from deeporigin_mcp.tools.runtime.executions import at_its_end, is_being_stored
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ServerState
from deeporigin_mcp.tools.spending import spent

ENDED = ("Completed", "Failed", "Cancelled")
"""Statuses of runs that may have results; the others never ran."""
LOOK_SECONDS = 4.0
STORING_PAUSES = (1.0, 2.0, 2.0)
"""Seconds between looks at a run whose results are being stored, where there is time."""
MAX_RUNS = 10
MAX_ROWS = 3_000
"""Rows of one run that are read; of a run with more nothing is said."""
MAX_MISSING = 20
MISSING_CHARACTERS = 1_200
"""Of what one run lacks, in a response about that run."""
MAX_REMEMBERED = 500
RESPONSE_SECONDS = 1.0
"""What is left of a call for its response."""


@dataclass
class LookedAt:
    """What was found, by execution id; and names of ligands that reasons mean, by ligand id.

    `unexplained`: ids of executions of which it is not known of each missing ligand why.
    """

    parts: dict[str, Completeness] = field(default_factory=dict)
    unexplained: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)

    def add_to(
        self,
        view: WaitRow | ExecutionView | ExecutionDetailView,
        execution: Execution,
        characters: int = MISSING_CHARACTERS,
        reason_characters: int = REASON_CHARACTERS,
    ) -> None:
        """Put it into the execution's view, with as many missing ligands as fit into so many characters."""
        if found := self.parts.get(execution.execution_id):
            view.take(found, characters)
            requested, returned = found.requested or 0, found.returned or 0
            is_explained = execution.execution_id not in self.unexplained
            view.failed_parts = failed_parts(execution, (requested - returned if is_explained else 0, requested))
        if self.names:
            view.status_reason = one_line(reason_of(execution, self.names), reason_characters) or None


class Judged(NamedTuple):
    """`parts` is None if nothing is stored yet. `is_explained`: it is known of each missing ligand why."""

    parts: Completeness | None
    is_being_stored: bool
    is_explained: bool = True


async def looked_at(
    state: ServerState,
    executions: Sequence[Execution],
    *,
    seconds_left: float | None = None,
) -> LookedAt:
    """Look at those that ended, the first `MAX_RUNS` of those that were not looked at before.

    Args:
        seconds_left: how long to wait for results that are being stored. Requests may take `LAST_POLL_SECONDS` longer,
            and never more than `LOOK_SECONDS` beside pauses; what is not read by then stays unknown. None: no wait.
    """
    storing_seconds = max(0.0, seconds_left or 0.0)
    within_seconds = LOOK_SECONDS if seconds_left is None else seconds_left + LAST_POLL_SECONDS
    ids_seen = [one.execution_id for one in executions if one.execution_id in state.completeness]
    looked = LookedAt({name: state.completeness[name] for name in ids_seen})
    chosen = [one for one in executions if one.execution_id not in looked.parts and may_lack(one)][:MAX_RUNS]
    failed = [one for one in executions if one.status == "Failed"][:MAX_RUNS]
    ids = [name for execution in failed for name in ids_meant(execution)]
    if within_seconds <= 0 or not (chosen or ids):
        return looked

    async def look(execution: Execution) -> None:
        left = storing_seconds
        for pause in (*STORING_PAUSES, float("inf")):
            found = await judged(state, execution)
            if found is not None and not found.is_being_stored and found.parts:
                looked.parts[execution.execution_id] = found.parts
                if not found.is_explained:
                    looked.unexplained.add(execution.execution_id)
            left -= pause
            if found is None or not found.is_being_stored or left < 0:
                return
            await state.client.timing.sleep(pause)

    async def name() -> None:
        from deeporigin_mcp.tools.files.missing import stored_names

        looked.names = await stored_names(state.client, ids)

    pauses = min(storing_seconds, sum(STORING_PAUSES))
    with anyio.move_on_after(min(within_seconds, LOOK_SECONDS + pauses)):
        async with anyio.create_task_group() as tasks:
            for execution in chosen:
                tasks.start_soon(look, execution)
            if ids:
                tasks.start_soon(name)
    return looked


async def started_view(
    state: ServerState, started: Execution, approved: Decimal | None, *, began: float, wait_seconds: float
) -> ExecutionView:
    """A run that a call has started, as it is when it is over or the call has to return.

    Args:
        approved: USD; the platform may have started it at more.
        began: when the call began, by `anyio.current_time()`.
    """
    seconds_left = began + CALL_SECONDS - RESPONSE_SECONDS - LAST_POLL_SECONDS - anyio.current_time()
    ended, parts = await ended_within(state, started, min(wait_seconds, seconds_left))
    view = ended_view(ended, steps.after(ended, state.settings))
    parts.add_to(view, ended)
    view.warning = spent.dearer_than_approved(ended, approved)
    return view


async def ended_within(state: ServerState, execution: Execution, seconds: float) -> tuple[Execution, LookedAt]:
    """The execution as `at_its_end` has it, and what it lacks then; `LAST_POLL_SECONDS` longer at most."""
    now = state.client.timing.monotonic
    until = now() + seconds
    execution = await at_its_end(state.client, execution, seconds)
    return execution, await looked_at(state, [execution], seconds_left=until - now())


def may_lack(execution: Execution, most_rows: int = MAX_ROWS) -> bool:
    """Whether a look may tell something: it ended, and its inputs list several ligands, all by id or all by SMILES."""
    if execution.status not in ENDED:
        return False
    ligands = execution.inputs.get("ligands")
    if not isinstance(ligands, list):
        count = execution.inputs.get("ligands_count")
        return bool(text(execution.inputs.get("ligands_file"))) and isinstance(count, int) and 1 < count <= most_rows
    return (
        1 < len(ligands) <= most_rows
        and is_list_of_objects(ligands)
        and any(all(text(row.get(name)) for row in ligands) for name in ("id", "smiles"))
    )


async def judged(
    state: ServerState, execution: Execution, rows: Sequence[Json] = (), most_rows: int = MAX_ROWS
) -> Judged | None:
    """Which ligands have no result; None if that is unknown.

    Args:
        rows: all that the run has, or none if they are still to be read.
        most_rows: with so many it is unknown.
    """
    if known := state.completeness.get(execution.execution_id):
        return Judged(known, False)
    from deeporigin_mcp.tools.files.missing import NO_RESULT, Missing, lacking_in, missing_of
    from deeporigin_mcp.tools.files.run_files import found_in
    from deeporigin_mcp.tools.files.run_rows import all_rows

    client = state.client
    try:
        rows = [*rows] or await all_rows(client, execution, most_rows)
    except DeepOriginError:
        return None
    if len(rows) >= most_rows:
        return None
    found = await found_in(client, execution, rows)
    lacking = lacking_in(execution, found)
    parts = (
        None
        if lacking is None
        else Completeness(requested=found.ligand_count, returned=found.ligand_count - lacking.count)
    )
    rows_may_come = not rows if lacking is None else lacking.count > 0
    if rows_may_come:
        if await is_being_stored(client, execution):
            return Judged(parts, True)
        # Where all is stored, that may have been since `rows` were read.
        try:
            now = await all_rows(client, execution, most_rows)
        except DeepOriginError:
            return None
        if len(now) > len(rows):
            return await judged(state, execution, now, most_rows)
    if lacking is None or parts is None:
        return None
    named = (await missing_of(client, execution, found) or Missing()).named
    parts.missing = [MissingRow(name=name, reason=reason) for name, reason in named[:MAX_MISSING]] or None
    parts.missing_count = lacking.count if lacking.count > len(parts.missing or ()) else None
    is_explained = all(reason != NO_RESULT for _, reason in named)
    if is_explained:
        # Otherwise a log that could not be read, or comes late, may say more.
        state.completeness[execution.execution_id] = parts
        while len(state.completeness) > MAX_REMEMBERED:
            del state.completeness[next(iter(state.completeness))]
    return Judged(parts, False, is_explained)
