"""The only place where errors become words for a model: what happened, what the call has done, what to do next."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from mcp_types import CallToolResult, TextContent

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    NetworkError,
    Outcome,
    OutcomeUnknownError,
    PlatformError,
    RateLimitError,
    RestrictionError,
    StateConflictError,
)
from deeporigin_mcp.platform.records.sanitizing import HARMFUL, one_line
from deeporigin_mcp.tools.responses import steps

META = "deeporigin-mcp/error"
"""The name in `_meta` under which an error result has its code and outcome, for programs. A model reads the text."""
PAUSE_SECONDS = 60.0

# "By this call": another call may have done it.
OUTCOMES: Mapping[Outcome, str] = {
    "nothing_created": "Nothing was created by this call.",
    "nothing_started": "Nothing was started by this call.",
    "nothing_changed": "Nothing was changed by this call.",
    "unknown": "It is not known whether this call took effect.",
}


def error_from(what: str, cause: BaseException | None, advice: str, outcome: Outcome | None = None) -> DeepOriginError:
    """The error of a call of `what`: a `DeepOriginError` as it is, a bug as one with `advice` as next step."""
    if isinstance(cause, DeepOriginError):
        return cause
    return DeepOriginError(
        f"{what} failed because of a bug inside this MCP server ({type(cause).__name__}), not of its arguments.",
        next_step=advice,
        code="internal",
        outcome=outcome,
    )


def explained(error: DeepOriginError, characters: int | None = None, *, with_step: bool = True) -> str:
    """An error as one paragraph: what happened, the outcome, the next step, and the request id for the support.

    Args:
        characters: at most so many of what stands before the id, on one line; None: all of it.
        with_step: whether to say the next step.
    """
    reference = f"(request id {error.request_id})" if error.request_id else ""
    step = error.next_step if with_step else ""
    parts = [OUTCOMES[error.outcome] if error.outcome else "", step]
    message = str(error)
    separator = "" if message.endswith("\n") else " "
    text = message + separator + " ".join(part for part in parts if part)
    if characters is not None:
        return f"{one_line(text, characters)} {reference}".strip()
    text = f"{text.rstrip(' ')} {reference}".rstrip()
    # Line ends are this server's own; other control characters are not.
    return "\n".join(HARMFUL.sub(" ", line) for line in text.split("\n"))


def error_result(error: DeepOriginError) -> CallToolResult:
    """An error as the result of a tool."""
    about: dict[str, Any] = {"code": error.code} | ({"outcome": error.outcome} if error.outcome else {})
    return CallToolResult(is_error=True, content=[TextContent(type="text", text=explained(error))], _meta={META: about})


class ChangingCall(NamedTuple):
    """A call that changes something: what its errors say of outcome and next step.

    Args:
        nothing: the outcome of a failure, unless the request was sent and its response was lost.
        again: the call to make again, later or once the cause is corrected.
        find_out: the next step where the outcome is unknown.
        refused: the next step where the platform refused the request, if it is not to call again.
    """

    nothing: Outcome
    again: str = ""
    find_out: str = ""
    refused: str = ""

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Set outcome and next step of every error raised inside; one that has an outcome already has both."""
        try:
            yield
        except OutcomeUnknownError as error:
            error.next_step = self.find_out or error.next_step
            raise
        except DeepOriginError as error:
            if error.outcome is None:
                error.outcome = self.nothing
                if self.again:
                    error.next_step = self._next_step(error)
            raise

    def _next_step(self, error: DeepOriginError) -> str:
        if (error.http_status is None and not _is_temporary(error)) or isinstance(error, RestrictionError):
            return error.next_step
        if self.refused and isinstance(error, ArgumentError):
            return self.refused
        if isinstance(error, StateConflictError) or _is_temporary(error):
            retry_after = error.retry_after_seconds if isinstance(error, RateLimitError) else None
            pause = PAUSE_SECONDS if retry_after is None else max(1.0, retry_after)
            return f"In {pause:.0f} s {self.again}. If it fails again, tell the user."
        return f"{error.next_step} Then {self.again}."


def _is_temporary(error: DeepOriginError) -> bool:
    """Whether the same call may succeed a minute later."""
    if isinstance(error, NetworkError) and error.is_lasting:
        return False
    redirected = error.http_status is not None and 300 <= error.http_status < 400
    return isinstance(error, NetworkError | PlatformError | RateLimitError) and not redirected


def creation(key: str, *, is_callers_key: bool) -> ChangingCall:
    """A create_execution with this idempotency key: the caller's, or a new one that only an unknown outcome needs."""
    call = "call create_execution again"
    with_key = f"{call} with {'the same ' if is_callers_key else ''}idempotency_key={json.dumps(key)}"
    return ChangingCall(
        "nothing_created",
        with_key if is_callers_key else call,
        f"In {PAUSE_SECONDS:.0f} s {with_key} and the same arguments: it returns the execution if it exists and "
        "creates it only if it does not.",
    )


def confirmation(execution_id: str, expected_price: float | Decimal | None) -> ChangingCall:
    """A confirm_execution of this execution at this price, if one was given."""
    price = {} if expected_price is None else {"expected_price": expected_price}
    confirm = steps.call("confirm_execution", execution_id=execution_id, **price)
    read = steps.call("get_execution", execution_id=execution_id)
    find_out = f"{read} shows its state. Only if it is still Quoted in {PAUSE_SECONDS:.0f} s, call {confirm} again."
    return ChangingCall("nothing_started", f"call {confirm} again", find_out, refused=find_out)
