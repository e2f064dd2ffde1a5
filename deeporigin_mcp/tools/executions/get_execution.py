"""Reading one execution."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deeporigin_mcp.errors import InvalidRequestError, NotFoundError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.executions.completeness import looked_at
from deeporigin_mcp.tools.executions.details import ExecutionDetailView, detailed_view, outputs_object
from deeporigin_mcp.tools.files.run_rows import RECORD
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import CONCISE_CHARACTERS, Summary
from deeporigin_mcp.tools.responses.toolsets import is_offered
from deeporigin_mcp.tools.responses.views import ExecutionView, execution_view
from deeporigin_mcp.tools.runtime.executions import ExecutionId, existing, not_on_data_platform
from deeporigin_mcp.tools.runtime.people import People
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

RECORD_CHARACTERS = 5_000
"""Of a record: the share of inputs, outputs and metadata each."""


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
    short = execution_view(execution, next_step=steps.after(execution, state.settings))
    if detail == "record":
        return await _recorded(state, short, execution)
    if detail == "detailed":
        view = detailed_view(short, execution)
        view.created_by = (await People.of(state)).who(execution) or None
    else:
        view = ExecutionDetailView.of(short).limited_to(CONCISE_CHARACTERS)
    parts = await looked_at(state, [execution])
    parts.add_to(view, execution)
    return view


async def _recorded(state: ServerState, short: ExecutionView, execution: Execution) -> ExecutionDetailView:
    """The record in a view; big fields are cut, with the call that has them whole."""
    from deeporigin_mcp.tools.files.record import given, record_of

    record, cut = await record_of(state, execution), []
    record["outputs"] = outputs_object(record.get("outputs"))
    for name in ("inputs", "outputs", "metadata"):
        summary = Summary(f"{name}:")
        record[name] = summary.of(record.get(name), RECORD_CHARACTERS)
        cut += [name] if summary.is_cut else []
    view = ExecutionDetailView(execution_id=execution.execution_id, record=given(record), cut=cut or None)
    view.warning = short.warning
    of, parts = {"execution_id": execution.execution_id}, []
    if cut:
        whole = steps.call("get_execution_results", **of, cursor=f"{cut[0]}:@0")
        parts.append(f"{whole} reads {cut[0]}, which was cut.")
    if state.settings.is_local and is_offered("download_files", state.settings):
        parts.append(f"{steps.call('download_files', **of, what=RECORD)} saves it with checksums of its files.")
    view.next_step = " ".join(parts) or None
    return view


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
