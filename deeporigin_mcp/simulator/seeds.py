"""Ready-made history: runs that live since an earlier instant, and static executions in the shapes of both eras."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from deeporigin_mcp.simulator.clock import stamp
from deeporigin_mcp.simulator.executions import Execution
from deeporigin_mcp.simulator.lifecycle import dispatch, new_execution
from deeporigin_mcp.simulator.organisations import Organisation
from deeporigin_mcp.simulator.prices import Item, items_of, quotation, total_of, transaction
from deeporigin_mcp.simulator.validation import checked_inputs

if TYPE_CHECKING:
    from deeporigin_mcp.simulator.platform import Platform

_NOT_STARTED = {"Created", "Queued", "Quoted", "InsufficientFunds", "FailedQuotation"}
_FINISHED = {"Completed", "Succeeded", "Failed"}
_UNPAID = {"Quoted", "InsufficientFunds", "FailedQuotation"}


def earlier_run(
    platform: "Platform",
    organisation: Organisation,
    tool_key: str,
    tool_version: str,
    given: dict[str, Any],
    *,
    at: datetime,
    started: bool,
    **body: Any,
) -> Execution:
    """One execution of the real state machine; the arguments are those of `Platform.seed_run`.

    Raises:
        ValueError: No such tool, or inputs that it refuses.
    """
    definition = platform.catalogue.resolve(tool_key, tool_version)
    if definition is None:
        raise ValueError(f"there is no tool {tool_key} {tool_version}")
    inputs, problems = checked_inputs(definition, given)
    if problems:
        raise ValueError(f"{tool_key} refuses these inputs: {problems}")
    whole = {"clusterId": organisation.clusters[0]["id"], "approveAmount": -1, "app": "python-client", **body}
    user = str(organisation.users[0]["id"])
    execution, _ = new_execution(platform, organisation, definition, whole, inputs, user, at)
    if started and execution.stored["status"] == "Quoted":
        dispatch(platform, organisation, execution, at)
    return execution


def seeded_dto(
    platform: "Platform",
    organisation: Organisation,
    index: int,
    count: int,
    *,
    status: str,
    tool_key: str,
    tool_version: str | None,
    era: str,
    project_id: str | None,
    session: str | None,
    name: str | None,
    visibility: str,
    start: datetime | None,
    spacing_seconds: float,
    overrides: dict[str, Any],
) -> Execution:
    """One static execution; the arguments are those of `Platform.seed_executions`."""
    definition = platform.catalogue.resolve(tool_key, tool_version or "latest")
    first = start or platform.clock.now() - timedelta(seconds=spacing_seconds * count)
    created = first + timedelta(seconds=spacing_seconds * index)
    old = era == "2025"
    if old and status == "Completed":
        status = "Succeeded"
    inputs: dict[str, Any] = {}
    items: list[Item] = []
    if definition is not None and definition.example is not None:
        inputs, _ = checked_inputs(definition, definition.example)
        items = items_of(definition, inputs, len(organisation.entities["ligands"]))
    cluster = organisation.clusters[0]
    started = None if status in _NOT_STARTED else stamp(created + timedelta(seconds=4))
    finished = stamp(created + timedelta(seconds=50)) if status in _FINISHED else None
    dto: dict[str, Any] = {
        "executionId": platform.ids.uuid4(),
        "resourceId": platform.ids.resource_id(),
        "status": status,
        "statusReason": {"message": "the run failed"} if status == "Failed" else None,
        "createdAt": stamp(created),
        "updatedAt": finished or started or stamp(created),
        "startedAt": started,
        "completedAt": finished,
        "tool": {"key": tool_key, "version": definition.version if definition else tool_version or "1.0.0"},
        "orgKey": organisation.key,
        "name": name or f"Seeded run {index + 1}",
        "userInputs": inputs,
        "userOutputs": {},
        "jobOutputs": None,
        "metadata": {},
        "createdBy": f"google-apps|{organisation.users[0]['email']}" if old else organisation.users[0]["id"],
        "cluster": cluster if old else {"id": cluster["id"]},
        "quotationResult": None if old else quotation(items, organisation.key),
        "billingTransaction": None,
        "progressReport": "total_num_ligands = 2\nligand docked 1\nligand docked 2" if old and finished else None,
    }
    if old:
        dto |= {"resourcesUsed": None, "resourcesRequested": None}
    else:
        dto |= {
            "approveAmount": -1 if status == "Quoted" else None,
            "projectId": project_id,
            "app": "python-client",
            "session": session,
            "tag": None,
            "billing": None,
            "visibility": visibility,
            "executionType": "tool",
            "estimatorOutput": None,
        }
        if status not in _UNPAID:
            dto["billingTransaction"] = transaction(items, total_of(items), organisation.key, platform.ids)
    dto |= overrides
    return Execution(
        clock=platform.clock,
        org=organisation.key,
        stored=dto,
        data_platform_id=platform.ids.friendly("09" if old else "0A"),
        # Without inputs there is nothing that results could be derived from.
        definition=definition if inputs else None,
        items=items,
        charged=0.0 if dto["billingTransaction"] is None else total_of(items),
        charged_at=created,
    )


def raw_execution(
    platform: "Platform", dto: dict[str, Any], org: str, progress_tree: dict[str, Any] | None
) -> Execution:
    """A static execution around a DTO that is served as given."""
    stored = {"executionId": platform.ids.uuid4(), **dto}
    execution = Execution(
        clock=platform.clock,
        org=org,
        stored=stored,
        data_platform_id=platform.ids.friendly("0A"),
        tree=progress_tree,
    )
    tool, inputs = execution.tool, stored.get("userInputs")
    definition = platform.catalogue.resolve(str(tool.get("key")), str(tool.get("version")))
    # Inputs that the tool would have refused explain no results.
    if definition is not None and isinstance(inputs, dict) and not checked_inputs(definition, inputs)[1]:
        execution.definition = definition
    return execution
