"""Two organisations on one server at the same time: nothing of one is ever in an answer to the other."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult

from deeporigin_mcp.simulator.catalogue import Definition
from tests.extensions.task_client import MODERN, TakesTasks, get_task, handle_of
from tests.http.site import Site, credentials, running_site
from tests.money.people import Person
from tests.tools.bench import ACME_PROJECT, ERAS, PROJECT, Bench, docking

pytestmark = pytest.mark.anyio

ROUNDS = 2
PEOPLE = ("ada", "bob")


@dataclass
class Side:
    """One organisation: who calls for it, what they were told, and what only they may know."""

    org: str
    project: str
    ids: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def mark(self) -> str:
        """In every name, note and key of this side, and nowhere else."""
        return f"only-{self.org}"

    @property
    def tool(self) -> str:
        """A tool that the platform shows to this organisation alone."""
        return f"{self.org}-private.assay"

    def headers(self, who: str) -> dict[str, str]:
        return credentials(self.org, who, self.project)

    def secrets(self, bench: Bench) -> set[str]:
        own = bench.platform.organisations[self.org]
        people = [f"{who}@{self.org}.invalid" for who in PEOPLE]
        clusters = [row["id"] for row in own.clusters if row["name"] != "string"]
        return {self.mark, self.tool, own.name, *own.projects, *clusters, *people, *self.ids, *self.tasks}


def private_tool(bench: Bench, side: Side) -> None:
    """A copy of the docking tool that one organisation sees."""
    catalogue = bench.platform.catalogue
    docks = catalogue.resolve("deeporigin.docking")
    assert docks is not None
    mine: Definition = dataclasses.replace(
        docks, key=side.tool, name=f"Assay {side.mark}", description=f"assay {side.mark}", private_to=side.org
    )
    catalogue.definitions.append(mine)


@dataclass
class Actor:
    """One person's agent, who does everything that can be done, and remembers every word of the answers."""

    side: Side
    other: Side
    client: Client

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        answer = await self.client.call_tool(tool, arguments)
        self.side.told.append(answer.model_dump_json())
        return answer

    async def read(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.call(tool, **arguments)
        assert not answer.is_error, answer.content
        content: dict[str, Any] = answer.structured_content
        return content

    async def works(self) -> None:
        """A day's work: look around, quote, start, wait, read."""
        side = self.side
        workspace = await self.read("get_workspace")
        assert workspace["project_id"] == side.project
        found = await self.read("find_platform_tools", query="assay")
        assert side.tool in [row["tool_key"] for row in found["tools"]]
        assert (await self.read("describe_platform_tool", tool_key=side.tool))["tool_key"] == side.tool
        named = f"{side.mark} {next(side.numbers)}"
        run = docking() | {"name": named, "metadata": {"note": named}, "idempotency_key": named}
        made = await self.read("create_execution", **run)
        name = made["execution_id"]
        side.ids.append(name)
        await self.call("confirm_execution", execution_id=name)
        await self.read("wait_executions", execution_ids=[name], timeout_seconds=2)
        detail = await self.read("get_execution", execution_id=name, detail="detailed")
        assert detail["name"] == named
        listed = await self.read("list_executions", page_size=100)
        assert name in [row["execution_id"] for row in listed["executions"]]
        await self.read("search_executions", limit=100)
        await self.call("cancel_execution", execution_id=name)
        for tool in ("get_execution_logs", "get_execution_results"):
            # As far as this server offers them.
            if tool in {offered.name for offered in (await self.client.list_tools()).tools}:
                await self.read(tool, execution_id=name)

    async def pries(self) -> None:
        """Ask for what is the other's, with what only the other could know."""
        for name in self.other.ids[:3]:
            for tool in ("get_execution", "cancel_execution", "confirm_execution"):
                answer = await self.client.call_tool(tool, {"execution_id": name})
                assert answer.is_error
                # The id is what was asked for; it is told back, and nothing else.
                self.side.told.append(answer.model_dump_json().replace(name, "…"))
            waited = await self.client.call_tool("wait_executions", {"execution_ids": [name], "timeout_seconds": 0})
            assert waited.structured_content["executions"][0]["error"]
            self.side.told.append(waited.model_dump_json().replace(name, "…"))
        answer = await self.client.call_tool("describe_platform_tool", {"tool_key": self.other.tool})
        assert answer.is_error
        answer = await self.client.call_tool("create_execution", docking() | {"project_id": self.other.project})
        assert answer.is_error
        key = f"{self.other.mark} 1"
        made = await self.client.call_tool("create_execution", docking(*["CCN"] * 2) | {"idempotency_key": key})
        assert not made.is_error
        assert made.structured_content["execution_id"] not in self.other.ids


async def act(site: Site, side: Side, other: Side, who: str, mode: str) -> None:
    person = Person()
    for _ in range(ROUNDS):
        async with site.client(side.headers(who), mode=mode, person=person) as client:
            actor = Actor(side, other, client)
            await actor.works()
            await actor.pries()
    side.told.extend(person.questions)


async def wait_by_task(site: Site, bench: Bench, side: Side, other: Side) -> None:
    name = bench.platform.seed_executions(status="Running", org=side.org, name=f"{side.mark} seeded")[0]
    side.ids.append(name)
    for _ in range(ROUNDS):
        async with site.client(side.headers("ada"), mode=MODERN, extensions=[TakesTasks()]) as client:
            handle = await handle_of(client, "wait_executions", {"execution_ids": [name]})
            side.tasks.append(handle.task_id)
            side.told.append((await get_task(client.session, handle.task_id)).model_dump_json())
            for task_id in other.tasks:
                with pytest.raises(MCPError, match="Task not found"):
                    await get_task(client.session, task_id)


async def test_nothing_of_one_organisation_reaches_the_other(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "deeporigin_mcp.audit")
    sides = Side("deeporigin", PROJECT), Side("acme", ACME_PROJECT)
    for side in sides:
        private_tool(bench, side)
    async with running_site(bench, auto_approve_up_to=0.3) as site:
        async with anyio.create_task_group() as tasks:
            for side, other in (sides, sides[::-1]):
                tasks.start_soon(wait_by_task, site, bench, side, other)
                for who, mode in zip(PEOPLE, ERAS, strict=True):
                    tasks.start_soon(act, site, side, other, who, mode)
        assert len(site.pool) == 2 * len(PEOPLE)
    for side, other in (sides, sides[::-1]):
        secrets = other.secrets(bench)
        assert len(secrets) > 12
        assert len(side.told) > 50
        for text in side.told:
            assert [secret for secret in secrets if secret in text] == []
        # What is looked for is there to be found: in the answers to the side whose it is.
        assert all(any(secret in text for text in other.told) for secret in (other.mark, other.tool, *other.ids))
    lines = [json.loads(record.message) for record in caplog.records if record.name == "deeporigin_mcp.audit"]
    assert {line["organization"] for line in lines} == {"deeporigin", "acme"}
    for line in lines:
        assert line["user"].endswith(f"@{line['organization']}.invalid")
        assert bench.platform.executions[line["execution_id"]].org == line["organization"]
