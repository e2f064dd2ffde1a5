"""Ligands and proteins: made, changed, deleted (molecules-and-files facts, section 3).

A row is readable `ingestion_lag_seconds` after it was made, but its structure is taken at once. Deleting is soft: the
row stays, holds its structure, and is what a later create of the same structure runs into.
"""

from datetime import datetime, timedelta
from typing import Any

from deeporigin_mcp.simulator.model.clock import stamp
from deeporigin_mcp.simulator.model.molecules import UnreadableError, read_smiles
from deeporigin_mcp.simulator.state.base import State
from deeporigin_mcp.simulator.state.organisations import Organisation, entity_row
from deeporigin_mcp.simulator.state.refusals import Refusal, conflict, invalid

Row = dict[str, Any]

READ_ONLY = frozenset(
    ("id", "canonical_id", "version", "valid_from", "valid_to", "created_at", "updated_at", "deleted")
)
REQUIRED = {"ligands": "smiles", "proteins": "file_path"}
_KEY_COLUMNS = {"ligands": ["canonical_smiles", "variant_name_tag"], "proteins": ["file_path"]}
_BLANK = {
    "ligands": entity_row("ligands", "", "", None, smiles="C", canonical_smiles="C"),
    "proteins": entity_row("proteins", "", "", None),
}


def columns_of(table: str) -> Row:
    """The columns of a table, as a row without values."""
    return _BLANK[table]


def identity(table: str, project: str | None, given: Row) -> tuple[str, ...]:
    """What no two rows of a table may share.

    Raises:
        UnreadableError: The SMILES of a ligand.
    """
    scope = project or "__unscoped__"
    if table == "ligands":
        return (
            scope,
            given.get("structure_key") or read_smiles(given["smiles"]).key(),
            given.get("variant_name_tag") or "",
        )
    return scope, str(given["file_path"])


def identities(organisation: Organisation, table: str) -> dict[tuple[str, ...], Row]:
    """The rows of a table, deleted ones too, by what no two may share."""
    return {identity(table, row["project_id"], row): row for row in organisation.entities[table].values()}


def add_row(
    platform: State,
    organisation: Organisation,
    table: str,
    project: str | None,
    given: Row,
    user: str,
    appears: datetime,
    *,
    identifier: str | None = None,
) -> Row:
    """Put a row in without looking for its twin; it can be read from an instant on."""
    identifier = identifier or platform.ids.friendly("08")
    now = stamp(platform.clock.now())
    row = entity_row(table, identifier, now, project, **{**given, "modified_by": user})
    organisation.entities[table][identifier] = row
    organisation.visible_from[identifier] = appears
    return row


def create_row(platform: State, organisation: Organisation, table: str, given: object, user: str) -> Row:
    """A new row of a create request.

    Raises:
        Refusal: Bad or unknown columns (400), the structure is there already (409).
    """
    if not isinstance(given, dict):
        raise invalid("Invalid payload", [("set", "required")])
    _check_columns(table, given)
    required = REQUIRED[table]
    if not isinstance(given.get(required), str) or not given[required]:
        raise invalid("Invalid payload", [(f"set.{required}", "required")])
    project = given.get("project_id")
    if project is not None and project not in organisation.projects:
        raise invalid("Invalid payload", [("set.project_id", "unknown project")])
    try:
        twin = identities(organisation, table).get(identity(table, project, given))
    except UnreadableError as error:
        raise invalid("Invalid payload", [("set.smiles", str(error))]) from error
    if twin is not None:
        names = ["project_scope_key", *_KEY_COLUMNS[table]]
        values = ", ".join(str(twin[name]) for name in names)
        raise conflict(f"Key ({', '.join(names)})=({values}) already exists.")
    columns = {key: value for key, value in given.items() if key not in {"project_id", "subtable_name"}}
    appears = platform.clock.now() + timedelta(seconds=platform.ingestion_lag_seconds)
    return add_row(platform, organisation, table, project, columns, user, appears)


def update_row(platform: State, organisation: Organisation, table: str, identifier: str, given: object) -> Row:
    """The next version of a row.

    Raises:
        Refusal: No such row (404), bad or unknown columns (400).
    """
    row = existing_row(organisation, table, identifier)
    if not isinstance(given, dict) or not given:
        raise invalid("Invalid payload", [("set", "required")])
    _check_columns(table, given)
    fixed = [key for key in given if key in READ_ONLY or key.startswith("origin_")]
    if fixed:
        raise invalid("Read-only columns in set", [(key, "read_only") for key in fixed])
    now = stamp(platform.clock.now())
    row |= {**given, "version": row["version"] + 1, "valid_from": now, "updated_at": now}
    return row


def existing_row(organisation: Organisation, table: str, identifier: str) -> Row:
    """A row that is not deleted.

    Raises:
        Refusal: 404.
    """
    row = organisation.entities[table].get(identifier)
    if row is None or row["deleted"]:
        raise Refusal(404, {"message": f"{table} {identifier} not found"})
    return row


def _check_columns(table: str, given: Row) -> None:
    unknown = [key for key in given if key not in columns_of(table)]
    if unknown:
        raise invalid("Unknown columns in set", [(key, "unknown_column") for key in unknown])
