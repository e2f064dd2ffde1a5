"""The stop after failures: what failed several times in a row is not started automatically once more."""

from __future__ import annotations

from deeporigin_mcp.platform import Execution, ListQuery
from deeporigin_mcp.platform.records.money import ZERO
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.responses.inputs_summary import inputs_hash
from deeporigin_mcp.tools.runtime.state import ServerState

NEWEST = 100
"""Ended runs of the tool that are looked through; quotes, which cost nothing, must not push them out."""


async def failed_in_a_row(state: ServerState, quote: Execution) -> int:
    """How often in a row the newest runs with the tool and inputs of this quote have failed, if that stops it.

    Returns:
        0 if it may start automatically: the operator's number is not reached, or it is free.

    Raises:
        DeepOriginError: the runs cannot be read.
    """
    most = state.settings.max_failures
    if not most or (quote.quoted_price or ZERO) <= 0:
        return 0
    query = ListQuery(tool_key=quote.tool_key, status=("Completed", "Failed"), order="createdAt desc")
    page = await state.client.listing.page(query, 0, NEWEST)
    wanted, failed = inputs_hash(quote.tool_key, quote.inputs), 0
    for run in map(Execution, rows_of(page)):
        if inputs_hash(run.tool_key, run.inputs) != wanted:
            continue
        if run.status == "Completed":
            break
        failed += run.status == "Failed"
    return failed if failed >= most else 0
