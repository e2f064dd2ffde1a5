"""get_workspace."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deeporigin_mcp.server import create_server
from tests.support.bench import ERAS, FREE, PROJECT, SESSION, Agent, Bench, agent_of, docking

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ERAS)
async def test_the_workspace_says_who_where_and_how_much(bench: Bench, mode: str) -> None:
    async with bench.agent(mode=mode, auto_approve_up_to=1, max_price=10, budget=20) as agent:
        await agent.read("create_execution", **docking(), start=True)
        found = await agent.read("get_workspace")
    assert found["organization"] == "deeporigin (Deep Origin Simulated)"
    assert found["user"] == "ada@deeporigin.invalid"
    assert (found["session"], found["project_id"]) == (SESSION, PROJECT)
    assert found["environment"].startswith("local (simulated platform")
    assert {"project_id": PROJECT, "name": "Kinase pilot"} in found["projects"]
    assert {"gpu-west", "cpu-east"} <= {row["name"] for row in found["clusters"]}
    assert found["clusters"][0]["status"] == "healthy"
    counted = found["spending"].pop("counted")
    assert found["spending"].pop("asked_by") == ["elicitation"]
    assert found["spending"] == {"auto_approve_up_to": 1, "max_price": 10, "budget": 20, "spent": 0.2, "left": 19.8}
    assert "deeporigin" in counted
    assert SESSION in counted
    assert found["time"] == f"{bench.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert found["token_expires_at"].endswith("Z")
    assert found["read_only"] is False
    assert set(found["services"].values()) == {"ok"}
    assert "problems" not in found
    assert "find_platform_tools" in found["next_step"]


async def test_limits_that_are_not_set_are_absent(agent: Agent) -> None:
    spending = (await agent.read("get_workspace"))["spending"]
    assert spending.keys() == {"auto_approve_up_to", "spent", "counted", "asked_by"}
    assert (spending["auto_approve_up_to"], spending["spent"]) == (0, 0)


async def test_spending_says_over_what_period_it_counts(bench: Bench) -> None:
    async with bench.agent() as agent:
        session = (await agent.read("get_workspace"))["spending"]["counted"]
    settings = bench.settings().model_copy()
    settings.model_fields_set.discard("session")
    async with agent_of(create_server(settings, connect=bench.connect)) as agent:
        assert (await agent.read("get_workspace"))["spending"]["counted"] != session


async def test_spending_that_cannot_be_read_is_not_said_to_be_of_anything(bench: Bench) -> None:
    bench.fault("GET */tools/executions status=503")
    async with bench.agent(budget=5) as agent:
        spending = (await agent.read("get_workspace"))["spending"]
    assert not {"spent", "left", "counted"} & spending.keys()


@pytest.mark.parametrize(("budget", "left"), [(0.2, 0), (0.1, 0), (0.3, 0.1)])
async def test_what_is_left_of_a_budget_is_exact_and_never_negative(bench: Bench, budget: float, left: float) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        await agent.read("create_execution", **docking(), start=True)
    async with bench.agent(budget=budget) as agent:
        assert (await agent.read("get_workspace"))["spending"]["left"] == left


async def test_without_a_project_of_the_server_the_only_one_is_named(bench: Bench) -> None:
    projects = bench.platform.organisations["deeporigin"].projects
    async with bench.agent(project_id="") as agent:
        assert "project_id" not in await agent.read("get_workspace")
        for name in [*projects][1:]:
            del projects[name]
        assert (await agent.read("get_workspace"))["project_id"] == next(iter(projects))


@pytest.mark.parametrize(
    ("rule", "what", "field"),
    [
        ("POST */projects/search status=503", "projects", "projects"),
        ("GET */clusters status=503", "clusters", "clusters"),
        ("GET */tools/executions status=503", "spending", None),
        ("GET /entities/protected/organizations status=403", "organisation", None),
    ],
)
async def test_a_service_that_fails_is_a_problem_and_hides_nothing_else(
    agent: Agent, bench: Bench, rule: str, what: str, field: str | None
) -> None:
    bench.fault(rule)
    found = await agent.read("get_workspace")
    (problem,) = found["problems"]
    assert problem.startswith(f"{what}: ")
    assert field is None or found[field] == []
    assert ("spent" in found["spending"]) == (what != "spending")
    assert "left" not in found["spending"]
    assert found["user"] == "ada@deeporigin.invalid"
    assert "next_step" not in found


async def test_an_unhealthy_service_is_named(agent: Agent, bench: Bench) -> None:
    bench.platform.unhealthy.add("tools")
    services = (await agent.read("get_workspace"))["services"]
    assert (services["tools"], services["billing"]) == ("HTTP 503", "ok")


async def test_a_platform_that_is_down_is_reported(agent: Agent, bench: Bench) -> None:
    bench.fault("* * reset")
    found = await agent.read("get_workspace")
    assert len(found["problems"]) == 4
    assert set(found["services"].values()) == {"unreachable"}


async def test_a_token_without_rights_is_a_problem(bench: Bench) -> None:
    async with bench.agent(org_key="elsewhere") as agent:
        found = await agent.read("get_workspace")
    # One cause, one problem.
    assert [problem.count("HTTP 403") for problem in found["problems"]] == [1]
    assert found["organization"] == "elsewhere"


async def test_a_crowded_organisation_is_cut(agent: Agent, bench: Bench) -> None:
    projects = bench.platform.organisations["deeporigin"].projects
    row = projects[PROJECT]
    for number in range(90):
        projects[f"09M{number:010d}"] = {**row, "id": f"09M{number:010d}", "name": "n" * 500}
    found = await agent.read("get_workspace")
    assert len(found["projects"]) == 30
    [problem] = found["problems"]
    assert problem.startswith("projects: ")


@pytest.mark.parametrize("ahead_seconds", [-1500, -3, 0, 3, 1500])
async def test_the_time_is_by_the_clock_that_the_times_of_runs_are_of(
    agent: Agent, bench: Bench, ahead_seconds: float
) -> None:
    bench.time.token_ages_seconds = ahead_seconds
    created = await agent.read("create_execution", **FREE)
    bench.clock.advance(1)
    now = (await agent.read("get_workspace"))["time"]
    assert created["created_at"] < now <= f"{bench.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    message = await agent.refused("list_executions", created_after="yesterday")
    assert f"{bench.clock.now() - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}" in message


@pytest.mark.parametrize("rule", ["GET /tools/version status=404", "GET /tools/version status=200 html"])
async def test_a_platform_that_does_not_name_the_simulator_is_not_called_simulated(
    agent: Agent, bench: Bench, rule: str
) -> None:
    bench.fault(rule)
    assert (await agent.read("get_workspace"))["environment"] == "local (not production)"


async def test_the_operators_billing_tag_is_on_what_is_created_unless_a_call_names_another(bench: Bench) -> None:
    async with bench.agent(billing_tag="grant-7") as agent:
        own = (await agent.read("create_execution", **docking()))["execution_id"]
        other = (await agent.read("create_execution", **docking(), billing_tag="grant-8"))["execution_id"]
    tags = {run.id: run.stored["billing"] for run in bench.platform.executions_of("deeporigin")}
    assert (tags[own], tags[other]) == ("grant-7", "grant-8")
