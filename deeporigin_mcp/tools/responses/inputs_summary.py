"""The inputs of a run in one line, and a hash by which equal inputs are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import one_line

SUMMARY_CHARACTERS = 100
NAME_CHARACTERS = 30
HASH_CHARACTERS = 8
NAMES = ("name", "protein_name", "pdb_id", "smiles", "id", "file_path", "key")
"""What an object is called by, the first that it has."""
MAX_VALUES = 3
"""Plain values of a list that are shown; more are counted."""
NOT_SCIENCE = frozenset({"sync"})
"""Inputs that say how a run goes, not what it computes."""


def inputs_summary(inputs: Mapping[str, Any], limit: int = SUMMARY_CHARACTERS) -> str:
    """Such as `3 ligands, protein PIM1, effort 3`: lists by their length, objects by their name, short values."""
    return one_line(", ".join(_parts(inputs)), limit)


def inputs_hash(tool_key: str, inputs: Mapping[str, Any]) -> str:
    """The same for equal inputs of a tool, whatever the order of their fields and the version of the tool."""
    science = {name: value for name, value in inputs.items() if name not in NOT_SCIENCE}
    text = json.dumps([tool_key, science], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARACTERS]


def _parts(inputs: Mapping[str, Any]) -> Iterator[str]:
    counted = {name.removesuffix("_count") for name in inputs if name.endswith("_count")}
    # Lists first: they are what a run is about, and what it costs.
    for name, value in sorted(inputs.items(), key=lambda item: not isinstance(item[1], list)):
        label = one_line(name, NAME_CHARACTERS).replace("_", " ")
        if name in NOT_SCIENCE or name.removesuffix("_file") in counted:
            continue
        if name.endswith("_count") and isinstance(value, int):
            label = label.removesuffix(" count")
            yield _counted(value, label if f"{name.removesuffix('_count')}_file" in inputs else f"{label}s")
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            yield f"{label.removesuffix('s')} {_called(value[0])}".strip()
        elif isinstance(value, list):
            is_short = len(value) <= MAX_VALUES and not any(isinstance(each, dict | list) for each in value)
            yield f"{label} {' '.join(map(_called, value))}" if is_short else _counted(len(value), label)
        elif isinstance(value, bool):
            if value:
                yield label
        elif called := _called(value):
            yield f"{label} {called}"


def _counted(count: int, label: str) -> str:
    return f"{count:,} {label.removesuffix('s') if count == 1 else label}"


def _called(value: Any) -> str:
    """What a person calls it, a file by the last part of its path; empty for an object without a name."""
    if isinstance(value, dict):
        value = next((value[name] for name in NAMES if isinstance(value.get(name), str) and value[name]), "")
    text = "" if value is None or isinstance(value, list) else str(value)
    file = text.rsplit("/", 1)[-1]
    # A SMILES may have slashes too.
    return one_line(file if "." in file else text, NAME_CHARACTERS)
