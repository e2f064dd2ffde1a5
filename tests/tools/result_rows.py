"""Runs that stored rows, and reading all of them."""

from __future__ import annotations

from typing import Any

from tests.tools.bench import PROJECT, Agent, Bench


def stored(bench: Bench, *data: Any, kind: str = "pose", status: str = "Completed") -> str:
    """A run that stored these rows."""
    name = bench.seeded(status)
    bench.platform.executions[name].own_results = [
        {
            "id": f"0A{number:011d}",
            "tool_key": "deeporigin.docking",
            "tool_version": "4.2.0",
            "compute_job_id": name,
            "project_id": PROJECT,
            "result_type": kind,
            "data": facts,
        }
        for number, facts in enumerate(data)
    ]
    return name


async def pages(agent: Agent, **arguments: Any) -> list[dict[str, Any]]:
    """Every answer, one page after the other."""
    found = [await agent.read("get_execution_results", **arguments)]
    for _ in range(2_000):
        if not found[-1]["has_more"]:
            return found
        found.append(await agent.follow(found[-1]["next_step"]))
    raise AssertionError("it never ends")


async def rows_of_all(agent: Agent, **arguments: Any) -> list[dict[str, Any]]:
    return [row for page in await pages(agent, **arguments) for row in page["rows"]]
