"""`deeporigin-mcp approve`: a person at a real terminal says yes to what real servers on this machine wait for."""

from __future__ import annotations

import functools
import json
import os
import pty
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult

from deeporigin_mcp import approve
from deeporigin_mcp.simulator import ManualClock, Platform, running_simulator
from deeporigin_mcp.tools.approvals.question import NOTED
from tests.support.bench import PROJECT, bench_token
from tests.support.browser import Browser
from tests.support.people import quotation
from tests.support.processes import COMMAND, TIMEOUT_SECONDS, environment

pytestmark = pytest.mark.anyio

ASKS = b"[y/N] "


def quote(platform: Platform, usd: float, name: str) -> str:
    dto = {"status": "Quoted", "quotationResult": quotation(usd), "projectId": PROJECT, "createdAt": "2026-10-05"}
    return platform.add_execution(dto | {"name": name, "tool": {"key": "deeporigin.docking", "version": "4.2.0"}})


class Machine:
    """A user's machine: servers over stdio whose clients cannot ask, without a browser, and a terminal."""

    def __init__(self, platform: Platform, base_url: str, browser: Browser) -> None:
        self.platform = platform
        self.variables = environment(
            browser.folder,
            XDG_RUNTIME_DIR=str(browser.runtime),
            DO_BASE_URL=base_url,
            DO_AUTH_TOKEN=bench_token(),
            DO_ORG_KEY="deeporigin",
        )

    def server(self) -> Client:
        command, *arguments = COMMAND
        parameters = StdioServerParameters(command=command, args=[*arguments, "serve"], env=self.variables)
        return Client(stdio_client(parameters))

    async def in_terminal(
        self, *lines: str, arguments: tuple[str, ...] = (), before: Callable[[], object] = lambda: None
    ) -> tuple[int, str]:
        """Run it in a terminal and type these, each at the next question: (exit code, what was on the screen).

        Args:
            before: happens while a question is on the screen, before something is typed.
        """
        return await anyio.to_thread.run_sync(self._in_terminal, lines, arguments, before)

    def _in_terminal(
        self, lines: tuple[str, ...], arguments: tuple[str, ...], before: Callable[[], object]
    ) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*COMMAND, "approve", *arguments], env=self.variables, stdin=theirs, stdout=theirs, stderr=theirs
        ) as popen:
            os.close(theirs)
            shown, typed = b"", 0
            while True:
                if shown.count(ASKS) > typed < len(lines):
                    before()
                    os.write(ours, f"{lines[typed]}\n".encode())
                    typed += 1
                try:
                    piece = os.read(ours, 65536)
                except OSError:
                    break
                if not piece:
                    break
                shown += piece
        os.close(ours)
        return popen.returncode, shown.decode()

    def without_terminal(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "approve", *arguments],
            env=self.variables | variables,
            input="y\ny\n",
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )


@pytest.fixture
async def machine(browser: Browser, anyio_backend: str) -> AsyncIterator[Machine]:
    platform = Platform(clock=ManualClock())
    with running_simulator(platform) as simulator:
        yield Machine(platform, simulator.base_url, browser)


def waiting_files(browser: Browser) -> list[Path]:
    return [*browser.questions.iterdir()]


async def confirm(client: Client, name: str) -> dict[str, Any]:
    answer = await client.call_tool("confirm_execution", {"execution_id": name, "wait_seconds": 0})
    assert isinstance(answer, CallToolResult)
    if answer.is_error:
        return {"error": (answer.meta or {})["deeporigin-mcp/error"]["code"]}
    return answer.structured_content or {}


async def test_a_yes_in_a_terminal_starts_the_run_of_the_server_that_asked(machine: Machine) -> None:
    names = [quote(machine.platform, 5, "first"), quote(machine.platform, 7, "second")]
    async with machine.server() as one, machine.server() as other:
        for client, name in zip((one, other), names, strict=True):
            found = await confirm(client, name)
            assert (found["status"], found["approval"]) == ("Quoted", "pending")
            assert "deeporigin-mcp approve" in found["look_for"]
        code, shown = await machine.in_terminal("n", "y")
        assert code == 0
        assert shown.index("for 5.00 USD, charged to deeporigin") < shown.index("for 7.00 USD, charged to deeporigin")
        assert "on a simulated platform" in shown
        assert '"second"' in shown
        assert await confirm(one, names[0]) == {"error": "declined"}
        assert (await confirm(other, names[1]))["status"] == "Created"
        assert machine.platform.confirms == [names[1]]
        assert "Nothing waits" in (await machine.in_terminal())[1]


async def test_a_yes_that_is_typed_twice_answers_only_the_question_on_the_screen(machine: Machine) -> None:
    names = [quote(machine.platform, 5, "first"), quote(machine.platform, 7, "second")]
    async with machine.server() as client:
        for name in names:
            await confirm(client, name)
        code, shown = await machine.in_terminal("y\ny", "")
        assert (code, shown.encode().count(ASKS)) == (0, 2)
        assert (await confirm(client, names[0]))["status"] == "Created"
        assert await confirm(client, names[1]) == {"error": "declined"}
    assert machine.platform.confirms == [names[0]]


async def test_an_empty_line_is_no_yes(machine: Machine) -> None:
    name = quote(machine.platform, 5, "first")
    async with machine.server() as client:
        await confirm(client, name)
        await machine.in_terminal("")
        assert await confirm(client, name) == {"error": "declined"}


async def test_without_a_terminal_it_only_shows_and_starts_nothing(machine: Machine) -> None:
    name = quote(machine.platform, 5, "first")
    async with machine.server() as client:
        await confirm(client, name)
        done = await anyio.to_thread.run_sync(machine.without_terminal)
        assert done.returncode == 1
        assert "for 5.00 USD, charged to deeporigin on a simulated platform, where nothing is real?" in done.stdout
        assert (await anyio.to_thread.run_sync(machine.without_terminal, "--list")).returncode == 0
        assert machine.platform.confirms == []
        # It still waits.
        assert (await machine.in_terminal("y"))[0] == 0
        assert (await confirm(client, name))["status"] == "Created"


async def test_a_price_that_changes_after_a_yes_in_the_terminal_starts_nothing(machine: Machine) -> None:
    name = quote(machine.platform, 5, "first")
    async with machine.server() as client:
        await confirm(client, name)
        await machine.in_terminal("y")
        machine.platform.executions[name].stored["quotationResult"] = quotation(6)
        found = await confirm(client, name)
        assert (found["approval"], found["quoted_price"]) == ("pending", 6)
        assert machine.platform.confirms == []


async def test_a_server_that_has_ended_leaves_no_question(machine: Machine, browser: Browser) -> None:
    async with machine.server() as client:
        await confirm(client, quote(machine.platform, 5, "first"))
        assert len(waiting_files(browser)) == 1
    assert "Nothing waits" in (await machine.in_terminal("y"))[1]
    assert not waiting_files(browser)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_yes_to_a_server_that_has_ended_meanwhile_is_not_said_to_be_noted_and_starts_nothing(
    machine: Machine, browser: Browser, how: signal.Signals
) -> None:
    name = quote(machine.platform, 5, "screen")

    def end_the_server() -> None:
        (path,) = waiting_files(browser)
        process = json.loads(path.read_text())["process"]
        os.kill(int(process.split()[1]), how)

    async with machine.server() as client:
        await confirm(client, name)
        _, shown = await machine.in_terminal("y", before=end_the_server)
    assert approve.NOT_TAKEN in shown or approve.CLOSED in shown
    assert NOTED not in shown
    assert not waiting_files(browser)
    async with machine.server() as client:
        # A new server asks anew.
        assert (await confirm(client, name))["approval"] == "pending"
    assert not machine.platform.confirms


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
async def test_a_terminal_without_unicode_is_asked_all_the_same(machine: Machine, encoding: str) -> None:
    name = quote(machine.platform, 5, "β-lactamase")
    async with machine.server() as client:
        await confirm(client, name)
        done = machine.without_terminal("--list", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "?-lactamase" in done.stdout


async def test_a_yes_after_the_quote_was_withdrawn_starts_nothing(machine: Machine, browser: Browser) -> None:
    name = quote(machine.platform, 5, "screen")
    async with machine.server() as client:
        await confirm(client, name)
        withdraw = functools.partial(client.call_tool, "cancel_execution", {"execution_id": name})
        _, shown = await machine.in_terminal("y", before=lambda: anyio.from_thread.run(withdraw))
    assert approve.CLOSED in shown
    assert not machine.platform.confirms


async def test_of_two_servers_that_ask_about_one_quote_one_starts_it(machine: Machine) -> None:
    name = quote(machine.platform, 5, "screen")
    async with machine.server() as one, machine.server() as other:
        for client in (one, other):
            assert (await confirm(client, name))["approval"] == "pending"
        _, shown = await machine.in_terminal("y", "y")
        assert shown.count(NOTED) == 2
        found = [await confirm(client, name) for client in (one, other)]
    assert [each.get("error") for each in found] == [None, "not_quoted"]
    assert machine.platform.confirms == [name]
