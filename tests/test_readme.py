"""The README tells the truth: what it shows is run, and its tables are compared with the program."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import socket
import textwrap
from pathlib import Path
from typing import Any

import anyio
import pytest

from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import ManualClock, Platform, make_token, running_simulator
from tests.support.documents import README, VARIABLE, listed_tools, variables_that_are_read
from tests.support.processes import ORGANISATION, REPOSITORY, demo_run, run_program, simulator_process


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def table(head: str) -> list[list[str]]:
    """The rows of the table with this head line, cell by cell, without code marks."""
    _, _, rest = README.partition(f"{head}\n|---")
    assert rest, f"the README has no table with the head {head}"
    rows = rest.splitlines()[1:]
    return [
        [cell.strip().replace("`", "") for cell in row.strip("|").split("|")]
        for row in rows[: next(i for i, row in enumerate([*rows, ""]) if not row.startswith("|"))]
    ]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_every_command_that_is_shown_is_run_by_a_test() -> None:
    shown = [line for block in blocks("bash") for line in block.splitlines()]
    assert shown == [
        "scripts/demo",
        "scripts/test",
        "deeporigin-mcp install --client claude-code",
        "deeporigin-mcp simulator --speed 60",
        "DO_ENV=local deeporigin-mcp doctor",
    ]


def test_the_demo_runs_as_shown() -> None:
    done = demo_run()
    assert (done.returncode, done.stderr) == (0, "")


def test_the_session_that_is_shown_looks_like_a_real_one() -> None:
    def shape(line: str) -> str:
        line = re.sub(r"[0-9a-f]{8}-[0-9a-f…-]+", "id", line)
        line = re.sub(r"\S*/deeporigin-demo-\w+/approved_drugs_[0-9a-f]{8}", "folder", line)
        line = re.sub(r"0\d_\w+\.sdf", "pose", line)
        return re.sub(r"\d+(\.\d+)?", "0", line)

    real = {shape(line) for line in demo_run().stdout.splitlines()}
    [session] = blocks("text")
    assert [line for line in session.splitlines() if shape(line) not in real] == []


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert (REPOSITORY / ".ci/run").read_text().splitlines()[-1] == "exec scripts/check"
    assert (REPOSITORY / "scripts/check").read_text().splitlines()[-1] == "scripts/test --coverage"


def test_the_client_is_configured_as_shown(tmp_path: Path) -> None:
    [line] = [line for block in blocks("bash") for line in block.splitlines() if " install " in line]
    (tmp_path / ".claude.json").write_text("{}")
    done = run_program(*shlex.split(line)[1:], home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [*json.loads((tmp_path / ".claude.json").read_text())["mcpServers"]] == ["deeporigin"]


def test_the_simulator_and_the_doctor_find_each_other_as_shown(tmp_path: Path) -> None:
    simulator, doctor = (shlex.split(line) for line in blocks("bash")[-1].splitlines())
    assert simulator[:2] == [*doctor[1:2], "simulator"]
    name, _, value = doctor[0].partition("=")
    with contextlib.ExitStack() as stack:
        # Whoever has a simulator running already keeps it; the doctor finds that one.
        if not is_listening(4931):
            running = stack.enter_context(simulator_process(tmp_path, *simulator[2:], port=()))
            assert running.ready_line.endswith("use it with DO_ENV=local")
        done = run_program(*doctor[2:], home=tmp_path, variables={name: value})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_client_configuration_is_that_of_the_examples_with_credentials() -> None:
    [shown] = [json.loads(block) for block in blocks("json")]
    credentials = shown["mcpServers"]["deeporigin"].pop("env")
    assert shown == json.loads((REPOSITORY / "examples/clients/claude-desktop.json").read_text())
    assert set(credentials) <= variables_that_are_read()


def test_the_library_is_used_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = blocks("python")
    # What is shown stands in the middle of a program that is async already.
    names: dict[str, Any] = {}
    exec(f"async def program():\n{textwrap.indent(code, '    ')}\n    return page, done", names)
    platform = Platform(clock=ManualClock(auto_advance=True))
    ids = platform.seed_executions(count=12)
    with running_simulator(platform) as simulator:
        monkeypatch.setenv("DO_BASE_URL", simulator.base_url)
        monkeypatch.setenv("DO_AUTH_TOKEN", make_token())
        monkeypatch.setenv("DO_ORG_KEY", ORGANISATION)
        page, done = anyio.run(names["program"])
    assert page["count"] == 12
    assert [row["executionId"] for row in done] == ids[:1:-1]


def test_the_tools_are_those_of_the_server_in_its_order() -> None:
    assert [name for name, _ in table("| tool | what it does |")] == listed_tools()


def test_read_only_removes_as_many_tools_as_are_said() -> None:
    removed = len(listed_tools()) - len(listed_tools(read_only=True))
    assert f"removes the {('no', 'one', 'two', 'three', 'four', 'five')[removed]} tools that change something" in README


def test_the_settings_are_those_that_are_read() -> None:
    described = [name for name, _, _ in table("| variable | meaning | default |")]
    assert sorted(described) == sorted(variables_that_are_read())


def test_the_defaults_that_are_shown_are_true(tmp_path: Path) -> None:
    settings = Settings.load({}, tmp_path)
    shown = {name: default for name, _, default in table("| variable | meaning | default |")}
    assert shown["DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO"] == f"{settings.auto_approve_up_to:g}"
    assert shown["DEEPORIGIN_MCP_READ_ONLY"] == str(settings.read_only).lower()
    assert shown["DEEPORIGIN_MCP_LOG_LEVEL"] == settings.log_level
    assert shown["DEEPORIGIN_MCP_MAX_PRICE"] == shown["DEEPORIGIN_MCP_BUDGET"] == "no limit"
    assert settings.max_price is settings.budget is None


def test_every_variable_that_is_named_exists() -> None:
    named = {match.group() for match in VARIABLE.finditer(README)}
    assert named <= variables_that_are_read()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"])
def test_every_file_that_is_linked_exists(name: str) -> None:
    page = REPOSITORY / name
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target
