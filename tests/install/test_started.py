"""What `install` wrote starts the server: an MCP client reads the file, starts what it says, and lists the tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from deeporigin_mcp.install.clients import CLIENTS, Scope, client_named
from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.simulator import Platform, RunningSimulator, make_token, running_simulator
from tests.install.starting import (
    EXPANSIONS,
    as_started,
)
from tests.support.home import NAMES, Home
from tests.support.processes import COMMAND, ORGANISATION, environment, run, run_program


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(Platform()) as running:
        yield running


async def ask(client: str, parameters: StdioServerParameters, answers: dict[str, Any]) -> None:
    async with Client(parameters) as session:
        names = [tool.name for tool in (await session.list_tools()).tools]
        workspace = await session.call_tool("get_workspace", {})
    assert names == [offer.function.__name__ for offer in TOOLS], client
    answers[client] = workspace


def all_started(home: Home, scope: Scope, variables: Mapping[str, str]) -> dict[str, Any]:
    """What `get_workspace` answers where each client's file is used as it stands."""
    answers: dict[str, Any] = {}

    async def start_all() -> None:
        async with anyio.create_task_group() as tasks:
            for client in CLIENTS:
                if scope in client.scopes():
                    entry = home.servers(client.name, scope)["deeporigin"]
                    tasks.start_soon(ask, client.name, as_started(client.name, entry, variables), answers)

    anyio.run(start_all)
    return answers


@pytest.mark.parametrize("signed_in", [True, False])
def test_each_client_starts_the_server_from_its_file_and_lists_the_tools(
    home: Home, simulator: RunningSimulator, signed_in: bool
) -> None:
    secrets = {"DO_AUTH_TOKEN": make_token(), "DO_ORG_KEY": ORGANISATION}
    variables = environment(home.folder, **(secrets if signed_in else {}))
    for name in NAMES:
        home.write(name)
        address = f"DO_BASE_URL={simulator.base_url}"
        done = run_program("install", "--client", name, "--env", address, home=home.folder)
        assert (done.returncode, done.stderr) == (0, ""), name
        assert done.stdout.rstrip().endswith(client_named(name).next_step)
    answers = all_started(home, "user", variables)
    assert sorted(answers) == sorted(NAMES)
    for name, workspace in answers.items():
        if signed_in and name != "claude-desktop":
            assert workspace.structured_content["organization"].startswith(ORGANISATION), name
        elif signed_in:
            # It passes its environment on, but has none of a shell's in practice; here it does.
            assert not workspace.is_error
        else:
            # References to variables that are not set count as nothing.
            assert workspace.is_error, name


def test_the_token_that_was_written_signs_in_by_itself(home: Home, simulator: RunningSimulator) -> None:
    token = make_token()
    secrets = {"DO_AUTH_TOKEN": token, "DO_ORG_KEY": ORGANISATION, "DO_BASE_URL": simulator.base_url}
    for name in NAMES:
        home.write(name)
        done = run_program("install", "--client", name, "--with-token", home=home.folder, variables=secrets)
        assert done.returncode == 0, done.stderr
        assert token not in done.stdout
    # Codex passes nothing on beside this; the others have nothing to pass on.
    answers = {}
    for name, workspace in all_started(home, "user", environment(home.folder)).items():
        answers[name] = workspace.structured_content["organization"].split()[0]
    assert answers == dict.fromkeys(NAMES, ORGANISATION)


def test_a_project_s_file_starts_the_server(
    home: Home, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.machine.project)
    for name in NAMES:
        if "project" in client_named(name).scopes():
            assert home.install(name, "project", command="", env={"DO_BASE_URL": simulator.base_url}) == 0
    variables = environment(home.folder, DO_AUTH_TOKEN=make_token(), DO_ORG_KEY=ORGANISATION)
    answers = all_started(home, "project", variables)
    assert len(answers) == 6
    assert not any(workspace.is_error for workspace in answers.values())


def test_every_client_has_its_rule_of_expansion() -> None:
    assert [*EXPANSIONS] == NAMES


def test_the_program_installs_and_uninstalls_in_the_current_folder(home: Home) -> None:
    project = home.machine.project
    done = run([*COMMAND, "install", "--client", "claude-code", "--scope", "project"], home.folder, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "./.mcp.json" in done.stdout
    assert [path.name for path in project.iterdir()] == [".mcp.json"]
    done = run([*COMMAND, "uninstall", "--client", "claude-code", "--scope", "project"], home.folder, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (project / ".mcp.json").exists()
