"""Reading one execution."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deeporigin_mcp.errors import InvalidRequestError, NotFoundError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.executions.details import detailed_view
from deeporigin_mcp.tools.executions.people import People
from deeporigin_mcp.tools.executions.record import record_view
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import CONCISE_CHARACTERS
from deeporigin_mcp.tools.responses.views import ExecutionDetailView, execution_view
from deeporigin_mcp.tools.runtime.executions import ExecutionId, existing, not_on_data_platform
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of


async def get_execution(
    ctx: ToolContext,
    execution_id: ExecutionId,
    source: Annotated[
        Literal["tools_service", "data_platform"],
        Field(description="data_platform takes search_executions' 13-character id."),
    ] = "tools_service",
    detail: Annotated[
        Literal["concise", "detailed", "record"],
        Field(description="detailed adds inputs, outputs, price items, billing; record: to cite or repeat."),
    ] = "concise",
) -> ExecutionDetailView:
    """Read one execution: status, progress, price, cost, reason of a failure; with detail, its inputs and outputs.

    To wait use wait_executions; what a run found: get_execution_results. Reads only.
    """
    state = state_of(ctx)
    if source == "data_platform":
        return await _from_data_platform(state.client, execution_id)
    execution = await existing(state.client, execution_id)
    view = execution_view(execution, next_step=steps.after(execution, state.settings))
    if detail == "detailed":
        detailed = detailed_view(view, execution)
        detailed.created_by = (await People.of(state)).who(execution) or None
        return detailed
    if detail == "record":
        return record_view(view, execution)
    return ExecutionDetailView.of(view).limited_to(CONCISE_CHARACTERS)


async def _from_data_platform(client: DeepOriginClient, data_platform_id: str) -> ExecutionDetailView:
    try:
        row = await client.executions.from_data_platform(data_platform_id)
    except (NotFoundError, InvalidRequestError) as error:
        raise not_on_data_platform(data_platform_id, error) from None
    if len(found := rows_of(row)) == 1:
        row = found[0]
    execution = Execution(
        {
            "executionId": row.get("compute_job_id"),
            "status": row.get("status"),
            "name": row.get("name"),
            "tool": {"key": row.get("tool_key"), "version": row.get("tool_version")},
            "startedAt": row.get("started_at"),
            "completedAt": row.get("completed_at"),
            "projectId": row.get("project_id"),
        }
    )
    view = ExecutionDetailView.of(execution_view(execution))
    view.data_platform_id = word(row.get("id")) or data_platform_id
    view.next_step = steps.call("get_execution", execution_id=execution.execution_id) + " has price and progress."
    return view
