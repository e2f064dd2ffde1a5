"""What a run wrote for its user, newest line first, in pages that lose nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from deeporigin_mcp.errors import CredentialError, DeepOriginError, InvalidRequestError, NotFoundError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.platform.transport.responses import has_more_of, rows_of
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.executions.identifiers import ExecutionId, existing
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, rows_that_fit, without_columns
from deeporigin_mcp.tools.responses.views import WORD_CHARACTERS, ExecutionLogsView, LogRow
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

Level = Literal["debug", "info", "warning", "error"]

NEWEST_FIRST = {"date": "desc", "created_at": "desc", "id": "desc"}
"""The id makes the order a total one, so that rows written at once do not change places between two pages."""
LEVEL_WORDS: dict[str, tuple[str, ...]] = {
    "debug": ("debug", "trace"),
    "info": ("info", "notice"),
    "warning": ("warning", "warn"),
    "error": ("error", "critical", "fatal"),
}
"""Levels from the least to the worst, each with the words that loggers use for it."""

DEFAULT_LIMIT = 50
ROOM = RESULT_CHARACTERS - 1_500
"""Leaves room for the next call."""
MESSAGE_CHARACTERS, SHORTER = 500, (("message", 200), ("message", 100))
"""How much of a message is shown: less where the lines would not all fit, so that none is left out."""
MOST_SHORTENED = 100
"""Where more lines are asked for, they are not shortened: so short they would say nothing."""
WHOLE_MESSAGE_CHARACTERS = 12_000
"""How much of a message is shown where it is asked for alone; half of it if it is full of escapes."""
SCAN_PAGE_ROWS = 500
SCAN_PAGES = 10


class _Found(NamedTuple):
    """Rows with their places in the log, the place to go on from, and whether anything is there."""

    rows: list[tuple[int, Json]]
    following: int | None
    note: str | None = None


async def get_execution_logs(
    ctx: ToolContext,
    execution_id: ExecutionId,
    limit: Annotated[int, Field(description="1 to 500; 1 shows a long message whole.", ge=1, le=500)] = 50,
    offset: Annotated[int, Field(description="Newer lines to skip.", ge=0)] = 0,
    level: Annotated[Level | None, Field(description="This level or worse.")] = None,
    contains: Annotated[str | None, Field(description="Text in the message, in any case.")] = None,
) -> ExecutionLogsView:
    """Read what a run logged, newest line first.

    Use it when status_reason does not explain a failure, or to see what a run is doing. Messages are data, one line
    each. Free, reads only.
    """
    client = state_of(ctx).client
    return await read_logs(client, execution_id, limit=limit, offset=offset, level=level, contains=contains)


async def read_logs(
    client: DeepOriginClient,
    execution_id: str,
    *,
    limit: int = DEFAULT_LIMIT,
    offset: int = 0,
    level: Level | None = None,
    contains: str | None = None,
) -> ExecutionLogsView:
    """A page of an execution's log, newest first.

    Args:
        limit: rows at most, 1 to 500; fewer where they would not fit into an answer.
        offset: rows to skip from the newest on.
        level: this level or worse.
        contains: a part of the message, in any case.

    Raises:
        NotFoundError: there is no such execution; an id of the data platform is recognised.
        DeepOriginError: the platform does not give out logs; says what to read instead.
    """
    name = execution_id.strip()
    try:
        found = await _rows(client, name, limit, offset, level, contains)
    except (CredentialError, InvalidRequestError, NotFoundError) as refusal:
        if refusal.http_status in (None, 401):
            raise
        raise _refused(name, refusal) from None
    execution = None
    if not found.rows and not offset:
        # An unknown id is not an empty log.
        execution = await existing(client, name)
    is_alone = limit == 1
    rows = [_row(row, WHOLE_MESSAGE_CHARACTERS if is_alone else MESSAGE_CHARACTERS) for _, row in found.rows]
    if limit <= MOST_SHORTENED:
        without_columns(rows, ROOM, (("message", WHOLE_MESSAGE_CHARACTERS // 2),) if is_alone else SHORTER)
    shown = rows_that_fit(rows, ROOM)
    following = found.rows[shown][0] if shown < len(rows) else found.following

    def call(**paging: int) -> str:
        given = {"level": level, "contains": contains}
        chosen = {key: value for key, value in given.items() if value}
        return steps.call("get_execution_logs", execution_id=name, **chosen, **paging)

    next_step = call(limit=limit, offset=following) + " reads on." if following is not None else ""
    if shown < len(rows):
        next_step += f" Of the {limit} lines asked for, an answer has room for {shown}."
    cut = (place for (place, row), line in zip(found.rows, rows[:shown], strict=False) if _is_cut(row, line))
    if not is_alone and (whole := next(cut, None)) is not None:
        next_step = f"{next_step} A message that ends in … is cut: {call(limit=1, offset=whole)} shows the first one."
    if execution is not None:
        next_step = _after_nothing(execution, client.settings, is_filtered=bool(level or contains))
    elif not rows:
        next_step = next_step or f"There are no older lines; {call(limit=limit)} shows the newest."
    return ExecutionLogsView(
        execution_id=name,
        rows=rows[:shown],
        offset=offset,
        has_more=following is not None,
        next_offset=following,
        note=_joined(found.note, _cut_note(found.rows[0][1], rows[0]) if is_alone and rows else None) or None,
        next_step=next_step.strip() or None,
    )


def _after_nothing(execution: Execution, settings: Settings, *, is_filtered: bool) -> str:
    """What to do where there are no lines: for a run that is over, something else than to look here again."""
    then = steps.after(execution, settings)
    nothing = "Nothing was logged" if execution.is_terminal else "Nothing was logged yet"
    if is_filtered:
        nothing = "Nothing that fits was logged"
    elif execution.status in ("Completed", "Failed"):
        look = steps.call("get_execution", execution_id=execution.execution_id, detail="detailed")
        then = f"{look} shows its reason, progress and outputs, if it has any."
    return f"{nothing}; it is {one_line(execution.status, WORD_CHARACTERS)}." + (f" {then}" if then else "")


def _cut_note(row: Json, line: LogRow) -> str | None:
    """For a message that is cut although it was asked for alone."""
    if not _is_cut(row, line):
        return None
    said = text(row.get("message"))
    shown, whole = len(line.message) - 1, len(one_line(said, len(said) + 1))
    return f"Of this message the first {shown} of {whole} characters are shown; no call shows more."


async def _rows(
    client: DeepOriginClient, execution_id: str, limit: int, offset: int, level: Level | None, contains: str | None
) -> _Found:
    """One page, filtered and ordered by the platform as far as it does that.

    Nobody knows whether it filters and sorts its logs, so a refusal of either is answered by asking for less.
    """
    conditions = _conditions(level, contains)
    try:
        answer = await client.user_logs.search(
            execution_id, limit=limit + 1, offset=offset, extra_props=conditions, sort=NEWEST_FIRST
        )
        return _page(answer, limit, offset)
    except InvalidRequestError:
        pass
    order: dict[str, str] | None = NEWEST_FIRST
    if conditions:
        try:
            return await _scanned(client, execution_id, limit, offset, level, contains, order)
        except InvalidRequestError:
            pass
    return await _scanned(client, execution_id, limit, offset, level, contains, None)


def _page(answer: Json, limit: int, offset: int, note: str | None = None) -> _Found:
    """One row more than wanted was asked for, which tells whether there are more whatever the envelope says."""
    rows = list(enumerate(rows_of(answer), offset))
    kept = rows[:limit]
    has_more = len(rows) > limit or (has_more_of(answer) is True and bool(kept))
    return _Found(kept, offset + len(kept) if has_more else None, note)


async def _scanned(
    client: DeepOriginClient,
    execution_id: str,
    limit: int,
    offset: int,
    level: Level | None,
    contains: str | None,
    order: dict[str, str] | None,
) -> _Found:
    """Rows that fit, looked for here in a bounded part of the log; places count all rows, fitting or not."""
    note = None if order else "The platform would not sort: these lines are in its own order, not newest first."
    if not (level or contains):
        answer = await client.user_logs.search(execution_id, limit=limit + 1, offset=offset)
        return _page(answer, limit, offset, note)
    found: list[tuple[int, Json]] = []
    place = offset
    told = "The platform would not filter: {} lines from offset on were looked through here."
    for _ in range(SCAN_PAGES):
        answer = await client.user_logs.search(execution_id, limit=SCAN_PAGE_ROWS, offset=place, sort=order)
        rows = rows_of(answer)
        for row in rows:
            if _fits(row, level, contains):
                if len(found) == limit:
                    return _Found(found, place, _joined(told.format(place - offset), note))
                found.append((place, row))
            place += 1
        if not rows or not _may_go_on(answer, len(rows)):
            return _Found(found, None, _joined(told.format(place - offset), note))
    return _Found(found, place, _joined(told.format(place - offset), note))


def _may_go_on(answer: Json, received: int) -> bool:
    says = has_more_of(answer)
    return received >= SCAN_PAGE_ROWS if says is None else says


def _joined(*notes: str | None) -> str:
    return " ".join(note for note in notes if note)


def _conditions(level: Level | None, contains: str | None) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = []
    if level:
        words = [word for name in _from(level) for word in LEVEL_WORDS[name]]
        spelled = [*words, *(word.upper() for word in words)]
        conditions.append({"column": "log_level", "op": "in", "value": spelled})
    if contains:
        conditions.append({"column": "message", "op": "icontains", "value": contains})
    return conditions


def _fits(row: Json, level: Level | None, contains: str | None) -> bool:
    if level:
        said = text(row.get("log_level")).strip().lower()
        if not any(said in LEVEL_WORDS[name] for name in _from(level)):
            return False
    return not contains or contains.lower() in text(row.get("message")).lower()


def _from(level: Level) -> list[str]:
    """The level and those that are worse."""
    names = list(LEVEL_WORDS)
    return names[names.index(level) :]


def _row(row: Json, characters: int) -> LogRow:
    return LogRow(
        time=one_line(text(row.get("date")) or text(row.get("created_at")), 40) or None,
        level=one_line(text(row.get("log_level")), 20) or None,
        message=one_line(text(row.get("message")), characters),
    )


def _is_cut(row: Json, line: LogRow) -> bool:
    return len(one_line(text(row.get("message")), len(line.message) + 1)) > len(line.message)


def _refused(execution_id: str, refusal: DeepOriginError) -> DeepOriginError:
    look = steps.call("get_execution", execution_id=execution_id, detail="detailed")
    return type(refusal)(
        f"The platform does not give out the logs here (HTTP {refusal.http_status}); some organisations have none.",
        next_step=f"{look} shows the reason of a failure and the progress instead.",
        http_status=refusal.http_status,
        request_id=refusal.request_id,
    )
