"""Ligands of a run's inputs of which it gave no result, by the user's own names, and the reasons that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.files.run_files import Found, Item
from deeporigin_mcp.tools.files.run_molecules import Molecule
from deeporigin_mcp.tools.responses.failures import NUMBERED, is_named

LOG_LINES = 200
REASON_CHARACTERS = 200
NAME_CHARACTERS = 80
MAX_NAMED = 1_000
NO_RESULT = "the run gave no result"


@dataclass(frozen=True)
class Lacking:
    """Ligands of a run's inputs without a result; `places` in the inputs is None if it is not certain which."""

    count: int
    places: list[int] | None


class Missing(NamedTuple):
    """How many ligands of a run's inputs have no result, and the name and the reason of each."""

    ligand_count: int = 0
    named: Sequence[tuple[str, str]] = ()


async def missing_rows(client: DeepOriginClient, execution: Execution, found: Found) -> Missing | None:
    """As `missing_of`, by the rows alone, whatever became of their files; None also while the run goes on."""
    if not execution.is_terminal:
        return None
    rows = replace(found, items=[item for item in found.items if item.values]).without_files()
    return await missing_of(client, execution, rows)


async def missing_of(client: DeepOriginClient, execution: Execution, found: Found) -> Missing | None:
    """The ligands of the run's inputs without a result; None if no result is of a single ligand."""
    if not any(map(_names, found.items)) or (missing := lacking_in(execution, found)) is None:
        return None
    if missing.places is None:
        return Missing(missing.count, [(f"{missing.count} of {found.ligand_count} ligands", NO_RESULT)])
    lacking = [found.ligands[place] for place in missing.places]
    problems = {name: item.problem for item in found.items if item.problem for name in _names(item)}
    unexplained = [one for one in lacking if not _reason(found, problems, one)]
    log = await _log_lines(client, execution) if unexplained else []
    numbered = _by_number(log, found.ligands, lacking)
    stored = await stored_names(client, [one.id for one in lacking if not one.name])
    return Missing(
        missing.count,
        [
            (
                stored.get(one.id) or one.shown,
                _reason(found, problems, one) or _said_of(one, log) or numbered.get(one) or NO_RESULT,
            )
            for one in lacking
        ],
    )


def lacking_in(execution: Execution, found: Found) -> Lacking | None:
    """Which ligands of a run's inputs have no result; None where none are listed, or results are not of single ones.

    The one judgement of that: a result is a row of a ligand, or its file, that has no `problem` and gives no reason for
    which the ligand failed. Where files do not matter, `found` is without them (`Found.without_files`).
    """
    if not found.ligand_count:
        return None
    everyone = [*range(len(found.ligands))] if found.ligands else None
    if not any(map(_names, found.items)):
        # A completed run may have results that are no rows, and rows may be of no single ligand.
        has_rows = any(item.values for item in found.items)
        has_none = execution.is_terminal and execution.status != "Completed" and not has_rows
        return Lacking(found.ligand_count, everyone) if has_none else None
    kept = [item for item in found.items if not item.problem and not _failure(found, item.molecule)]
    there = {name for item in kept for name in _names(item)}
    places = [place for place, one in enumerate(found.ligands) if not there.intersection((one.id, one.smiles))]
    results = {item.molecule.id or item.molecule.smiles for item in kept} - {""}
    count = max(0, found.ligand_count - len(results))
    if found.ligands and len(places) <= count:
        return Lacking(len(places), places)
    # The platform may write a SMILES otherwise than the inputs did: then it is not certain which ones.
    return Lacking(count, None if count else [])


def _names(item: Item) -> set[str]:
    smiles = item.pose.smiles if item.pose else ""
    return {item.molecule.id, item.molecule.smiles, smiles} - {""}


def says_why_not(found: Found, item: Item) -> bool:
    """Whether a row only says why there is no result: its ligand is among the missing."""
    return item.pose is None and bool(_failure(found, item.molecule))


def _failure(found: Found, one: Molecule) -> str:
    return found.failures.get(one.id) or found.failures.get(one.smiles) or ""


def _reason(found: Found, problems: Mapping[str, str], one: Molecule) -> str:
    return _failure(found, one) or problems.get(one.id) or problems.get(one.smiles) or ""


async def stored_names(client: DeepOriginClient, ids: Sequence[str]) -> dict[str, str]:
    """Names of ligands that the inputs give by id only; empty if they cannot be read."""
    wanted = [name for name in ids if name][:MAX_NAMED]
    try:
        fields = ("id", "name")
        rows = await client.entities.get_many("ligands", wanted, select=fields, may_be_kept=True) if wanted else {}
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
    """The line of a log that names a molecule."""
    for name in (one.id, one.smiles, one.name):
        if line := next((line for line in log if is_named(name, line)), ""):
            return one_line(line, REASON_CHARACTERS)
    return ""


def _by_number(log: Sequence[str], given: Sequence[Molecule], lacking: Sequence[Molecule]) -> dict[Molecule, str]:
    """Lines that name a ligand by its number, if these are certainly those that are missing.

    The first may be number 0 or 1: it has to be one of them, and not the other.
    """
    lines = {int(found[1]): line for line in log if (found := NUMBERED.search(line))}
    for first in (0, 1):
        if not lines or not all(0 <= number - first < len(given) for number in lines):
            continue
        named = {given[number - first]: one_line(line, REASON_CHARACTERS) for number, line in lines.items()}
        if {*named} == {*lacking}:
            return named
    return {}
