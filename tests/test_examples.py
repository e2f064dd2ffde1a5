"""Every example runs as its README says, in a process of its own, against a simulator."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.simulator import Platform, RunningSimulator, ScaledClock, make_token, running_simulator
from tests.support.documents import PLACEHOLDER, PROMPTED
from tests.support.processes import COMMAND, ORGANISATION, REPOSITORY, TIMEOUT_SECONDS, environment, run

EXAMPLES = REPOSITORY / "examples"
CLIENTS = sorted((EXAMPLES / "clients").iterdir())
PROGRAMS = sorted(EXAMPLES.glob("*.py"))


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(Platform(clock=ScaledClock(600))) as running:
        yield running


@pytest.fixture
def variables(simulator: RunningSimulator) -> dict[str, str]:
    return {"DO_BASE_URL": simulator.base_url, "DO_AUTH_TOKEN": make_token(), "DO_ORG_KEY": ORGANISATION}


def example(name: str, *arguments: str) -> list[str | Path]:
    return [sys.executable, EXAMPLES / name, *arguments]


def json_in(output: str) -> dict[str, Any]:
    """The JSON object with which an output ends."""
    return dict(json.loads(output[output.index("\n{\n") :]))


def test_the_server_is_driven_to_the_results_of_a_run_that_was_paid_for(
    simulator: RunningSimulator, variables: dict[str, str], tmp_path: Path
) -> None:
    done = run(example("drive_server.py", "dock ligands into a protein", "--limit", "1"), tmp_path, variables=variables)
    assert done.returncode == 0, done.stderr
    final = json_in(done.stdout)
    assert (final["status"], final["cost"]) == ("Completed", 0.2)
    assert final["results"]
    assert re.search(r"^  \d+ of at most 45 s: 1 of 1 over", done.stdout, re.MULTILINE)
    assert f"Quote: 0.2 USD for {final['execution_id']}" in done.stdout
    assert simulator.platform.confirms == [final["execution_id"]]


def test_a_free_run_needs_no_limit_and_takes_its_inputs_from_a_file(
    simulator: RunningSimulator, variables: dict[str, str], tmp_path: Path
) -> None:
    inputs = tmp_path / "inputs.json"
    inputs.write_text(json.dumps({"ligands": [{"smiles": "c1ccccc1"}, {"smiles": "CCN"}], "molprops": ["logp"]}))
    project = [*simulator.platform.organisations[ORGANISATION].projects][1]
    arguments = ("molecular properties", "--inputs", str(inputs), "--project", project)
    done = run(example("drive_server.py", *arguments), tmp_path, variables=variables)
    assert done.returncode == 0, done.stderr
    final = json_in(done.stdout)
    assert [ligand["smiles"] for ligand in final["inputs"]["ligands"]] == ["c1ccccc1", "CCN"]
    assert final["project_id"] == project


def test_a_run_above_the_limit_is_only_quoted(
    simulator: RunningSimulator, variables: dict[str, str], tmp_path: Path
) -> None:
    done = run(example("drive_server.py", "dock ligands into a protein"), tmp_path, variables=variables)
    assert done.returncode == 1
    assert "deeporigin.docking costs 0.20 USD" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(simulator.platform.creates) == 1
    assert simulator.platform.confirms == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("y\n", ""),
        ("what?\n\n Y \n", ""),
        ("n\n", "deeporigin.docking for 0.20 USD"),
        ("", "the elicitation was cancelled"),
    ],
)
def test_a_question_about_money_is_answered_at_the_terminal(
    simulator: RunningSimulator, variables: dict[str, str], tmp_path: Path, typed: str, told: str
) -> None:
    done = subprocess.run(
        example("answer_questions.py", "dock ligands into a protein"),
        env=environment(tmp_path, **variables),
        input=typed,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == (1 if told else 0), done.stderr
    where = "on a simulated platform, where nothing is real"
    assert f"run for 0.20 USD, charged to deeporigin {where}?\nTool: deeporigin.docking" in done.stdout
    assert "Traceback" not in done.stderr
    assert told in done.stderr
    (name,) = simulator.platform.creates
    if told:
        assert simulator.platform.confirms == []
        assert simulator.platform.status(name) == "Quoted"
    else:
        assert simulator.platform.confirms == [name] == [json_in(done.stdout)["execution_id"]]
        assert done.stdout.count("y/n: ") == typed.count("\n")


def test_the_library_runs_what_its_limit_allows(
    simulator: RunningSimulator, variables: dict[str, str], tmp_path: Path
) -> None:
    simulator.platform.seed_executions(count=5, tool_key="deeporigin.admet-properties", name="earlier")
    command = example("use_client_library.py", "CC(=O)Oc1ccccc1C(=O)O", "CCO", "--limit", "0.10")
    done = run(command, tmp_path, variables=variables)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.startswith("5 executions of deeporigin.admet-properties\n")
    assert done.stdout.count("earlier") == 3
    assert re.search(r"^Completed after \d+\.\d+ s for 0\.1 USD", done.stdout, re.MULTILINE)
    assert "'smiles': 'CCO'" in done.stdout
    assert "ames" in done.stdout
    assert len(simulator.platform.confirms) == 1


def test_the_library_starts_nothing_above_its_limit(
    simulator: RunningSimulator, variables: dict[str, str], tmp_path: Path
) -> None:
    done = run(example("use_client_library.py", "CCO"), tmp_path, variables=variables)
    assert (done.returncode, done.stderr) == (1, "Not started: the limit is 0.0 USD.\n")
    assert simulator.platform.confirms == []


def test_the_library_says_that_nobody_is_signed_in(tmp_path: Path) -> None:
    done = run(example("use_client_library.py", "CCO"), tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Not signed in to Deep Origin")
    assert "Traceback" not in done.stderr


def test_the_server_starts_as_each_client_is_told_to_start_it(variables: dict[str, str], tmp_path: Path) -> None:
    configurations = {path: json.loads(path.read_text()) for path in CLIENTS}

    async def start_all() -> None:
        async with anyio.create_task_group() as tasks:
            for path in CLIENTS:
                tasks.start_soon(start_as_told, path.name, configurations[path], variables, tmp_path)

    anyio.run(start_all)


async def start_as_told(file: str, configuration: dict[str, Any], variables: dict[str, str], home: Path) -> None:
    [server] = configuration["servers" if "servers" in configuration else "mcpServers"].values()
    assert (server["command"], server["args"]) == ("uvx", ["deeporigin-mcp"])

    def resolved(match: re.Match[str]) -> str:
        name = match["name"]
        return variables.get(PROMPTED.get(name, name), "")

    told = {name: PLACEHOLDER.sub(resolved, value) for name, value in server.get("env", {}).items()}
    # The platform's address is the only thing that differs here from what a user has.
    address = {"DO_BASE_URL": variables["DO_BASE_URL"]} if told else {}
    parameters = StdioServerParameters(
        command=COMMAND[0], args=[*COMMAND[1:]], env=environment(home, **told, **address)
    )
    async with Client(parameters) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        workspace = await client.call_tool("get_workspace", {})
    assert names == [offer.function.__name__ for offer in TOOLS]
    if workspace.structured_content is None:
        # Without variables the official client's files are read, and there are none.
        assert (file, workspace.is_error) == ("claude-desktop.json", True)
    else:
        assert workspace.structured_content["organization"].startswith(ORGANISATION)


def test_vs_code_asks_for_each_input_and_hides_the_token() -> None:
    configuration = json.loads((EXAMPLES / "clients/vscode.json").read_text())
    asked = {item["id"]: item for item in configuration["inputs"]}
    used = PLACEHOLDER.findall(json.dumps(configuration["servers"]))
    assert sorted(asked) == sorted(used) == sorted(PROMPTED)
    assert all(item["type"] == "promptString" for item in asked.values())
    assert asked["deeporigin-token"]["password"] is True


def test_no_client_configuration_holds_a_token() -> None:
    for path in CLIENTS:
        for value in re.findall(r'"DO_AUTH_TOKEN": "(.*)"', path.read_text()):
            assert PLACEHOLDER.fullmatch(value), path.name


def test_the_readme_of_the_examples_names_each_of_them() -> None:
    text = (EXAMPLES / "README.md").read_text()
    for path in (*PROGRAMS, *CLIENTS):
        assert f"({path.relative_to(EXAMPLES)})" in text
    commands = re.findall(r"`DO_ENV=local \.venv/bin/python (\S+) [^`]+`", text)
    assert commands == [f"examples/{path.name}" for path in PROGRAMS]
    for path in PROGRAMS:
        assert f"DO_ENV=local python examples/{path.name}" in path.read_text()
