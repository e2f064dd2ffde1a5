"""The README tells the truth: what it shows is run, and what it says first is there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from deeporigin_mcp.cli import CLIENTS
from tests.support.documents import README, VARIABLE, variables_that_are_read
from tests.support.processes import REPOSITORY, demo_run, run_program

MOST_LINES = 80


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_every_command_that_is_shown_is_run_by_a_test() -> None:
    shown = [line for block in blocks("bash") for line in block.splitlines()]
    assert shown == ["scripts/demo", "scripts/test", "deeporigin-mcp install --client claude-code"]


def test_it_is_short_and_comes_to_the_point() -> None:
    assert len(README.splitlines()) <= MOST_LINES
    assert re.findall("^## (.*)$", README, re.MULTILINE) == ["Try it", "Install", "A first session", "Read on"]


def test_the_demo_runs_as_shown() -> None:
    done = demo_run()
    assert (done.returncode, done.stderr) == (0, "")


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert (REPOSITORY / ".ci/run").read_text().splitlines()[-1] == "exec scripts/check"
    assert (REPOSITORY / "scripts/check").read_text().splitlines()[-1] == "scripts/test --coverage"


def test_the_client_is_configured_as_shown(tmp_path: Path) -> None:
    [line] = [line for block in blocks("bash") for line in block.splitlines() if " install " in line]
    (tmp_path / ".claude.json").write_text("{}")
    done = run_program(*shlex.split(line)[1:], home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [*json.loads((tmp_path / ".claude.json").read_text())["mcpServers"]] == ["deeporigin"]


def test_the_clients_are_those_that_install_knows() -> None:
    [sentence] = re.findall(r"```\n\nor (.*?)\.", README, re.DOTALL)
    assert ["claude-code", *re.findall("`([a-z-]+)`", sentence)] == sorted(
        CLIENTS, key=lambda name: name != "claude-code"
    )


def test_every_variable_that_is_named_exists() -> None:
    named = {match.group() for match in VARIABLE.finditer(README)}
    assert named <= variables_that_are_read()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"])
def test_every_file_that_is_linked_exists(name: str) -> None:
    page = REPOSITORY / name
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target
