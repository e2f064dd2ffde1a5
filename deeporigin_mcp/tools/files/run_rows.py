"""The result rows of a run, and which of them are poses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.entities import Pose
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.runtime.executions import read_as_stored

ALL, BEST_POSES = "all", "best_poses"
REPORT, TABLE, RECORD = MADE = ("report", "table", "record")
"""What a download makes of a run."""
PAGE_ROWS = 1_000
ROWS_READ_FOR_TYPES = 200
MAX_ROWS = 10_000
STORING_PAUSES = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
"""Seconds between looks at the rows of a run that has just ended."""
_TYPES = {"poses": "pose", "pockets": "pocket", "protein": "preparedprotein"}
"""Result types that `jobOutputs` names otherwise."""


class RunRows(NamedTuple):
    """Rows of a run; `is_being_stored`: there may be some a minute later; `is_cut`: there are more than were read."""

    rows: list[Json]
    is_being_stored: bool
    is_cut: bool


async def rows_of_run(
    client: DeepOriginClient, execution: Execution, what: str, most: int = MAX_ROWS, *, waits: bool
) -> RunRows:
    """All rows of an execution, its best poses, or those of one type.

    Args:
        most: rows that are read at most.
        waits: for half a minute, while the results of a run that has just ended are being stored.

    Raises:
        ArgumentError: `what` is no type of result that it has.
    """
    wanted = _TYPES.get(what.strip().lower(), what.strip().lower())
    rows = await _read(client, execution, wanted, most)
    if not rows:
        kind = "pose" if wanted == BEST_POSES else wanted
        rows = [row for name, row in output_rows(execution) if kind in (ALL, name)]
    rows, is_stored_later = await read_as_stored(
        client,
        execution,
        lambda: _read(client, execution, wanted, most),
        rows,
        pauses=STORING_PAUSES if waits else (),
    )
    if not rows and wanted != ALL:
        await _refuse_unknown_type(client, execution, what)
    # Where rows have come, whether some are missing is told by the ligands.
    chosen = best_poses(rows) if wanted == BEST_POSES else rows
    return RunRows(chosen, is_stored_later and not rows, is_cut=len(rows) >= most)


async def all_rows(client: DeepOriginClient, execution: Execution, most: int = MAX_ROWS) -> list[Json]:
    """The result rows of an execution, up to `most`: one request for each 1,000."""
    return await _read(client, execution, ALL, most)


async def _read(client: DeepOriginClient, execution: Execution, wanted: str, most: int = MAX_ROWS) -> list[Json]:
    project = execution.project_id or None

    async def page(cursor: str | None, _: int) -> Json:
        if wanted == BEST_POSES:
            return await client.results.poses(
                compute_job_id=execution.execution_id,
                best_pose=best,
                project_id=project,
                limit=PAGE_ROWS,
                cursor=cursor,
            )
        return await client.results.page(
            compute_job_id=execution.execution_id,
            result_type=None if wanted == ALL else wanted,
            project_id=project,
            limit=PAGE_ROWS,
            cursor=cursor,
        )

    best: bool | None = True
    rows = await client.results.all(page, most)
    if not rows and wanted == BEST_POSES:
        # Older rows do not say which is the best.
        best = None
        rows = await client.results.all(page, most)
    return rows


def output_rows(execution: Execution) -> Iterator[tuple[str, Json]]:
    """Type and row of each object in `jobOutputs`, which is an object or a list of one."""
    outputs = execution.outputs
    for holder in outputs if isinstance(outputs, list) else [outputs]:
        for name, value in as_object(holder).items():
            for row in value if isinstance(value, list) else [value]:
                if isinstance(row, dict):
                    yield _TYPES.get(name.lower(), name.lower()), row


async def types_seen(client: DeepOriginClient, execution: Execution) -> list[str] | None:
    """The types of an execution's first rows; None if there are rows and their types cannot be read."""

    async def page(*extra_columns: str) -> list[Json]:
        response = await client.results.page(
            compute_job_id=execution.execution_id,
            project_id=execution.project_id or None,
            limit=ROWS_READ_FOR_TYPES,
            extra_columns=extra_columns,
        )
        return rows_of(response)

    try:
        rows = await page("result_type")
    except InvalidRequestError:
        rows = await page()
    names = {one_line(text(row.get("result_type")), 40) for row in rows} - {""}
    return sorted(names)[:20] or (None if rows else [])


async def _refuse_unknown_type(client: DeepOriginClient, execution: Execution, what: str) -> None:
    seen = await types_seen(client, execution)
    types = {*(seen or ()), *(kind for kind, _ in output_rows(execution))} - {""}
    if seen is not None and types:
        always = [ALL, *(MADE if client.settings.is_local else ()), *([BEST_POSES] if "pose" in types else [])]
        raise ArgumentError(
            f"Invalid what {one_line(what, 40)!r}: the run has no such results. "
            f"Valid: {', '.join([*always, *sorted(types)[:20]])}."
        )


def best_poses(rows: Sequence[Json]) -> list[Json]:
    """One pose of each ligand: that which is marked as the best, else the one with the best score.

    Where no pose has a score, because a person registered them, all are returned.
    """
    best: dict[str, Pose] = {}
    for pose in map(Pose, rows):
        key = pose.ligand_id or pose.smiles or pose.id
        if pose.is_scored and (key not in best or _rank(pose) < _rank(best[key])):
            best[key] = pose
    return [pose.raw for pose in best.values()] or [*rows]


def _rank(pose: Pose) -> tuple[bool, float, float]:
    """Sorts the best pose first."""
    score, energy = pose.score, pose.binding_energy
    return (
        pose.is_best is not True,
        -score if score is not None else float("inf"),
        energy if energy is not None else float("inf"),
    )


def place_of(pose: Pose) -> tuple[float, float]:
    """Sorts the pose with the best score first."""
    return _rank(pose)[1:]


def is_pose(pose: Pose) -> bool:
    """Whether a row is a pose; the platform's rows do not always say of what type they are."""
    is_sdf = pose.file_path.partition("#")[0].lower().endswith(".sdf")
    return pose.is_scored or (is_sdf and bool(pose.ligand_id))
