"""What a model reads of a failed creation, confirmation or cancellation, and where a tool is not offered."""

from __future__ import annotations

import contextlib

import pytest

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    NetworkError,
    OutcomeUnknownError,
    PlatformError,
    RateLimitError,
    RestrictionError,
    SpendingLimitError,
    StateConflictError,
)
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.responses import errors, toolsets
from deeporigin_mcp.tools.responses.errors import ChangingCall, error_from, error_result, explained
from tests.messages.snapshot import assert_as_agreed
from tests.support.errors import error_of

ATTEMPTS = {
    "a creation with a key": errors.creation("k", is_callers_key=True),
    "a creation without a key": errors.creation("fresh", is_callers_key=False),
    "a confirmation": errors.confirmation("3f0c", 0.2),
    "a cancellation": ChangingCall("nothing_changed"),
}


def causes() -> dict[str, DeepOriginError]:
    """What may stop any of them, new each time."""
    return {
        "an argument": ArgumentError("It is wrong."),
        "a limit": SpendingLimitError("It is too dear."),
        "another state here": StateConflictError("It is not Quoted.", next_step="Look at it."),
        "a conflict": StateConflictError("HTTP 409.", http_status=409),
        "a refusal": ArgumentError("HTTP 400.", next_step="Correct it.", http_status=400, request_id="req-1"),
        "credentials": CredentialError("HTTP 401.", next_step="The operator should get a new one.", http_status=401),
        "a restriction": RestrictionError("Not in your plan.", http_status=403),
        "a pause": RateLimitError("HTTP 429.", retry_after_seconds=3),
        "a failure": PlatformError("HTTP 503.", http_status=503),
        "no network": NetworkError("No connection.", nothing_sent=True),
        "a lasting one": NetworkError("No such host.", next_step="The operator should correct it.", is_lasting=True),
        "a lost answer": OutcomeUnknownError("No complete answer."),
    }


def test_an_error_says_what_happened_what_was_done_and_what_to_call() -> None:
    messages: dict[str, str] = {}
    for attempt_name, attempt in ATTEMPTS.items():
        # What is left out differs in no word but those shown.
        shown = ("a conflict", "a refusal", "a lost answer") if messages else causes()
        for cause_name in shown:
            cause = causes()[cause_name]
            with contextlib.suppress(DeepOriginError), attempt.errors():
                raise cause
            messages[f"{attempt_name}, {cause_name}"] = explained(cause)
    messages["a bug"] = explained(error_from("list_executions", ZeroDivisionError(), "Call again."))
    assert_as_agreed("outcomes", messages)


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_only_a_lost_response_leaves_an_unknown_outcome(attempt: ChangingCall) -> None:
    for cause in causes().values():
        with pytest.raises(DeepOriginError), attempt.errors():
            raise cause
        is_unknown = isinstance(cause, OutcomeUnknownError)
        assert error_of(error_result(cause)) == (cause.code, "unknown" if is_unknown else attempt.nothing)


def test_an_error_that_has_an_outcome_is_left_as_it_is() -> None:
    error = PlatformError("HTTP 503.", next_step="Read it.", outcome="unknown")
    with pytest.raises(PlatformError), errors.creation("k", is_callers_key=True).errors():
        raise error
    assert (error.outcome, error.next_step) == ("unknown", "Read it.")


def test_a_step_to_a_tool_that_is_not_offered_gives_way_to_what_a_person_can_do() -> None:
    def told(*tools: str, **values: object) -> str:
        return toolsets.step(Settings.model_validate(values), "Go on.", *tools)

    assert_as_agreed(
        "toolsets",
        {
            "offered": told("confirm_execution", "get_workspace"),
            "read-only": told("get_execution", "confirm_execution", read_only=True),
            "not in its toolsets": told("get_workspace", toolsets=("executions",)),
            "neither": told("get_workspace", "confirm_execution", toolsets=("executions",), read_only=True),
        },
    )
