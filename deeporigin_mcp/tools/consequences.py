"""What a failed creation or confirmation has done, said first, and the exact call that goes on: whatever failed."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    NetworkError,
    OutcomeUnknownError,
    PlatformError,
    RateLimitError,
    RestrictionError,
    StateConflictError,
)
from deeporigin_mcp.tools import steps

PAUSE_SECONDS = 60.0
_OWN_WORDS = re.compile(r"(Nothing was|Not started|It is not known whether)\b")
_SECOND_WORDS = re.compile(r"Nothing was started|not started")
_SENTENCES = re.compile(r"(?<=[.?!])\s+")


class Consequences(NamedTuple):
    """The words for one call.

    `nothing` and `unknown` are what it has done; `again` is the call repeated, `anew` the call once what was wrong is
    put right; `find_out` is what to do where the outcome is unknown; `refused` where the platform refused it, if that
    is not to correct it and call anew.
    """

    nothing: str
    unknown: str
    again: str
    anew: str
    find_out: str
    refused: str = ""

    @contextlib.contextmanager
    def told(self, *, knows_better: tuple[type[DeepOriginError], ...] = ()) -> Iterator[None]:
        """Every error that leaves says what the call has done and what to call next.

        Args:
            knows_better: errors that say themselves what to call next.
        """
        try:
            yield
        except DeepOriginError as error:
            self._tell(error, keeps_step=isinstance(error, knows_better))
            raise

    def _tell(self, error: DeepOriginError, *, keeps_step: bool) -> None:
        passing = _passes(error)
        if not self._is_said(error):
            error.message = f"{self._outcome(error, passing)}: {error.message}"
        if isinstance(error, OutcomeUnknownError):
            error.next_step = self.find_out
        elif keeps_step or (error.http_status is None and not passing) or isinstance(error, RestrictionError):
            return
        elif isinstance(error, ArgumentError) and self.refused:
            error.next_step = self.refused
        elif passing or isinstance(error, StateConflictError):
            error.next_step = f"In {_pause_seconds(error):.0f} s {self.again}; if it stays, tell the user."
        elif self.anew not in error.next_step:
            error.next_step = f"{error.next_step} Then {self.anew}."

    def _is_said(self, error: DeepOriginError) -> bool:
        """Whether the error says so: in this server's words, not in the platform's, which may be about anything."""
        if isinstance(error, RestrictionError):
            return error.message.startswith(f"{self.nothing}: ")
        if _OWN_WORDS.match(error.message):
            return True
        if error.http_status is not None or isinstance(error, OutcomeUnknownError):
            return False
        return any(_SECOND_WORDS.search(sentence) for sentence in _SENTENCES.split(error.message)[:2])

    def _outcome(self, error: DeepOriginError, passing: bool) -> str:
        if isinstance(error, OutcomeUnknownError):
            return self.unknown
        # An earlier call, or another one, may have done it.
        return f"{self.nothing} by this call" if passing or isinstance(error, StateConflictError) else self.nothing


def _passes(error: DeepOriginError) -> bool:
    """Whether the same call may well succeed a minute later."""
    if isinstance(error, NetworkError) and error.is_lasting:
        return False
    redirected = error.http_status is not None and 300 <= error.http_status < 400
    return isinstance(error, NetworkError | PlatformError | RateLimitError) and not redirected


def _pause_seconds(error: DeepOriginError) -> float:
    asked = error.retry_after_seconds if isinstance(error, RateLimitError) else None
    return PAUSE_SECONDS if asked is None else max(1.0, asked)


def of_creation(key: str, *, is_callers_key: bool) -> Consequences:
    """For a create_execution with this key: the caller's, or a fresh one that only this error names."""
    call = "call create_execution again"
    same = "the same" if is_callers_key else "the same arguments and"
    again = f"{call} with {same} idempotency_key={json.dumps(key)}"
    return Consequences(
        "Nothing was created",
        "Whether it was created is unknown",
        again,
        again if is_callers_key else call,
        f"In {PAUSE_SECONDS:.0f} s {again}: it returns the execution if it exists and creates it only if it does not.",
    )


def of_confirmation(execution_id: str, expected_price: float | Decimal | None) -> Consequences:
    """For a confirmation of this execution at this price, if one was named."""
    named = {} if expected_price is None else {"expected_price": expected_price}
    confirm = steps.call("confirm_execution", execution_id=execution_id, **named)
    look = steps.call("get_execution", execution_id=execution_id)
    find_out = f"{look} shows its state. Only if it is still Quoted in {PAUSE_SECONDS:.0f} s, call {confirm} again."
    again = f"call {confirm} again"
    return Consequences(
        "Nothing was started", "Whether it was started is unknown", again, again, find_out, refused=find_out
    )
