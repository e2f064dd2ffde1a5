"""Ligands of a run's inputs of which it gave no result, by the user's own names, and the reasons that are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.files.run_files import Found, Item, Molecule, found_in

LOG_LINES = 200
REASON_CHARACTERS = 200
NAME_CHARACTERS = 80
MAX_NAMED = 1_000
NO_RESULT = "the run gave no result"
_NUMBERED = re.compile(r"\bligand #?(\d{1,6})\b", re.IGNORECASE)


async def missing_in(
    client: DeepOriginClient, execution: Execution, rows: Sequence[Json]
) -> tuple[int, int, list[tuple[str, str]]] | None:
    """How many ligands were given, how many have no result in `rows`, and these as by `missing_of`.

    `rows` are all that the run has. None where the inputs list no ligands, or the results are not of single ones.
    """
    found = await found_in(client, execution, rows)
    missing = await missing_of(client, execution, found)
    return None if missing is None else (found.ligand_count, *missing)


async def missing_of(
    client: DeepOriginClient, execution: Execution, found: Found
) -> tuple[int, list[tuple[str, str]]] | None:
    """How many ligands of the run's inputs have no result, and the name and the reason of each; None if its results are
    not of single ligands.
    """
    if not found.ligand_count or not any(map(_names, found.items)):
        return None
    places, count = _lacking(found, _is_there)
    lacking = [found.ligands[place] for place in places]
    if not found.ligands or len(lacking) > count:
        # The platform may write a SMILES otherwise than the inputs did: then it is not certain which ones.
        return count, [(f"{count} of {found.ligand_count} ligands", NO_RESULT)] if count else []
    problems = {name: item.problem for item in found.items if item.problem for name in _names(item)}
    unexplained = [one for one in lacking if not _reason(found, problems, one)]
    log = await _log_lines(client, execution) if unexplained else []
    numbered = _by_number(log, found.ligands, lacking)
    stored = await _stored_names(client, lacking)
    return len(lacking), [
        (
            stored.get(one.id) or one.shown,
            _reason(found, problems, one) or _said_of(one, log) or numbered.get(one) or NO_RESULT,
        )
        for one in lacking
    ]


def without_result(execution: Execution, found: Found) -> list[int] | None:
    """The positions in the run's inputs of the ligands that have no result; None if that is not certain.

    Args:
        found: none of its files needs to be here.
    """
    if not any(map(_names, found.items)):
        is_over_without = found.ligands and execution.status not in ("Completed", "Quoted") and execution.is_settled
        return [*range(len(found.ligands))] if is_over_without else None
    places, count = _lacking(found, lambda item: not item.problem)
    return places if found.ligands and len(places) <= count else None


def _lacking(found: Found, is_result: Callable[[Item], bool]) -> tuple[list[int], int]:
    """The positions of ligands of which no result is seen, and how many have none."""
    kept = [item for item in found.items if is_result(item) and not _failure(found, item.molecule)]
    there = {name for item in kept for name in _names(item)}
    places = [place for place, one in enumerate(found.ligands) if not there.intersection((one.id, one.smiles))]
    results = {item.molecule.id or item.molecule.smiles for item in kept} - {""}
    return places, max(0, found.ligand_count - len(results))


def _is_there(item: Item) -> bool:
    """Whether its file is, or it is a row that needs none."""
    return bool(item.local) or not (item.path or item.problem)


def _names(item: Item) -> set[str]:
    smiles = item.pose.smiles if item.pose else ""
    return {item.molecule.id, item.molecule.smiles, smiles} - {""}


def _failure(found: Found, one: Molecule) -> str:
    return found.failures.get(one.id) or found.failures.get(one.smiles) or ""


def _reason(found: Found, problems: Mapping[str, str], one: Molecule) -> str:
    return _failure(found, one) or problems.get(one.id) or problems.get(one.smiles) or ""


async def _stored_names(client: DeepOriginClient, ligands: Sequence[Molecule]) -> dict[str, str]:
    """Names of ligands that the inputs give by id only."""
    ids = [one.id for one in ligands if one.id and not one.name][:MAX_NAMED]
    try:
        rows = await client.entities.get_many("ligands", ids, select=("id", "name")) if ids else {}
    except DeepOriginError:
        return {}
    return {name: shown for name, row in rows.items() if (shown := one_line(text(row.get("name")), NAME_CHARACTERS))}


async def _log_lines(client: DeepOriginClient, execution: Execution) -> list[str]:
    try:
        page = await client.user_logs.search(execution.execution_id, limit=LOG_LINES)
    except DeepOriginError:
        return []
    return [text(row.get("message")) for row in rows_of(page)]


def _said_of(one: Molecule, log: Sequence[str]) -> str:
    """The line of a log that names a molecule, as a word of its own: `CCO` is not meant by `CCOC`."""
    for name in filter(None, (one.id, one.smiles, one.name)):
        named = re.compile(rf"(?:^|[\s'\"`:,;]){re.escape(name)}(?:$|[\s'\"`:,;.])")
        if line := next((line for line in log if named.search(line)), ""):
            return one_line(line, REASON_CHARACTERS)
    return ""


def _by_number(log: Sequence[str], given: Sequence[Molecule], lacking: Sequence[Molecule]) -> dict[Molecule, str]:
    """Lines that name a ligand by its number, if these are certainly those that are missing.

    The first may be number 0 or 1: it has to be one of them, and not the other.
    """
    lines = {int(found[1]): line for line in log if (found := _NUMBERED.search(line))}
    for first in (0, 1):
        if not lines or not all(0 <= number - first < len(given) for number in lines):
            continue
        named = {given[number - first]: one_line(line, REASON_CHARACTERS) for number, line in lines.items()}
        if {*named} == {*lacking}:
            return named
    return {}
