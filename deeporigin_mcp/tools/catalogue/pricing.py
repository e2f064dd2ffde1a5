"""What is known of prices before a quote (platform-facts 5.1, 7): unit prices seen in the platform's responses."""

from __future__ import annotations

from collections.abc import Mapping

PRICES_SEEN: Mapping[str, str] = {
    "deeporigin.docking": "0.20 USD per ligand",
    "deeporigin.pocket-finder": "10 USD per run",
    "deeporigin.mol-props-protonation": "free",
    "deeporigin.system-prep": "free",
    "deeporigin.abfe-end-to-end": "120 USD times a factor that grows with atoms, windows and repeats",
    "deeporigin.rbfe": "1 USD times a factor that grows with pairs, atoms, windows and repeats",
    "deeporigin.draco": "0.10 USD per page",
}
UNQUOTED = frozenset({"deeporigin.enumerator", "deeporigin.metabolism"})
"""Tools whose runs the platform starts when they are created, without a quote (platform-facts 7)."""
MAY_START = frozenset(
    {
        "deeporigin.import-dataset",
        "deeporigin.mol-props-protonation",
        "deeporigin.secondary-pharma",
        "deeporigin.system-prep",
    }
)
"""Tools whose runs a platform was seen to start when they were created, whatever amount was approved; mostly free."""


QUOTE = (
    'free, starts nothing, stays; list_executions(status=["Quoted"]) lists quotes, cancel_execution withdraws one '
    "where the platform allows that"
)
"""What becomes of a quote (platform-facts 2.3, 2.6; that quotes expire is not known)."""


def price_rule(tool_key: str, seen: str | None = "") -> str:
    """How a run of a tool is priced, as far as is known before its quote.

    Args:
        seen: what the organisation's recent runs show; empty for none, None if they could not be read.
    """
    if tool_key in UNQUOTED:
        rule = "unknown: a run starts when it is created, without a quote, once a person has approved it"
        return f"{rule}; so far: {seen}" if seen else rule
    before = PRICES_SEEN.get(tool_key, "")
    known = f"{before} (last seen)" if before else "unknown until the quote"
    if seen is None:
        known += "; recent runs could not be read"
    # What recent runs show again is not said twice.
    rule = f"{seen}; known before: {before}" if seen and before and not seen.startswith(before) else seen or known
    return f"{rule}; a run may start when it is created" if tool_key in MAY_START else rule
