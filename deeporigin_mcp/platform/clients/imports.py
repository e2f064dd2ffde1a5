"""Molecules in: a file is staged as it is, and the platform's import tool makes rows of it (molecules-and-files 5, 6).

An import is a hidden run. It is created once; after a lost response it is found by its staged file. The tool decides
whether a molecule is new. Its rows are joined to the input by `record_index`.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import anyio

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    OutcomeUnknownError,
    RestrictionError,
    WaitTimeoutError,
)
from deeporigin_mcp.platform.clients.entities import LOOK_UP_PAUSES
from deeporigin_mcp.platform.clients.executions import Executions
from deeporigin_mcp.platform.clients.files import Files
from deeporigin_mcp.platform.clients.import_records import Import, LigandInput, csv_of, outcome_of, staged_path_of
from deeporigin_mcp.platform.clients.ingestion import POLL_SECONDS, Ingestion
from deeporigin_mcp.platform.clients.listing import Listing
from deeporigin_mcp.platform.clients.local_files import Source
from deeporigin_mcp.platform.records.execution import Execution
from deeporigin_mcp.platform.records.queries import ListQuery
from deeporigin_mcp.platform.records.values import Json, as_object, moment
from deeporigin_mcp.platform.transport.requests import CREATE_TIMEOUT_SECONDS
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.platform.transport.scope import Scope
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.platform.waiting.engine import watch
from deeporigin_mcp.platform.waiting.observer import Observer

TOOL_KEY = "deeporigin.import-dataset"
TOOL_VERSION = "3"
STAGING = "imports/staging"
SERVED_ROWS = 500
"""So many SMILES are imported while the request waits; more of them in a workflow."""
CSV_MAPPER = [{"field": name, "json-path": f"ligands.{name}"} for name in ("smiles", "name", "tags")]
DATABASE = {"database_key": "deeporigin.attributes_catalog", "database_version": "1.0.0"}
NO_ROW_SECONDS = 120.0
"""Hidden runs may never appear on the data platform (molecules-and-files 5.2)."""
LOOK_UP_SECONDS = 10.0
"""What is left of an import's time for finding its run when the response does not come."""
SHORTEST_SECONDS = 5.0
"""How long its response is waited for even if the time is up."""
IMPORT_SECONDS = CREATE_TIMEOUT_SECONDS + sum(LOOK_UP_PAUSES) + LOOK_UP_SECONDS
"""How long an import may take, unless its caller says it."""
DISCARD_SECONDS = 1.5
RECENT_IMPORTS = 100
ENDED_BADLY = ("import_failed", "import_incomplete")
"""Codes of errors about a run that is over."""

Suffix = Literal[".pdb", ".cif", ".mmcif", ".pdbqt", ".csv", ".smi", ".sdf"]


@dataclass(frozen=True)
class _Job:
    """One import: what is sent, and how its outcome is read."""

    inputs: Mapping[str, Any]
    staged_path: str
    project_id: str | None
    deadline: float
    count: int = 0
    """Records of the input, where the rows are joined to them."""
    smiles: Sequence[str] = ()
    no_row_seconds: float = NO_ROW_SECONDS

    @property
    def is_workflow(self) -> bool:
        """Whether it goes on after the response to its creation."""
        return "csv_path" in self.inputs

    @property
    def with_poses(self) -> bool:
        return bool(self.inputs.get("register_poses"))


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
        listing: Listing,
        files: Files,
        ingestion: Ingestion,
    ) -> None:
        self._scope = scope
        self._timing = timing
        self._observer = observer
        self._executions = executions
        self._listing = listing
        self._files = files
        self._ingestion = ingestion

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
        return await self._imported(_Job(inputs, staged_path, project_id, self._deadline(timeout_seconds)))

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
            no_row_seconds: of such a workflow; see `outcome`.
        """
        if not rows:
            raise ArgumentError("rows is empty.", next_step="Give at least one ligand.")
        # Before a file is staged for nothing.
        self._scope.project_for(project_id)
        deadline = self._deadline(timeout_seconds)
        path = await self.stage(io.BytesIO(csv_of(rows)), ".csv", name="ligands.csv")
        workflow = {"csv_path": path, "mapper": CSV_MAPPER, **DATABASE}
        inputs = {"process_csv": True, "file_path": path} if len(rows) <= SERVED_ROWS else workflow
        smiles = [row.smiles for row in rows]
        job = _Job(inputs, path, project_id, deadline, len(rows), smiles, no_row_seconds)
        try:
            dto = await self._created(job)
        except (ArgumentError, RestrictionError, CredentialError):
            # Nothing was created, and nobody else knows the file.
            await self.discard(path)
            raise
        return await self._ended(job, dto)

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
        return await self._imported(_Job(inputs, staged_path, project_id, self._deadline(timeout_seconds), count))

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
        return await self._imported(_Job(inputs, staged_path, project_id, self._deadline(timeout_seconds), count))

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
            no_row_seconds: of such an import: when to stop waiting for the data platform's row of it.
        """
        deadline = self._deadline(timeout_seconds)
        dto = await self._executions.get(execution_id)
        inputs, project_id = as_object(dto.get("userInputs")), Execution(dto).project_id or None
        path = staged_path or staged_path_of(dto)
        return await self._ended(_Job(inputs, path, project_id, deadline, count, smiles, no_row_seconds), dto)

    async def _imported(self, job: _Job) -> Import:
        return await self._ended(job, await self._created(job))

    async def _created(self, job: _Job) -> Json:
        """Create the run; it is over when the response comes, unless it is a workflow."""
        data = {
            "inputs": dict(job.inputs),
            "outputs": {},
            "metadata": {},
            "sync": not job.is_workflow,
            "visibility": "hidden",
            # A free import starts at once, a priced one waits to be confirmed (platform-facts 2.4).
            "approveAmount": 0,
            **_given({"projectId": job.project_id}),
        }
        try:
            return await self._executions.create(
                tool_key=TOOL_KEY,
                tool_version=TOOL_VERSION,
                data=data,
                timeout=min(CREATE_TIMEOUT_SECONDS, max(SHORTEST_SECONDS, self._left(job) - LOOK_UP_SECONDS)),
            )
        except OutcomeUnknownError as lost:
            return await self._found_again(job, lost)

    async def _found_again(self, job: _Job, lost: OutcomeUnknownError) -> Json:
        """The run with the job's staged file, which no other run has."""
        query = ListQuery(tool_key=TOOL_KEY, session=self._scope.session, order="createdAt desc")
        for pause in LOOK_UP_PAUSES:
            if pause > self._left(job):
                break
            await self._timing.sleep(pause)
            try:
                page = await self._listing.page(query, 0, RECENT_IMPORTS)
            except DeepOriginError:
                continue
            for row in rows_of(page):
                if staged_path_of(row) == job.staged_path:
                    return row
        raise OutcomeUnknownError(
            str(lost),
            next_step="It may still appear, in "
            f'client.executions.list(tool_key="{TOOL_KEY}", order="createdAt desc"). '
            "A second import makes no second proteins or ligands, but second poses.",
            http_status=lost.http_status,
            request_id=lost.request_id,
        ) from None

    async def _ended(self, job: _Job, dto: Json) -> Import:
        """What a run made, once it is over; ids that come later with the data platform's rows are waited for."""
        execution_id = Execution(dto).execution_id
        try:
            dto = await self._over(dto, self._left(job))
            done = outcome_of(dto, job.staged_path, 0 if job.is_workflow else job.count, with_poses=job.with_poses)
            if not done.is_completed:
                return done
            if job.is_workflow:
                done = replace(done, ligands=[None] * len(job.smiles))
                found = await self._ingestion.ligands(
                    execution_id,
                    job.smiles,
                    project_id=job.project_id or self._scope.project_id or None,
                    timeout_seconds=self._left(job),
                    no_row_seconds=job.no_row_seconds,
                )
                return replace(done, ligands=found, is_ingested=None not in found or not self._is_recent(dto))
            if job.with_poses:
                poses = await self._ingestion.poses(
                    execution_id, done.poses, project_id=job.project_id, timeout_seconds=self._left(job)
                )
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
            # Of one that still runs the engine keeps what changes only.
            dto = {**dto, **state.found.get(execution.execution_id, {})}
        return dto

    def _is_recent(self, dto: Json) -> bool:
        """Whether a run ended so short ago that its rows may still come."""
        ended = moment(dto.get("completedAt"))
        return ended is not None and self._timing.wall() - ended.timestamp() < NO_ROW_SECONDS

    def _deadline(self, timeout_seconds: float) -> float:
        return self._timing.monotonic() + timeout_seconds

    def _left(self, job: _Job) -> float:
        return max(0.0, job.deadline - self._timing.monotonic())


def _given(values: Mapping[str, Any]) -> Json:
    return {name: value for name, value in values.items() if value}
