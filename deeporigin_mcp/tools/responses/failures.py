"""What failed of a run, in the user's own terms: the ligand that a reason means by its number, and the step."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.entities import Ligand
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import as_object

NUMBERED = re.compile(r"\bligand #?(\d{1,6})\b", re.IGNORECASE)
NAME_CHARACTERS = 40
MAX_STEPS = 3


def reason_of(execution: Execution, names: Mapping[str, str] | None = None) -> str:
    """The reason of its status, else of the step that failed; a ligand's number is followed by the ligand's name.

    Args:
        names: of ligands that the inputs give by id, where they are known.
    """
    steps = execution.failed_steps if execution.status == "Failed" else []
    reason = execution.status_reason or next((message for _, message in steps if message), "")
    numbers = _numbers(reason)
    ligands = _given(execution) if numbers else []
    if not ligands:
        return reason
    first = _first_number(reason, numbers, ligands)

    def named(match: re.Match[str]) -> str:
        place = int(match[1]) - (1 if first is None else first)
        if not 0 <= place < len(ligands):
            return match[0]
        ligand = ligands[place]
        name = (names or {}).get(ligand.id) or ligand.name or ligand.id or ligand.smiles
        is_said = is_named(name, reason) or reason.startswith(" (", match.end())
        if not name or is_said:
            return match[0]
        name = one_line(name, NAME_CHARACTERS)
        return f"{match[0]} ({name})" if first is not None else f"{match[0]} (if counted from 1: {name})"

    return NUMBERED.sub(named, reason)


def ids_meant(execution: Execution) -> list[str]:
    """Ids of the ligands that its reason means and whose names its inputs do not give."""
    places = {number - first for number in _numbers(reason_of(execution)) for first in (0, 1)}
    ligands = _given(execution) if places else []
    return [ligand.id for place in sorted(places) if 0 <= place < len(ligands) and not (ligand := ligands[place]).name]


def failed_parts(execution: Execution, lacking: tuple[int, int] = (0, 0)) -> str | None:
    """Such as `2 of 8 ligands, step dock-2`; None if nothing is said to have failed.

    Args:
        lacking: how many ligands have a reason for having no result, and of how many: a report of steps counts none.
            It says something of a completed run only: of others not all ligands were tried.
    """
    failed, total = execution.failed_ligands or (lacking if execution.status == "Completed" else (0, 0))
    # That of a run that failed none worked goes without saying.
    parts = [f"{failed} of {total} ligands"] if failed and execution.status != "Failed" else []
    names = [*dict.fromkeys(one_line(name, NAME_CHARACTERS) for name, _ in execution.failed_steps)]
    if names:
        more = f" and {len(names) - MAX_STEPS} more" if len(names) > MAX_STEPS else ""
        parts.append(f"{'step' if len(names) == 1 else 'steps'} {', '.join(names[:MAX_STEPS])}{more}")
    return ", ".join(parts) or None


def is_named(name: str, line: str) -> bool:
    """Whether a line names a molecule, as a word of its own: `CCO` is not meant by `CCOC`."""
    return bool(name) and re.search(rf"(?:^|[\s'\"`:,;]){re.escape(name)}(?:$|[\s'\"`:,;.])", line) is not None


def _given(execution: Execution) -> list[Ligand]:
    rows = execution.inputs.get("ligands")
    return [Ligand(as_object(row)) for row in rows] if isinstance(rows, list) else []


def _numbers(reason: str) -> list[int]:
    return [int(found) for found in NUMBERED.findall(reason)]


def _first_number(reason: str, numbers: Sequence[int], ligands: Sequence[Ligand]) -> int | None:
    """Whether ligands are counted from 0 or 1: by a number that only one of them allows, or by the molecule that is
    named beside the number; None if it may be either.
    """
    may_be = [first for first in (0, 1) if all(0 <= number - first < len(ligands) for number in numbers)]
    if len(may_be) == 1:
        return may_be[0]
    named = [
        first
        for first in may_be
        if all(
            any(is_named(name, reason) for name in (ligand.id, ligand.name, ligand.smiles))
            for ligand in (ligands[number - first] for number in numbers)
        )
    ]
    return named[0] if len(named) == 1 else None
