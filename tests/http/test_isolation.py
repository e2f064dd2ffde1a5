"""Two organisations on one server at the same time: nothing of one is ever in a response to the other."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CallToolResult,
    PromptReference,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
)

from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.tools.protocol.resources import EXECUTION, PLATFORM_TOOL
from tests.support.bench import ACME_PROJECT, ERAS, PROJECT, Bench, docking
from tests.support.people import Person
from tests.support.rows import log_row
from tests.support.site import Site, credentials, on_a_port, running_site
from tests.support.task_client import MODERN, TakesTasks, get_task, handle_of

pytestmark = pytest.mark.anyio

ROUNDS = 2
PEOPLE = ("ada", "bob")
PRIED = (
    "get_execution",
    "cancel_execution",
    "confirm_execution",
    "get_execution_logs",
    "get_execution_results",
    "download_files",
)


@dataclass
class Side:
    """One organisation: who calls for it, what they have received, and what only they may know."""

    org: str
    project: str
    ids: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
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


def uris_of(name: str) -> tuple[str, str]:
    uri = EXECUTION.format(execution_id=name)
    return uri, f"{uri}/logs"


def tool_uri(side: Side) -> str:
    return PLATFORM_TOOL.format(tool_key=side.tool, tool_version="latest")


def private_run(bench: Bench, side: Side) -> None:
    """A run that is over, whose name, log and result say whose it is."""
    name = bench.platform.seed_executions(
        status="Completed", org=side.org, project_id=side.project, name=f"{side.mark} earlier"
    )[0]
    run = bench.platform.executions[name]
    run.own_logs = [log_row(name, 1, f"logged {side.mark}")]
    run.own_results = [
        {
            "id": f"0A{side.org.upper():0<11.11}",
            "tool_key": "deeporigin.docking",
            "tool_version": "4.2.0",
            "compute_job_id": name,
            "project_id": side.project,
            "result_type": "pose",
            "data": {"note": f"found {side.mark}"},
        }
    ]
    side.ids.append(name)


@dataclass
class Actor:
    """One person's agent, who does everything that can be done, and keeps every response."""

    side: Side
    other: Side
    client: Client

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        answer = await self.client.call_tool(tool, arguments)
        self.side.received.append(answer.model_dump_json())
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
        await self.call("confirm_execution", execution_id=name, wait_seconds=0)
        await self.read("wait_executions", execution_ids=[name], timeout_seconds=2)
        detail = await self.read("get_execution", execution_id=name, detail="detailed")
        assert detail["name"] == named
        listed = await self.read("list_executions", page_size=100)
        assert name in [row["execution_id"] for row in listed["executions"]]
        await self.read("search_executions", limit=100)
        await self.call("cancel_execution", execution_id=name)
        await self.studies(side.ids[0])
        await self.is_offered()

    async def studies(self, name: str) -> None:
        """Read what a run left behind, by tools and as resources."""
        for tool in ("get_execution_logs", "get_execution_results"):
            (row,) = (await self.read(tool, execution_id=name))["rows"]
            assert self.side.mark in str(row)
        for uri in (*uris_of(name), tool_uri(self.side)):
            found = await self.client.read_resource(uri)
            assert self.side.mark in found.model_dump_json()
            self.side.received.append(found.model_dump_json())

    async def is_offered(self) -> None:
        """What is completed is this side's own, whatever was typed."""
        for template, argument in ((EXECUTION, "execution_id"), (PLATFORM_TOOL, "tool_key")):
            for typed in ("", "only-", *self.other.ids[:2], self.other.tool[:6], self.side.org):
                await self.completes(ResourceTemplateReference(uri=template), argument, typed)
        for other in (self.side.tool, self.other.tool):
            reference = ResourceTemplateReference(uri=PLATFORM_TOOL)
            found = await self.completes(reference, "tool_version", "", {"tool_key": other})
            assert bool(found) == (other == self.side.tool)
        prompt = PromptReference(name="price_and_run")
        assert self.side.project in await self.completes(prompt, "project_id", "")
        for typed in (self.other.project, "4"):
            await self.completes(prompt, "project_id", typed)

    async def completes(
        self,
        reference: ResourceTemplateReference | PromptReference,
        argument: str,
        typed: str,
        others: dict[str, str] | None = None,
    ) -> list[str]:
        answer = await self.client.complete(reference, {"name": argument, "value": typed}, others)
        self.side.received.append(answer.model_dump_json())
        return answer.completion.values

    async def pries(self) -> None:
        """Ask for what is the other's, with what only the other could know."""
        for name in self.other.ids[:3]:
            for tool in PRIED:
                answer = await self.client.call_tool(tool, {"execution_id": name})
                assert answer.is_error
                # The id is what was asked for; it is repeated, and nothing else.
                self.side.received.append(answer.model_dump_json().replace(name, "…"))
            waited = await self.client.call_tool("wait_executions", {"execution_ids": [name], "timeout_seconds": 0})
            assert waited.structured_content["executions"][0]["error"]
            self.side.received.append(waited.model_dump_json().replace(name, "…"))
            for uri in uris_of(name):
                with pytest.raises(MCPError) as refusal:
                    await self.client.read_resource(uri)
                self.side.received.append(refusal.value.error.message.replace(name, "…"))
        with pytest.raises(MCPError):
            await self.client.read_resource(tool_uri(self.other))
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
    side.received.extend(person.questions)


async def wait_by_task(site: Site, bench: Bench, side: Side, other: Side) -> None:
    name = bench.platform.seed_executions(status="Running", org=side.org, name=f"{side.mark} seeded")[0]
    side.ids.append(name)
    for _ in range(ROUNDS):
        async with site.client(side.headers("ada"), mode=MODERN, extensions=[TakesTasks()]) as client:
            handle = await handle_of(client, "wait_executions", {"execution_ids": [name]})
            side.tasks.append(handle.task_id)
            side.received.append((await get_task(client.session, handle.task_id)).model_dump_json())
            for task_id in other.tasks:
                with pytest.raises(MCPError, match="Task not found"):
                    await get_task(client.session, task_id)


async def test_nothing_of_one_organisation_reaches_the_other(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("deeporigin_mcp.audit", "deeporigin_mcp.calls"):
        caplog.set_level(logging.INFO, name)
    sides = Side("deeporigin", PROJECT), Side("acme", ACME_PROJECT)
    for side in sides:
        private_tool(bench, side)
        private_run(bench, side)
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
        assert len(side.received) > 50
        for text in side.received:
            assert [secret for secret in secrets if secret in text] == []
        # What is looked for is there to be found: in the answers to the side whose it is.
        assert all(any(secret in text for text in other.received) for secret in (other.mark, other.tool, *other.ids))
    lines = [json.loads(record.message) for record in caplog.records if record.name == "deeporigin_mcp.audit"]
    assert {line["organization"] for line in lines} == {"deeporigin", "acme"}
    for line in lines:
        assert line["user"].endswith(f"@{line['organization']}.invalid")
        assert bench.platform.executions[line["execution_id"]].org == line["organization"]
    calls = [record.getMessage() for record in caplog.records if record.name == "deeporigin_mcp.calls"]
    assert len(calls) > 100
    everything = set().union(*(side.secrets(bench) for side in sides))
    assert [line for line in calls if any(secret in line for secret in everything)] == []


@dataclass
class Listener:
    """One who follows runs over a real connection, and notes of which there was news."""

    heard: list[str] = field(default_factory=list)

    def has_heard(self, side: Side) -> bool:
        """Of a change of its own run, and something of the other's."""
        return len({*self.heard}) == 2 and self.heard.count(uris_of(side.ids[0])[0]) > 1

    async def listen(self, address: str, side: Side, uris: list[str], ready: anyio.Event) -> None:
        async def hear(message: object) -> None:
            if isinstance(message, ResourceUpdatedNotification):
                self.heard.append(message.params.uri)

        async with (
            httpx2.AsyncClient(headers=side.headers("ada"), timeout=60) as http,
            Client(
                streamable_http_client(f"{address}/mcp", http_client=http), mode=MODERN, message_handler=hear
            ) as client,
            client.listen(resource_subscriptions=uris),
        ):
            ready.set()
            await anyio.sleep_forever()


async def test_nobody_hears_of_the_others_runs(bench: Bench) -> None:
    ours, theirs = Side("deeporigin", PROJECT), Side("acme", ACME_PROJECT)
    listeners = {side.org: Listener() for side in (ours, theirs)}
    async with running_site(bench, auto_approve_up_to=100) as site, on_a_port(site.app) as address:
        for side in (ours, theirs):
            async with site.agent(side.headers("bob")) as agent:
                run = docking(*["CCO"] * 4) | {"start": True}
                side.ids.append((await agent.read("create_execution", **run))["execution_id"])
        uris = [uris_of(name)[0] for name in (*ours.ids, *theirs.ids)]
        async with anyio.create_task_group() as tasks:
            for side in (ours, theirs):
                ready = anyio.Event()
                tasks.start_soon(listeners[side.org].listen, address, side, uris, ready)
                await ready.wait()
            with anyio.fail_after(30):
                while not all(listeners[side.org].has_heard(side) for side in (ours, theirs)):
                    await anyio.to_thread.run_sync(lambda: None)
            tasks.cancel_scope.cancel()
    for side, other in ((ours, theirs), (theirs, ours)):
        heard = listeners[side.org].heard
        # Of its own run each change; of the other's only, and once, that it cannot be read.
        assert heard.count(uris_of(side.ids[0])[0]) > 1
        assert heard.count(uris_of(other.ids[0])[0]) == 1
