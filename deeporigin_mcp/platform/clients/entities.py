"""Ligands and proteins of the organisation (molecules-and-files 3, 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    NetworkError,
    NotFoundError,
    OutcomeUnknownError,
    PlatformError,
    StateConflictError,
)
from deeporigin_mcp.platform.clients.kept import Kept
from deeporigin_mcp.platform.clients.paging import Cursors
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import (
    expect_object,
    in_envelope,
    next_cursor_of,
    rows_of,
)
from deeporigin_mcp.platform.transport.scope import Scope, segment
from deeporigin_mcp.platform.transport.timing import Timing

Kind = Literal["ligands", "proteins"]

SEARCH_SECONDS = 60.0
"""Ranges of weights are slow (molecules-and-files 4.1)."""
PAGE_ROWS = 100
IN_LIST = 500
"""Ids or SMILES in one `in`."""
KEPT_SECONDS = 300.0
"""How long what a row says of itself is kept for those who may do with that."""
KEPT_ROWS = 500
KEPT_FIELDS = frozenset({"id", "name", "smiles", "canonical_smiles", "file_path"})
"""Few and short: they name a molecule and where its file is."""
KEPT_CHARACTERS = 300
LOOK_UP_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each look-up of a row that may be there: a new one can be missing from a search for 15 s."""
LIGAND_FIELDS = (
    "id",
    "version",
    "valid_from",
    "valid_to",
    "modified_by",
    "deleted",
    "mol_file",
    "project_id",
    "subtable_name",
    "canonical_smiles",
    "smiles",
    "inchi_key",
    "inchi",
    "name",
    "formal_charge",
    "hbond_donor_count",
    "hbond_acceptor_count",
    "rotatable_bond_count",
    "tpsa",
    "molecular_weight",
    "structure_key",
    "tags",
    "origin_kind",
    "origin_entity_type",
    "origin_entity_id",
    "origin_entity_display_id",
)
PROTEIN_FIELDS = (
    "id",
    "version",
    "valid_from",
    "valid_to",
    "modified_by",
    "deleted",
    "project_id",
    "subtable_name",
    "uniprot_accession",
    "file_path",
    "gene_symbol",
    "pdb_id",
    "refseq_protein_id",
    "ensembl_protein_id",
    "alpha_fold_id",
    "fasta_sequence",
    "protein_name",
    "kegg_gene_id",
    "chembl_target_id",
    "binding_db_target_id",
    "drugbank_target_id",
    "pfam_id",
    "interpro_id",
    "ec_number",
    "ncbi_taxonomy_id",
    "protein_family",
    "ligandability_score",
    "protein_length",
    "state",
    "preparation",
    "structure_hash",
    "origin_kind",
    "origin_entity_type",
    "origin_entity_id",
    "origin_entity_display_id",
)
RETURNING: Mapping[Kind, Sequence[str]] = {"ligands": LIGAND_FIELDS, "proteins": PROTEIN_FIELDS}
"""What a create or an update returns; a whole row has seventy columns, some of them huge."""
COMPUTED_FIELDS = frozenset(
    {
        "molecular_weight",
        "hbond_donor_count",
        "hbond_acceptor_count",
        "rotatable_bond_count",
        "tpsa",
        "rule_of_5_violations",
        "sa_score",
        "log_p",
        "log_d",
        "log_s",
        "has_pains",
        "pains_fragments",
    }
)
"""The platform computes them, and refuses or ignores them in a create."""
IDENTITY: Mapping[Kind, Sequence[str]] = {
    "ligands": ("smiles", "variant_name_tag", "project_id"),
    "proteins": ("file_path", "protein_name", "pdb_id", "project_id"),
}
"""Fields by which a row is looked up whose creation has no known outcome."""


class Entities:
    """`client.entities`. Searches cover the whole organisation unless a condition names the project.

    Conditions are the platform's grammar: `{"project_id": "…", "name": {"icontains": "…"}, "props": [{column, op,
    value}]}`, all of which must hold. Deleted rows are never returned.
    """

    def __init__(self, transport: Transport, scope: Scope, timing: Timing) -> None:
        self._transport = transport
        self._scope = scope
        self._timing = timing
        self._kept = Kept[tuple[str, str], Json](timing, most=KEPT_ROWS, seconds=KEPT_SECONDS)
        """The short ones of `KEPT_FIELDS`, by table and id."""

    async def search(
        self,
        entity: str,
        conditions: Mapping[str, Any] | None = None,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        select: Sequence[str] | None = None,
        sort: Mapping[str, str] | None = None,
    ) -> Json:
        """One page: `{"data": [row, …], "meta": {"hasMore": …, "nextCursor": …}}`.

        Args:
            entity: `ligands`, `proteins` or another table such as `execution_subjects`.
            limit: rows; None means the platform's 100.
            sort: `asc` or `desc` by field.

        Raises:
            InvalidRequestError: a column that the table does not have.
        """
        if limit is not None and limit < 1:
            raise ArgumentError(f"Invalid limit {limit}. Valid: 1 or more.")
        body: Json = {"cursor": cursor} if cursor is not None else {}
        body["filter"] = {**(conditions or {}), "deleted": False}
        given = {"limit": limit, "offset": offset, "select": select, "sort": sort}
        body.update((name, value) for name, value in given.items() if value is not None)
        what = f"search {entity}"
        response = await self._transport.send(
            "POST",
            f"{self._path(entity)}/search",
            what=what,
            body=body,
            timeout_seconds=SEARCH_SECONDS,
        )
        found = in_envelope(response, what)
        self._keep(entity, rows_of(found))
        return found

    async def all(
        self,
        entity: str,
        conditions: Mapping[str, Any] | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        select: Sequence[str] | None = None,
        sort: Mapping[str, str] | None = None,
    ) -> list[Json]:
        """All rows up to `limit`, in pages of at most 100 by cursor; None means all there are."""
        size = PAGE_ROWS if limit is None else min(limit, PAGE_ROWS)
        rows: list[Json] = []
        cursor: str | None = None
        cursors = Cursors(entity)
        while True:
            page = await self.search(
                entity, conditions, cursor=cursor, limit=size, offset=offset, select=select, sort=sort
            )
            found = rows_of(page)
            rows += found
            following, offset = next_cursor_of(page), None
            if following is None or (limit is not None and len(rows) >= limit):
                return rows[:limit]
            cursor = cursors.next(following, has_new=bool(found))

    async def get(self, entity: str, entity_id: str) -> Json:
        """One row with all its columns.

        Raises:
            NotFoundError: no such row in this organisation, or it is deleted, or it is newer than a few seconds.
        """
        what = f"get {entity} {entity_id}"
        return expect_object(await self._transport.send("GET", self._path(entity, entity_id), what=what), what)

    async def get_many(
        self, entity: str, ids: Sequence[str], *, select: Sequence[str] | None = None, may_be_kept: bool = False
    ) -> dict[str, Json]:
        """Rows by id, in the order of `ids`; unknown ones are left out.

        Args:
            may_be_kept: rows that were read in the last `KEPT_SECONDS` are not requested again.
        """
        wanted = [*dict.fromkeys(ids)]
        found = self._kept_rows(entity, wanted, select) if may_be_kept and select else {}
        lacking = [name for name in wanted if name not in found]
        for start in range(0, len(lacking), IN_LIST):
            chunk = lacking[start : start + IN_LIST]
            page = await self.search(entity, {"id": {"in": chunk}}, limit=len(chunk), select=select)
            found.update((text(row.get("id")), row) for row in rows_of(page))
        return {name: found[name] for name in wanted if name in found}

    def _keep(self, entity: str, rows: Sequence[Json]) -> None:
        for row in rows[:KEPT_ROWS]:
            short = {name: value for name in KEPT_FIELDS & row.keys() if _is_short(value := row[name])}
            key = entity, text(short.get("id"))
            # A reading of fewer fields makes the others no younger.
            if key[1] and short.keys() >= (self._kept.get(key) or {}).keys():
                self._kept.put(key, short)

    def _kept_rows(self, entity: str, ids: Sequence[str], select: Sequence[str]) -> dict[str, Json]:
        kept = {name: self._kept.get((entity, name)) or {} for name in ids}
        return {name: {field: row[field] for field in select} for name, row in kept.items() if row.keys() >= {*select}}

    async def ligands_by_smiles(self, smiles: Sequence[str], *, project_id: str | None = None) -> dict[str, Json]:
        """Ligands by the platform's canonical SMILES; unknown ones are left out.

        Args:
            smiles: canonical, as RDKit writes it: `OCC` does not find `CCO`.
        """
        wanted = [*dict.fromkeys(filter(None, smiles))]
        found: dict[str, Json] = {}
        for start in range(0, len(wanted), IN_LIST):
            chunk = wanted[start : start + IN_LIST]
            conditions: Json = {} if project_id is None else {"project_id": project_id}
            conditions["deleted"] = False
            conditions["props"] = [{"column": "canonical_smiles", "op": "in", "value": chunk}]
            for row in await self.all("ligands", conditions, limit=2 * len(chunk)):
                found.setdefault(str(row.get("canonical_smiles")), row)
        return {name: found[name] for name in wanted if name in found}

    async def create(
        self,
        entity: Kind,
        values: Mapping[str, Any],
        *,
        returning: Sequence[str] | None = None,
    ) -> Json:
        """Create a row and return it. Sent once: after a lost response the row is looked up.

        The platform's import tool is the usual way (`client.imports`); it canonicalises and finds duplicates.

        Args:
            values: for a ligand at least `smiles`, for a protein `file_path`. `tags` get this package and its session.
            returning: columns; None means those that the official client asks for.

        Raises:
            StateConflictError: `already_exists`.
            OutcomeUnknownError: the response was lost, and the row is not found (yet).
        """
        row = self._row(entity, values)
        fields = RETURNING[entity] if returning is None else returning
        what = f"create a row of {entity}"
        body = {"set": row, "returning": [*fields]}
        try:
            return one_row(
                await self._transport.send("POST", self._path(entity), what=what, body=body, attempts=1), what
            )
        except StateConflictError as error:
            raise StateConflictError(
                str(error),
                next_step="Search for it and use that row. If it cannot be found, it was deleted.",
                http_status=409,
                request_id=error.request_id,
                code="already_exists",
                outcome="nothing_created",
            ) from None
        except (NetworkError, PlatformError) as error:
            is_redirect = error.http_status is not None and error.http_status < 400
            if is_redirect or (isinstance(error, NetworkError) and error.nothing_sent):
                raise
            if (found := await self._looked_up(entity, row)) is not None:
                return found
            raise OutcomeUnknownError(
                str(error),
                next_step="Search for it before creating it again.",
                http_status=error.http_status,
                request_id=error.request_id,
            ) from None

    async def _looked_up(self, entity: Kind, row: Json) -> Json | None:
        """The row of this session with these values; a new one may not be found at once."""
        conditions = {name: row[name] for name in IDENTITY[entity] if row.get(name) is not None}
        for pause in LOOK_UP_PAUSES:
            await self._timing.sleep(pause)
            try:
                page = await self.search(entity, conditions, limit=10, sort={"created_at": "desc"})
            except DeepOriginError:
                continue
            for found in rows_of(page):
                tags = found.get("tags")
                if isinstance(tags, dict) and tags.get("session") == row["tags"].get("session"):
                    return found
        return None

    async def update(
        self,
        entity: Kind,
        entity_id: str,
        values: Mapping[str, Any],
        *,
        returning: Sequence[str] | None = None,
    ) -> Json:
        """Write a new version of a row, with its id unchanged, and return it.

        Args:
            values: only what changes. `tags` replace all that there were.
        """
        changes = {name: value for name, value in values.items() if not _is_computed(entity, name)}
        self._kept.forget((entity, entity_id))
        if not changes:
            raise ArgumentError("values is empty.", next_step="Give at least one field to change.")
        if "tags" in changes:
            changes["tags"] = self._tags(changes["tags"])
        what = f"update {entity} {entity_id}"
        fields = RETURNING[entity] if returning is None else returning
        body = {"set": changes, "returning": [*fields]}
        return one_row(await self._transport.send("PATCH", self._path(entity, entity_id), what=what, body=body), what)

    async def delete(self, entity: Kind, entity_id: str) -> None:
        """Delete a row. It stays on record, and creating the same again may return the dead row's id.

        Raises:
            NotFoundError: no such row.
        """
        self._kept.forget((entity, entity_id))
        what = f"delete {entity} {entity_id}"
        response = await self._transport.send("DELETE", self._path(entity, entity_id), what=what)
        if isinstance(response, dict) and response.get("deleted") in (0, False):
            raise NotFoundError(f"The platform deleted nothing: {what}.", next_step="Check the id.", code="not_found")

    def _row(self, entity: Kind, values: Mapping[str, Any]) -> Json:
        row = {name: value for name, value in values.items() if value is not None and not _is_computed(entity, name)}
        tags = row.pop("tags", None)
        needed = "smiles" if entity == "ligands" else "file_path"
        if not row.get(needed):
            raise ArgumentError(f"{needed} is empty.", next_step=f"Give the {needed} of the new row.")
        if entity == "ligands":
            row = {
                "subtable_name": "ligands",
                "smiles": row.pop("smiles"),
                "variant_name_tag": row.pop("variant_name_tag", ""),
                **row,
            }
        # Provenance comes last, as in the official client.
        origin = {name: row.pop(name) for name in [*row] if name.startswith("origin_")}
        return {**row, "tags": self._tags(tags), **origin}

    def _tags(self, tags: Any) -> Json:
        own = {"app": self._scope.app, "session": self._scope.session}
        given = dict(tags or {})
        return {**given, **{name: value for name, value in own.items() if name not in given}}

    def _path(self, entity: str, entity_id: str | None = None) -> str:
        table = f"/data-platform/{self._scope.org_segment}/{segment(entity, 'entity')}"
        return table if entity_id is None else f"{table}/{segment(entity_id, 'id')}"


def one_row(response: Any, what: str) -> Json:
    """The row of a create (an object in `data`), an update (a list with one) or a look-up (the row itself).

    Raises:
        PlatformError: there is none.
    """
    found = response.get("data", response) if isinstance(response, dict) else response
    if isinstance(found, list):
        found = found[0] if found else None
    return expect_object(found, what)


def _is_short(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= KEPT_CHARACTERS)


def _is_computed(entity: Kind, name: str) -> bool:
    return entity == "ligands" and name in COMPUTED_FIELDS
