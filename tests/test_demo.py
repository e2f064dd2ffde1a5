"""`deeporigin-mcp demo`: what it shows is what happened."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import TextContent

from deeporigin_mcp import cli, demo
from deeporigin_mcp.demo import run_demo
from deeporigin_mcp.simulator import Platform, parse_fault
from tests.support.processes import demo_run

TOTALS = ("executions", "tool calls", "questions", "HTTP requests", "wall time", "bytes to model")


def total(output: str, name: str) -> str:
    """The line of a total, without its name."""
    [value] = re.findall(rf"^  {name} {{2,}}(\S.*)$", output, re.MULTILINE)
    return str(value)


@pytest.fixture
def platforms(monkeypatch: pytest.MonkeyPatch) -> list[Platform]:
    """The platforms that demos of this test have run on."""
    made: list[Platform] = []

    def make(**options: Any) -> Platform:
        made.append(Platform(**options))
        return made[-1]

    monkeypatch.setattr(demo, "Platform", make)
    return made


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that the demo's client reads of the answers of tools."""
    read: list[str] = []
    call_tool: Callable[..., Any] = Client.call_tool

    async def recorded(self: Client, *args: Any, **options: Any) -> Any:
        answer = await call_tool(self, *args, **options)
        read.append("\n".join(block.text for block in answer.content if isinstance(block, TextContent)))
        return answer

    monkeypatch.setattr(Client, "call_tool", recorded)
    return read


def test_one_job_completes_with_results_and_one_fails_for_a_chemical_reason() -> None:
    done = demo_run()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert total(done.stdout, "executions") == "approved drugs Completed, metal complex Failed"
    assert len(re.findall(r"⇒ approved drugs: \S+ binds with -\d+\.\d+ kcal/mol", done.stdout)) == 3
    assert "⇒ metal complex: no ligand could be processed; ligand 1: no force-field parameters for Pt" in done.stdout


def test_the_person_says_yes_to_one_run_and_no_to_another() -> None:
    output = demo_run().stdout
    assert output.count("└ the person says yes") == output.count("└ the person says no") == 1


def test_prices_are_shown_before_anything_is_confirmed() -> None:
    output = demo_run().stdout
    assert 0 < output.index("⇒ approved drugs: 0.6 USD") < output.index("→ confirm_execution(")
    assert 0 < output.index("⇒ metal complex: 0.0 USD") < output.index("→ confirm_execution(")


def test_progress_is_shown_while_it_waits() -> None:
    progress = re.findall(r"^  … +(\d+\.\d) s  (.+)$", demo_run().stdout, re.MULTILINE)
    seconds = [float(since) for since, _ in progress]
    assert len(seconds) > 3
    assert seconds == sorted(seconds)
    assert any("Running" in what and "%" in what for _, what in progress)


def test_the_totals_count_what_is_shown() -> None:
    output = demo_run().stdout
    measured = output.partition("Measured in this run:\n")[2]
    assert [re.split(r" {2,}", line.strip())[0] for line in measured.splitlines()] == [*TOTALS]
    assert int(total(output, "tool calls")) == output.count("\n→ ")
    assert float(total(output, "wall time").removesuffix(" s")) < 20


def test_the_totals_are_what_was_done(
    platforms: list[Platform], texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    assert run_demo(speed=120) is True
    output = capsys.readouterr().out
    [platform] = platforms
    assert total(output, "HTTP requests") == str(len(platform.requests))
    assert total(output, "tool calls") == str(len(texts))
    assert total(output, "bytes to model") == str(sum(len(text.encode()) for text in texts))
    assert float(total(output, "wall time").removesuffix(" s")) <= time.monotonic() - started + 0.05
    assert len(platform.creates) == 3
    assert len(platform.confirms) == 2
    assert total(output, "questions") == str(output.count("the person is asked")) == "2"


def test_a_refused_creation_fails_the_demo_and_the_platform_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        demo, "Platform", lambda **options: Platform(**options, faults=[parse_fault("POST */executions status=400")])
    )
    # The signals of this process are the tests'.
    monkeypatch.setattr(cli, "_end_at_signals", lambda: None)
    assert cli.main(["demo", "--speed", "120"]) == 1
    output = capsys.readouterr().out
    assert "\nFAILED: create_execution " in output
    assert "Measured in this run" not in output


def test_a_demo_in_which_both_jobs_fail_has_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def with_a_damaged_structure(**options: Any) -> Platform:
        platform = Platform(**options)
        platform.add_file("failing.pdb")
        return platform

    monkeypatch.setattr(demo, "Platform", with_a_damaged_structure)
    monkeypatch.setattr(demo, "PROTEIN", {"file_path": "failing.pdb"})
    assert run_demo(speed=120) is False
    output = capsys.readouterr().out
    assert total(output, "executions") == "approved drugs Failed, metal complex Failed"
    assert "\nFAILED: " in output


def test_progress_is_rewritten_in_place_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    live = demo.LiveLine()
    live.end()
    anyio.run(live.show, 1.0, 45.0, "0 of 2 over")
    anyio.run(live.show, 2.5, 45.0, None)
    live.end()
    assert capsys.readouterr().out == "  …  1.0 s  0 of 2 over\x1b[K\r  …  2.5 s  \x1b[K\r\x1b[K"
