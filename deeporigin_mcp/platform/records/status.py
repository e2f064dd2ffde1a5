"""The platform's status words and what they mean for waiting and cancelling (platform-facts 2.1)."""

from __future__ import annotations

from typing import Literal, get_args

from deeporigin_mcp.platform.records.sanitizing import word

SUCCEEDED = "Completed"
"""Success as the platform says it now; `Succeeded` is its older word for the same."""

Status = Literal[
    "Quoted",
    "Created",
    "Accepted",
    "Queued",
    "Running",
    "Suspended",
    "Finishing",
    "Completed",
    "Failed",
    "Cancelled",
    "InsufficientFunds",
    "FailedQuotation",
]
"""Every status that a tools-service execution has been seen or declared with, in the order of a life."""

KNOWN: tuple[str, ...] = get_args(Status)

TERMINAL = frozenset({"Completed", "Failed", "Cancelled", "InsufficientFunds", "FailedQuotation"})
"""Nothing happens any more."""

SETTLED = TERMINAL | {"Quoted"}
"""Where waiting ends: a quoted execution stays as it is until somebody confirms it."""


def normalised(status: object) -> str:
    """A status word as this project reports it: `Succeeded` becomes `Completed`, unknown words stay.

    A missing or non-text status becomes `Unknown`, which is not terminal.
    """
    said = word(status) or "Unknown"
    return SUCCEEDED if said == "Succeeded" else said


def wire_words(status: str) -> tuple[str, ...]:
    """The words to filter by on the platform: rows of both eras must match `Completed`."""
    return ("Completed", "Succeeded") if normalised(status) == SUCCEEDED else (status,)
