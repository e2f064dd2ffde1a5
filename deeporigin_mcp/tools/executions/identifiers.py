"""The arguments that name an execution, and ids that name none."""

from __future__ import annotations

import contextlib
import re
from typing import Annotated, Literal

from pydantic import Field

from deeporigin_mcp.errors import DeepOriginError, InvalidRequestError, NotFoundError, Outcome
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.suggestions import closest

Detail = Literal["concise", "detailed"]
ExecutionId = Annotated[str, Field(description="Execution id (UUID) of an earlier answer.")]

RECENT = 100
"""Executions that a wrong id is compared with."""
LEAST_ALIKE = 0.88
"""Of two ids of which one is a slip of the other three or four of 36 characters differ."""

_EXECUTION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DATA_PLATFORM_ID = re.compile(r"[0-9A-Z]{13}|[0-9a-f]{16}")

_PART_OF_ONE = re.compile(r"[0-9a-fA-F-]{4,40}")


async def existing(client: DeepOriginClient, execution_id: str, *, outcome: Outcome | None = None) -> Execution:
    """An execution by its tools-service id.

    Args:
        outcome: for a call that is to change it, what that has done if there is none; then no other id is suggested,
            as what is paid or cancelled must not be guessed.

    Raises:
        NotFoundError: there is none; says what to call.
    """
    try:
        return Execution(await client.executions.get(execution_id))
    except (NotFoundError, InvalidRequestError) as error:
        if isinstance(error, InvalidRequestError) and is_execution_id(execution_id):
            raise
        if outcome is not None:
            missing = not_found(execution_id, error)
            missing.outcome = outcome
            raise missing from None
        raise await explained_miss(client, execution_id, error) from None


def is_execution_id(given: str) -> bool:
    return _EXECUTION_ID.fullmatch(given.strip()) is not None


def not_found(execution_id: str, error: DeepOriginError, *, hint: str = "") -> NotFoundError:
    """That there is no such execution, and which tools show those that exist; nothing is looked up."""
    return NotFoundError(
        f"There is no execution {one_line(execution_id, 80)!r} in this organisation.",
        next_step=f"{hint}An execution_id is a UUID; list_executions or search_executions shows those that exist.",
        http_status=error.http_status,
        request_id=error.request_id,
    )


async def explained_miss(client: DeepOriginClient, execution_id: str, error: DeepOriginError) -> NotFoundError:
    """As `not_found`, with one look-up that may name the execution that was meant."""
    meant = None
    with contextlib.suppress(DeepOriginError):
        meant = await _meant(client, execution_id.strip())
    hint = f"Did you mean {steps.call('get_execution', execution_id=meant)}? " if meant else ""
    return not_found(execution_id, error, hint=hint)


async def _meant(client: DeepOriginClient, name: str) -> str | None:
    """The execution of which this is the record on the data platform, or the recent one with the closest id."""
    if _DATA_PLATFORM_ID.fullmatch(name):
        row = await client.executions.from_data_platform(name)
        return word((rows_of(row) or [row])[0].get("compute_job_id"))
    if not _PART_OF_ONE.fullmatch(name):
        return None
    page = await client.listing.page(ListQuery(order="createdAt desc"), 0, RECENT)
    return closest(name, [Execution(row).execution_id for row in rows_of(page)], cutoff=LEAST_ALIKE)


def not_on_data_platform(data_platform_id: str, error: DeepOriginError) -> NotFoundError:
    """That the data platform has no such record, and which ids it takes."""
    return NotFoundError(
        f"There is no execution {one_line(data_platform_id, 80)!r} on the data platform.",
        next_step="Its ids have 13 characters (data_platform_id of search_executions); "
        "an execution_id is read by get_execution without source.",
        http_status=error.http_status,
        request_id=error.request_id,
    )
