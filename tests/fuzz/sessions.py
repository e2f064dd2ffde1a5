"""Agents that do everything a client can do, on a damaged platform; and what must hold all the same."""

from __future__ import annotations

import contextlib
import json
import logging
import time
import unicodedata
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, ElicitResult, PromptReference, ResourceTemplateReference

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.records.sanitizing import sendable_json
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import ManualClock, Platform
from tests.fuzz.answers import DamagedPlatform
from tests.support.bench import PROJECT, SESSION, SimulatedTime, bench_token, docking
from tests.support.facts import HARMFUL

ERAS = ("legacy", "auto")
CALLS_OF_A_SESSION = 25
LONGEST_ANSWER = 20_000
SLOW_SECONDS = 8.0
"""No single call takes the processor this long here, where nothing is far away and time is simulated."""
KEYS = (
    "deeporigin.docking",
    "deeporigin.mol-props-combined",
    "acme.hello-test",
    "deeporigin.abfe-end-to-end",
    "no.tool",
)


@dataclass
class Findings:
    """What must not be, each kind once with an example; `calls` counts what was tried."""

    calls: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, example: str) -> None:
        self.kinds[kind] += 1
        self.examples.setdefault(kind, example)

    def __str__(self) -> str:
        lines = [f"{self.kinds[kind]} x {kind}\n      e.g. {self.examples[kind][:1_500]}" for kind in self.kinds]
        return "\n".join([f"{self.calls} calls, {len(lines)} kinds of findings", *lines])


class _Crashes(logging.Handler):
    """Hears of crashes with their place, which the answers do not tell."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if '"crashed"' in said or record.levelno >= logging.ERROR:
            self._note(said)


@contextlib.contextmanager
def _hearing(note: Callable[[str], None]) -> Iterator[None]:
    handler, root = _Crashes(note), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


async def one_session(seed: str, findings: Findings) -> None:
    """One client and one server with a platform of its own; the same seed does the same.

    Args:
        findings: gets what must not be; each has the seed in it.
    """
    random = Random(seed)
    clock = ManualClock(auto_advance=True)
    platform = Platform(clock=clock)
    names = _furnish(platform, random)
    secret = bench_token()
    damage = DamagedPlatform(platform, random, secret=secret, share=random.choice((0.1, 0.5, 0.9)))
    timing = SimulatedTime(clock).timing
    settings = Settings(
        token=secret,
        org_key="deeporigin",
        project_id=PROJECT,
        base_url="http://platform.test",
        session=SESSION,
        max_price=random.choice((None, 5.0)),
        budget=random.choice((None, None, 10.0)),
    )
    server = create_server(settings, connect=lambda s: DeepOriginClient(s, timing=timing, http=damage))
    now = [f"seed {seed}"]

    async def declines(context: ClientRequestContext, params: Any) -> ElicitResult:
        _check_text(params.message, 5_000, f"{now[0]} question", findings)
        _check_sendable(params.message, secret, f"{now[0]} question", findings)
        return random.choice((ElicitResult(action="decline"), ElicitResult(action="cancel")))

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        _check_text(message or "", 2_000, f"{now[0]} progress", findings)

    with _hearing(lambda said: findings.add(said.split('"duration_ms"')[0], now[0])):
        try:
            async with Client(server, mode=random.choice(ERAS), elicitation_callback=declines) as client:
                agent = _Actions(random, client, names, progressed)
                for _ in range(CALLS_OF_A_SESSION):
                    name, arguments, action = agent.next()
                    damage.named = {str(arguments.get("execution_id"))} if name == "confirm_execution" else set()
                    now[0] = f"seed {seed}: {name} {json.dumps(arguments)[:300]}"
                    await _checked(action, name, now[0], secret, findings)
                    clock.advance(random.choice((0, 1, 60, 7_200)))
        except Exception as error:  # noqa: BLE001 (what ends a session is a finding)
            findings.add(f"the session ended: {_said(error)}", now[0])
    for started in damage.unapproved:
        findings.add("something was started that nobody approved", f"{now[0]}: {started}")


async def _checked(
    action: Callable[[], Awaitable[Any]], name: str, where: str, secret: str, findings: Findings
) -> None:
    findings.calls += 1
    # Of the processor, as no call waits here for more than that: a busy machine is no finding.
    began = time.process_time()
    try:
        answer = await action()
    except MCPError as error:
        told = error.error.message
        if error.error.code == INTERNAL_ERROR and not told.strip():
            findings.add(f"{name}: an internal error", where)
        answer = error.error
        _check_text(told, 5_000, where, findings)
    except Exception as error:  # noqa: BLE001 (what a client raises is a finding too)
        findings.add(f"{name} raised {_said(error)}", where)
        return
    if (seconds := time.process_time() - began) > SLOW_SECONDS:
        findings.add(f"{name} took long", f"{seconds:.1f} s {where}")
    for block in getattr(answer, "content", None) or ():
        _check_text(getattr(block, "text", ""), LONGEST_ANSWER, where, findings)
    _check_sendable(answer.model_dump_json(by_alias=True), secret, where, findings)


def _check_text(text: str, longest: int, where: str, findings: Findings) -> None:
    if "inside this MCP server" in text:
        findings.add(f"a crash: {text.partition('(')[2].partition(')')[0]}", where)
    if len(text) > longest:
        findings.add("a text too long", f"{len(text)} characters {where}")
    odd = {letter for letter in text if letter != "\n" and unicodedata.category(letter) in HARMFUL}
    if odd:
        findings.add("a text that may do harm", f"{sorted(map(ascii, odd))} {where}")


def _check_sendable(json_text: str, secret: str, where: str, findings: Findings) -> None:
    line = sendable_json(json_text)
    try:
        line.encode()
    except UnicodeEncodeError:
        findings.add("an answer that cannot be sent", where)
    if any(part in line for part in (secret, secret[20:90], secret[-40:])):
        findings.add("a secret in an answer", where)
    if len(line.splitlines()) > json_text.count("\n") + 1:
        findings.add("an answer of several lines", where)


def _said(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frame = error.__traceback__
    place = ""
    while frame is not None:
        module = str(frame.tb_frame.f_globals.get("__name__", ""))
        if module.startswith("deeporigin_mcp") or not place:
            place = f"{module}, line {frame.tb_lineno}"
        frame = frame.tb_next
    return f"{type(error).__name__} at {place}: {str(error)[:200]}"


def _furnish(platform: Platform, random: Random) -> list[str]:
    """Executions in every state, with results, logs and reports."""
    names = [
        name
        for status in ("Quoted", "Running", "Succeeded", "Failed", "Cancelled", "Queued")
        for name in platform.seed_executions(status=status, project_id=PROJECT)
    ]
    prices: tuple[list[Any], ...] = ([0], [0.2, 0.4], ["0.1"], [None], [])
    for price in prices:
        quotation = {"successfulQuotations": [{"itemCode": "A", "priceTotal": entry} for entry in price]}
        names.append(
            platform.add_execution(
                {
                    "status": "Quoted",
                    "tool": {"key": "deeporigin.docking", "version": "4.2.0"},
                    "projectId": PROJECT,
                    "createdAt": "2026-10-05T08:00:00.000Z",
                    "session": SESSION,
                    "quotationResult": quotation,
                    "userInputs": docking()["inputs"],
                }
            )
        )
    tree = {"displayName": "root", "status": "Running", "children": [{"displayName": "a(1)", "status": "Succeeded"}]}
    for outputs, report in (({"a": [1, {"b": "c" * 3_000}]}, tree), ([{"x": 1.5}] * 300, "ligand docked ok")):
        names.append(
            platform.add_execution(
                {
                    "status": random.choice(("Running", "Succeeded")),
                    "tool": {"key": "deeporigin.docking", "version": "4.2.0"},
                    "projectId": PROJECT,
                    "createdAt": "2026-10-05T08:00:00.000Z",
                    "name": "a named run",
                    "jobOutputs": outputs,
                    "progressReport": report,
                }
            )
        )
    return [*names, "00000000-0000-4000-8000-000000000000"]


class _Actions:
    """Calls as a model makes them, some of them odd."""

    def __init__(self, random: Random, client: Client, names: list[str], progressed: Any) -> None:
        self._random = random
        self._client = client
        self._names = names
        self._progressed = progressed

    def next(self) -> tuple[str, dict[str, Any], Callable[[], Awaitable[Any]]]:
        """The name of an action, its arguments, and how it is done."""
        kind = self._random.random()
        if kind < 0.82:
            tool, arguments = self._tool_call()
            return tool, arguments, lambda: self._call(tool, arguments)
        if kind < 0.9:
            uri = self._random.choice(
                (
                    f"deeporigin://executions/{self._name()}",
                    f"deeporigin://executions/{self._name()}/logs",
                    f"deeporigin://tools/{self._random.choice(KEYS)}/latest",
                )
            )
            return "resources/read", {"uri": uri}, lambda: self._client.read_resource(uri)
        return self._completion()

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        return await self._client.call_tool(tool, arguments, progress_callback=self._progressed)

    def _completion(self) -> tuple[str, dict[str, Any], Callable[[], Awaitable[Any]]]:
        reference, argument = self._random.choice(
            (
                (ResourceTemplateReference(uri="deeporigin://executions/{execution_id}"), "execution_id"),
                (ResourceTemplateReference(uri="deeporigin://tools/{tool_key}/{tool_version}"), "tool_key"),
                (PromptReference(name="follow_executions"), "execution_ids"),
                (PromptReference(name="explain_failures"), "project_id"),
            )
        )
        typed = self._random.choice(("", "a", "deeporigin.", "0"))
        return (
            "complete",
            {argument: typed},
            lambda: self._client.complete(reference, {"name": argument, "value": typed}),
        )

    def _name(self) -> str:
        return self._random.choice(self._names)

    def _tool_call(self) -> tuple[str, dict[str, Any]]:
        random, one = self._random, self._random.choice
        molecules = {"ligands": [{"smiles": "CCO", "id": "L1"}]}
        calls: list[Callable[[], tuple[str, dict[str, Any]]]] = [
            lambda: (
                "list_executions",
                self._some(
                    fetch_all_pages=True,
                    detail="detailed",
                    page_size=one((1, 20, 10_000)),
                    session=SESSION,
                    tool_key=one(KEYS),
                    status=["Running"],
                    project_id=PROJECT,
                    order="name asc",
                    page=1,
                ),
            ),
            lambda: (
                "search_executions",
                self._some(
                    select=["name", "tags", "status"],
                    limit=one((1, 100)),
                    offset=1,
                    with_total_count=True,
                    tool_keys=[one(KEYS)],
                    include_hidden=True,
                    project_id=PROJECT,
                    order="name asc",
                    filters=[{"column": one(("name", "status", "nope")), "op": "eq", "value": "x"}],
                ),
            ),
            lambda: (
                "get_execution",
                {"execution_id": self._name(), **self._some(source="data_platform", detail="detailed")},
            ),
            lambda: (
                "create_execution",
                {**docking("CCO", "CCN"), **self._some(name="a", idempotency_key=one("abc"), start=True)},
            ),
            lambda: (
                "create_execution",
                {
                    "tool_key": one(KEYS),
                    "inputs": one((molecules, {}, {"message": "hi"})),
                    **self._some(start=True, tool_version=one(("latest", "4")), metadata={"a": 1}),
                },
            ),
            lambda: ("confirm_execution", {"execution_id": self._name(), **self._some(expected_price=one((0, 0.2)))}),
            lambda: ("cancel_execution", {"execution_id": self._name()}),
            lambda: (
                "wait_executions",
                {
                    "execution_ids": [self._name() for _ in range(one((1, 3, 40)))],
                    **self._some(timeout_seconds=one((0, 3, 50)), until="any"),
                },
            ),
            lambda: ("find_platform_tools", self._some(query=one(("dock", "zzz", "")), limit=3, include_disabled=True)),
            lambda: (
                "describe_platform_tool",
                {"tool_key": one(KEYS), **self._some(tool_version=one(("latest", "4")))},
            ),
            lambda: (
                "get_execution_logs",
                {
                    "execution_id": self._name(),
                    **self._some(limit=one((1, 200)), level="warning", contains="a", offset=1),
                },
            ),
            lambda: (
                "get_execution_results",
                {
                    "execution_id": self._name(),
                    **self._some(limit=one((1, 50)), order="score desc", columns=["score"], result_type="pose"),
                },
            ),
            lambda: (
                "find_molecules",
                {
                    "kind": (kind := one(("protein", "ligand", "pocket", "pose"))),
                    **self._some(project_id=PROJECT, limit=2, order="created asc"),
                    **(self._some(query="toy") if kind in ("protein", "ligand") else {}),
                    **(self._some(execution_id=self._name()) if kind in ("pocket", "pose") else {}),
                },
            ),
            lambda: (
                "list_files",
                self._some(path=one(("", "uploads", "tool-runs/")), limit=one((1, 200)), cursor="x"),
            ),
            lambda: ("list_files", {"execution_id": self._name(), **self._some(limit=2, cursor="2")}),
            lambda: (
                "upload_file",
                {"text": one(("", "CCO")), **self._some(destination=one(("a.smi", "entities/x", "../x", "a/")))},
            ),
            lambda: ("summarize_spending", self._some(group_by="tag", created_after="2026-01-01")),
            lambda: ("get_workspace", {}),
        ]
        return random.choice(calls)()

    def _some(self, **arguments: Any) -> dict[str, Any]:
        return {name: value for name, value in arguments.items() if self._random.random() < 0.3}


def run_sessions(seed: str, *, sessions: int | None = None, seconds: float | None = None) -> Findings:
    """Many sessions, one after the other: so many, or for so long."""
    findings = Findings()
    until = None if seconds is None else time.monotonic() + seconds
    number = 0
    while (sessions is None or number < sessions) and (until is None or time.monotonic() < until):
        anyio.run(one_session, f"{seed}-{number}", findings)
        number += 1
    return findings
