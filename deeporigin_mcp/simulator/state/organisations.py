"""The two organisations of the simulator, with their projects, clusters, users, molecules, files and money.

`organisations.json` says what they have, and which columns of a table are null until somebody fills them; ids are
constants, so that examples and tests can name them. `deeporigin` is rich and may do everything; `acme` has 100 USD, no
licence for relative free energies and a limit on ADMET. Each has a junk cluster, as the real platform has (quirk 16):
never the first, because clients take the first.
"""

import copy
import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from deeporigin_mcp.simulator.model.molecules import canonical, read_smiles

Row = dict[str, Any]
Table = dict[str, Row]
"""Rows as the data platform serves them, by id."""

CREATED_AT = "2026-01-12T08:00:00.000Z"


@dataclass(slots=True)
class Organisation:
    """One tenant; rows are kept as the platform serves them.

    Attributes:
        key: Slug in paths.
        name: Display name.
        identifier: Uuid.
        threshold: Auto-approval threshold as served: a number or a numeric string (quirk 15).
        balance: Credits left, USD.
        projects: Project rows (platform-facts 1.14).
        clusters: Cluster rows in serving order (platform-facts 1.12).
        users: User rows.
        entities: Rows of the tables `ligands` and `proteins`.
        files: What was written or deleted (None), by path.
        examples: Paths of files that were there before, their content simulated.
        visible_from: When a row that was made here can be read, by id.
        runs: Runs of the past, which `Platform.seed_past_runs` adds.
        unlicensed_tools: Keys that this organisation may not create.
        admet_ligand_limit: Most ligands of one ADMET run, None without a limit.
    """

    key: str
    name: str
    identifier: str
    threshold: str | float
    balance: float
    projects: Table
    clusters: list[Row]
    users: list[Row]
    entities: dict[str, Table]
    examples: frozenset[str] = frozenset()
    files: dict[str, Any] = field(default_factory=dict)
    visible_from: dict[str, datetime] = field(default_factory=dict)
    runs: list[Row] = field(default_factory=list)
    unlicensed_tools: frozenset[str] = frozenset()
    admet_ligand_limit: int | None = None

    @property
    def auto_approve_up_to(self) -> float:
        """USD that a run may cost and still start without a confirm when `approveAmount` is absent."""
        return float(self.threshold)

    def shows(self, identifier: str, now: datetime) -> bool:
        """Whether an entity row can be read at an instant."""
        return self.visible_from.get(identifier, now) <= now

    def rows(self, table: str, now: datetime) -> list[Row]:
        """The entity rows that can be read at an instant, soft-deleted ones among them."""
        return [row for key, row in self.entities[table].items() if self.shows(key, now)]

    def row(self) -> Row:
        """The organisation as `/entities/protected/organizations` lists it (platform-facts 1.13)."""
        return {
            "id": self.identifier,
            "createdAt": CREATED_AT,
            "updatedAt": CREATED_AT,
            "orgKey": self.key,
            "name": self.name,
            "mfaEnabled": False,
            "threshold": self.threshold,
            "autoApproveMaxAmount": self.auto_approve_up_to,
            "status": "READY",
            "invites": [],
            "roles": ["Owner", "Member"],
        }


def organisations() -> dict[str, Organisation]:
    """Fresh copies of both organisations, by key."""
    return copy.deepcopy(_organisations())


@cache
def _organisations() -> dict[str, Organisation]:
    content = _content()
    examples = frozenset(content["files"])
    return {entry["key"]: _organisation(**entry, examples=examples) for entry in content["organisations"]}


@cache
def _content() -> Row:
    file = resources.files("deeporigin_mcp.simulator.state") / "organisations.json"
    content: Row = json.loads(file.read_text(encoding="utf-8"))
    return content


def _organisation(
    *, projects: Table, clusters: list[Row], users: list[Row], ligands: Table, proteins: Table, **more: Any
) -> Organisation:
    first = next(iter(projects))
    # Given, so that no chemistry has to be loaded for them.
    ligands = {key: {"canonical_smiles": row["smiles"], **row} for key, row in ligands.items()}
    times = {"createdAt": CREATED_AT, "updatedAt": CREATED_AT}
    return Organisation(
        **more,
        projects={key: project_row(key, CREATED_AT, **row) for key, row in projects.items()},
        clusters=[{**row, **times, **_health(more["key"], row)} for row in clusters],
        users=[{**row, "roles": ["Member"], "createdAt": CREATED_AT} for row in users],
        entities={
            table: {key: _example(table, key, **{"project_id": first, **row}) for key, row in rows.items()}
            for table, rows in (("ligands", ligands), ("proteins", proteins))
        },
    )


def _example(table: str, identifier: str, *, project_id: str, created_at: str = CREATED_AT, **columns: Any) -> Row:
    return entity_row(table, identifier, created_at, project_id, **columns)


def _health(org: str, cluster: Row) -> Row:
    if cluster["name"] == "string":
        return {"orgKey": None, "enabled": False, "status": "unhealthy"}
    return {"orgKey": org, "enabled": True, "status": "healthy"}


def entity_row(table: str, identifier: str, created: str, project: str | None, **columns: Any) -> Row:
    """A row as the data platform stores it: what every table has, and its own columns (platform-facts 1.14)."""
    own: Row = {}
    if table == "ligands":
        own = {"variant_name_tag": "", **_computed(**columns)}
    elif table == "proteins":
        own = {"state": "unprocessed"}
    return {
        "id": identifier,
        "canonical_id": identifier,
        "version": 1,
        "valid_from": created,
        "valid_to": None,
        "modified_by": None,
        "deleted": False,
        "project_id": project,
        "project_scope_key": project or "__unscoped__",
        "subtable_name": table,
        "tags": {},
        "created_at": created,
        "updated_at": created,
        **dict.fromkeys(_content()["columns"].get(table, ())),
        **own,
        **columns,
    }


def _computed(*, smiles: str, canonical_smiles: str | None = None, **_: Any) -> Row:
    """What the platform works out of a molecule."""
    molecule = read_smiles(smiles)
    return {
        "canonical_smiles": canonical_smiles or canonical(smiles),
        "structure_key": molecule.key(),
        "formal_charge": molecule.charge,
        "molecular_weight": molecule.weight,
    }


def project_row(identifier: str, created: str, *, name: str, slug: str, description: str | None = None) -> Row:
    """A project as the data platform stores it."""
    own = {"name": name, "slug": slug, "description": description, "notes": None, "url_token": slug}
    return entity_row("projects", identifier, created, None, **own)
