"""The two organisations of the simulator, with their projects, clusters, users and money.

| key | projects | clusters | balance | auto-approval |
|---|---|---|---|---|
| `deeporigin` | 3 | 2 and a junk row | 5,000 USD | up to 25 USD, `threshold` a string |
| `acme` | 2 | 2 and a junk row | 100 USD | up to 5 USD, `threshold` a number |

`acme` has no licence for relative free energies and a tier limit on ADMET (see `restrictions`). Ids are
constants, so that examples and tests can name them.
"""

from dataclasses import dataclass, field
from typing import Any

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
        projects: Project rows by id (platform-facts 1.14).
        clusters: Cluster rows in serving order (platform-facts 1.12).
        users: User rows.
        unlicensed_tools: Keys that this organisation may not create.
        admet_ligand_limit: Most ligands of one ADMET run, None without a limit.
    """

    key: str
    name: str
    identifier: str
    threshold: str | float
    balance: float
    projects: dict[str, dict[str, Any]]
    clusters: list[dict[str, Any]]
    users: list[dict[str, Any]]
    unlicensed_tools: frozenset[str] = frozenset()
    admet_ligand_limit: int | None = None
    entities: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @property
    def auto_approve_up_to(self) -> float:
        """USD that a run may cost and still start without a confirm when `approveAmount` is absent."""
        return float(self.threshold)

    def row(self) -> dict[str, Any]:
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
    first = Organisation(
        key="deeporigin",
        name="Deep Origin Simulated",
        identifier="c4a1f0de-1d0b-4d8e-8c7b-2f64a1c00001",
        threshold="25.00",
        balance=5000.0,
        projects=_projects(
            ("09DEMAKNASE01", "Kinase pilot", "kinase-pilot", "First hits against a kinase."),
            ("09DEMAGPCR002", "GPCR selectivity", "gpcr-selectivity", None),
            ("09DEMASNDB0X3", "Sandbox", "sandbox", "Anything goes."),
        ),
        clusters=_clusters(
            "deeporigin",
            ("1f6f2c58-31c1-4a55-9a51-000000000001", "gpu-west", "gpu-west.deeporigin.invalid"),
            ("1f6f2c58-31c1-4a55-9a51-000000000002", "cpu-east", "cpu-east.deeporigin.invalid"),
        ),
        users=_users(
            ("5d9b0c1e-7a44-4f0e-9c55-3f1f0f6f2a10", "Ada", "Simulated", "ada@deeporigin.invalid"),
            ("6b06d8f8-1f55-472c-a86c-f19651ba4b20", "Local", "User", "local@deeporigin.invalid"),
        ),
        entities=_entities("09DEMAKNASE01", "deeporigin"),
    )
    second = Organisation(
        key="acme",
        name="Acme Therapeutics",
        identifier="c4a1f0de-1d0b-4d8e-8c7b-2f64a1c00002",
        threshold=5.0,
        balance=100.0,
        projects=_projects(
            ("09ACMEPR0J001", "Protease leads", "protease-leads", "Lead series A."),
            ("09ACMEPR0J002", "Archive", "archive", None),
        ),
        clusters=_clusters(
            "acme",
            ("2a7b3d69-42d2-4b66-8b62-000000000001", "main", "main.acme.invalid"),
            ("2a7b3d69-42d2-4b66-8b62-000000000002", "spare", "spare.acme.invalid"),
        ),
        users=_users(
            ("7c17e9a9-2a66-4d1d-8d6d-00000000a001", "Bo", "Acme", "bo@acme.invalid"),
            ("7c17e9a9-2a66-4d1d-8d6d-00000000a002", "Cy", "Acme", "cy@acme.invalid"),
        ),
        unlicensed_tools=frozenset({"deeporigin.rbfe"}),
        admet_ligand_limit=20,
        entities=_entities("09ACMEPR0J001", "acme"),
    )
    return {first.key: first, second.key: second}


def project_row(identifier: str, name: str, slug: str, description: str | None, created: str) -> dict[str, Any]:
    """A project as the data platform stores it (platform-facts 1.14)."""
    return {
        "id": identifier,
        "canonical_id": identifier,
        "version": 1,
        "valid_from": created,
        "valid_to": None,
        "modified_by": None,
        "deleted": False,
        "project_id": None,
        "subtable_name": "projects",
        "name": name,
        "slug": slug,
        "description": description,
        "tags": {},
        "notes": None,
        "url_token": slug,
        "created_at": created,
        "updated_at": created,
    }


def _projects(*rows: tuple[str, str, str, str | None]) -> dict[str, dict[str, Any]]:
    return {row[0]: project_row(*row, created=CREATED_AT) for row in rows}


def _clusters(org: str, *rows: tuple[str, str, str]) -> list[dict[str, Any]]:
    def cluster(identifier: str, name: str, hostname: str, *, healthy: bool = True) -> dict[str, Any]:
        return {
            "id": identifier,
            "createdAt": CREATED_AT,
            "updatedAt": CREATED_AT,
            "hostname": hostname,
            "name": name,
            "orgKey": org if healthy else None,
            "enabled": healthy,
            "status": "healthy" if healthy else "unhealthy",
        }

    # Junk rows exist on the real platform (quirk 16); never first, because clients take the first.
    junk = cluster("00000000-0000-4000-8000-0000000000ff", "string", "string", healthy=False)
    first, *others = rows
    return [cluster(*first), junk, *(cluster(*row) for row in others)]


def _users(*rows: tuple[str, str, str, str]) -> list[dict[str, Any]]:
    return [
        {
            "id": identifier,
            "firstName": first,
            "lastName": last,
            "email": email,
            "roles": ["Member"],
            "createdAt": CREATED_AT,
        }
        for identifier, first, last, email in rows
    ]


def _entities(project: str, org: str) -> dict[str, dict[str, dict[str, Any]]]:
    """A few ligands and one protein per organisation, so that project-wide runs have something to do."""
    ligands = {}
    for index, smiles in enumerate(("CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "CN1CCCC1c1cccnc1")):
        identifier = f"08{org[:2].upper().replace('O', '0')}L1GAND{index:03d}"
        ligands[identifier] = _entity(
            identifier, project, "ligands", name=f"ligand {index + 1}", smiles=smiles, canonical_smiles=smiles
        )
    protein = f"08{org[:2].upper().replace('O', '0')}PR0TE1N00"
    proteins = {
        protein: _entity(protein, project, "proteins", protein_name="toy kinase", file_path="entities/proteins/toy.pdb")
    }
    return {"ligands": ligands, "proteins": proteins}


def _entity(identifier: str, project: str, table: str, **columns: object) -> dict[str, Any]:
    return {
        "id": identifier,
        "canonical_id": identifier,
        "version": 1,
        "valid_from": CREATED_AT,
        "valid_to": None,
        "modified_by": None,
        "deleted": False,
        "project_id": project,
        "subtable_name": table,
        "tags": {},
        "created_at": CREATED_AT,
        "updated_at": CREATED_AT,
        **columns,
    }
