"""Creating an execution: checked, quoted first, and started if that is wished and allowed (design 4)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from mcp_types import InputRequiredResult
from pydantic import Field

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    OutcomeUnknownError,
    PlatformError,
    RestrictionError,
    SpendingLimitError,
    StateConflictError,
)
from deeporigin_mcp.platform import Execution, ToolDefinition
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.approvals.pending import Answer, Reply
from deeporigin_mcp.tools.catalogue.definitions import find_definition
from deeporigin_mcp.tools.catalogue.pricing import UNQUOTED
from deeporigin_mcp.tools.executions.details import ended_view
from deeporigin_mcp.tools.executions.idempotency import (
    KEY_FIELD,
    KEY_LOOKBACK,
    agreed_on,
    created_once,
    execution_with_key,
    fingerprint_of,
    forget_ended,
    stamped,
)
from deeporigin_mcp.tools.responses import errors, steps, toolsets
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, ExecutionView
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, LOOK_UP_SECONDS, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.spending import approval, elicitation, spent
from deeporigin_mcp.tools.workspace.projects import listed, project_names, set_project_error, unknown_project

if TYPE_CHECKING:
    from deeporigin_mcp.tools.catalogue.checking import Findings

QUOTE_ONLY = -1
"""`approveAmount` that never starts anything (platform-facts 2.4)."""
PERSON_SECONDS = 30.0
"""How long a call waits for a person; an open question is taken up by the next one."""
ANSWER_SECONDS = 4.0
"""What is left of a call for its answer."""


async def create_execution(
    ctx: ToolContext,
    tool_key: Annotated[str, Field(description="Tool key, e.g. deeporigin.docking.")],
    inputs: Annotated[dict[str, Any], Field(description="The tool's inputs, by its schema.")],
    tool_version: Annotated[
        str, Field(description="Exact version, a major such as 4, or latest.", coerce_numbers_to_str=True)
    ] = "latest",
    name: Annotated[str | None, Field(description="Shown to people.", max_length=500)] = None,
    metadata: Annotated[dict[str, Any] | None, Field(description="Notes of your own, kept with it.")] = None,
    outputs: Annotated[dict[str, Any] | None, Field(description="Output files; rarely needed.")] = None,
    project_id: Annotated[str | None, Field(description="Needed if the server has no project set.")] = None,
    cluster_id: Annotated[str | None, Field(description="Default: the organisation's first.")] = None,
    sync: Annotated[
        bool | None, Field(description="true: starting it answers at its end. Default: the tool's own.")
    ] = None,
    batch_size: Annotated[int | None, Field(description="Ligands per job; docking tools only.", ge=1)] = None,
    tag: Annotated[str | None, Field(description="Free label.")] = None,
    billing_tag: Annotated[str | None, Field(description="Label for billing reports.")] = None,
    visibility: Annotated[
        Literal["visible", "hidden"] | None, Field(description="hidden: out of searches, not of lists.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Field(
            description="Same key, same execution, for 7 days: repeat it after a lost answer.",
            min_length=1,
            max_length=200,
        ),
    ] = None,
    start: Annotated[
        bool,
        Field(description="Also start it if the price is within the operator's automatic limit (default: free only)."),
    ] = False,
) -> ExecutionView | InputRequiredResult:
    """Create an execution as a quote: it gets an id and a price in USD, and nothing runs or is charged yet.

    Confirm it with confirm_execution to run it. Every problem of the inputs is told at once. It is sent once and never
    repeated; if an answer is lost, call again with the same idempotency_key.
    """
    key = idempotency_key or str(uuid.uuid4())
    optional = {
        "name": name,
        "batchSize": batch_size,
        "tag": tag,
        "billing": billing_tag,
        "visibility": visibility,
        "clusterId": cluster_id,
    }
    wish = _Wish(
        tool_key=tool_key,
        tool_version=tool_version,
        inputs=inputs,
        sync=sync,
        project_id=project_id,
        fields={field: value for field, value in optional.items() if value is not None},
        metadata=metadata or {},
        outputs=outputs or {},
        key=key,
        is_callers_key=idempotency_key is not None,
        start=start,
        deadline=anyio.current_time() + CALL_SECONDS - ANSWER_SECONDS,
    )
    with errors.creation(key, is_callers_key=wish.is_callers_key).errors():
        with anyio.move_on_after(CALL_SECONDS - ANSWER_SECONDS / 2):
            return await _carried_out(ctx, wish)
        if not wish.is_sent:
            raise PlatformError("The platform is too slow now to show the tool, the project and earlier runs.")
        raise OutcomeUnknownError("The platform has not answered the creation in time, and no look shows it yet.")


@dataclass
class _Wish:
    """What a call asks for, and how far it got."""

    tool_key: str
    tool_version: str
    inputs: dict[str, Any]
    sync: bool | None
    project_id: str | None
    fields: dict[str, Any]
    metadata: dict[str, Any]
    outputs: dict[str, Any]
    key: str
    is_callers_key: bool
    start: bool
    deadline: float
    is_sent: bool = False


async def _carried_out(ctx: ToolContext, wish: _Wish) -> ExecutionView | InputRequiredResult:
    """Check, look for the key, create, and start if that is wished and allowed."""
    state, tool_key, rule = state_of(ctx), wish.tool_key, spent.UNAPPROVED
    client = state.client
    approval.require_allowed_tool(tool_key, state.settings)
    definition = await find_definition(state, tool_key, wish.tool_version, must_be_enabled=True)
    inputs, top_level = _placed_sync(definition, wish.inputs, wish.sync)
    findings = await _refuse_problems(definition, inputs, state.settings)
    project = await _project(state, wish.project_id)
    fingerprint = fingerprint_of(tool_key, wish.tool_version, inputs, project)
    body = {
        "inputs": inputs,
        "outputs": wish.outputs,
        "metadata": stamped(wish.metadata, wish.key, fingerprint),
        **top_level,
        "approveAmount": QUOTE_ONLY,
        **wish.fields,
        "projectId": project,
    }
    async with state.key_lock(wish.key):
        forget_ended(state, wish.key)
        existing = None
        if wish.is_callers_key:
            existing = await execution_with_key(client, wish.key, fingerprint, KEY_LOOKBACK)
        if existing is None and {definition.key, tool_key.strip()} & UNQUOTED:
            run = _unquoted(definition, wish, project, fingerprint)
            reply = await _yes_to(ctx, run)
            if reply.request is not None:
                return reply.request
            rule = f"yes by {reply.detail}"
            _record(state, run, "approved", rule)
        if existing is None:
            wish.is_sent = True
        version = definition.version or wish.tool_version
        try:
            dto = existing or await created_once(state, tool_key, version, body, wish.key, fingerprint, rule)
        except ArgumentError as refusal:
            raise await set_project_error(client, refusal) from None
        made, spare = Execution(dto), ""
        if existing is None and wish.is_callers_key and state.has_peers:
            seconds = min(LOOK_UP_SECONDS, max(0.0, wish.deadline - anyio.current_time()))
            dto, spare = await agreed_on(client, wish.key, fingerprint, dto, seconds)

    execution = Execution(dto)
    warning = None
    if rule == spent.UNAPPROVED:
        warning = await spent.unapproved_start(state, execution, is_new=existing is None and not spare)
    if existing is None:
        warning = warning or _another(execution, definition, project)
    next_step = ""
    if (
        wish.start
        and warning is None
        and execution.status == "Quoted"
        and approval.within_automatic_limit(execution, state.settings)
    ):
        look = steps.call("get_execution", execution_id=execution.execution_id)
        next_step = f"It exists; starting it takes long and may have happened: {look} shows its state."
        try:
            # The id of what exists must reach the caller, however long starting it takes.
            with anyio.move_on_after(max(0.0, wish.deadline - anyio.current_time())):
                approved = execution.quoted_price
                execution = await approval.approve_and_confirm(
                    state, execution, rule=approval.AUTOMATIC, noted={KEY_FIELD: wish.key}
                )
                warning = spent.dearer_than_approved(execution, approved)
                next_step = ""
        except DeepOriginError as error:
            # No error of this call: that would hide the id of what exists now, and tempt into creating another.
            next_step = f"The execution exists. {errors.explained(error)}"
            if isinstance(error, RestrictionError) and error.execution is not None:
                execution = Execution(error.execution)
    view = ended_view(execution, next_step or steps.after(execution, state.settings))
    view.warning = warning
    repeated = [repeats.message(execution.quoted_price) for repeats in findings.repeats]
    view.input_warnings = [*repeated, *findings.warnings] or None
    if existing is not None:
        view.next_step = (
            f"This key's execution existed already; nothing new was created. {view.next_step or ''}".strip()
        )
    elif spare:
        became = "was started too, which nobody approved" if was_started(made) else "was quoted too and costs nothing"
        told = f"Another server created it with this key at the same time; {spare} {became}."
        view.next_step = f"{told} {view.next_step or ''}".strip()
    return view


def _another(execution: Execution, definition: ToolDefinition, project: str) -> str | None:
    """What has to be said first of a creation that is of something else than was asked for; None if it is not."""
    pairs = (
        (execution.tool_key, definition.key),
        (execution.tool_version, definition.version),
        (execution.project_id, project),
    )
    if all(not made or not asked or made == asked for made, asked in pairs):
        return None
    made_as, asked_as = (
        " ".join(one_line(each, NAME_CHARACTERS) for each in side) for side in zip(*pairs, strict=True)
    )
    cancel = steps.call("cancel_execution", execution_id=execution.execution_id)
    return f"The platform created {made_as}, although {asked_as} was asked for. Tell the user; {cancel} withdraws it."


def _unquoted(definition: ToolDefinition, wish: _Wish, project: str, fingerprint: str) -> Execution:
    """A run that is to be created, as a person is asked about it: an answer counts for this very request."""
    return Execution(
        {
            "executionId": fingerprint,
            "name": wish.fields.get("name"),
            "tool": {"key": definition.key, "version": definition.version},
            "projectId": project,
        }
    )


async def _yes_to(ctx: ToolContext, run: Execution) -> Reply:
    """A person's yes to a run that starts at its creation at a price that nobody knows, or the question to one.

    Raises:
        SpendingLimitError: an operator's limit cannot be kept, or nobody has approved it.
        StateConflictError: nobody has answered yet.
    """
    state = state_of(ctx)
    what = f"{run.tool_key} starts at once when it is created, and the platform names its price only afterwards"
    try:
        if state.settings.max_price is not None or state.settings.budget is not None:
            raise SpendingLimitError(
                f"{what}; so the operator's limits (DEEPORIGIN_MCP_MAX_PRICE, DEEPORIGIN_MCP_BUDGET) cannot be kept. "
                "A person can run it in the Deep Origin web app.",
                code="no_complete_price",
            )
        reply = await elicitation.ask(ctx, run, until=anyio.current_time() + PERSON_SECONDS)
        if reply.answer in (Answer.NO, Answer.NOBODY):
            became = (
                "the form came back with no"
                if reply.answer is Answer.NO
                else reply.detail or "this client cannot ask one"
            )
            code = "declined" if reply.answer is Answer.NO else "not_approved" if reply.detail else "nobody_to_ask"
            raise SpendingLimitError(
                f"{what}; so a person has to approve it before: {became}. A person can run it in the Deep Origin web "
                "app.",
                code=code,
            )
    except SpendingLimitError as refusal:
        _record(state, run, "refused", str(refusal))
        raise
    if reply.answer is Answer.PENDING and reply.request is None:
        raise StateConflictError(f"A person is asked first, as {what}. {reply.detail}", code="awaiting_approval")
    return reply


def _record(state: ServerState, run: Execution, decision: str, reason: str) -> None:
    """Put on record what was decided about a run that does not exist yet."""
    state.record(Execution({**run.raw, "executionId": ""}), decision, reason)


def _placed_sync(
    definition: ToolDefinition, inputs: dict[str, Any], sync: bool | None
) -> tuple[dict[str, Any], dict[str, bool]]:
    """`sync` where the tool takes it: (inputs, top-level fields). In the wrong place it is silently dropped."""
    rule = definition.sync_rule
    if rule.place == "inputs":
        chosen = sync if sync is not None else inputs.get("sync", rule.default)
        return {**inputs, "sync": chosen}, {}
    chosen = sync if sync is not None else rule.default
    return inputs, {} if chosen is None else {"sync": chosen}


async def _refuse_problems(definition: ToolDefinition, inputs: dict[str, Any], settings: Settings) -> Findings:
    """What a check of the inputs found that is no reason to refuse them."""
    # Inputs are checked where a run is created only: a server that is asked for others starts without it.
    from deeporigin_mcp.tools.catalogue.checking import checked, off_loop

    findings = await off_loop(checked, inputs, definition.inputs_schema)
    problems = findings.problems
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"- {problem}" for problem in problems)
        described = steps.call("describe_platform_tool", tool_key=definition.key, tool_version=definition.version)
        raise ArgumentError(
            f"`inputs` has {count}.\n{lines}\n",
            next_step=toolsets.step(settings, f"{described} has the schema and an example.", "describe_platform_tool"),
            code="invalid_inputs",
        )
    return findings


async def _project(state: ServerState, asked: str | None) -> str:
    """The execution's project: the one asked for, the server's, or the only one there is."""
    wanted, own = (asked or "").strip(), state.settings.project_id
    if wanted and own and wanted != own:
        told = await unknown_project(state.client, wanted)
        raise ArgumentError(
            told or f"project_id {one_line(wanted, 60)!r} is not this server's project, {own!r}.",
            next_step=f"This server works in project {own!r}: leave project_id out; "
            f"{state.settings.places.other_project}.",
            code="unknown_project",
        )
    if own:
        return own
    if wanted:
        if told := await unknown_project(state.client, wanted):
            raise ArgumentError(
                told, next_step="Ask the user which project_id to use, unless it is clear.", code="unknown_project"
            )
        return wanted
    names = await project_names(state.client)
    if len(names) == 1:
        return next(iter(names))
    raise ArgumentError(
        "An execution belongs to a project, and none was given.",
        next_step=f"Ask the user which project_id to use: {listed(names)}."
        if names
        else "The organisation has no project yet.",
        code="no_project",
    )
