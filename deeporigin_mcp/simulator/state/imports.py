"""`deeporigin.import-dataset`: rows made of an uploaded file (molecules-and-files facts, section 5).

A structure that has a row already is reused, even if that row was deleted. Records that cannot be read get no row and a
line in the log; without any row, and for a file that is none, the run fails. Rows come out of order, as the tool's own
do: `record_index` says which record each is of.
"""

import csv
import hashlib
import io
import json
from datetime import datetime
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.simulator.model.failures import ligand_problem
from deeporigin_mcp.simulator.model.molecules import (
    UnreadableError,
    read_record,
    read_sdf,
    read_smiles,
    written_smiles,
)
from deeporigin_mcp.simulator.model.results import Result, results_of
from deeporigin_mcp.simulator.state.base import State
from deeporigin_mcp.simulator.state.entities import add_row, identities, identity
from deeporigin_mcp.simulator.state.execution import Execution
from deeporigin_mcp.simulator.state.files import find_file, put_file
from deeporigin_mcp.simulator.state.organisations import Organisation

Row = dict[str, Any]

MOST_SERVED_RECORDS = 500
"""Records of a CSV that a blocking run takes; the workflow takes any number."""


def import_file(platform: State, organisation: Organisation, execution: Execution, appears: datetime) -> None:
    """Register what is in the file of an import, and keep the outcome in the execution.

    Raises:
        UnreadableError: The import fails, and made nothing.
    """
    inputs = execution.inputs
    path = str(inputs.get("csv_path") or inputs.get("file_path"))
    file = find_file(platform, organisation, path.lstrip("/"))
    content = file.content if file is not None else b""
    work = _Import(platform, organisation, execution, appears)
    if inputs.get("process_pdb"):
        execution.imported = work.protein(path, content)
        return
    if inputs.get("process_sdf"):
        records = [_of_sdf(record) for record in read_sdf(_text(content))]
    else:
        records = _of_csv(_text(content))
        if "csv_path" not in inputs and len(records) > MOST_SERVED_RECORDS:
            raise UnreadableError(f"{len(records)} records are more than the {MOST_SERVED_RECORDS} of one request")
    execution.imported = work.ligands(path, records)


def add_prepared(
    platform: State, organisation: Organisation, execution: Execution, definition: Definition, appears: datetime
) -> None:
    """Give the structure that a preparation makes a row of its own, beside that of its source."""
    for kind, data in results_of(definition, execution.id, execution.inputs):
        if kind == "preparedprotein":
            source = organisation.entities["proteins"].get(data["parent_id"], {})
            given = {name: source.get(name) for name in ("protein_name", "pdb_id", "uniprot_accession")}
            given |= {"file_path": data["file_path"], "state": "prepared", "origin_kind": "prepared"}
            given |= {"origin_entity_type": "protein", "origin_entity_id": data["parent_id"]}
            user, project = str(execution.stored["createdBy"]), execution.project_id
            add_row(platform, organisation, "proteins", project, given, user, appears, identifier=data["id"])


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("the file is not text in UTF-8") from error


def _of_csv(text: str) -> list[Row]:
    reader = csv.DictReader(io.StringIO(text))
    if "smiles" not in (reader.fieldnames or ()):
        raise UnreadableError("the CSV has no column smiles")
    records = []
    for line in reader:
        smiles = (line["smiles"] or "").strip()
        problem = ligand_problem(smiles)
        record: Row = {"smiles": smiles, "name": line.get("name"), "problem": problem}
        try:
            record |= {"tags": json.loads(line.get("tags") or "{}")}
            if problem is None:
                read_smiles(smiles)
        except ValueError as error:
            record["problem"] = str(error)
        records.append(record)
    return records


def _of_sdf(record: str) -> Row:
    try:
        title, molecule = read_record(record)
        smiles = written_smiles(molecule)
        read_smiles(smiles)
    except UnreadableError as error:
        return {"problem": str(error)}
    return {"smiles": smiles, "name": title or None, "record": record, "problem": ligand_problem(smiles)}


class _Import:
    """One run of the tool on one organisation."""

    def __init__(self, platform: State, organisation: Organisation, execution: Execution, appears: datetime) -> None:
        self._platform = platform
        self._organisation = organisation
        self._execution = execution
        self._appears = appears
        self._known = {table: identities(organisation, table) for table in organisation.entities}
        self._tags = {key: execution.stored.get(key) for key in ("app", "session")}

    def protein(self, path: str, content: bytes) -> list[Result]:
        """The row of a structure, under a path named after its bytes."""
        ending = path.rpartition(".")[2].lower()
        text = _text(content)
        if not any(line.startswith(("ATOM", "HETATM")) for line in text.splitlines()):
            raise UnreadableError(f"{path} holds no atoms")
        stored_at = self._store("proteins", ending, content)
        inputs = self._execution.inputs
        given = {name: inputs.get(name) for name in ("protein_name", "pdb_id", "uniprot_accession")}
        given |= {"file_path": stored_at, "tags": {**self._tags, **(inputs.get("tags") or {})}}
        given["structure_hash"] = stored_at.rpartition("/")[2].partition(".")[0]
        given["state"] = "prepared" if "DO_PREPARED" in text or "_deeporigin.prepared" in text else "unprocessed"
        row, created = self._registered("proteins", given)
        data = {"protein_id": row["id"], "file_path": stored_at, "name": row["protein_name"], "pdb_id": row["pdb_id"]}
        return [("importedprotein", {**data, "created": created})]

    def ligands(self, path: str, records: list[Row]) -> list[Result]:
        """The rows of molecules, and those of poses where they are wanted."""
        inputs = self._execution.inputs
        problems = {index: record["problem"] for index, record in enumerate(records) if record["problem"]}
        if len(problems) == len(records):
            first = f"; record 1: {problems[0]}" if problems else ""
            raise UnreadableError(f"none of {len(records)} records can be read{first}")
        self._execution.rejected = problems
        results: list[Result] = []
        poses: list[Result] = []
        for index, record in enumerate(records):
            if index in problems:
                continue
            given = {"smiles": record["smiles"], "name": record["name"]}
            given["tags"] = {**self._tags, **(record.get("tags") or inputs.get("tags") or {})}
            if "record" in record:
                given["mol_file"] = self._store("ligands", "sdf", f"{record['record'].rstrip()}\n$$$$\n".encode())
            row, _ = self._registered("ligands", given)
            data = {"id": row["id"], "smiles": row["smiles"], "record_index": index}
            if "record" in record:
                data["mol_file"] = given["mol_file"]
            results.append(("importedligand", data))
            if inputs.get("register_poses"):
                poses.append(("pose", self._pose(path, row, index)))
        return [*reversed(results), *reversed(poses)]

    def _pose(self, path: str, ligand: Row, index: int) -> Row:
        """A pose without scores, which stays inside the file that it came in."""
        inputs = self._execution.inputs
        return {
            "file_path": f"{path}#record-{index}",
            "ligand_id": ligand["id"],
            "protein_id": inputs.get("protein_id"),
            "origin": inputs.get("origin"),
            "record_index": index,
            "ligand_smiles": ligand["canonical_smiles"],
        }

    def _store(self, folder: str, ending: str, content: bytes) -> str:
        path = f"entities/{folder}/{hashlib.sha256(content).hexdigest()}.{ending}"
        put_file(self._platform, self._organisation, path, content)
        return path

    def _registered(self, table: str, given: Row) -> tuple[Row, bool]:
        """The row of a structure, and whether it is new."""
        project = self._execution.project_id
        known, key = self._known[table], identity(table, project, given)
        if key in known:
            return known[key], False
        user = str(self._execution.stored["createdBy"])
        known[key] = add_row(self._platform, self._organisation, table, project, given, user, self._appears)
        return known[key], True
