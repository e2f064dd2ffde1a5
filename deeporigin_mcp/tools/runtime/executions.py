"""An execution by its id: found or unknown, waited for, and whether its results are stored yet."""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Annotated, Literal, TypeVar

import anyio
from pydantic import Field

from deeporigin_mcp.errors import DeepOriginError, InvalidRequestError, NotFoundError, Outcome, PlatformError
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery, SearchQuery
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.platform.waiting.engine import watch
from deeporigin_mcp.tools.responses import steps, toolsets
from deeporigin_mcp.tools.responses.suggestions import closest

T = TypeVar("T")
Detail = Literal["concise", "detailed"]
ExecutionId = Annotated[str, Field(description="Its id.")]

POLL_SECONDS = 5.0
"""The longest pause between two polls of a run whose end is waited for; the event stream makes it prompt."""
READ_SECONDS = 12.0
"""How long the requests before a confirmation may take together."""
RECENT = 100
"""Executions that a wrong id is compared with."""
LEAST_ALIKE = 0.88
"""An id with a typing error differs from the right one in three or four of 36 characters."""

_EXECUTION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DATA_PLATFORM_ID = re.compile(r"[0-9A-Z]{13}|[0-9a-f]{16}")

_PART_OF_ONE = re.compile(r"[0-9a-fA-F-]{4,40}")


async def existing(client: DeepOriginClient, execution_id: str, *, outcome: Outcome | None = None) -> Execution:
    """An execution by its tools-service id.

    Args:
        outcome: of a call that is to change it, if the id is unknown; then no other id is suggested, as what is paid
            or cancelled must not be guessed.

    Raises:
        NotFoundError: an unknown id; says what to call.
    """
    try:
        return Execution(await client.executions.get(execution_id))
    except (NotFoundError, InvalidRequestError) as error:
        if isinstance(error, InvalidRequestError) and is_execution_id(execution_id):
            raise
        if outcome is not None:
            unknown = not_found(execution_id, error)
            unknown.outcome = outcome
        else:
            unknown = await not_found_but_close(client, execution_id, error)
        unknown.next_step = toolsets.step(client.settings, unknown.next_step, "list_executions")
        raise unknown from None


@contextlib.contextmanager
def reading_until(deadline: float) -> Iterator[None]:
    """Read what decides a confirmation no longer than that, by `anyio.current_time()`.

    Raises:
        PlatformError: it took longer.
    """
    with anyio.CancelScope(deadline=deadline) as limit:
        yield
    if limit.cancelled_caught:
        raise PlatformError(f"The platform did not show the quote and the limits within {READ_SECONDS:g} s.")


async def at_its_end(client: DeepOriginClient, execution: Execution, seconds: float) -> Execution:
    """The execution when it is over, or as it was read last when the time is up: that saves a call.

    Args:
        execution: as it was read just now.
    """
    if execution.is_settled or seconds <= 0:
        return execution
    name = execution.execution_id
    found = await watch(
        client.observer,
        [name],
        poll_interval_seconds=POLL_SECONDS,
        timeout_seconds=seconds,
        timing=client.timing,
        seen={name: execution.raw},
    )
    # Of one that still runs the engine keeps what changes only.
    return Execution({**execution.raw, **found.found.get(name, {})})


async def is_being_stored(client: DeepOriginClient, execution: Execution) -> bool:
    """Whether the data platform still stores the results of a completed execution (platform-facts 2.1, 8.28)."""
    query = SearchQuery(compute_job_id=execution.execution_id, limit=1, select=["id", "status"], include_hidden=True)
    try:
        rows = rows_of(await client.listing.search(query))
    except DeepOriginError:
        return True
    return not rows or rows[0].get("status") == "DataIngesting"


async def read_as_stored(
    client: DeepOriginClient,
    execution: Execution,
    read: Callable[[], Awaitable[T]],
    found: T,
    *,
    pauses: Iterable[float],
    is_empty: Callable[[T], bool] = operator.not_,
) -> tuple[T, bool]:
    """What is read of a completed execution, again while that is nothing and its results are still being stored.

    Args:
        found: as it was read first.
        pauses: seconds between two readings.

    Returns:
        What was read last, and whether results were being stored until then.
    """
    is_late = False
    for pause in pauses:
        if not is_empty(found) or execution.status != "Completed":
            break
        if is_late := await is_being_stored(client, execution):
            await client.timing.sleep(pause)
        # Where all is stored, that may have been since it was read.
        found = await read()
        if not is_late:
            break
    return found, is_late


def is_execution_id(text: str) -> bool:
    return _EXECUTION_ID.fullmatch(text.strip()) is not None


def not_found(execution_id: str, error: DeepOriginError, *, hint: str = "") -> NotFoundError:
    """The error for an unknown id, with the tools that show the known ones; sends no request."""
    return NotFoundError(
        f"Unknown execution_id {one_line(execution_id, 80)!r} in this organisation.",
        next_step=f"{hint}Valid: a UUID that list_executions or search_executions shows.",
        http_status=error.http_status,
        request_id=error.request_id,
    )


async def not_found_but_close(client: DeepOriginClient, execution_id: str, error: DeepOriginError) -> NotFoundError:
    """As `not_found`, with a suggestion where one request finds a close id."""
    meant = None
    with contextlib.suppress(DeepOriginError):
        meant = await _meant(client, execution_id.strip())
    hint = f"Did you mean {steps.call('get_execution', execution_id=meant)}? " if meant else ""
    return not_found(execution_id, error, hint=hint)


async def _meant(client: DeepOriginClient, name: str) -> str | None:
    """The execution whose id on the data platform this is, or the recent one with the closest id."""
    if _DATA_PLATFORM_ID.fullmatch(name):
        row = await client.executions.from_data_platform(name)
        return word((rows_of(row) or [row])[0].get("compute_job_id"))
    if not _PART_OF_ONE.fullmatch(name):
        return None
    page = await client.listing.page(ListQuery(order="createdAt desc"), 0, RECENT)
    return closest(name, [Execution(row).execution_id for row in rows_of(page)], cutoff=LEAST_ALIKE)


def not_on_data_platform(data_platform_id: str, error: DeepOriginError) -> NotFoundError:
    """The error for an unknown id of the data platform, with what is valid."""
    return NotFoundError(
        f"Unknown execution_id {one_line(data_platform_id, 80)!r} on the data platform.",
        next_step="Valid: an id of 13 characters, data_platform_id of search_executions; for an execution_id that is "
        "a UUID call get_execution without source.",
        http_status=error.http_status,
        request_id=error.request_id,
    )
