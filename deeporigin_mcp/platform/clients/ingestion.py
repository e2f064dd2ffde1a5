"""The rows that the data platform makes of an import's results, some time after its run is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from deeporigin_mcp.platform.clients.entities import Entities
from deeporigin_mcp.platform.clients.executions import Executions
from deeporigin_mcp.platform.clients.import_records import require_success
from deeporigin_mcp.platform.clients.results import Results
from deeporigin_mcp.platform.records import status
from deeporigin_mcp.platform.records.entities import Ligand, Pose
from deeporigin_mcp.platform.records.execution import Execution
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.platform.waiting.engine import wait_for_all
from deeporigin_mcp.platform.waiting.observer import Observer

POLL_SECONDS = 2.0
NO_ROW_POSES_SECONDS = 30.0
SUBJECTS = 50_000


class Ingestion:
    """Waits for those rows. All methods raise:

    InvalidRequestError: `import_failed`: the data platform could not take in the results.
    WaitTimeoutError: it is still going on.
    """

    def __init__(
        self, timing: Timing, observer: Observer, executions: Executions, results: Results, entities: Entities
    ) -> None:
        self._timing = timing
        self._observer = observer
        self._executions = executions
        self._results = results
        self._entities = entities

    async def ligands(
        self,
        execution_id: str,
        smiles: Sequence[str],
        *,
        project_id: str | None,
        timeout_seconds: float,
        no_row_seconds: float,
    ) -> list[Ligand | None]:
        """The ligands of a completed workflow import, in the order of its SMILES; None for one that is not found.

        Args:
            no_row_seconds: when to stop waiting for the run's row: hidden runs may have none.
        """
        row = await self._row(execution_id, timeout_seconds, no_row_seconds)
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
        by_smiles |= await self._entities.ligands_by_smiles(lacking, project_id=project_id)
        return [Ligand(by_smiles[one]) if one in by_smiles else None for one in smiles]

    async def poses(
        self, execution_id: str, poses: Sequence[Pose | None], *, project_id: str | None, timeout_seconds: float
    ) -> list[Pose | None]:
        """The poses that a run made, with the ids that they have in the results."""
        await self._row(execution_id, timeout_seconds, NO_ROW_POSES_SECONDS)

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

    async def _row(self, execution_id: str, timeout_seconds: float, no_row_seconds: float) -> Json:
        """The data platform's row of a run, once it has taken in the results; `{}` if there is none."""
        source = _Rows(self._executions, self._results, self._observer, self._timing, no_row_seconds)
        found = await wait_for_all(
            source,
            [execution_id],
            poll_interval_seconds=POLL_SECONDS,
            timeout_seconds=timeout_seconds,
            timing=self._timing,
        )
        require_success(Execution(found[0]))
        return as_object(found[0].get("row"))


class _Rows:
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
