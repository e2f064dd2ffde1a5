"""What is said about the workspace: what could not be read, projects, and over what the spending counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import BASE_URLS, Settings
from deeporigin_mcp.tools.responses.environment import environment_of, where_charged
from deeporigin_mcp.tools.runtime.projects import unknown_project
from deeporigin_mcp.tools.workspace import summarize_spending as sums
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


ENVIRONMENTS = {**BASE_URLS, "simulator": "http://127.0.0.1:4931", "a proxy's": "https://deeporigin.example.org"}


def test_signs_of_the_environment() -> None:
    said = {}
    for case, url in ENVIRONMENTS.items():
        settings = Settings(base_url=url)
        instructions = create_server(settings).instructions or ""
        shown = [line for line in instructions.splitlines() if line.startswith("Environment")]
        sign = environment_of(settings, is_simulated=case == "simulator")
        charged = f"charged to acme{where_charged(settings, is_simulated=case in ('simulator', 'staging'))}?"
        said[case] = "\n".join([sign, f"Instructions: {' '.join(shown) or 'nothing'}", f"A person reads: {charged}"])
    assert_as_agreed("environments", said)


async def test_messages_about_sums(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench.agent() as agent:

        async def refused(**arguments: Any) -> str:
            return await agent.refused("summarize_spending", **arguments)

        async def told(field: str, **arguments: Any) -> str:
            found = await agent.read("summarize_spending", **arguments)
            return without_ids(str(found[field]))

        messages = {
            "no time": await refused(created_after="last month"),
            "no period": await refused(created_after="2026-05-02", created_before="2026-05-01"),
            "nothing matches": await told("next_step"),
            "unknown project": await told("next_step", project_id="09N0SUCHPR0J1"),
        }
        for tag in ("grant-7", "grant-8"):
            bench.raw(billing=tag, status="Completed")
        bench.fault("GET */usage/* status=403")
        messages["no usage"] = await told("problems", group_by="tag")
        bench.heal()
        monkeypatch.setattr(sums, "MOST_TAGS", 1)
        messages["usage of some"] = await told("problems", group_by="tag")
        monkeypatch.setattr(sums, "MOST_ROWS", 1_000)
        bench.platform.seed_executions(count=1_001)
        messages["not all"] = await told("incomplete")
        messages["not all, next step"] = await told("next_step")
        monkeypatch.setattr(sums, "READ_SECONDS", 0.0)
        messages["not in time"] = await refused()
    assert_as_agreed("sums", messages)
