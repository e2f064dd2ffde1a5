"""Making up values that a JSON Schema accepts."""

from __future__ import annotations

from typing import Any

_SAMPLES: dict[str, str] = {
    "smiles": "CCO",
    "file_path": "entities/proteins/protein.pdb",
    "id": "08ABCDEFGHJKM",
    "name": "example",
    "uniprot_accession": "P00533",
}


def sample(node: Any, root: dict[str, Any], depth: int = 0, name: str = "") -> Any:
    """A value that a schema's part is likely to accept; None if none can be made up.

    Args:
        root: the whole schema, where references lead.
        depth: how deep in it the part lies.
        name: of the field that the value is for.
    """
    if not isinstance(node, dict) or depth > 8:
        return None
    for key in ("const", "default"):
        if key in node:
            return node[key]
    if isinstance(reference := node.get("$ref"), str):
        return sample(root.get("$defs", {}).get(reference.rsplit("/", 1)[-1]), root, depth + 1, name)
    if examples := node.get("examples"):
        return examples[0]
    if options := node.get("enum"):
        return options[0]
    kind = node.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or "properties" in node:
        return _sample_object(node, root, depth)
    if kind == "array":
        count = max(1, int(node.get("minItems", 1)))
        return [sample(node.get("items", {}), root, depth + 1, name) for _ in range(min(count, 20))]
    if options := node.get("oneOf") or node.get("anyOf"):
        return sample(options[0], root, depth + 1, name)
    if kind in ("integer", "number"):
        return node.get("minimum", node.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return False
    text = _SAMPLES.get(name, "text")
    return text.ljust(int(node.get("minLength", 0)), "x")[: node.get("maxLength")]


def _sample_object(node: dict[str, Any], root: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = node.get("properties", {})
    wanted = list(node.get("required", []))
    for option in (node.get("oneOf") or node.get("anyOf") or [])[:1]:
        wanted += option.get("required", []) if isinstance(option, dict) else []
    if not wanted:
        # An object without required fields is of no use when empty: show what molecules and files are known by.
        wanted = [name for name in ("id", "smiles", "file_path") if name in properties]
    constants = _constants(node)
    return {
        name: constants.get(name, sample(properties.get(name), root, depth + 1, name)) for name in dict.fromkeys(wanted)
    }


def _constants(node: dict[str, Any]) -> dict[str, Any]:
    """Values that the first alternative fixes, such as the mode that it describes."""
    options = node.get("oneOf") or node.get("anyOf") or []
    first = options[0] if options and isinstance(options[0], dict) else {}
    properties = first.get("properties", {})
    return {
        name: value["const"] if "const" in value else value["enum"][0]
        for name, value in properties.items()
        if isinstance(value, dict) and ("const" in value or value.get("enum"))
    }
