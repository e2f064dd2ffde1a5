"""The two organisations of the simulator, with their projects, clusters, users, molecules and money.

`organisations.json` says what they have; ids are constants, so that examples and tests can name them. `deeporigin` is
rich and may do everything; `acme` has 100 USD, no licence for relative free energies and a limit on ADMET. Each has a
junk cluster, as the real platform has (quirk 16): never the first, because clients take the first.
"""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

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
    unlicensed_tools: frozenset[str] = frozenset()
    admet_ligand_limit: int | None = None

    @property
    def auto_approve_up_to(self) -> float:
        """USD that a run may cost and still start without a confirm when `approveAmount` is absent."""
        return float(self.threshold)

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
    file = resources.files("deeporigin_mcp.simulator.state") / "organisations.json"
    return {entry["key"]: _organisation(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))}


def _organisation(
    *, projects: Table, clusters: list[Row], users: list[Row], ligands: Table, proteins: Table, **more: Any
) -> Organisation:
    first = next(iter(projects))
    molecules = {key: {**row, "canonical_smiles": row["smiles"]} for key, row in ligands.items()}
    times = {"createdAt": CREATED_AT, "updatedAt": CREATED_AT}
    return Organisation(
        **more,
        projects={key: project_row(key, CREATED_AT, **row) for key, row in projects.items()},
        clusters=[{**row, **times, **_health(more["key"], row)} for row in clusters],
        users=[{**row, "roles": ["Member"], "createdAt": CREATED_AT} for row in users],
        entities={
            table: {key: entity_row(table, key, CREATED_AT, first, **row) for key, row in rows.items()}
            for table, rows in (("ligands", molecules), ("proteins", proteins))
        },
    )


def _health(org: str, cluster: Row) -> Row:
    if cluster["name"] == "string":
        return {"orgKey": None, "enabled": False, "status": "unhealthy"}
    return {"orgKey": org, "enabled": True, "status": "healthy"}


def entity_row(table: str, identifier: str, created: str, project: str | None, **columns: object) -> Row:
    """A row as the data platform stores it: what every table has, and its own columns (platform-facts 1.14)."""
    return {
        "id": identifier,
        "canonical_id": identifier,
        "version": 1,
        "valid_from": created,
        "valid_to": None,
        "modified_by": None,
        "deleted": False,
        "project_id": project,
        "subtable_name": table,
        "tags": {},
        "created_at": created,
        "updated_at": created,
        **columns,
    }


def project_row(identifier: str, created: str, *, name: str, slug: str, description: str | None = None) -> Row:
    """A project as the data platform stores it."""
    own = {"name": name, "slug": slug, "description": description, "notes": None, "url_token": slug}
    return entity_row("projects", identifier, created, None, **own)
