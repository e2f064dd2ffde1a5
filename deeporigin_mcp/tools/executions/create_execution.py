"""Creating an execution: checked, quoted, and started if that is asked for and allowed (design 4)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

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
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.waiting.engine import LAST_POLL_SECONDS
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.approvals.pending import Answer, Reply
from deeporigin_mcp.tools.catalogue.definitions import find_definition
from deeporigin_mcp.tools.catalogue.pricing import UNQUOTED
from deeporigin_mcp.tools.executions.completeness import ended_within
from deeporigin_mcp.tools.executions.details import ended_view
from deeporigin_mcp.tools.executions.idempotency import (
    BATCH_SIZE_FIELD,
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
from deeporigin_mcp.tools.runtime.projects import chosen_project, set_project_error
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, LOOK_UP_SECONDS, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.runtime.threads import off_loop
from deeporigin_mcp.tools.spending import approval, asking, spent
from deeporigin_mcp.tools.spending.failures import failed_in_a_row

if TYPE_CHECKING:
    from deeporigin_mcp.tools.catalogue.checking import Findings
    from deeporigin_mcp.tools.executions.repeating import Repeat

QUOTE_ONLY = -1
"""`approveAmount` that never starts anything (platform-facts 2.4)."""
PERSON_SECONDS = 30.0
"""How long a call waits for a person; the next call waits for the same elicitation."""
ENDED_SECONDS = 10.0
"""How long a call that starts a run waits for its end."""
MAX_CHANGES = 20
MOLECULES = "Correct these molecules or leave them out, as the user decides, and call create_execution again."
"""What to do where nothing but molecules is wrong: the schema says nothing of that."""
RESPONSE_SECONDS = 4.0
"""What is left of a call for its response."""


async def create_execution(
    ctx: ToolContext,
    tool_key: Annotated[str | None, Field(description="Tool key, e.g. deeporigin.docking.")] = None,
    inputs: Annotated[dict[str, Any] | None, Field(description="The tool's inputs, by its schema.")] = None,
    like: Annotated[
        str | None,
        Field(
            description="Execution to repeat; inputs: only changes, null removes (ligands: {ID: null}); "
            "ligands: missing = those without result."
        ),
    ] = None,
    tool_version: Annotated[
        str | None, Field(description="Exact, a major such as 4, or latest (default).", coerce_numbers_to_str=True)
    ] = None,
    name: Annotated[str | None, Field(description="Shown to people.", max_length=500)] = None,
    metadata: Annotated[dict[str, Any] | None, Field(description="Your notes.")] = None,
    outputs: Annotated[dict[str, Any] | None, Field(description="Rarely needed.")] = None,
    project_id: Annotated[str | None, Field(description="Needed if none is set.")] = None,
    cluster_id: Annotated[str | None, Field(description="Default: the first.")] = None,
    sync: Annotated[bool | None, Field(description="Starting returns at its end. Default: the tool's own.")] = None,
    batch_size: Annotated[int | None, Field(description="Ligands per job; docking tools only.", ge=1)] = None,
    tag: Annotated[str | None, Field(description="Free label.")] = None,
    billing_tag: Annotated[str | None, Field(description="Billing label.")] = None,
    visibility: Annotated[
        Literal["visible", "hidden"] | None, Field(description="hidden: out of searches, not of lists.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Field(
            description="Same key, same execution, for 7 days.",
            min_length=1,
            max_length=200,
        ),
    ] = None,
    start: Annotated[
        bool,
        Field(description="Also start it, if within the operator's automatic limit (default: free)."),
    ] = False,
) -> ExecutionView | InputRequiredResult:
    """Create an execution as a quote: it gets an id and a price in USD, and nothing runs or is charged yet.

    confirm_execution runs it. After a lost response call again with the same idempotency_key.
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
    request = _Request(
        tool_key=(tool_key or "").strip(),
        tool_version="latest" if tool_version is None and not like else tool_version or "",
        inputs=inputs or {},
        like=like,
        sync=sync,
        project_id=project_id,
        fields={field: value for field, value in optional.items() if value is not None},
        metadata=metadata or {},
        outputs=outputs or {},
        key=key,
        is_callers_key=idempotency_key is not None,
        start=start,
        deadline=anyio.current_time() + CALL_SECONDS - RESPONSE_SECONDS,
    )
    with errors.creation(key, is_callers_key=request.is_callers_key).errors():
        seconds = CALL_SECONDS - RESPONSE_SECONDS / 2
        with anyio.move_on_after(seconds):
            return await _create(ctx, request)
        waited = f"Timed out after {seconds:g} s waiting for the platform"
        if not request.is_sent:
            raise PlatformError(f"{waited} to return the tool, the project and earlier executions.")
        raise OutcomeUnknownError(f"{waited} to create the execution; it is not listed yet.")


@dataclass
class _Request:
    """What a call asks for, and whether it was sent."""

    tool_key: str
    tool_version: str
    inputs: dict[str, Any]
    like: str | None
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

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.deadline - anyio.current_time())


class _Created(NamedTuple):
    """The execution of a request.

    `existed`: an earlier call with the key had created it. `duplicate`: what this call created, if another server
    created one with the key at the same time, which all servers then go on with.
    """

    execution: Execution
    existed: bool
    rule: str
    duplicate: Execution | None = None


async def _create(ctx: ToolContext, request: _Request) -> ExecutionView | InputRequiredResult:
    """Check the request, find or create its execution, and start that if it is asked for and allowed."""
    state = state_of(ctx)
    definition, repeat = await _wanted(state, request)
    inputs, top_level = _placed_sync(definition, request.inputs, request.sync)
    findings = await _checked(state, definition, inputs)
    project = await chosen_project(state.client, request.project_id, "an execution")
    fingerprint = fingerprint_of(request.tool_key, request.tool_version, inputs, project)
    size = {BATCH_SIZE_FIELD: request.fields["batchSize"]} if "batchSize" in request.fields else {}
    body = {
        "inputs": inputs,
        "outputs": request.outputs,
        "metadata": stamped({**size, **request.metadata}, request.key, fingerprint),
        **top_level,
        "approveAmount": QUOTE_ONLY,
        **request.fields,
        "projectId": project,
    }
    async with state.key_lock(request.key):
        created = await _created(ctx, request, definition, body, fingerprint)
    if isinstance(created, InputRequiredResult):
        return created

    execution, warning, next_step = created.execution, None, ""
    if created.rule == spent.UNAPPROVED:
        is_new = not created.existed and created.duplicate is None
        warning = await spent.unapproved_start(state, execution, is_new=is_new)
    if warning is None and not created.existed:
        warning = _other_than_requested(execution, definition, project)
    may_start = execution.status == "Quoted" and approval.within_automatic_limit(execution, state.settings)
    if request.start and may_start and warning is None:
        execution, warning, next_step = await _start(state, execution, request)
    # A short run's end comes with it, which saves a call.
    wanted = ENDED_SECONDS if request.start and not next_step and was_started(execution) else 0.0
    execution, parts = await ended_within(state, execution, min(wanted, request.seconds_left - LAST_POLL_SECONDS))
    view = ended_view(execution, next_step or steps.after(execution, state.settings))
    parts.add_to(view, execution)
    view.warning = warning
    repeated = [repeats.message(execution.quoted_price) for repeats in findings.repeats]
    view.input_warnings = [*repeated, *findings.warnings] or None
    before = [_before_next_step(created)]
    if repeat is not None:
        view.changes = repeat.lines[:MAX_CHANGES]
        before += [repeat.instead(state.settings)] if execution.status == "Quoted" else []
    view.next_step = " ".join(filter(None, (*before, view.next_step))) or None
    return view


async def _wanted(state: ServerState, request: _Request) -> tuple[ToolDefinition, Repeat | None]:
    """The tool that is to run, and what is repeated of an execution; that completes the request.

    Raises:
        ArgumentError: neither `tool_key` with `inputs` nor `like` is given, or no such tool or execution can run.
    """
    if not request.like:
        if not request.tool_key:
            raise ArgumentError(
                "Missing tool_key.",
                next_step="Give tool_key and inputs, or like: an execution to repeat.",
            )
        approval.require_allowed_tool(request.tool_key, state.settings)
        return await find_definition(state, request.tool_key, request.tool_version, must_be_enabled=True), None
    # Imported here, as it takes long: a server starts without it.
    from deeporigin_mcp.tools.executions.repeating import definition_for, repeat_of

    repeat = await repeat_of(state, request.like, request.tool_key, request.inputs)
    approval.require_allowed_tool(repeat.tool_key, state.settings)
    definition = await definition_for(state, repeat, request.like, request.tool_version, request.inputs)
    request.tool_key, request.inputs = repeat.tool_key, repeat.inputs
    request.tool_version = request.tool_version or repeat.tool_version
    project = request.project_id or state.settings.project_id or repeat.project_id
    repeat.compare(project, request.fields, request.outputs)
    request.project_id = project or None
    request.fields = {**repeat.fields, **request.fields}
    return definition, repeat


async def _created(
    ctx: ToolContext, request: _Request, definition: ToolDefinition, body: Json, fingerprint: str
) -> _Created | InputRequiredResult:
    """The execution with this key, or a new one; an elicitation where a person has to approve a new one before."""
    state, key, rule = state_of(ctx), request.key, spent.UNAPPROVED
    client, reply = state.client, None
    forget_ended(state, key)
    if request.is_callers_key and (existing := await execution_with_key(client, key, fingerprint, KEY_LOOKBACK)):
        execution = Execution(existing)
        if (approved := state.approved_creations.pop(key, None)) and was_started(execution):
            await spent.record_start(state, execution, approved)
        return _Created(execution, True, rule)
    if {definition.key, request.tool_key.strip()} & UNQUOTED:
        run = _unquoted(definition, request, body, fingerprint)
        reply = await _approval_of(ctx, run, until=min(anyio.current_time() + PERSON_SECONDS, request.deadline))
        if reply.request is not None:
            return reply.request
        rule = f"yes by {reply.detail}"
        _record(state, run, "approved", rule)
        state.approved_creations[key] = rule
    request.is_sent = True
    version = definition.version or request.tool_version
    try:
        with asking.outcome_told(reply) as became:
            dto = await created_once(state, request.tool_key, version, body, key, fingerprint, rule)
            became(Execution(dto))
    except ArgumentError as refusal:
        raise await set_project_error(client, refusal) from None
    state.approved_creations.pop(key, None)
    if request.is_callers_key and state.has_peers:
        agreed = await agreed_on(client, key, fingerprint, dto, min(LOOK_UP_SECONDS, request.seconds_left))
        if agreed is not dto:
            return _Created(Execution(agreed), False, rule, duplicate=Execution(dto))
    return _Created(Execution(dto), False, rule)


async def _start(state: ServerState, execution: Execution, request: _Request) -> tuple[Execution, str | None, str]:
    """Start it: its state afterwards, a warning if it cost more than quoted, and what to do if that failed.

    A failure is no error of the call: that would hide the id of what exists now, and tempt into creating another.
    """
    try:
        # The id of what exists must reach the caller, however long starting it takes.
        with anyio.move_on_after(request.seconds_left):
            if failed := await failed_in_a_row(state, execution):
                raise approval.failed_too_often(execution, failed)
            started = await approval.approve_and_confirm(
                state, execution, rule=approval.AUTOMATIC, noted={KEY_FIELD: request.key}
            )
            return started, spent.dearer_than_approved(started, execution.quoted_price), ""
    except DeepOriginError as error:
        if isinstance(error, RestrictionError) and error.execution is not None:
            execution = Execution(error.execution)
        return execution, None, f"The execution exists. {errors.explained(error)}"
    read = steps.call("get_execution", execution_id=execution.execution_id)
    return execution, None, f"The execution exists. It is not known yet whether it was started: {read} shows its state."


def _before_next_step(created: _Created) -> str:
    """What a response says first of an execution that this call did not create."""
    if created.existed:
        return "This key's execution existed already; nothing new was created."
    if created.duplicate is None:
        return ""
    became = "started too, which nobody approved" if was_started(created.duplicate) else "quoted too and costs nothing"
    name = created.duplicate.execution_id
    return f"Another server created it with this key at the same time; {name} was {became}."


def _other_than_requested(execution: Execution, definition: ToolDefinition, project: str) -> str | None:
    """A warning where the platform created something else than was requested."""
    pairs = (
        (execution.tool_key, definition.key),
        (execution.tool_version, definition.version),
        (execution.project_id, project),
    )
    if all(not found or not requested or found == requested for found, requested in pairs):
        return None
    found_as, requested_as = (
        " ".join(one_line(each, NAME_CHARACTERS) for each in side) for side in zip(*pairs, strict=True)
    )
    cancel = steps.call("cancel_execution", execution_id=execution.execution_id)
    return (
        f"The platform created {found_as}, although {requested_as} was asked for. Tell the user; {cancel} withdraws it."
    )


def _unquoted(definition: ToolDefinition, request: _Request, body: Json, fingerprint: str) -> Execution:
    """A run that is to be created, as a person is asked about it: an approval counts for this request only."""
    return Execution(
        {
            "executionId": fingerprint,
            "name": request.fields.get("name"),
            "tool": {"key": definition.key, "version": definition.version},
            "projectId": body["projectId"],
            "userInputs": body["inputs"],
        }
    )


async def _approval_of(ctx: ToolContext, run: Execution, *, until: float) -> Reply:
    """A person's approval of a run that starts when it is created, at an unknown price, or the elicitation of one.

    Raises:
        SpendingLimitError: an operator's limit cannot be kept, or nobody has approved it.
        StateConflictError: the person has not answered yet, or another call has taken the yes.
    """
    state = state_of(ctx)
    limits = {
        "DEEPORIGIN_MCP_MAX_PRICE": state.settings.max_price,
        "DEEPORIGIN_MCP_BUDGET": state.settings.budget,
        "DEEPORIGIN_MCP_MAX_PER_DAY": state.settings.max_per_day,
    }
    what = f"{run.tool_key} starts at once when it is created, and the platform names its price only afterwards"
    try:
        if kept := [name for name, limit in limits.items() if limit is not None]:
            raise SpendingLimitError(
                f"{what}; so the operator's limits ({', '.join(kept)}) cannot be kept. A person can run it in the "
                "Deep Origin web app.",
                code="no_complete_price",
            )
        reply = await asking.ask(ctx, run, until=until)
        if reply.answer in (Answer.NO, Answer.NOBODY):
            became = "a person said no" if reply.answer is Answer.NO else reply.detail or "this client cannot ask one"
            code = "declined" if reply.answer is Answer.NO else "not_approved" if reply.detail else "nobody_to_ask"
            raise SpendingLimitError(
                f"{what}; so a person has to approve it before: {became}. A person can run it in the Deep Origin web "
                "app.",
                code=code,
            )
    except SpendingLimitError as refusal:
        _record(state, run, "refused", str(refusal))
        raise
    except StateConflictError as taken:
        # The run has no id yet by which the other call's could be looked up.
        raise StateConflictError(
            "Another call for the same run has taken the approval.",
            code=taken.code,
            next_step="A new call asks once more: make it only if the user wants this run twice.",
        ) from None
    if reply.answer is Answer.PENDING and reply.request is None:
        # The platform has no quote that would show it.
        _record(state, run, "asked", reply.detail)
        raise StateConflictError(f"A person is asked first, as {what}. {reply.detail}", code="awaiting_approval")
    return reply


def _record(state: ServerState, run: Execution, decision: str, reason: str) -> None:
    """Put on record a decision about a run that does not exist yet."""
    state.record(Execution({**run.raw, "executionId": ""}), decision, reason)


def _placed_sync(
    definition: ToolDefinition, inputs: dict[str, Any], sync: bool | None
) -> tuple[dict[str, Any], dict[str, bool]]:
    """`sync` where the tool takes it: (inputs, top-level fields). Elsewhere the platform drops it silently."""
    rule = definition.sync_rule
    if rule.place == "inputs":
        chosen = sync if sync is not None else inputs.get("sync", rule.default)
        return {**inputs, "sync": chosen}, {}
    chosen = sync if sync is not None else rule.default
    return inputs, {} if chosen is None else {"sync": chosen}


async def _checked(state: ServerState, definition: ToolDefinition, inputs: dict[str, Any]) -> Findings:
    """Warnings about the inputs.

    Raises:
        ArgumentError: they do not fit the schema, or name what does not exist; lists all problems.
    """
    # Imported here, as it takes long: only creating a run needs it.
    from deeporigin_mcp.tools.catalogue.checking import checked
    from deeporigin_mcp.tools.executions.input_checks import look_up

    findings = await off_loop(checked, inputs, definition.inputs_schema, definition.key)
    parts = [MOLECULES] if findings.problems and not findings.breaks_schema else []
    bring_in = await look_up(state, inputs, findings, definition.key)
    problems = findings.problems
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"- {problem}" for problem in problems)
        described = steps.call("describe_platform_tool", tool_key=definition.key, tool_version=definition.version)
        schema = toolsets.step(state.settings, f"{described} has the schema and an example.", "describe_platform_tool")
        parts += [schema] if findings.breaks_schema else []
        raise ArgumentError(
            f"`inputs` has {count}.\n{lines}\n",
            next_step=" ".join(filter(None, (*parts, bring_in))) or schema,
            code="invalid_inputs",
        )
    return findings
