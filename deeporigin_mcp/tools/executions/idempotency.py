"""One creation for one key: sent once, joined while it goes on, and looked up when its response is lost (design 7)."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from deeporigin_mcp.errors import (
    DeepOriginError,
    InvalidRequestError,
    NetworkError,
    OutcomeUnknownError,
    PlatformError,
    RateLimitError,
    RestrictionError,
    StateConflictError,
)
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.responses import toolsets
from deeporigin_mcp.tools.runtime.state import LOOK_UP_SECONDS, MAX_CALL_SECONDS, BackgroundWork, ServerState
from deeporigin_mcp.tools.spending.spent import UNAPPROVED, record_start

KEY_FIELD = "idempotency_key"
FINGERPRINT_FIELD = "request_sha256"
BATCH_SIZE_FIELD = "batch_size"
"""In the metadata, because the platform's record of an execution does not have it (platform-facts 1.3)."""

KEY_LOOKBACK = timedelta(days=7)
"""How far back a caller's idempotency key is looked for."""
LOST_LOOKBACK = timedelta(minutes=15)
"""How far back an execution is looked for whose response was lost; covers clocks that disagree."""
KEY_ROWS = 1000

ANOTHER_KEY = "Use a new key for a new run, or the old arguments to get the old one."


def fingerprint_of(tool_key: str, tool_version: str, inputs: Mapping[str, Any], project: str) -> str:
    """The SHA-256 of what makes two requests equal; a key belongs to one of them."""
    request = json.dumps([tool_key, tool_version, inputs, project], sort_keys=True, default=str)
    return hashlib.sha256(request.encode()).hexdigest()


def stamped(metadata: Mapping[str, Any], key: str, fingerprint: str) -> dict[str, Any]:
    """The metadata of the execution, by which it is found again."""
    return {**metadata, KEY_FIELD: key, FINGERPRINT_FIELD: fingerprint}


def forget_ended(state: ServerState, key: str) -> None:
    """Drop creations that ended when no call waited: from now on the platform lists what became of them.

    One that ends only while its key is looked up is joined all the same, as the list may have missed it.
    """
    for other, (_, creation) in [*state.creations.items()]:
        if creation.has_ended and (other == key or other not in state.creating):
            del state.creations[other]


async def created_once(
    state: ServerState,
    tool_key: str,
    tool_version: str,
    body: Json,
    key: str,
    fingerprint: str,
    rule: str,
) -> Json:
    """Send the creation once. If its response does not come in time, the execution is looked up by its key.

    Args:
        rule: by which it may be started when it is created; `UNAPPROVED` for what is to be a quote only.

    Raises:
        StateConflictError: the key's creation is under way for another request.
        OutcomeUnknownError: it was sent, and neither its response nor the execution was seen.
    """
    sent_for, creation = state.creations.get(key, (fingerprint, None))
    if sent_for != fingerprint:
        raise StateConflictError(
            f"idempotency_key {one_line(key, 60)!r} belongs to another creation, which is still under way.",
            next_step=ANOTHER_KEY,
            code="key_in_use",
        )
    if creation is None:
        creation = BackgroundWork(lambda: _created(state, tool_key, tool_version, body, rule))
        state.creations[key] = (fingerprint, creation)
    lost: OutcomeUnknownError | None = None
    try:
        ended, dto = await creation.result(state, MAX_CALL_SECONDS)
        if ended and dto is not None:
            return dto
    except RestrictionError as refusal:
        if refusal.execution is None:
            raise
        # It exists, and its record says why it will not run.
        return refusal.execution
    except InvalidRequestError as error:
        if "clusterId" in body and "cluster" in str(error).lower():
            clusters = toolsets.step(state.settings, "get_workspace lists the clusters.", "get_workspace")
            error.next_step = f"Without cluster_id the organisation's first is taken. {clusters}"
        raise
    except OutcomeUnknownError as error:
        lost = error
    finally:
        # One that still goes on is joined by the next call with its key, instead of sending another.
        if creation.has_ended:
            state.creations.pop(key, None)
    found: Json | None = None
    with contextlib.suppress(NetworkError, PlatformError, RateLimitError), anyio.move_on_after(LOOK_UP_SECONDS):
        found = await execution_with_key(state.client, key, fingerprint, LOST_LOOKBACK)
    if found is not None:
        if lost and rule != UNAPPROVED and was_started(Execution(found)):
            await record_start(state, Execution(found), rule)
        return found
    reason = str(lost) if lost else f"Timed out after {MAX_CALL_SECONDS:g} s waiting for the platform."
    raise OutcomeUnknownError(
        f"{reason} The execution is not listed yet.",
        http_status=lost.http_status if lost else None,
        request_id=lost.request_id if lost else None,
    )


async def _created(state: ServerState, tool_key: str, tool_version: str, body: Json, rule: str) -> Json:
    """Send the creation; one that is started already is put on record, whether or not a call still waits for it."""
    dto = await state.client.executions.create(tool_key=tool_key, tool_version=tool_version, data=body)
    if was_started(Execution(dto)):
        await record_start(state, Execution(dto), rule)
    return dto


async def agreed_on(client: DeepOriginClient, key: str, fingerprint: str, created: Json, seconds: float) -> Json:
    """Of this key's executions the one that all servers go on with: `created` itself, if no other is seen.

    A call that is repeated while its creation is under way can reach another process, which sees nothing yet.
    """
    found: Json | None = None
    with contextlib.suppress(DeepOriginError), anyio.move_on_after(seconds):
        found = await execution_with_key(client, key, fingerprint, LOST_LOOKBACK)
    return created if found is None or Execution(found).execution_id == Execution(created).execution_id else found


async def execution_with_key(client: DeepOriginClient, key: str, fingerprint: str, lookback: timedelta) -> Json | None:
    """The execution that was created with this key, if it is among the recent ones of any tool.

    Of several it is the one that was started, else the oldest.

    Raises:
        StateConflictError: the key was used for another request.
    """
    # The earlier of the two clocks: a wrong one must not hide an execution that is there.
    since = datetime.fromtimestamp(min(client.now(), client.timing.wall()), UTC) - lookback
    query = ListQuery(created_after=since, order="createdAt desc")
    page = await client.listing.all(query, KEY_ROWS)
    found: Json | None = None
    for row in rows_of(page):
        stored = Execution(row).metadata
        if stored.get(KEY_FIELD) != key:
            continue
        if stored.get(FINGERPRINT_FIELD, fingerprint) != fingerprint:
            raise StateConflictError(
                f"idempotency_key {one_line(key, 60)!r} belongs to execution {Execution(row).execution_id}, which was "
                "created with another tool, other inputs, another version or another project.",
                next_step=ANOTHER_KEY,
                code="key_in_use",
            )
        # The newest come first.
        if found is None or Execution(row).status != "Quoted" or Execution(found).status == "Quoted":
            found = row
    return found
