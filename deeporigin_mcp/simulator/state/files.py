"""The files of an organisation: those that were uploaded, and those that its completed runs left behind.

The files of a run are made when they are read, out of the result row that names them: an SDF of the pose, a PDB of the
pocket's atoms. Every path inside a result that begins with `tool-runs/` exists.
"""

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import POCKET_FINDER
from deeporigin_mcp.simulator.model.failures import input_paths
from deeporigin_mcp.simulator.model.molecules import alpha_carbons, helix_pdb, pocket_pdb, written_sdf
from deeporigin_mcp.simulator.state.base import State
from deeporigin_mcp.simulator.state.execution import Execution
from deeporigin_mcp.simulator.state.organisations import Organisation

Row = dict[str, Any]

RUNS = "tool-runs/"
PROTECTED = "protected/"
"""Paths of files that belong to the platform itself; every caller may read them, under a first segment of their own."""

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True, slots=True)
class File:
    """Bytes, and when they were written."""

    content: bytes
    modified: datetime

    @property
    def etag(self) -> str:
        """MD5 in hex, as the store has it for one PUT."""
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


def put_file(platform: State, organisation: Organisation, path: str, content: bytes) -> File:
    """Write a file over whatever is there."""
    file = File(content, platform.clock.now())
    organisation.files[path] = file
    return file


def delete_file(platform: State, organisation: Organisation, path: str) -> bool:
    """Whether there was one."""
    if find_file(platform, organisation, path) is None:
        return False
    organisation.files[path] = None
    return True


def find_file(platform: State, organisation: Organisation, path: str) -> File | None:
    """One file, None when there is none."""
    if path in organisation.files:
        stored: File | None = organisation.files[path]
        return stored
    if path in organisation.examples:
        return File(_content(path, {}, {}), platform.started)
    execution = platform.executions.get(path.split("/")[1]) if path.startswith(RUNS) and path.count("/") > 1 else None
    if execution is None or execution.org != organisation.key:
        return None
    data = _left_by(execution).get(path)
    return None if data is None else File(_content(path, data, execution.inputs), _ended(platform, execution))


def paths_below(platform: State, organisation: Organisation, prefix: str) -> list[str]:
    """The paths of all files whose path begins with a prefix, in order."""
    found = {path for path in organisation.examples if path.startswith(prefix)}
    if prefix.startswith(RUNS) or RUNS.startswith(prefix):
        for execution in platform.executions_of(organisation.key):
            own = f"{RUNS}{execution.id}/"
            if own.startswith(prefix) or prefix.startswith(own):
                found.update(path for path in _left_by(execution) if path.startswith(prefix))
    for path, file in organisation.files.items():
        if path.startswith(prefix):
            (found.add if file is not None else found.discard)(path)
    return sorted(found)


def missing_input(platform: State, organisation: Organisation, inputs: Row) -> str | None:
    """The first path in a run's inputs at which there is no file."""
    for given in input_paths(inputs):
        path = given.lstrip("/").partition("#")[0]
        if not path.startswith(PROTECTED) and find_file(platform, organisation, path) is None:
            return given
    return None


def read_in_files(platform: State, organisation: Organisation, tool_key: str, inputs: Row) -> Row:
    """What a tool reads in the files of its inputs: the ligands of a list file, and where a protein's atoms are."""
    read: Row = {}
    if (file := find_file(platform, organisation, str(inputs.get("ligands_file") or ""))) is not None:
        with contextlib.suppress(ValueError):
            rows = json.loads(file.content)
            if isinstance(rows, list) and all(isinstance(row, dict) and "smiles" in row for row in rows):
                read["ligands"] = rows
    if tool_key == POCKET_FINDER:
        file = find_file(platform, organisation, str(inputs["protein"].get("file_path") or ""))
        read["atoms"] = alpha_carbons(file.content) if file is not None else []
    return read


def _left_by(execution: Execution) -> dict[str, Row]:
    """The files of a completed run, each with the result that names it."""
    return execution.remembered(
        "files", lambda: {path: data for _, data in execution.found() for path in _paths(data, execution.id)}
    )


def _paths(value: Any, execution: str) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith(f"{RUNS}{execution}/"):
            yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _paths(part, execution)


def _ended(platform: State, execution: Execution) -> datetime:
    return execution.timeline.finished if execution.timeline else execution.created_at or platform.started


def _content(path: str, data: Row, inputs: Row) -> bytes:
    """What is in a file, by its ending and the result that names it."""
    match path.rpartition(".")[2]:
        case "sdf" | "mol":
            centre = (inputs.get("pocket") or {}).get("center") or (0.0, 0.0, 0.0)
            scores = {"POSE SCORE": data.get("pose_score"), "Binding Energy": data.get("binding_energy")}
            fields = {name: value for name, value in {**scores, "SMILES": data.get("smiles")}.items() if value}
            # The poses of one ligand are the same conformer, a little apart.
            x, y, z = centre
            moved = (x + 0.5 * (data.get("rank", 1) - 1), y, z)
            return written_sdf(data.get("smiles") or "CCO", data.get("ligand_id") or "ligand", moved, fields).encode()
        case "pdb" if "volume" in data:
            return pocket_pdb(data["center"], data["volume"]).encode()
        case "pdb":
            stamped = "REMARK  99 DO_PREPARED\n" if "parent_id" in data else ""
            return (stamped + helix_pdb()).encode()
        case "png":
            return _PIXEL
        case "csv":
            return b"smiles,score\r\nCCO,1.0\r\nCCN,0.8\r\n"
        case "json":
            return json.dumps(data).encode()
        case "html":
            return b"<!doctype html><title>Simulated</title><p>Simulated"
    return f"simulated {path.rpartition('/')[2]}\n".encode()
