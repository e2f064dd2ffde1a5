"""What counts as a regression, without running the suite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance import runner
from tests.conformance.runner import Group
from tests.support.node import CannotRunError


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the scenario of `problems` answers."""
    found: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def serving(module: str) -> Iterator[str]:
        yield "http://127.0.0.1:1/mcp"

    monkeypatch.setattr(runner, "serving", serving)
    monkeypatch.setattr(runner, "checks_of", lambda *_: found)
    return found


def problems(**expected: str) -> list[str]:
    named = {f"scenario {check}": why for check, why in expected.items()}
    return runner.run(Group("group", "module", ["scenario"], expected=named), ["node", "suite"])


def test_success_and_information_are_as_expected(checks: list[dict[str, Any]]) -> None:
    checks += [{"id": "a", "status": "SUCCESS"}, {"id": "b", "status": "INFO"}]
    assert problems() == []


@pytest.mark.parametrize("status", ["FAILURE", "WARNING", "SKIPPED"])
def test_anything_else_is_a_problem_unless_it_was_expected_so(checks: list[dict[str, Any]], status: str) -> None:
    checks.append({"id": "a", "status": status, "errorMessage": "broken"})
    assert problems() == [f"group: scenario a {status}: broken"]
    assert problems(a=f"{status}: for a reason") == []
    assert problems(a="OTHER: for a reason") == [f"group: scenario a {status}: broken"]


def test_what_is_better_than_expected_has_to_be_written_down(checks: list[dict[str, Any]]) -> None:
    checks.append({"id": "a", "status": "SUCCESS"})
    assert problems(a="FAILURE: why") == ["group: scenario a was expected to be FAILURE, and is SUCCESS"]
    checks.clear()
    checks.append({"id": "b", "status": "SUCCESS"})
    assert problems(a="FAILURE: why") == ["group: scenario a was expected to be FAILURE, and is not there"]


def test_a_check_made_twice_counts_as_its_worse_half(checks: list[dict[str, Any]]) -> None:
    checks += [{"id": "a", "status": "FAILURE"}, {"id": "a", "status": "SUCCESS"}]
    assert problems(a="FAILURE: why") == []


def test_a_scenario_without_checks_is_a_problem(checks: list[dict[str, Any]]) -> None:
    assert problems() == ["group: scenario made no checks"]


def test_every_expected_check_belongs_to_its_group_and_has_a_reason() -> None:
    for group in runner.groups().values():
        assert len(set(group.scenarios)) == len(group.scenarios)
        for name, why in group.expected.items():
            assert name.split(" ")[0] in group.scenarios
            assert len(why.split(": ", 1)[1]) > 10


def test_an_unknown_group_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        runner.main(["nonsense"])
    assert "no such group: nonsense" in capsys.readouterr().err


def test_what_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing() -> list[str]:
        raise CannotRunError("no network")

    monkeypatch.setattr(runner, "installed", missing)
    assert runner.main(["tasks"]) == 2
    assert "no network" in capsys.readouterr().out
