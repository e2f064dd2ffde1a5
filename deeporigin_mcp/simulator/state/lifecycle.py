"""Create, confirm, cancel: the three actions on executions, with their money (platform-facts 1.4-1.6, 2, 4.2).

Charging happens when a run is dispatched; a run cancelled before it starts computing is refunded, a later or failed
one is not. `threshold` of the organisation is the auto-approval rule, inclusive.

Refusals that can be triggered on purpose:

* 403 `LICENSE.FEATURE_NOT_LICENSED` on create: organisation `acme`, tool `deeporigin.rbfe`;
* 403 `MASON.TOOL_EXECUTION.TIER_LIMIT_EXCEEDED` on dispatch (create that starts, or confirm): organisation
  `acme`, `deeporigin.admet-properties` with more than 20 ligands;
* `InsufficientFunds` (200) on dispatch: the price is above the balance (`acme` has 100 USD, one ABFE costs more);
* `FailedQuotation` (200): see `chemistry.quotation_failure`.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import ADMET, IMPORT, PROTEIN_PREP, Definition
from deeporigin_mcp.simulator.model.clock import stamp
from deeporigin_mcp.simulator.model.failures import quotation_failure, run_failure
from deeporigin_mcp.simulator.model.molecules import UnreadableError
from deeporigin_mcp.simulator.model.prices import (
    failed_quotation,
    items_of,
    ligand_count,
    quotation,
    quoted_total,
    total_of,
    transaction,
)
from deeporigin_mcp.simulator.model.timeline import planned, run_seconds
from deeporigin_mcp.simulator.model.validation import Problem, checked_inputs
from deeporigin_mcp.simulator.state.base import State
from deeporigin_mcp.simulator.state.execution import TERMINAL, Execution
from deeporigin_mcp.simulator.state.files import missing_input, read_in_files
from deeporigin_mcp.simulator.state.imports import add_prepared, import_file
from deeporigin_mcp.simulator.state.organisations import Organisation
from deeporigin_mcp.simulator.state.refusals import conflict, invalid, not_found, refused, restricted

Body = dict[str, Any]

JITTER = 0.05

_OPTIONAL_FIELDS: dict[str, tuple[type | tuple[type, ...], tuple[str, ...]]] = {
    "object": (dict, ("outputs", "metadata")),
    "string": (str, ("name", "tag", "billing", "projectId", "app", "session")),
    "boolean": (bool, ("sync",)),
    "integer": (int, ("batchSize",)),
    "number": ((int, float), ("approveAmount",)),
}


def create(
    platform: State, organisation: Organisation, key: str, selector: str, body: Body, user: str
) -> tuple[Execution, bool]:
    """Make an execution out of a request body.

    Returns:
        The execution, and whether the request blocks until it has ended.

    Raises:
        Refusal: Unknown tool (404), bad body (400), no licence or tier limit (403).
    """
    definition = platform.catalogue.resolve(key, selector)
    if definition is None:
        raise not_found(f"Tool {key}:{selector} not found")
    if not definition.enabled:
        raise refused(400, f"Tool {key}:{definition.version} is disabled")
    problems = _body_problems(organisation, body)
    given = body.get("inputs")
    inputs: Body = {}
    if isinstance(given, dict):
        inputs, found = checked_inputs(definition, given)
        problems += found
    if problems:
        raise invalid("Validation failed", problems)
    if key in organisation.unlicensed_tools:
        raise restricted(
            "LICENSE.FEATURE_NOT_LICENSED",
            f"{definition.name} is not part of the licence of {organisation.name}",
            action="Ask the account owner to add the feature",
        )
    now = platform.clock.now()
    execution, asked_to_wait = new_execution(platform, organisation, definition, body, inputs, user, now)
    dispatched = False
    if execution.stored["status"] == "Quoted" and _starts_at_once(organisation, body, total_of(execution.items)):
        dispatched = dispatch(platform, organisation, execution, now)
    with platform.lock:
        platform.add(execution)
        platform.creates.append(execution.id)
    return execution, dispatched and asked_to_wait


def confirm(platform: State, organisation: Organisation, execution: Execution) -> bool:
    """Dispatch a quoted execution; True when the request blocks until it has ended.

    Raises:
        Refusal: Not `Quoted` (409), tier limit (403).
    """
    with platform.lock:
        if execution.timeline is not None or execution.stored.get("status") != "Quoted":
            raise conflict(f"Execution is {execution.status}, only a Quoted one can be confirmed")
        dispatched = dispatch(platform, organisation, execution, platform.clock.now())
        if dispatched:
            platform.confirms.append(execution.id)
        platform.changed(execution)
    return dispatched and execution.served


def cancel(platform: State, organisation: Organisation, execution: Execution) -> None:
    """Stop an execution that has not ended.

    Raises:
        Refusal: Already terminal (409).
    """
    with platform.lock:
        status = execution.status
        if status in TERMINAL:
            raise conflict(f"Execution is already {status}")
        now = platform.clock.now()
        if execution.timeline is not None:
            computing = execution.timeline.has_started(now)
            execution.timeline = replace(execution.timeline, cancelled=now)
        else:
            computing = status == "Running"
            execution.stored |= {"status": "Cancelled", "completedAt": None, "updatedAt": stamp(now)}
        if execution.charged and not computing:
            organisation.balance = round(organisation.balance + execution.charged, 4)
            execution.charged, execution.charged_at = 0.0, None
        platform.cancels.append(execution.id)
        platform.changed(execution)


def _body_problems(organisation: Organisation, body: Body) -> list[Problem]:
    problems: list[Problem] = []
    if not isinstance(body.get("inputs"), dict):
        problems.append(("inputs", "must be object" if "inputs" in body else "required"))
    cluster = body.get("clusterId")
    usable = {row["id"] for row in organisation.clusters if row["enabled"]}
    if cluster not in usable:
        problems.append(("clusterId", "required" if cluster is None else "unknown or disabled cluster"))
    for word, (kind, names) in _OPTIONAL_FIELDS.items():
        for name in names:
            value = body.get(name)
            if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
                problems.append((name, f"must be {word}"))
    if "visibility" in body and body["visibility"] not in {"visible", "hidden"}:
        problems.append(("visibility", "must be equal to one of the allowed values: visible, hidden"))
    project = body.get("projectId")
    if isinstance(project, str):
        row = organisation.projects.get(project)
        if row is None or row["deleted"]:
            problems.append(("projectId", "unknown project"))
    return problems


def new_execution(
    platform: State,
    organisation: Organisation,
    definition: Definition,
    body: Body,
    inputs: Body,
    user: str,
    at: datetime,
) -> tuple[Execution, bool]:
    """A quote, or the refusal to price it, out of checked inputs; it is not put into the platform yet.

    Returns:
        The execution, and whether its request asked to wait for the end.
    """
    sync = {"inputs": inputs.get("sync"), "top": body.get("sync"), "none": False}[definition.sync] is True
    served = sync or not definition.steps
    failure = quotation_failure(definition.key, inputs)
    items = [] if failure else items_of(definition, inputs, len(organisation.entities["ligands"]))
    if definition.key == IMPORT:
        items = [replace(item, unit=platform.import_price) for item in items]
    stored = stored_dto(platform, organisation, {"key": definition.key, "version": definition.version}, body, user, at)
    stored |= {"userInputs": inputs, "quotationResult": quotation(items, organisation.key)}
    if failure:
        stored |= {"status": "FailedQuotation", "quotationResult": failed_quotation(failure)}
        stored["statusReason"] = {"code": "FailedQuotation", "message": failure}
    execution = Execution(
        clock=platform.clock,
        org=organisation.key,
        stored=stored,
        data_platform_id=platform.ids.friendly("0A"),
        definition=definition,
        items=items,
        served=served,
        batch_size=body.get("batchSize") or 16,
    )
    return execution, sync


def stored_dto(
    platform: State, organisation: Organisation, tool: dict[str, str], body: Body, user: str, at: datetime
) -> Body:
    """What the platform stores of a create request (platform-facts 1.3), as of a quote without inputs and price."""
    now = stamp(at)
    return {
        "executionId": platform.ids.uuid4(),
        "resourceId": platform.ids.resource_id(),
        "status": "Quoted",
        "statusReason": None,
        "createdAt": now,
        "updatedAt": now,
        "startedAt": None,
        "completedAt": None,
        "tool": tool,
        "name": body.get("name"),
        "orgKey": organisation.key,
        "projectId": body.get("projectId"),
        "createdBy": user,
        "app": body.get("app"),
        "session": body.get("session"),
        "tag": body.get("tag"),
        "billing": body.get("billing"),
        "visibility": body.get("visibility", "visible"),
        "approveAmount": body.get("approveAmount"),
        "executionType": "tool",
        "cluster": {"id": body["clusterId"]},
        "userInputs": {},
        "userOutputs": body.get("outputs") or {},
        "jobOutputs": None,
        "metadata": body.get("metadata"),
        "quotationResult": None,
        "billingTransaction": None,
        "estimatorOutput": None,
        "progressReport": None,
    }


def _starts_at_once(organisation: Organisation, body: Body, total: float) -> bool:
    """The `approveAmount` rules of platform-facts 2.4; every limit is inclusive."""
    amount = body.get("approveAmount")
    if amount is None:
        return total <= organisation.auto_approve_up_to
    return bool(amount >= 0 and total <= amount)


def dispatch(platform: State, organisation: Organisation, execution: Execution, at: datetime) -> bool:
    """Take the money and fix the run's life from an instant on; False when the money does not suffice."""
    key = str(execution.tool.get("key"))
    _check_tier(organisation, key, execution.inputs)
    total = quoted_total(execution.stored.get("quotationResult"))
    if total > organisation.balance:
        execution.stored |= {
            "status": "InsufficientFunds",
            "updatedAt": stamp(at),
            "statusReason": _insufficient(organisation, execution, total),
        }
        return False
    organisation.balance = round(organisation.balance - total, 4)
    execution.charged, execution.charged_at = total, at
    execution.stored["billingTransaction"] = transaction(execution.items, total, organisation.key, platform.ids)
    ligands = ligand_count(execution.inputs, len(organisation.entities["ligands"]))
    seconds = run_seconds(execution.definition, execution.inputs, ligands)
    plan = partial(
        planned,
        at,
        seconds * platform.ids.jitter(JITTER),
        served=execution.served,
        ingestion_lag_seconds=platform.ingestion_lag_seconds,
    )
    execution.timeline = plan(failure=_failure(platform, organisation, execution))
    if execution.definition is None or execution.timeline.failure is not None:
        return True
    if key == IMPORT:
        try:
            import_file(platform, organisation, execution, execution.timeline.ingested)
        except UnreadableError as error:
            execution.timeline = plan(failure=str(error))
    if key == PROTEIN_PREP:
        add_prepared(platform, organisation, execution, execution.definition, execution.timeline.ingested)
    return True


def _failure(platform: State, organisation: Organisation, execution: Execution) -> str | None:
    """Why a run will end `Failed`, as far as its inputs and their files tell."""
    if execution.definition is None:
        return None
    execution.read = read_in_files(platform, organisation, execution.definition.key, execution.inputs)
    missing = missing_input(platform, organisation, execution.inputs)
    return run_failure(execution.work) or (None if missing is None else f"input file not found: {missing}")


def _check_tier(organisation: Organisation, key: str, inputs: Body) -> None:
    limit = organisation.admet_ligand_limit
    requested = ligand_count(inputs, len(organisation.entities["ligands"]))
    if limit is not None and key == ADMET and requested > limit:
        raise restricted(
            "MASON.TOOL_EXECUTION.TIER_LIMIT_EXCEEDED",
            f"The plan of {organisation.name} allows {limit} ligands per ADMET run, {requested} were asked for",
            action="Send fewer ligands or change the plan",
            meta={
                "reason": "tier_limit",
                "itemCode": "DO_TOGO",
                "limit": limit,
                "remaining": limit,
                "requested": requested,
                "upgradeTo": "Teams",
            },
        )


def _insufficient(organisation: Organisation, execution: Execution, total: float) -> Body:
    comment = f"The balance of {organisation.balance:.2f} USD does not cover {total:.2f} USD"
    return {
        # The platform reuses this code for money (quirk 14).
        "code": "FailedQuotation",
        "message": f"Not enough credits: {comment}",
        "items": [
            {
                "itemCode": item.code,
                "actionRequest": "Add credits to the organisation",
                "purchaseApprovalComment": comment,
            }
            for item in execution.items
        ],
    }
