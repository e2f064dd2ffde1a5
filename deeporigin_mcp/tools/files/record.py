"""The record of a run: what is needed to cite it, or to run it again; as a file, with checksums of its files."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from anyio.to_thread import run_sync

from deeporigin_mcp import __version__
from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.clients.paging import gather
from deeporigin_mcp.platform.records.files import RemoteFile, md5_in
from deeporigin_mcp.platform.records.money import LineItem
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import as_object, text
from deeporigin_mcp.tools.files.downloading import MadeOfRun
from deeporigin_mcp.tools.files.missing import missing_rows
from deeporigin_mcp.tools.files.run_files import files_of_run, paths_in, without_record
from deeporigin_mcp.tools.files.run_rows import ALL
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.inputs_summary import inputs_hash
from deeporigin_mcp.tools.runtime.people import People
from deeporigin_mcp.tools.runtime.state import ServerState

STEM, SUFFIX = "record", ".json"
MAX_LOOKED_UP, LOOK_UPS_AT_ONCE = 1_000, 20
"""Files whose size and checksum are requested one by one; those of the run's own folder come with its listing."""
MAX_HASHED_BYTES = 1_000_000_000
"""Of what was downloaded before; more of it has no SHA-256."""
REASON_CHARACTERS = 200


async def record_of(state: ServerState, execution: Execution) -> dict[str, Any]:
    """The facts of a run as JSON, without those that the platform does not give.

    Times in ISO 8601 (UTC), sums in USD as text. `inputs`, `outputs` and `metadata` as the platform has them;
    `inputs_hash` is the same for equal inputs of one tool.
    """
    settings, raw = state.settings, execution.raw
    who = (await People.of(state)).who(execution)
    projects = await state.names.projects() if execution.project_id else {}
    billing = as_object(raw.get("billingTransaction"))
    record: dict[str, Any] = {
        "execution_id": execution.execution_id,
        "name": one_line(execution.name, 200),
        "tool_key": execution.tool_key,
        "tool_version": execution.tool_version,
        "status": execution.status,
        "status_reason": execution.status_reason,
        "organization": settings.org_key,
        "project_id": execution.project_id,
        "project": projects.get(execution.project_id),
        "created_by": who,
        "created_by_id": execution.created_by if execution.created_by != who else None,
        "cluster_id": execution.cluster_id,
        "tag": one_line(text(raw.get("tag")), 120),
        "billing_tag": one_line(text(raw.get("billing")), 120),
        "session": one_line(execution.session, 120),
        "created_at": execution.created_at,
        "started_at": execution.started_at,
        "completed_at": execution.completed_at,
        "runtime_seconds": execution.runtime_seconds,
        "quoted_price": _sum(execution.quoted_price),
        "cost": _sum(execution.cost),
        "cost_state": execution.cost_state,
        "price_items": [_item(item) for item in execution.line_items],
        "billing_id": one_line(text(billing.get("transactionId")), 80),
        "billing_status": one_line(text(billing.get("status")), 40),
        "batch_size": raw.get("batchSize"),
        "inputs_hash": inputs_hash(execution.tool_key, execution.inputs),
        "inputs": execution.inputs,
        "outputs": execution.outputs or raw.get("userOutputs"),
        "metadata": execution.metadata,
        "platform": settings.environment,
        "simulated": await state.client.is_simulated() or None,
        "recorded_with": f"deeporigin-mcp {__version__}",
    }
    return given(record)


def given(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that there are."""
    return {name: value for name, value in facts.items() if value not in (None, "", [], {})}


def _item(item: LineItem) -> dict[str, Any]:
    amounts = {name: _sum(getattr(item, name)) for name in ("quantity", "unit_price", "total")}
    return given({"code": one_line(item.code, 60), "name": one_line(item.name, 80), **amounts})


def _sum(amount: object) -> str | None:
    return None if amount is None else str(amount)


class _Local(NamedTuple):
    """A file that was downloaded before: its name below the downloads folder."""

    name: str
    sha256: str


class RecordFile(MadeOfRun):
    """The record of an execution in the folder of its downloads.

    Beside `record_of` it has `requested`, `returned` and `missing` ligands, and `input_files` and `result_files`, each
    with `path`, `size` (bytes) and `md5` (or `etag`, where that is none) as the platform has them. `local` and `sha256`
    are of a file with that MD5 that was downloaded before.
    """

    async def _download(self) -> None:
        execution, client = self._execution, self._client
        record = await record_of(self._state, execution)
        found = await files_of_run(client, execution, ALL)
        self.missing = await missing_rows(client, execution, found)
        if self.missing is not None:
            count, named = self.missing
            missing = [{"name": name, "reason": reason} for name, reason in named]
            record |= {"requested": found.ligand_count, "returned": found.ligand_count - count, "missing": missing}
        self.found = replace(found, items=[])
        inputs = [*dict.fromkeys(without_record(path) for path in paths_in(execution.inputs))]
        results = [*dict.fromkeys(without_record(item.path) for item in found.items if item.path)]
        remote = await self._remote([*inputs, *results], found.listed)
        async with self._own_folder() as folder:
            local = await run_sync(_downloaded, folder.path, [*remote.values()])
            record["input_files"] = [_file_facts(each, remote, local) for each in inputs]
            record["result_files"] = [_file_facts(each, remote, local) for each in results]
            record["results_incomplete"] = found.is_cut or found.is_being_stored or None
            content = json.dumps(given(record), indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
            await run_sync(self._write, folder, STEM, SUFFIX, content)

    async def _remote(self, paths: Sequence[str], listed: Mapping[str, RemoteFile]) -> dict[str, RemoteFile | str]:
        """What the platform says of each file, or why it says nothing."""
        found: dict[str, RemoteFile | str] = {path: listed[path] for path in paths if path in listed}
        unknown = iter([path for path in paths if path not in found][:MAX_LOOKED_UP])

        async def look_up(_: int) -> None:
            for path in unknown:
                try:
                    found[path] = await self._client.files.stat(path)
                except DeepOriginError as error:
                    found[path] = explained(error, REASON_CHARACTERS, with_step=False)

        await gather(look_up, range(LOOK_UPS_AT_ONCE))
        return found


def _file_facts(path: str, remote: Mapping[str, RemoteFile | str], local: Mapping[str, _Local]) -> dict[str, Any]:
    file = remote.get(path, "not looked up")
    if isinstance(file, str):
        return {"path": path, "problem": file}
    md5 = md5_in(file.etag)
    same = local.get(md5)
    here = {"local": same.name, "sha256": same.sha256} if same else {}
    return given({"path": path, "size": file.size, "md5": md5, "etag": "" if md5 else file.etag, **here})


def _downloaded(folder: Path, remote: Iterable[RemoteFile | str]) -> dict[str, _Local]:
    """Which of these files are in the folders of the run's downloads, by MD5."""
    files = [file for file in remote if isinstance(file, RemoteFile)]
    wanted = {(file.size, md5) for file in files if (md5 := md5_in(file.etag))}
    sizes, left = {size for size, _ in wanted}, MAX_HASHED_BYTES
    found: dict[str, _Local] = {}
    # Each type of result has a folder of its own, whose name begins with that of the run.
    places = [each for each in folder.parent.iterdir() if each == folder or each.name.startswith(f"{folder.name}_")]
    for place in sorted(places):
        for path in sorted(place.iterdir()) if place.is_dir() and not place.is_symlink() else ():
            with contextlib.suppress(OSError):
                # Through a link something outside of the folder would be read.
                if path.is_symlink() or not path.is_file() or (size := path.stat().st_size) not in sizes or size > left:
                    continue
                left -= size
                content = _digests(path)
                if (size, content[0]) in wanted:
                    found.setdefault(content[0], _Local(f"{place.name}/{path.name}", content[1]))
    return found


def _digests(path: Path) -> tuple[str, str]:
    """MD5 and SHA-256."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            md5.update(piece)
            sha256.update(piece)
    return md5.hexdigest(), sha256.hexdigest()
