"""A tool's JSON Schema as an agent reads it: without what only the platform's web app needs."""

from __future__ import annotations

import re
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.tools.catalogue.schemas import (
    BY_NAME,
    IN_LISTS,
    MAX_DEPTH,
    MAX_PARTS,
    PROVIDER,
    REFERENCE_SHOWN,
    SINGLE,
    Schema,
    are_texts,
    entries_of,
    fields_of,
    is_file,
    is_given_by_key,
    is_smiles,
)

DESCRIPTION_CHARACTERS = 200

_DROPPED = ("$schema", "$id", "$comment", "title", "description")
_WORD = re.compile(r"[^\W_]+")


def cleaned(schema: Schema, depth: int = MAX_DEPTH) -> Schema:
    """The schema without vendor keys, titles and types that other keywords imply; descriptions keep what they mean.

    Args:
        depth: levels that are kept; deeper ones become `…`.
    """
    left = [MAX_PARTS]
    whole = _cleaned(schema, ("",), depth, left)
    # create_execution has a parameter for `sync`, and puts it where the tool expects it.
    if "sync" in fields_of(whole):
        whole["properties"] = {name: entry for name, entry in whole["properties"].items() if name != "sync"}
        whole["required"] = [name for name in entries_of(whole.get("required")) if name != "sync"]
    return {key: value for key, value in whole.items() if key != "required" or value}


def undocumented(shown: Schema) -> list[str]:
    """The numbers and choices of a cleaned schema of which the tool says nothing but name and values."""
    inputs = [(one_line(name, 60), node) for name, node in fields_of(shown).items() if isinstance(node, dict)]
    return [name for name, node in inputs if "description" not in node and _is_choice(node)]


def _is_choice(node: Schema) -> bool:
    return "enum" in node or node.get("type") in ("number", "integer", "boolean")


def _cleaned(node: Any, name: tuple[str, ...], depth: int, left: list[int]) -> Any:
    """`name`: of the object that the field is in, and of the field."""
    left[0] -= 1
    if not isinstance(node, dict):
        return node
    if depth <= 0 or left[0] <= 0:
        is_cut = bool({*BY_NAME, *IN_LISTS, *SINGLE} & node.keys())
        return _own(node, name) | ({"description": "…"} if is_cut else {})
    kept = _own(node, name)
    if PROVIDER in fields_of(node) and is_file(node):
        # The description has all of it.
        return {key: kept[key] for key in ("type", "description") if key in kept}
    for key, value in node.items():
        if key in BY_NAME and isinstance(value, dict):
            kept[key] = {inner: _cleaned(entry, (name[-1], inner), depth - 1, left) for inner, entry in value.items()}
        elif key in IN_LISTS and isinstance(value, list):
            kept[key] = [_cleaned(entry, name, depth - 1, left) for entry in value]
        elif key in SINGLE:
            kept[key] = _cleaned(value, name, depth - 1, left)
    return kept


def _own(node: Schema, name: tuple[str, ...]) -> Schema:
    """The node's own keywords, its description first."""
    inner = (*BY_NAME, *IN_LISTS, *SINGLE, *_DROPPED)
    kept = {key: value for key, value in node.items() if key not in inner and not key.startswith("x-")}
    if is_file(node):
        kept.pop("format", None)
    if _is_implied(kept.get("type"), node):
        del kept["type"]
    description = _description(node, name)
    return {**({"description": description} if description else {}), **kept}


def _is_implied(kind: Any, node: Schema) -> bool:
    """Whether a reader knows the type from the other keywords."""
    if kind == "object":
        return bool(fields_of(node))
    if kind == "array":
        return isinstance(node.get("items"), dict)
    return kind == "string" and are_texts(node.get("enum"))


def _description(node: Schema, name: tuple[str, ...]) -> str:
    """The description of a node, with what its vendor keys add to it."""
    own = text(node.get("description")) or text(node.get("x-display-name")) or text(node.get("title"))
    parts = [own] if _adds_words(own, " ".join(name)) else []
    if is_file(node):
        kind = "folder" if node.get("format") == "directory" else "file"
        parts.append(
            f"platform {kind} as {REFERENCE_SHOWN}" if is_given_by_key(node, name[-1]) else f"platform {kind} path"
        )
    elif is_smiles(node) and "smiles" not in own.lower():
        parts.append("SMILES")
    named = zip(entries_of(node.get("enum")), entries_of(node.get("x-enum-display-names")), strict=False)
    parts += [f"{option}: {label}" for option, label in named if _adds_words(text(label), str(option))]
    return one_line("; ".join(parts), DESCRIPTION_CHARACTERS if len(own) < DESCRIPTION_CHARACTERS else 2_000)


def _adds_words(label: str, name: str) -> bool:
    """Whether a label has a word that a name has not: `Half-life` adds nothing to `half_life`."""
    words, others = ({word.rstrip("s") for word in _WORD.findall(entry.lower())} for entry in (label, name))
    return bool(words - others)
