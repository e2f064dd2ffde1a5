"""The statuses of executions, and which of them end a wait (platform-facts 2.1)."""

from __future__ import annotations

from typing import Literal, get_args

from deeporigin_mcp.platform.records.sanitizing import word

SUCCEEDED = "Completed"
"""The platform's present status of success; older records have `Succeeded`."""

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
"""Every known status of a tools-service execution, in the order of its life."""

KNOWN: tuple[str, ...] = get_args(Status)

TERMINAL = frozenset({"Completed", "Failed", "Cancelled", "InsufficientFunds", "FailedQuotation"})
"""Statuses that never change."""

SETTLED = TERMINAL | {"Quoted"}
"""Statuses that end a wait: a quoted execution stays as it is until it is confirmed."""


def normalised(status: object) -> str:
    """A status as this package reports it: `Succeeded` becomes `Completed`, unknown ones stay.

    A missing or non-text status becomes `Unknown`, which is not terminal.
    """
    found = word(status) or "Unknown"
    return SUCCEEDED if found == "Succeeded" else found


def wire_words(status: str) -> tuple[str, ...]:
    """The platform's words to filter by: `Completed` must match older rows too."""
    return ("Completed", "Succeeded") if normalised(status) == SUCCEEDED else (status,)
