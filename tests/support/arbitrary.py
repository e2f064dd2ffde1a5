"""Hypothesis strategies for what a platform may say: any JSON, and the words that mean something to this package."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(
    ["Completed", "Running", "", "0", "1/2", "0.1", "NaN", "1e999", "-5", "ligand docked", "{}", "a\nb"]
)
TEXTS = WORDS | st.text(st.characters(), max_size=12)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 1e308, -0.0])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS

json_values: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


def objects(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any of these fields, some with a value of any other kind."""
    loose = {name: value | json_values for name, value in fields.items()}
    return st.fixed_dictionaries({}, optional=loose)
