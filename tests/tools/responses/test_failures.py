"""The ligand that a reason means, and the step or the share of a run that failed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.tools.responses.failures import failed_parts, ids_meant, is_named, reason_of

FOUR = [{"id": "08A", "smiles": "CCO"}, {"name": "aspirin", "smiles": "CCN"}, {"smiles": "CCC"}, {"smiles": "CCCC"}]


def run(reason: Any, ligands: Any = FOUR, **dto: Any) -> Execution:
    return Execution({"status": "Failed", "statusReason": reason, "userInputs": {"ligands": ligands}, **dto})


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("ligand 2: no parameters", "ligand 2 (if counted from 1: aspirin): no parameters"),
        ("Ligand #4: no parameters", "Ligand #4 (CCCC): no parameters"),
        ("ligand 0 and ligand 1 failed", "ligand 0 (08A) and ligand 1 (aspirin) failed"),
        ("ligand 1 and ligand 4 failed", "ligand 1 (08A) and ligand 4 (CCCC) failed"),
        ("ligand 2: cannot read SMILES 'CCN'", "ligand 2 (aspirin): cannot read SMILES 'CCN'"),
        ("ligand 1: cannot read SMILES 'CCN'", "ligand 1 (aspirin): cannot read SMILES 'CCN'"),
        ("ligand 2 (aspirin): no parameters", "ligand 2 (aspirin): no parameters"),
        ("ligand 3: 'CCC' is odd", "ligand 3: 'CCC' is odd"),
        ("ligand 9 failed", "ligand 9 failed"),
        ("ligand 2000000 failed", "ligand 2000000 failed"),
        ("out of memory", "out of memory"),
    ],
)
def test_a_ligands_number_is_followed_by_its_name_where_it_is_certain_or_says_how_it_is_counted(
    reason: str, said: str
) -> None:
    assert reason_of(run(reason)) == said
    assert reason_of(run(said)) == said, "it is named once"


def test_the_platforms_name_of_a_ligand_is_used_where_it_is_known() -> None:
    execution = run("ligand 0 failed")
    assert ids_meant(execution) == ["08A"]
    assert reason_of(execution, {"08A": "SAR-01"}) == "ligand 0 (SAR-01) failed"


def test_without_a_reason_that_of_the_failed_step_is_given() -> None:
    execution = run(None, progressReport=tree(step("prep", "Succeeded"), step("dock", "Failed", "no GPU")))
    assert (reason_of(execution), failed_parts(execution)) == ("no GPU", "step dock")


def step(name: str, status: str, message: str | None = None, *below: dict[str, Any]) -> dict[str, Any]:
    return {"displayName": name, "status": status, "message": message, "children": [*below]}


def tree(*steps: dict[str, Any], status: str = "Failed") -> dict[str, Any]:
    return step("workflow-r", status, None, *steps)


TEXT = "total_num_ligands = 3\nligand docked 1\nligand failed 2: no parameters\n"


@pytest.mark.parametrize(
    ("status", "report", "said"),
    [
        ("Completed", tree(step("dock(1:index:1)", "Failed"), step("dock(2:index:2)", "Succeeded")), "step dock-1"),
        ("Running", tree(step("a", "Error"), step("b", "Failed"), status="Running"), "steps a, b"),
        ("Failed", tree(step("outer", "Failed", None, step("inner", "Failed"))), "step inner"),
        ("Failed", tree(*(step(name, "Failed") for name in "abcde")), "steps a, b, c and 2 more"),
        ("Failed", tree(), None),
        ("Completed", tree(step("a", "Skipped"), step("b", "Omitted")), None),
        ("Completed", TEXT, "1 of 3 ligands"),
        ("Running", TEXT, "1 of 3 ligands"),
        ("Failed", TEXT, None),
        ("Completed", TEXT.replace("failed", "docked"), None),
        ("Failed", '{"status": "Failed", "sub_step": "solvation"}', "step solvation"),
        ("Completed", '{"status": "Running", "sub_step": "solvation"}', None),
        ("Completed", {"complete": 50}, None),
    ],
)
def test_what_failed_is_told_from_the_progress_report_alone(status: str, report: Any, said: str | None) -> None:
    assert failed_parts(Execution({"status": status, "progressReport": report})) == said


words, names = st.text("ligand 0123()CN:'#", max_size=30), st.text("ligand ()CN:'#", max_size=30)


@given(words, st.lists(st.fixed_dictionaries({}, optional={"id": names, "name": names, "smiles": names}), max_size=4))
def test_naming_takes_nothing_from_a_reason_and_is_done_once(reason: str, ligands: list[dict[str, str]]) -> None:
    said = reason_of(run(reason, ligands))
    rest = iter(said)
    assert all(letter in rest for letter in Execution({"statusReason": reason}).status_reason)
    assert reason_of(run(said, ligands)) == said


def test_a_molecule_is_named_by_a_word_of_its_own() -> None:
    assert is_named("CCO", "cannot read SMILES 'CCO': odd")
    assert not is_named("CCO", "cannot read CCOC")
    assert not is_named("", "anything")
