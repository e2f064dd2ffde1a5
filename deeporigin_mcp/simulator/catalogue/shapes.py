"""JSON Schema fragments that several tools share, with the vendor keys of platform-facts 1.11."""

from typing import Any

Schema = dict[str, Any]


def text(title: str, **extra: object) -> Schema:
    """A string property."""
    return {"type": "string", "x-display-name": title, **extra}


def file(title: str, mounted_at: str, **extra: object) -> Schema:
    """A file that the platform puts beside the tool: a path, or `{"$provider": "ufa", "key": path}`."""
    return text(title, format="file", **{"x-deeporigin-path": mounted_at}, **extra)


def path_of(given: Any) -> str:
    """The path of a file in either form."""
    return str(given["key"] if isinstance(given, dict) else given)


def number(title: str, **extra: object) -> Schema:
    """A number property."""
    return {"type": "number", "x-display-name": title, **extra}


def integer(title: str, **extra: object) -> Schema:
    """An integer property."""
    return {"type": "integer", "x-display-name": title, **extra}


def boolean(title: str, **extra: object) -> Schema:
    """A boolean property."""
    return {"type": "boolean", "x-display-name": title, **extra}


def choice(title: str, names: dict[str, str], **extra: object) -> Schema:
    """A string out of `names` (value to display name)."""
    return text(title, enum=list(names), **{"x-enum-display-names": list(names.values())}, **extra)


def objects(properties: Schema, *required: str, **extra: object) -> Schema:
    """An object with these properties."""
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return {**schema, **extra}


def inputs(properties: Schema, *required: str, **extra: object) -> Schema:
    """The root schema of a tool's inputs."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **objects(properties, *required),
        **extra,
    }


def vector(title: str, **extra: object) -> Schema:
    """Three numbers."""
    return {
        "type": "array",
        "x-display-name": title,
        "items": {"type": "number"},
        "minItems": 3,
        "maxItems": 3,
        **extra,
    }


def protein(*required: str) -> Schema:
    """A reference to a protein: its id and its structure file."""
    return objects(
        {"id": text("Protein id"), "file_path": text("Structure file", format="file")},
        *(required or ("file_path",)),
        **{"x-data-type": "Protein", "x-display-name": "Protein"},
    )


def ligand(*required: str, files: bool = False) -> Schema:
    """A ligand given as SMILES, as a file, or both."""
    properties: Schema = {
        "id": text("Ligand id"),
        "smiles": text("SMILES", **{"x-data-type": "Ligand.smiles"}),
    }
    if files:
        properties["file_path"] = text("Ligand file", format="file")
    return objects(properties, *required, **{"x-data-type": "Ligand", "x-display-name": "Ligand"})


def ligands(*required: str, files: bool = False, least: int = 1, most: int | None = 100) -> Schema:
    """A list of ligands; the platform takes at most 100 inline."""
    schema: Schema = {
        "type": "array",
        "x-display-name": "Ligands",
        "items": ligand(*required, files=files),
        "minItems": least,
    }
    if most is not None:
        schema["maxItems"] = most
    return schema


def pose(title: str = "Pose") -> Schema:
    """A docked pose: its id and its file."""
    return objects(
        {"id": text("Pose id"), "file_path": text("Pose file", format="file")},
        "file_path",
        **{"x-data-type": "Pose", "x-display-name": title},
    )


def ligand_source(*others: str) -> list[Schema]:
    """`oneOf` branches: ligands inline, or in a file with their count, or one of `others`."""
    return [
        {"required": ["ligands"]},
        {"required": ["ligands_file", "ligands_count"]},
        *({"required": [other]} for other in others),
    ]


LIGAND_FILE: Schema = {
    "ligands_file": text("Ligand list file", format="file"),
    "ligands_count": integer("Number of ligands in the file", minimum=1, maximum=1_000_000),
}
"""Properties of the alternative to inline ligands."""

SYNC_INSIDE = boolean("Wait for the result", default=True)
"""`sync` of the tools that read it inside `inputs` (platform-facts 2.5)."""
