"""Molecules in: a file is staged as it is, and the platform's import tool makes rows of it (molecules-and-files 5, 6).

An import is a hidden run. It is created once; after a lost response it is found by its staged file. The tool decides
whether a molecule is new. Its rows are joined to the input by `record_index`.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import anyio

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    InvalidRequestError,
    OutcomeUnknownError,
    PlatformError,
    RestrictionError,
    WaitTimeoutError,
)
from deeporigin_mcp.platform.clients.entities import LOOK_UP_PAUSES, Entities
from deeporigin_mcp.platform.clients.executions import ExecutionListing, Executions
from deeporigin_mcp.platform.clients.files import Files, Source
from deeporigin_mcp.platform.clients.results import Results
from deeporigin_mcp.platform.records import status
from deeporigin_mcp.platform.records.entities import Ligand, Pose, Protein, index
from deeporigin_mcp.platform.records.execution import Execution
from deeporigin_mcp.platform.records.queries import ListQuery
from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.records.values import Json, as_object, moment, text
from deeporigin_mcp.platform.transport.requests import CREATE_TIMEOUT_SECONDS
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.platform.transport.scope import Scope
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.platform.waiting.engine import wait_for_all, watch
from deeporigin_mcp.platform.waiting.observer import Observer

TOOL_KEY = "deeporigin.import-dataset"
TOOL_VERSION = "3"
STAGING = "imports/staging"
SERVED_ROWS = 500
"""So many SMILES are imported while the request waits; more of them in a workflow."""
CSV_MAPPER = [{"field": name, "json-path": f"ligands.{name}"} for name in ("smiles", "name", "tags")]
DATABASE = {"database_key": "deeporigin.attributes_catalog", "database_version": "1.0.0"}
POLL_SECONDS = 2.0
WAIT_SECONDS = 3600.0
NO_ROW_SECONDS = 120.0
"""Hidden runs may never appear on the data platform (molecules-and-files 5.2)."""
NO_ROW_POSES_SECONDS = 30.0
LOOK_UP_SECONDS = 10.0
"""What is left of an import's time for finding its run when the response does not come."""
SHORTEST_SECONDS = 5.0
"""How long its response is waited for even if the time is up."""
IMPORT_SECONDS = CREATE_TIMEOUT_SECONDS + sum(LOOK_UP_PAUSES) + LOOK_UP_SECONDS
"""How long an import may take, unless its caller says it."""
DISCARD_SECONDS = 1.5
SUBJECTS = 50_000
RECENT_IMPORTS = 100
ENDED_BADLY = ("import_failed", "import_incomplete")
"""Codes of errors about a run that is over."""

Suffix = Literal[".pdb", ".cif", ".mmcif", ".pdbqt", ".csv", ".smi", ".sdf"]


@dataclass(frozen=True)
class LigandInput:
    """A ligand to import. `smiles` should be canonical, as RDKit writes it."""

    smiles: str
    name: str = ""
    tags: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Import:
    """What became of an import.

    `execution.status` is `Completed`; or `Quoted`, for one that has a price and waits to be confirmed; or an active
    one, if the time was up: `client.imports.outcome` reads it later.
    """

    execution: Execution
    staged_path: str
    proteins: list[Protein] = field(default_factory=list)
    ligands: list[Ligand | None] = field(default_factory=list)
    """By the record of the input; None for one that the tool returned no row for."""
    poses: list[Pose | None] = field(default_factory=list)
    is_ingested: bool = True
    """False if it is completed, but the data platform had not taken in its rows when the time was up."""

    @property
    def missing(self) -> list[int]:
        """Records of the input, from 0, without a row."""
        return [number for number, row in enumerate(self.poses or self.ligands) if row is None]

    @property
    def is_completed(self) -> bool:
        return self.execution.status == status.SUCCEEDED


class Imports:
    """`client.imports`.

    All methods raise:
        ArgumentError: `no_project`, another project than the client's, or nothing to import; nothing was sent.
        InvalidRequestError: `import_failed`: the import ended without success; it says why.
        RestrictionError: licence, plan or money refuse it.
        OutcomeUnknownError: it was sent once, the response was lost, and it is not found.
    """

    def __init__(
        self,
        scope: Scope,
        timing: Timing,
        observer: Observer,
        executions: Executions,
        listing: ExecutionListing,
        files: Files,
        entities: Entities,
        results: Results,
    ) -> None:
        self._scope = scope
        self._timing = timing
        self._observer = observer
        self._executions = executions
        self._listing = listing
        self._files = files
        self._entities = entities
        self._results = results

    async def stage(self, source: Source, suffix: Suffix, *, name: str | None = None) -> str:
        """Upload a file, unchanged, to a fresh path below `imports/staging/`; returns the path.

        Args:
            name: its local name; None: the source's.
        """
        path = self.fresh_path(suffix)
        await self._files.upload(source, path, name=name, overwrite=True)
        return path

    def fresh_path(self, suffix: Suffix) -> str:
        """A path below `imports/staging/` that nothing else has."""
        return f"{STAGING}/{secrets.token_hex(16)}{suffix}"

    async def discard(self, staged_path: str) -> None:
        """Delete a staged file that no import needs; best effort. Poses need theirs for ever.

        Raises:
            ArgumentError: the path is not below `imports/staging/`; code `invalid_path`.
        """
        if not staged_path.startswith(f"{STAGING}/"):
            raise ArgumentError(f"{staged_path[:200]!r} is no staged file.", code="invalid_path")
        # Also for a caller whose time is up, but not for long.
        with anyio.move_on_after(DISCARD_SECONDS, shield=True):
            try:
                await self._files.delete(staged_path)
            except DeepOriginError:
                # It is in nobody's way.
                return

    async def protein(
        self,
        staged_path: str,
        *,
        name: str = "",
        pdb_id: str = "",
        uniprot_accession: str = "",
        tags: Mapping[str, Any] | None = None,
        project_id: str | None = None,
        timeout_seconds: float = IMPORT_SECONDS,
    ) -> Import:
        """Register a staged structure (PDB or mmCIF) as a protein.

        Args:
            timeout_seconds: how long to wait for its end.
        """
        named = {"protein_name": name, "pdb_id": pdb_id, "uniprot_accession": uniprot_accession}
        inputs = {"process_pdb": True, "file_path": staged_path, **_given(named), **_given({"tags": tags})}
        return await self._imported(inputs, staged_path, project_id, self._until(timeout_seconds))

    async def ligands(
        self,
        rows: Sequence[LigandInput],
        *,
        project_id: str | None = None,
        timeout_seconds: float = IMPORT_SECONDS,
        no_row_seconds: float = NO_ROW_SECONDS,
    ) -> Import:
        """Register ligands by their SMILES: one CSV, staged here. Equal molecules get the same id.

        More than 500 take a workflow, which also waits for the platform to take in the results.

        Args:
            no_row_seconds: of such a workflow; see `ingested`.
        """
        if not rows:
            raise ArgumentError("rows is empty.", next_step="Give at least one ligand.")
        # Before a file is staged for nothing.
        self._scope.project_for(project_id)
        until = self._until(timeout_seconds)
        content = io.BytesIO(_csv_of(rows))
        path = await self.stage(content, ".csv", name="ligands.csv")
        is_served = len(rows) <= SERVED_ROWS
        workflow = {"csv_path": path, "mapper": CSV_MAPPER, **DATABASE}
        inputs = {"process_csv": True, "file_path": path} if is_served else workflow
        smiles = [row.smiles for row in rows]
        try:
            dto = await self._created(inputs, path, project_id, until, is_served=is_served)
        except (ArgumentError, RestrictionError, CredentialError):
            # Nothing was created, and nobody else knows the file.
            await self.discard(path)
            raise
        return await self._ended(
            dto,
            inputs,
            path,
            until,
            project_id=project_id,
            count=len(rows),
            smiles=smiles,
            no_row_seconds=no_row_seconds,
        )

    async def sdf(
        self,
        staged_path: str,
        count: int,
        *,
        tags: Mapping[str, Any] | None = None,
        project_id: str | None = None,
        timeout_seconds: float = IMPORT_SECONDS,
    ) -> Import:
        """Register the records of a staged SDF as ligands with files.

        Args:
            count: how many records the file has.
        """
        inputs = {"process_sdf": True, "file_path": staged_path, "register_poses": False, "origin": "registered"}
        inputs |= _given({"tags": tags})
        return await self._imported(inputs, staged_path, project_id, self._until(timeout_seconds), count=count)

    async def poses(
        self,
        staged_path: str,
        count: int,
        *,
        protein_id: str,
        origin: str = "registered",
        tags: Mapping[str, Any] | None = None,
        project_id: str | None = None,
        timeout_seconds: float = IMPORT_SECONDS,
    ) -> Import:
        """Register the records of a staged SDF as poses in a protein, and wait until they have ids.

        The ids come with the platform's results; a pose without one yet has an empty `id`.
        """
        if not protein_id.strip():
            raise ArgumentError("protein_id is empty.", next_step="Give the protein that the poses are in.")
        inputs = {"process_sdf": True, "file_path": staged_path, "register_poses": True, "origin": origin}
        inputs |= {"protein_id": protein_id, **_given({"tags": tags})}
        return await self._imported(inputs, staged_path, project_id, self._until(timeout_seconds), count=count)

    async def outcome(
        self,
        execution_id: str,
        count: int = 0,
        *,
        smiles: Sequence[str] = (),
        staged_path: str = "",
        timeout_seconds: float = 0.0,
        no_row_seconds: float = NO_ROW_SECONDS,
    ) -> Import:
        """What became of an import that was not over, or had to be confirmed.

        Args:
            count: records of the input.
            smiles: of an import of more than 500: those of its input, by which its ligands are found.
        """
        until = self._until(timeout_seconds)
        dto = await self._executions.get(execution_id)
        inputs = as_object(dto.get("userInputs"))
        path = staged_path or staged_path_of(dto)
        project_id = Execution(dto).project_id or None
        return await self._ended(
            dto,
            inputs,
            path,
            until,
            project_id=project_id,
            count=count,
            smiles=smiles,
            no_row_seconds=no_row_seconds,
        )

    async def ingested(
        self,
        execution_id: str,
        *,
        timeout_seconds: float = WAIT_SECONDS,
        no_row_seconds: float = NO_ROW_SECONDS,
    ) -> Json:
        """Wait until the data platform has taken in the results of a completed run; returns its row there.

        Args:
            no_row_seconds: when to stop waiting for a row; `{}` is returned then.

        Raises:
            InvalidRequestError: `import_failed`.
            WaitTimeoutError: it is still going on.
        """
        source = _Ingestion(self._executions, self._results, self._observer, self._timing, no_row_seconds)
        found = await wait_for_all(
            source,
            [execution_id],
            poll_interval_seconds=POLL_SECONDS,
            timeout_seconds=timeout_seconds,
            timing=self._timing,
        )
        _require_success(Execution(found[0]))
        return as_object(found[0].get("row"))

    async def ligand_rows(
        self,
        execution_id: str,
        smiles: Sequence[str],
        *,
        project_id: str | None = None,
        timeout_seconds: float = WAIT_SECONDS,
        no_row_seconds: float = NO_ROW_SECONDS,
    ) -> list[Ligand | None]:
        """The ligands of a completed workflow import, in the order of its SMILES; None for one that is not found.

        Raises:
            WaitTimeoutError: the data platform has not taken them in yet.
        """
        row = await self.ingested(execution_id, timeout_seconds=timeout_seconds, no_row_seconds=no_row_seconds)
        row_id = next((text(row.get(key)) for key in ("id", "canonical_id", "execution_id") if row.get(key)), "")
        by_smiles: dict[str, Json] = {}
        if row_id:
            conditions = {"execution_id": {"eq": row_id}, "entity_type": {"eq": "ligand"}}
            subjects = rows_of(await self._entities.search("execution_subjects", conditions, limit=SUBJECTS))
            ids = [text(one.get("entity_canonical_id") or one.get("entityCanonicalId")) for one in subjects]
            found = await self._entities.get_many("ligands", [name for name in ids if name])
            # As they were given, too: the platform's canonical form may be another than the caller's.
            by_smiles = {text(one.get("smiles")): one for one in found.values()}
            by_smiles |= {text(one.get("canonical_smiles")): one for one in found.values()}
        lacking = [one for one in smiles if one not in by_smiles]
        project = project_id or self._scope.project_id or None
        by_smiles |= await self._entities.ligands_by_smiles(lacking, project_id=project)
        return [Ligand(by_smiles[one]) if one in by_smiles else None for one in smiles]

    async def _imported(
        self, inputs: Mapping[str, Any], staged_path: str, project_id: str | None, until: float, *, count: int = 0
    ) -> Import:
        dto = await self._created(inputs, staged_path, project_id, until)
        return await self._ended(dto, inputs, staged_path, until, project_id=project_id, count=count)

    async def _ended(
        self,
        dto: Json,
        inputs: Mapping[str, Any],
        staged_path: str,
        until: float,
        *,
        project_id: str | None,
        count: int,
        smiles: Sequence[str] = (),
        no_row_seconds: float = NO_ROW_SECONDS,
    ) -> Import:
        """What a run made, once it is over; ids that come later with the data platform's rows are waited for."""
        is_workflow, execution_id = "csv_path" in inputs, Execution(dto).execution_id
        with_poses = bool(inputs.get("register_poses"))
        try:
            dto = await self._over(dto, self._left(until))
            done = _outcome(dto, staged_path, 0 if is_workflow else count, with_poses=with_poses)
            if not done.is_completed:
                return done
            if is_workflow:
                done = replace(done, ligands=[None] * len(smiles))
                found = await self.ligand_rows(
                    execution_id,
                    smiles,
                    project_id=project_id,
                    timeout_seconds=self._left(until),
                    no_row_seconds=no_row_seconds,
                )
                return replace(done, ligands=found, is_ingested=None not in found or not self._is_recent(dto))
            if with_poses:
                poses = await self._poses_with_ids(execution_id, done.poses, project_id, self._left(until))
                return replace(done, poses=poses)
        except WaitTimeoutError:
            return replace(done, is_ingested=False)
        except DeepOriginError as error:
            if error.code in ENDED_BADLY:
                raise
            raise OutcomeUnknownError(
                f"Import {execution_id} was started, but its outcome cannot be read: {error}",
                next_step=error.next_step,
                http_status=error.http_status,
                request_id=error.request_id,
            ) from None
        return done

    async def _poses_with_ids(
        self, execution_id: str, poses: Sequence[Pose | None], project_id: str | None, timeout_seconds: float
    ) -> list[Pose | None]:
        await self.ingested(execution_id, timeout_seconds=timeout_seconds, no_row_seconds=NO_ROW_POSES_SECONDS)

        async def page(cursor: str | None, offset: int) -> Json:
            return await self._results.poses(
                compute_job_id=execution_id, project_id=project_id, cursor=cursor, offset=offset
            )

        rows = [Pose(row) for row in await self._results.all(page, limit=2 * len(poses))]
        by_record = {pose.record_index: pose for pose in rows}
        by_path = {pose.file_path: pose for pose in rows}
        return [
            by_record.get(number) or (by_path.get(pose.file_path) if pose else None) or pose
            for number, pose in enumerate(poses)
        ]

    async def _created(
        self,
        inputs: Mapping[str, Any],
        staged_path: str,
        project_id: str | None,
        until: float,
        *,
        is_served: bool = True,
    ) -> Json:
        """Create the run; a served one is over when the response comes."""
        data = {
            "inputs": dict(inputs),
            "outputs": {},
            "metadata": {},
            "sync": is_served,
            "visibility": "hidden",
            # A free import starts at once, a priced one waits to be confirmed (platform-facts 2.4).
            "approveAmount": 0,
            **_given({"projectId": project_id}),
        }
        try:
            return await self._executions.create(
                tool_key=TOOL_KEY,
                tool_version=TOOL_VERSION,
                data=data,
                timeout=min(CREATE_TIMEOUT_SECONDS, max(SHORTEST_SECONDS, self._left(until) - LOOK_UP_SECONDS)),
            )
        except OutcomeUnknownError as lost:
            return await self._found_again(staged_path, lost, until)

    def _is_recent(self, dto: Json) -> bool:
        """Whether a run ended so short ago that its rows may still come."""
        ended = moment(dto.get("completedAt"))
        return ended is not None and self._timing.wall() - ended.timestamp() < NO_ROW_SECONDS

    def _until(self, timeout_seconds: float) -> float:
        return self._timing.monotonic() + timeout_seconds

    def _left(self, until: float) -> float:
        return max(0.0, until - self._timing.monotonic())

    async def _found_again(self, staged_path: str, lost: OutcomeUnknownError, until: float) -> Json:
        """The run with this staged file, which no other run has."""
        query = ListQuery(tool_key=TOOL_KEY, session=self._scope.session, order="createdAt desc")
        for pause in LOOK_UP_PAUSES:
            if pause > self._left(until):
                break
            await self._timing.sleep(pause)
            try:
                page = await self._listing.page(query, 0, RECENT_IMPORTS)
            except DeepOriginError:
                continue
            for row in rows_of(page):
                if staged_path_of(row) == staged_path:
                    return row
        raise OutcomeUnknownError(
            str(lost),
            next_step="It may still appear: list the hidden executions before importing again. "
            "A second import makes no second proteins or ligands, but second poses.",
            http_status=lost.http_status,
            request_id=lost.request_id,
        ) from None

    async def _over(self, dto: Json, timeout_seconds: float) -> Json:
        execution = Execution(dto)
        if not execution.is_settled and timeout_seconds > 0:
            state = await watch(
                self._observer,
                [execution.execution_id],
                poll_interval_seconds=POLL_SECONDS,
                timeout_seconds=timeout_seconds,
                timing=self._timing,
            )
            if state.given_up:
                raise state.failed[execution.execution_id]
            dto = state.found.get(execution.execution_id, dto)
        return dto


class _Ingestion:
    """A `Source` of the wait engine that polls the data platform's row of a run instead of the run."""

    def __init__(
        self, executions: Executions, results: Results, observer: Observer, timing: Timing, no_row_seconds: float
    ) -> None:
        self._executions = executions
        self._results = results
        self._observer = observer
        self._timing = timing
        self._give_up_at = timing.monotonic() + no_row_seconds

    def now(self) -> float:
        return self._observer.now()

    async def poll(self, execution_id: str) -> Json:
        rows = rows_of(await self._executions.search(compute_job_id=execution_id, limit=1))
        if rows:
            found = status.normalised(rows[0].get("status"))
            return {"executionId": execution_id, "status": found, "row": rows[0]}
        has_results = rows_of(await self._results.page(compute_job_id=execution_id, limit=1))
        is_over = bool(has_results) or self._timing.monotonic() >= self._give_up_at
        return {"executionId": execution_id, "status": status.SUCCEEDED if is_over else "Running"}

    async def active(self, oldest: datetime | None) -> dict[str, Json]:  # noqa: ARG002
        return {}

    async def follow(
        self,
        project_id: str,
        ids: Sequence[str],
        on_open: Callable[[], None],
        on_dirty: Callable[[list[str]], None],
    ) -> None:
        """There are no events about it."""


def _outcome(dto: Json, staged_path: str, count: int, *, with_poses: bool) -> Import:
    execution = Execution(dto)
    if execution.is_terminal:
        _require_success(execution)
    if execution.status != status.SUCCEEDED:
        return Import(execution, staged_path)
    proteins = [Protein(row) for row in _rows(dto, "proteins")]
    found = Import(
        execution,
        staged_path,
        proteins=[protein for protein in proteins if protein.id],
        ligands=[Ligand(row) if row else None for row in by_record(_rows(dto, "ligands"), count)],
        poses=[Pose(row) if row else None for row in by_record(_rows(dto, "poses"), count)] if with_poses else [],
    )
    if as_object(dto.get("userInputs")).get("process_pdb") and not found.proteins:
        raise PlatformError(
            f"Import {execution.execution_id} is completed but returned no protein.",
            next_step="Search for the protein; tell the user if it is not there.",
            code="import_incomplete",
        )
    return found


def _require_success(execution: Execution) -> None:
    if execution.status == status.SUCCEEDED:
        return
    reason = execution.status_reason
    raise InvalidRequestError(
        f"Import {execution.execution_id} ended with the status {execution.status}."
        + (f" The platform says: {reason.rstrip('.')}." if reason else ""),
        next_step="Correct what the reason names, then import again." if reason else "Read its log, then import again.",
        code="import_failed",
    )


def by_record(rows: Sequence[Json], count: int) -> list[Json | None]:
    """Rows in the order of the input's records, by `record_index`; by position if no row has one.

    A row without an id is none. Of rows with equal indexes the first is kept.

    Args:
        count: records of the input; 0, where that is not known: those that have a row.
    """
    if not any("record_index" in row for row in rows):
        found: dict[int | None, Json] = {**dict(enumerate(rows))}
    else:
        found = {}
        for row in rows:
            found.setdefault(index(row.get("record_index")), row)
    usable = {number: row for number, row in found.items() if number is not None and _is_usable(row)}
    return [usable.get(number) for number in (range(count) if count else sorted(usable))]


def _is_usable(row: Json) -> bool:
    # Poses of an import have no id of their own.
    return bool(word(row.get("id")) or text(row.get("file_path")))


def _outputs(dto: Json) -> Json:
    """`jobOutputs`: an object, or in places a list of objects."""
    outputs = dto.get("jobOutputs")
    if isinstance(outputs, list):
        return {name: value for one in outputs if isinstance(one, dict) for name, value in one.items()}
    return as_object(outputs)


def _rows(dto: Json, kind: str) -> list[Json]:
    return rows_of(_outputs(dto).get(kind))


def staged_path_of(dto: Json) -> str:
    """The file that a run imports; empty for a run of another tool."""
    inputs = as_object(dto.get("userInputs"))
    return text(inputs.get("file_path")) or text(inputs.get("csv_path"))


def _given(values: Mapping[str, Any]) -> Json:
    return {name: value for name, value in values.items() if value}


def _csv_of(rows: Sequence[LigandInput]) -> bytes:
    fields = ["smiles", "name", *(["tags"] if any(row.tags for row in rows) else [])]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(fields)
    for row in rows:
        tags = json.dumps(dict(row.tags)) if row.tags else ""
        writer.writerow([row.smiles, row.name, tags][: len(fields)])
    return out.getvalue().encode()
