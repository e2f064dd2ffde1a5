"""An execution to repeat: its tool, version, inputs, cluster and project, with the changes that a caller gives.

Changes are merged as in RFC 7396: null removes, objects are merged, other values replace. Beside that, an object with
an identity of its own (a protein, a pocket that was found) replaces the whole one, and a list of such objects is
changed by their names.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, NotFoundError, StateConflictError
from deeporigin_mcp.platform import DeepOriginClient, Execution, ToolDefinition
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, as_object, is_list_of_objects, text
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.catalogue.definitions import definitions_of, find_definition, versions_of
from deeporigin_mcp.tools.executions.idempotency import BATCH_SIZE_FIELD, KEY_FIELD
from deeporigin_mcp.tools.files.missing import lacking_in
from deeporigin_mcp.tools.files.run_files import files_of_run
from deeporigin_mcp.tools.files.run_molecules import MAX_LIST_BYTES
from deeporigin_mcp.tools.files.run_rows import ALL
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.inputs_summary import inputs_summary
from deeporigin_mcp.tools.runtime.executions import existing, is_being_stored
from deeporigin_mcp.tools.runtime.state import ServerState

MISSING = "missing"
"""In the place of a list: only those of its ligands that have no result."""
ADDED = "+"
"""In the place of a name: a list of entries that are appended."""
IDENTITY = ("id", "file_path", "smiles")
"""Fields of an object that is one thing: half of one and half of another would be neither."""
NAMES = ("id", "name", "smiles", "file_path")
"""What an entry of a list is named by."""
MAX_NAMED = 5
NAME_CHARACTERS = 60


@dataclass
class Repeat:
    """A request that repeats an execution; `fields` go beside the inputs.

    `changes` is what differs, `notes` what is to be said beside that, one line each.
    """

    original: Execution
    tool_key: str
    tool_version: str
    inputs: Json
    project_id: str
    fields: Json
    changes: list[str]
    notes: list[str] = field(default_factory=list)

    def compare(self, project: str, fields: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Add what the request has beside its inputs that the execution has not."""
        if self.project_id and project != self.project_id:
            self.changes.append(f"project: {one_line(self.project_id, 60)} → {one_line(project, 60)}")
        # This server notes what it was given; of runs that others created, a record need not have it.
        absent = "default" if KEY_FIELD in self.original.metadata else "not recorded"
        for name, label in (("clusterId", "cluster_id"), ("batchSize", "batch_size")):
            if name in fields and fields[name] != self.fields.get(name):
                self.changes.append(f"{label}: {_shown(self.fields.get(name, absent))} → {_shown(fields[name])}")
        if outputs:
            self.changes.append("outputs: as given")

    @property
    def lines(self) -> list[str]:
        """What a response lists of the changes; it says that there are none."""
        return [*(self.changes or [f"none: an exact double of {self.original.execution_id}"]), *self.notes]

    def instead(self, settings: Settings) -> str:
        """Where the result of an exact double is already, or will be; empty if there is none, or it differs."""
        first = self.original
        if self.changes or not was_started(first) or first.status in ("Failed", "Cancelled"):
            return ""
        then = (steps.after(first, settings) or "").rstrip(".")
        return f"The first one is {one_line(first.status, NAME_CHARACTERS)} already: {then}."


async def repeat_of(state: ServerState, like: str, tool_key: str, given: Mapping[str, Any]) -> Repeat:
    """What the execution `like` was created with, with the changes `given`.

    Raises:
        NotFoundError: unknown execution.
        ArgumentError: of another tool, without inputs, or a change names what is not in its inputs.
        StateConflictError: `not_over`, where only what has no result is to be repeated.
    """
    original = await existing(state.client, like, outcome="nothing_created")
    key = original.tool_key
    if tool_key and tool_key != key:
        raise ArgumentError(
            f"like names a run of {one_line(key, NAME_CHARACTERS)}, not of {one_line(tool_key, NAME_CHARACTERS)}.",
            next_step="Omit tool_key, or omit like and give all inputs.",
        )
    if not original.inputs:
        raise ArgumentError(
            f"The platform's record of {original.execution_id} has no inputs to repeat.",
            next_step="Omit like, and give tool_key and inputs.",
        )
    before = await _with_lists(state.client, original.inputs, given)
    inputs = merged(before, await _resolved(state.client, original, before, given))
    batch_size = original.raw.get("batchSize") or original.metadata.get(BATCH_SIZE_FIELD)
    has_outputs = bool(as_object(original.raw.get("userOutputs")))
    fields = {
        "clusterId": word(as_object(original.raw.get("cluster")).get("id")),
        "batchSize": batch_size if isinstance(batch_size, int) and not isinstance(batch_size, bool) else None,
    }
    return Repeat(
        original=original,
        tool_key=key,
        tool_version=original.tool_version or "latest",
        inputs=inputs,
        project_id=original.project_id,
        fields={name: value for name, value in fields.items() if value},
        changes=changed(before, inputs),
        notes=["outputs: not repeated, as they would be written over"] if has_outputs else [],
    )


async def definition_for(
    state: ServerState, repeat: Repeat, like: str, asked: str, given: Mapping[str, Any]
) -> ToolDefinition:
    """The tool in the version of the execution, unless another is asked for; says where a newer one is there.

    Raises:
        ArgumentError: that version is gone or disabled; says which are there.
    """
    version = asked or repeat.tool_version
    enabled = [d.version for d in versions_of(await definitions_of(state), repeat.tool_key) if d.enabled]
    try:
        definition = await find_definition(state, repeat.tool_key, version, must_be_enabled=True)
    except (NotFoundError, ArgumentError) as error:
        if not asked and enabled and version not in enabled:
            changes = {"inputs": given} if given else {}
            again = steps.call("create_execution", like=like, **changes, tool_version=enabled[0])
            # The next step is complete as it is.
            error.outcome = "nothing_created"
            error.next_step = f"{again} repeats it with the newest; results may differ. Tell the user."
        raise
    was, now = (one_line(each, NAME_CHARACTERS) for each in (repeat.tool_version, definition.version))
    if was != now:
        repeat.changes.insert(0, f"version: {was} → {now}")
    elif enabled and enabled[0] != definition.version:
        repeat.notes.insert(0, f"version: {was} as before; {one_line(enabled[0], NAME_CHARACTERS)} is newer")
    return definition


# What is merged


def merged(original: Any, given: Any) -> Any:
    """The original with the changes that are given; neither is altered."""
    if not isinstance(original, dict) or not isinstance(given, dict):
        return copy.deepcopy(given)
    result = copy.deepcopy(original)
    for name, value in given.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and is_list_of_objects(result.get(name)):
            result[name] = _entries(name, result[name], value)
        elif isinstance(value, dict) and not any(field in value for field in IDENTITY):
            result[name] = merged(result.get(name), value) if isinstance(result.get(name), dict) else _new(value)
        else:
            result[name] = copy.deepcopy(value)
    return result


def _new(value: dict[str, Any]) -> dict[str, Any]:
    """An object in the place of none: nulls remove nothing, and are not sent either."""
    return {name: copy.deepcopy(inner) for name, inner in value.items() if inner is not None}


def _entries(at: str, entries: list[dict[str, Any]], given: Mapping[str, Any]) -> list[Any]:
    """A list with entries removed (null), replaced or appended (`+`), by name or 0-based position.

    Raises:
        ArgumentError: no entry has the name.
    """
    places: dict[int, Any] = {}
    unknown = []
    for name, value in given.items():
        if name == ADDED:
            continue
        found = places_of(entries, name)
        unknown += [] if found else [name]
        places.update(dict.fromkeys(found, value))
    if unknown:
        named = ", ".join(repr(one_line(name, NAME_CHARACTERS)) for name in unknown[:MAX_NAMED])
        raise ArgumentError(
            f"{at}: {named} is not in the run's {len(entries):,} {one_line(at, NAME_CHARACTERS)}. "
            f"There are {_listed(entries)}.",
            next_step=f"Name an entry by its id, name, SMILES or 0-based position; "
            f'"{ADDED}": [{{…}}] appends; a list replaces all.',
            code="invalid_inputs",
        )
    kept = [copy.deepcopy(places.get(place, entry)) for place, entry in enumerate(entries)]
    kept = [entry for place, entry in enumerate(kept) if place not in places or places[place] is not None]
    more = given.get(ADDED)
    return kept + copy.deepcopy(more if isinstance(more, list) else [] if more is None else [more])


def places_of(entries: Iterable[Mapping[str, Any]], name: str) -> list[int]:
    """The positions of the entries with this name; else that which it is."""
    rows = [*entries]
    found = [place for place, entry in enumerate(rows) if name in [entry.get(field) for field in NAMES]]
    if not found and name.isascii() and name.isdigit() and len(name) < 7 and int(name) < len(rows):
        return [int(name)]
    return found


# What differs


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each input that differs; none if nothing does."""
    return [*_changed(before, after, "")]


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], at: str) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        label = one_line(f"{at}{name}", NAME_CHARACTERS)
        if name not in after:
            yield f"{label}: removed (was {_shown(before[name])})"
        elif name not in before:
            yield f"{label}: {_shown(after[name])} added"
        elif not _same(before[name], after[name]):
            yield from _change(before[name], after[name], label)


def _change(was: Any, now: Any, label: str) -> Iterator[str]:
    if is_list_of_objects(was) and isinstance(now, list):
        old, new = ({_text(entry): entry for entry in entries} for entries in (was, now))
        gone, come = ([side[key] for key in side if key not in other] for side, other in ((old, new), (new, old)))
        parts = [f"without {_listed(gone)}"] if gone else []
        parts += [f"with {_listed(come)}"] if come else []
        yield f"{label}: {', '.join(parts) or 'others'} ({len(was):,} → {len(now):,})"
    elif isinstance(was, dict) and isinstance(now, dict) and not any(field in now for field in IDENTITY):
        yield from _changed(was, now, f"{label}.")
    else:
        yield f"{label}: {_shown(was)} → {_shown(now)}"


def _same(one: Any, other: Any) -> bool:
    return _text(one) == _text(other)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _shown(value: Any) -> str:
    """A short value as it is, an object by its name."""
    if isinstance(value, dict):
        return _called(value)
    if is_list_of_objects(value):
        return _listed(value)
    return one_line(value if isinstance(value, str) else json.dumps(value, default=str), NAME_CHARACTERS)


def _called(entry: Any) -> str:
    """What a person calls an entry: its name, else its SMILES, else its id."""
    row = as_object(entry)
    named = next((value for field in ("name", "smiles", "id") if (value := text(row.get(field)))), "")
    return one_line(named, NAME_CHARACTERS) or inputs_summary(row) or one_line(_text(entry), NAME_CHARACTERS)


def _listed(entries: Iterable[Any]) -> str:
    names = [_called(entry) for entry in entries]
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else "")


# What the platform is asked for


async def _with_lists(client: DeepOriginClient, inputs: Json, given: Mapping[str, Any]) -> Json:
    """The inputs; a list that is to be changed by names and lies in a file of the platform is read into them.

    Raises:
        ArgumentError: it cannot be read.
    """
    result = dict(inputs)
    for name, value in given.items():
        path = text(inputs.get(f"{name}_file"))
        if name in inputs or not path or not (isinstance(value, dict) or value == MISSING):
            continue
        file = io.BytesIO()
        try:
            await client.files.download(path, file, max_bytes=MAX_LIST_BYTES)
            rows = json.loads(file.getvalue())
        except (DeepOriginError, ValueError, RecursionError):
            rows = None
        if not is_list_of_objects(rows):
            raise ArgumentError(
                f"The run's {one_line(name, NAME_CHARACTERS)} are in a file of the platform, "
                f"{one_line(path, 120)!r}, which could not be read.",
                next_step=f"Give {one_line(name, NAME_CHARACTERS)} whole.",
                code="invalid_inputs",
            )
        del result[f"{name}_file"]
        result.pop(f"{name}_count", None)
        result[name] = rows
    return result


async def _resolved(client: DeepOriginClient, original: Execution, inputs: Json, given: Mapping[str, Any]) -> Json:
    """The changes in terms of the inputs: `missing` as a list, and names that only the platform knows as ids."""
    result = dict(given)
    for name, value in given.items():
        entries = inputs.get(name)
        if not is_list_of_objects(entries):
            continue
        if value == MISSING:
            result[name] = await _without_result(client, original, name, entries)
        elif isinstance(value, dict):
            result[name] = await _by_id(client, entries, value)
    return result


async def _without_result(
    client: DeepOriginClient, original: Execution, name: str, entries: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Those of a run's ligands of which it gave no result."""
    run = original.execution_id
    if not original.is_settled or original.status == "Quoted":
        raise StateConflictError(
            f"{run} is {one_line(original.status, NAME_CHARACTERS)}: which ligands get no result is not known yet.",
            next_step=f"{steps.call('wait_executions', execution_ids=[run])} waits for its end."
            if original.status != "Quoted"
            else steps.call("get_execution", execution_id=run),
            code="not_over",
        )
    if original.status == "Completed" and await is_being_stored(client, original):
        raise StateConflictError(
            f"The platform still stores the results of {run}: which ligands have none is not known yet.",
            next_step="Call again in 60 s.",
            code="not_over",
        )
    found = await files_of_run(client, original, ALL, waits=False)
    lacking = lacking_in(original, found.without_files())
    places = None if lacking is None else lacking.places
    if places is None or found.is_cut or len(found.ligands) != len(entries):
        raise ArgumentError(
            f"Which {one_line(name, NAME_CHARACTERS)} of {run} have no result cannot be told from its results.",
            next_step=f"{steps.results_of(run)} Name those to leave out: null removes.",
            code="invalid_inputs",
        )
    if not places:
        raise ArgumentError(
            f"All {len(entries):,} {one_line(name, NAME_CHARACTERS)} of {run} have a result: nothing is missing.",
            next_step=steps.results_of(run),
            code="nothing_missing",
        )
    return [entries[place] for place in places]


async def _by_id(
    client: DeepOriginClient, entries: list[dict[str, Any]], given: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The changes, with names that only the platform's record of a ligand has replaced by its id."""
    unknown = [name for name in given if name != ADDED and not places_of(entries, name)]
    ids = [name for entry in entries if (name := text(entry.get("id")))]
    if not unknown or not ids:
        return given
    try:
        stored = await client.entities.get_many("ligands", ids, select=("id", "name"))
    except DeepOriginError:
        return given
    known: dict[str, list[str]] = {}
    for name, row in stored.items():
        known.setdefault(text(row.get("name")), []).append(name)
    found: dict[str, Any] = {}
    for name, value in given.items():
        found.update(dict.fromkeys(known.get(name, [name]) if name in unknown else [name], value))
    return found
