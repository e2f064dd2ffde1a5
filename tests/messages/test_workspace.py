"""What is said about the workspace: what could not be read, projects, and over what the spending counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deeporigin_mcp.server import create_server
from deeporigin_mcp.tools.runtime.projects import unknown_project
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import PROJECT, Bench, agent_of, docking, running_bench

pytestmark = pytest.mark.anyio


@pytest.fixture
def bench() -> Iterator[Bench]:
    with running_bench() as found:
        yield found


def without_ids(text: str) -> str:
    """A text without request ids: the workspace reads several things at once, so their numbers differ."""
    return re.sub(r" \(request id .*?\)", "", text)


async def problems(bench: Bench, *faults: str, **values: Any) -> str:
    for rule in faults:
        bench.fault(rule)
    async with bench.agent(**values) as agent:
        found = await agent.read("get_workspace")
    bench.heal()
    return without_ids("\n".join(sorted(found["problems"])))


async def test_messages_about_the_workspace(bench: Bench) -> None:
    projects = bench.platform.organisations["deeporigin"].projects
    messages = {
        "the platform fails": await problems(bench, "POST */projects/search status=503", "GET */clusters status=503"),
        "the token is refused": await problems(bench, "GET */clusters status=401"),
        "no right": await problems(bench, "GET */clusters status=403"),
        "unknown project": await problems(bench, project_id="proj_1"),
        "tools that do not exist": await problems(bench, allowed_tool_keys=("deeporigin.docking", "acme.*x")),
    }
    async with bench.agent() as agent:
        found = await agent.read("get_workspace")
        messages["all well"] = f"{found['spending']['counted']}\n{found['next_step']}"
    settings = bench.settings().model_copy()
    settings.model_fields_set.discard("session")
    async with agent_of(create_server(settings, connect=bench.connect)) as agent:
        found = await agent.read("get_workspace")
        messages["no session set"] = found["spending"]["counted"]
    async with bench.connect(bench.settings()) as client:
        messages["an id like another"] = str(await unknown_project(client, PROJECT[:-1] + "2"))
    bench.fault("POST *docking* status=400")
    async with bench.agent(project_id="09N0SUCHPR0J1") as agent:
        answer = await agent.call("create_execution", {**docking(), "idempotency_key": "k"})
        assert answer.error == ("credentials", "nothing_created")
        messages["a creation in the unknown project of the server"] = without_ids(answer.text)
    bench.heal()
    row = projects[PROJECT]
    projects.update({f"09M{number:010d}": {**row, "id": f"09M{number:010d}"} for number in range(90)})
    messages["many projects"] = await problems(bench)
    projects.clear()
    async with bench.connect(bench.settings()) as client:
        messages["no projects"] = str(await unknown_project(client, "proj_1"))
    assert_as_agreed("workspace", messages)
