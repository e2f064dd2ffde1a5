"""What is known of prices before a quote (platform-facts 5.1, 7): unit prices that the platform's answers showed."""

from __future__ import annotations

from collections.abc import Mapping

PRICES_SEEN: Mapping[str, str] = {
    "deeporigin.docking": "0.2 USD per ligand",
    "deeporigin.pocket-finder": "10 USD per run",
    "deeporigin.mol-props-protonation": "free",
    "deeporigin.system-prep": "free",
    "deeporigin.abfe-end-to-end": "120 USD times a factor that grows with atoms, windows and repeats",
    "deeporigin.rbfe": "1 USD times a factor that grows with pairs, atoms, windows and repeats",
    "deeporigin.draco": "0.1 USD per page",
}
UNQUOTED = frozenset({"deeporigin.enumerator", "deeporigin.metabolism"})
"""Tools that the platform starts at their creation instead of pricing them (platform-facts 7): a person is asked."""
MAY_START = frozenset(
    {
        "deeporigin.import-dataset",
        "deeporigin.mol-props-protonation",
        "deeporigin.secondary-pharma",
        "deeporigin.system-prep",
    }
)
"""Tools that a platform was seen to start at their creation, whatever amount was approved; mostly free ones."""


def price_rule(tool_key: str) -> str:
    """How a run of a tool is priced, as far as anybody knows; always only an estimate."""
    if seen := PRICES_SEEN.get(tool_key):
        told = f"seen so far: {seen}; only the quote counts"
    elif tool_key in UNQUOTED:
        return "not known: it starts at once when it is created, without a quote; a person is asked first"
    else:
        told = "not known before the quote"
    return f"{told}; the platform may start it at its creation" if tool_key in MAY_START else told
