"""The log of an execution, newest line first, in pages that lose nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from deeporigin_mcp.errors import CredentialError, DeepOriginError, InvalidRequestError, NotFoundError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.platform.transport.responses import has_more_of, rows_of
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.executions.lists import cut_to
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, rows_that_fit, without_columns
from deeporigin_mcp.tools.responses.views import WORD_CHARACTERS, View
from deeporigin_mcp.tools.runtime.executions import ExecutionId, existing
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

Level = Literal["debug", "info", "warning", "error"]

NEWEST_FIRST = {"date": "desc", "created_at": "desc", "id": "desc"}
"""With the id, so that rows of one instant keep their order between two pages."""
LEVEL_WORDS: dict[str, tuple[str, ...]] = {
    "debug": ("debug", "trace"),
    "info": ("info", "notice"),
    "warning": ("warning", "warn"),
    "error": ("error", "critical", "fatal"),
}
"""Levels from the least to the worst, each with the words that loggers use for it."""

ROOM = RESULT_CHARACTERS - 1_500
"""Leaves room for the next call."""
MESSAGE_CHARACTERS, SHORTER = 500, (("message", 200), ("message", 100))
"""Characters of a message; fewer where the lines would not all fit, so that none is dropped."""
MOST_SHORTENED = 100
"""If more lines are asked for, they are not shortened further: they would say nothing."""
WHOLE_MESSAGE_CHARACTERS = 12_000
"""Characters of a message that is asked for alone; half as many if it is full of escapes."""
SCAN_PAGE_ROWS = 500
SCAN_PAGES = 10


class LogRow(View):
    time: str | None = None
    level: str | None = None
    message: str


class ExecutionLogsView(View):
    """Lines of a log, newest first. `next_offset`: the offset of the next page."""

    execution_id: str
    rows: list[LogRow]
    offset: int
    has_more: bool
    next_offset: int | None = None
    note: str | None = None
    next_step: str | None = None


class _Found(NamedTuple):
    """Rows with their offsets in the log, the offset of the next page if there is one, and a note."""

    rows: list[tuple[int, Json]]
    next_offset: int | None
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

    Use it when status_reason does not explain a failure, or to see what a run is doing. Reads only.
    """
    client = state_of(ctx).client
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
    next_offset = found.rows[shown][0] if shown < len(rows) else found.next_offset

    def call(**paging: int) -> str:
        filters = {key: value for key, value in (("level", level), ("contains", contains)) if value}
        return steps.call("get_execution_logs", execution_id=name, **filters, **paging)

    next_step = call(limit=limit, offset=next_offset) + " reads on." if next_offset is not None else ""
    if shown < len(rows):
        next_step += f" {cut_to(shown, limit, 'lines')}"
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
        has_more=next_offset is not None,
        next_offset=next_offset,
        note=_joined(found.note, _cut_note(found.rows[0][1], rows[0]) if is_alone and rows else None) or None,
        next_step=next_step.strip() or None,
    )


def _after_nothing(execution: Execution, settings: Settings, *, is_filtered: bool) -> str:
    """The next step where there are no lines: for an execution that is over, another tool."""
    next_step = steps.after(execution, settings)
    nothing = "No lines" if execution.is_terminal else "No lines yet"
    if is_filtered:
        nothing = "No lines match"
    elif execution.status in ("Completed", "Failed"):
        call = steps.call("get_execution", execution_id=execution.execution_id, detail="detailed")
        next_step = f"{call} shows its reason, progress and outputs, if it has any."
    return f"{nothing}; it is {one_line(execution.status, WORD_CHARACTERS)}. {next_step or ''}".strip()


def _cut_note(row: Json, line: LogRow) -> str | None:
    """The note on a message that is cut although it was asked for alone."""
    if not _is_cut(row, line):
        return None
    message = text(row.get("message"))
    shown, whole = len(line.message) - 1, len(one_line(message, len(message) + 1))
    return f"Of this message the first {shown} of {whole} characters are shown; no call shows more."


async def _rows(
    client: DeepOriginClient, execution_id: str, limit: int, offset: int, level: Level | None, contains: str | None
) -> _Found:
    """One page, filtered and sorted by the platform, or here if it refuses that.

    Whether it filters and sorts logs is not documented, so a refusal is followed by a simpler request.
    """
    conditions = _conditions(level, contains)
    try:
        response = await client.user_logs.search(
            execution_id, limit=limit + 1, offset=offset, extra_props=conditions, sort=NEWEST_FIRST
        )
        return _page(response, limit, offset)
    except InvalidRequestError:
        pass
    if conditions:
        try:
            return await _scanned(client, execution_id, limit, offset, level, contains, NEWEST_FIRST)
        except InvalidRequestError:
            pass
    return await _scanned(client, execution_id, limit, offset, level, contains, None)


def _page(response: Json, limit: int, offset: int, note: str | None = None) -> _Found:
    """A page of a response that may have one row more, which shows that there are more whatever the envelope says."""
    rows = list(enumerate(rows_of(response), offset))
    kept = rows[:limit]
    has_more = len(rows) > limit or (has_more_of(response) is True and bool(kept))
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
    """Rows that match, filtered here in a bounded part of the log; offsets count all rows, matching or not."""
    note = None if order else "The platform does not sort logs: these lines are in its own order, not newest first."
    if not (level or contains):
        response = await client.user_logs.search(execution_id, limit=limit + 1, offset=offset)
        return _page(response, limit, offset, note)
    found: list[tuple[int, Json]] = []
    place = offset
    filtered = "The platform does not filter logs: {} lines from offset on were searched here."
    for _ in range(SCAN_PAGES):
        response = await client.user_logs.search(execution_id, limit=SCAN_PAGE_ROWS, offset=place, sort=order)
        rows = rows_of(response)
        for row in rows:
            if _matches(row, level, contains):
                if len(found) == limit:
                    return _Found(found, place, _joined(filtered.format(place - offset), note))
                found.append((place, row))
            place += 1
        if not rows or not _has_more(response, len(rows)):
            return _Found(found, None, _joined(filtered.format(place - offset), note))
    return _Found(found, place, _joined(filtered.format(place - offset), note))


def _has_more(response: Json, received: int) -> bool:
    has_more = has_more_of(response)
    return received >= SCAN_PAGE_ROWS if has_more is None else has_more


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


def _matches(row: Json, level: Level | None, contains: str | None) -> bool:
    if level:
        logged = text(row.get("log_level")).strip().lower()
        if not any(logged in LEVEL_WORDS[name] for name in _from(level)):
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
    call = steps.call("get_execution", execution_id=execution_id, detail="detailed")
    return type(refusal)(
        f"The platform refused to return logs (HTTP {refusal.http_status}); some organisations have none.",
        next_step=f"{call} shows the reason of a failure and the progress instead.",
        http_status=refusal.http_status,
        request_id=refusal.request_id,
    )
