"""The one place where errors become words for a model: what happened, what the call has done, what to do next."""

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
"""Under this name in `_meta` an error result says its code and outcome, for programs: a model reads the text."""
PAUSE_SECONDS = 60.0

# "By this call": an earlier one, or another one, may have done it.
OUTCOMES: Mapping[Outcome, str] = {
    "nothing_created": "Nothing was created by this call.",
    "nothing_started": "Nothing was started by this call.",
    "nothing_changed": "Nothing was changed by this call.",
    "unknown": "It is not known whether this call took effect.",
}


def error_from(what: str, cause: BaseException | None, advice: str, outcome: Outcome | None = None) -> DeepOriginError:
    """Any failure of `what`: an expected one as it is, a crash with this advice."""
    if isinstance(cause, DeepOriginError):
        return cause
    return DeepOriginError(
        f"{what} failed for a reason inside this MCP server ({type(cause).__name__}), not because of the arguments.",
        next_step=advice,
        code="internal",
        outcome=outcome,
    )


def explained(error: DeepOriginError, characters: int | None = None, *, with_step: bool = True) -> str:
    """An error as one paragraph: what happened, what it has done, what to do, and the id for the support.

    Args:
        characters: None, or where to cut what stands before the id, and put it on one line.
        with_step: say what to do.
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
    # Lines are this server's own; what else could change how they look is nobody's.
    return "\n".join(HARMFUL.sub(" ", line) for line in text.split("\n"))


def error_result(error: DeepOriginError) -> CallToolResult:
    """An error as the result of a tool."""
    about: dict[str, Any] = {"code": error.code} | ({"outcome": error.outcome} if error.outcome else {})
    return CallToolResult(is_error=True, content=[TextContent(type="text", text=explained(error))], _meta={META: about})


class Attempt(NamedTuple):
    """A call that changes something, as its errors speak of it.

    Args:
        nothing: the outcome of a failure, unless the request was sent and its answer was lost.
        again: the call to make again after what may pass, or once what was wrong is put right.
        find_out: what to do where the outcome is unknown.
        refused: what to do where the platform refused the request, if that is not to call again.
    """

    nothing: Outcome
    again: str = ""
    find_out: str = ""
    refused: str = ""

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Give every error that leaves its outcome and the exact next call; one that has an outcome knows both."""
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
        if (error.http_status is None and not _passes(error)) or isinstance(error, RestrictionError):
            return error.next_step
        if self.refused and isinstance(error, ArgumentError):
            return self.refused
        if isinstance(error, StateConflictError) or _passes(error):
            asked = error.retry_after_seconds if isinstance(error, RateLimitError) else None
            pause = PAUSE_SECONDS if asked is None else max(1.0, asked)
            return f"In {pause:.0f} s {self.again}. If it fails again, tell the user."
        return f"{error.next_step} Then {self.again}."


def _passes(error: DeepOriginError) -> bool:
    """Whether the same call may well succeed a minute later."""
    if isinstance(error, NetworkError) and error.is_lasting:
        return False
    redirected = error.http_status is not None and 300 <= error.http_status < 400
    return isinstance(error, NetworkError | PlatformError | RateLimitError) and not redirected


def creation(key: str, *, is_callers_key: bool) -> Attempt:
    """A create_execution with this key: the caller's, or a fresh one that only its errors name."""
    again = f"call create_execution again with {'the same ' if is_callers_key else ''}idempotency_key={json.dumps(key)}"
    return Attempt(
        "nothing_created",
        again,
        f"In {PAUSE_SECONDS:.0f} s {again} and the same arguments: it returns the execution if it exists and creates "
        "it only if it does not.",
    )


def confirmation(execution_id: str, expected_price: float | Decimal | None) -> Attempt:
    """A confirmation of this execution at this price, if one was named."""
    named = {} if expected_price is None else {"expected_price": expected_price}
    confirm = steps.call("confirm_execution", execution_id=execution_id, **named)
    look = steps.call("get_execution", execution_id=execution_id)
    find_out = f"{look} shows its state. Only if it is still Quoted in {PAUSE_SECONDS:.0f} s, call {confirm} again."
    return Attempt("nothing_started", f"call {confirm} again", find_out, refused=find_out)
