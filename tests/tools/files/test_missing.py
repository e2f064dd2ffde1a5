"""The one judgement of which ligands of a run's inputs have no result."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.tools.files.missing import lacking_in
from deeporigin_mcp.tools.files.run_files import Found, Item
from deeporigin_mcp.tools.files.run_molecules import Molecule

LIGANDS = [Molecule(f"08{number}", smiles="C" * number) for number in range(1, 7)]
COMPLETED, FAILED = Execution({"status": "Completed"}), Execution({"status": "Failed"})


def found(*items: Item, ligands: list[Molecule] = LIGANDS, **facts: object) -> Found:
    return Found([*items], ligands, len(ligands), **facts)  # type: ignore[arg-type]


def row(one: Molecule, **facts: str) -> Item:
    return Item("", molecule=one, values={"score": 1}, **facts)  # type: ignore[arg-type]


numbers = st.sets(st.integers(0, len(LIGANDS) - 1))


@given(st.randoms(), numbers.filter(len), numbers, st.integers(1, 3), st.booleans())
def test_those_without_a_row_and_those_with_a_reason_have_none_whatever_the_order_and_number_of_rows(
    order: object, there: set[int], failed: set[int], times: int, by_id: bool
) -> None:
    names = [Molecule(one.id) if by_id else Molecule(smiles=one.smiles) for one in LIGANDS]
    items = [row(names[number]) for number in there | failed for _ in range(times)]
    order.shuffle(items)  # type: ignore[attr-defined]
    reasons = {one: "odd" for number in failed for one in (names[number].id or names[number].smiles,)}
    lacking = lacking_in(COMPLETED, found(*items, failures=reasons))
    assert lacking is not None
    expected = [number for number in range(len(LIGANDS)) if number not in there - failed]
    assert (lacking.places, lacking.count) == (expected, len(expected))


def test_a_row_whose_file_is_gone_is_a_result_unless_files_matter() -> None:
    items = [row(one, problem="it is gone") if one is LIGANDS[2] else row(one) for one in LIGANDS]
    with_files, without = lacking_in(COMPLETED, found(*items)), lacking_in(COMPLETED, found(*items).without_files())
    assert with_files is not None
    assert without is not None
    assert (with_files.places, without.places) == ([2], [])


@pytest.mark.parametrize(
    ("execution", "items", "count"),
    [
        (COMPLETED, [], None),
        (COMPLETED, [Item("a.log")], None),
        (FAILED, [], 6),
        (FAILED, [Item("a.log")], 6),
        (FAILED, [Item("", values={"ddG": 1})], None),
        (Execution({"status": "Running"}), [], None),
        (Execution({"status": "Quoted"}), [], None),
    ],
)
def test_without_a_row_of_a_ligand_only_a_run_that_failed_has_certainly_none(
    execution: Execution, items: list[Item], count: int | None
) -> None:
    lacking = lacking_in(execution, found(*items))
    assert (None if lacking is None else lacking.count) == count


def test_which_ones_is_not_certain_where_the_platform_writes_a_smiles_otherwise() -> None:
    lacking = lacking_in(COMPLETED, found(row(Molecule(smiles="OCC")), row(LIGANDS[0]), ligands=LIGANDS[:3]))
    assert lacking is not None
    assert (lacking.count, lacking.places) == (1, None)
