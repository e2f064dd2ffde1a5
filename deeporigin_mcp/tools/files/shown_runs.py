"""Runs that a page in the client is showing: read once, handed out in parts, files when they are looked at.

What was read is kept for the next part. Another worker, or this one after a while, reads it again.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from io import BytesIO
from itertools import islice

from anyio.to_thread import run_sync

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, NetworkError, PlatformError, RateLimitError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.files import sdf
from deeporigin_mcp.tools.files.downloading import NOT_SEPARABLE, records_of
from deeporigin_mcp.tools.files.report import MAX_SHAPE_BYTES, TOO_LARGE, RunData, drawn_part, format_of
from deeporigin_mcp.tools.files.run_files import Item, without_record
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.runtime.executions import existing
from deeporigin_mcp.tools.runtime.state import BackgroundWork, ServerState

PROTEIN = "protein"
"""What the page calls the file of the structure."""
MAX_FILE_BYTES = 20_000_000
"""Of a file, which may hold many poses, and is read in memory."""
MAX_KEPT = 2
"""Runs whose rows are kept: one of 10,000 rows takes some 50 MB."""
MAX_KEPT_CHARACTERS = 8_000_000
"""Of a run's coordinates that are kept."""
WAIT_SECONDS = 40.0
"""How long a call waits for the rows; the reading then goes on without it."""
REASON_CHARACTERS = 200


class ShownRun:
    """One run: `data` is what its page takes, with the names of files instead of their coordinates."""

    def __init__(self, run: RunData) -> None:
        self._files: dict[str, Item] = {}
        self._by_path: defaultdict[str, list[str]] = defaultdict(list)
        self._texts: dict[str, tuple[str, str]] = {}
        """Coordinates and why there are none, by name, last read last."""
        for item in run.items:
            self._add(item)
        if run.protein is not None:
            self._add(run.protein, PROTEIN)
        names = {id(item): name for name, item in self._files.items()}
        self.data = run.data(
            lambda item: {"format": format_of(item.path), "file": names[id(item)]} if id(item) in names else None
        )
        rows = json.dumps([self.data["columns"], self.data["rows"]], separators=(",", ":"))
        self.version = hashlib.sha256(rows.encode("utf-8", "replace")).hexdigest()[:12]
        """Equal rows in equal order, equal version."""

    def _add(self, item: Item, name: str = "") -> None:
        """Name a file that can be drawn, by the id of its row if it has one of its own."""
        if not item.path or not format_of(item.path):
            return
        name = name or (item.pose.id if item.pose is not None else "")
        if not name or name in self._files:
            name = f"file {len(self._files)}"
        self._files[name] = item
        self._by_path[without_record(item.path)].append(name)

    async def texts(self, state: ServerState, names: Sequence[str]) -> list[tuple[str, str]]:
        """Coordinates of each of these files, and why there are none; what is not kept is fetched.

        Raises:
            ArgumentError: a name that is not in `data`.
        """
        if unknown := [name for name in names if name not in self._files]:
            raise ArgumentError(
                f"Unknown file {one_line(unknown[0], 60)!r} of this run. Valid: those that read_results_page names.",
                next_step="Only the results page needs this tool; download_files gets files.",
            )
        kept = {name: self._texts[name] for name in names if name in self._texts}
        paths = [*dict.fromkeys(without_record(self._files[name].path) for name in names if name not in kept)]
        targets = [BytesIO() for _ in paths]
        outcomes = await state.client.files.download_many([*zip(paths, targets, strict=True)], max_bytes=MAX_FILE_BYTES)
        for path, target, outcome in zip(paths, targets, outcomes, strict=True):
            of_file = self._by_path[path]
            if isinstance(outcome, DeepOriginError):
                reason = explained(outcome, REASON_CHARACTERS, with_step=False)
                found = [("", reason)] * len(of_file)
            else:
                found = await run_sync(_parts, [self._files[name] for name in of_file], target)
            kept.update(zip(of_file, found, strict=True))
            if not isinstance(outcome, NetworkError | PlatformError | RateLimitError):
                self._keep(dict(zip(of_file, found, strict=True)))
        return [kept[name] for name in names]

    def _keep(self, found: dict[str, tuple[str, str]]) -> None:
        self._texts |= found
        size = sum(len(text) for text, _ in self._texts.values())
        for name in [*self._texts][:-1]:
            if size <= MAX_KEPT_CHARACTERS:
                break
            size -= len(self._texts.pop(name)[0])


def _parts(items: Sequence[Item], content: BytesIO) -> list[tuple[str, str]]:
    """What the page draws of each item of one file."""
    whole = content.getvalue()
    records: Sequence[sdf.Record | None] = [None] * len(items)
    has_parts = format_of(items[0].path) == "sdf" and any(item.pose is not None or item.record for item in items)
    if has_parts:
        records = records_of(items, [*islice(sdf.records(content), sdf.MAX_RECORDS + 1)])
    return [_part(item, whole, record, is_part=has_parts) for item, record in zip(items, records, strict=True)]


def _part(item: Item, content: bytes, record: sdf.Record | None, *, is_part: bool) -> tuple[str, str]:
    if is_part and record is None:
        return "", NOT_SEPARABLE.format(one_line(without_record(item.path).rpartition("/")[2], REASON_CHARACTERS))
    if record is not None:
        content = content[record.start : record.end]
    # A structure has a file of its own.
    if len(content) > (MAX_FILE_BYTES if item.pose is None else MAX_SHAPE_BYTES):
        return "", TOO_LARGE
    return drawn_part(content, format_of(item.path)), ""


class _Reading(BackgroundWork[ShownRun]):
    """The reading of a run; `is_expected`: whether a call has returned without it."""

    is_expected = False


async def shown_run(state: ServerState, execution_id: str, *, anew: bool = False) -> ShownRun | None:
    """What a page shows of a run; None if it is still being read.

    Args:
        anew: read it even if it is kept.
    """
    kept = state.shown_runs
    work = kept.pop(execution_id, None)
    if not isinstance(work, _Reading) or (anew and work.has_ended and not work.is_expected):
        work = _Reading(lambda: _read(state, execution_id))
    kept[execution_id] = work
    try:
        is_over, found = await work.result(state, WAIT_SECONDS)
    except Exception:
        kept.pop(execution_id, None)
        raise
    work.is_expected = not is_over
    ended = [name for name, one in kept.items() if one.has_ended]
    for name in ended[: max(0, len(ended) - MAX_KEPT)]:
        del kept[name]
    return found


async def _read(state: ServerState, execution_id: str) -> ShownRun:
    run = RunData(state, await existing(state.client, execution_id))
    await run.read(waits=False)
    await run.find_missing()
    return await run_sync(ShownRun, run)
