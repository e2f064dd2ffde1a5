"""`deeporigin-mcp demo`: what it shows is what happened."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import TextContent

from deeporigin_mcp import cli, demo
from deeporigin_mcp.demo import run_demo
from deeporigin_mcp.simulator import Platform, parse_fault
from tests.support.processes import demo_run

TOTALS = ("executions", "files", "tool calls", "questions", "HTTP requests", "wall time", "bytes to model")


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


def test_a_structure_and_smiles_become_pose_files_on_disk() -> None:
    done = demo_run()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert total(done.stdout, "executions") == "free energy Quoted, approved drugs Completed, pockets Completed"
    assert len(re.findall(r"⇒ (?:aspirin|caffeine|ibuprofen) binds with -\d+\.\d+ kcal/mol", done.stdout)) == 3
    [folder] = re.findall(r"^On disk, in (.+):$", done.stdout, re.MULTILINE)
    sizes = re.findall(r"^ +(\S+) bytes  (\S+)$", done.stdout, re.MULTILINE)
    written = {str(path.relative_to(folder)): path for path in Path(folder).rglob("*") if path.is_file()}
    assert {path.suffix for path in written.values()} == {".pdb", ".sdf", ".csv"}
    shown = {name: int(size.replace(",", "")) for size, name in sizes}
    assert shown == {name: path.stat().st_size for name, path in written.items()}
    poses = [path.read_text(encoding="utf-8") for path in written.values() if re.match(r"\d+_", path.name)]
    assert len(poses) == 3
    assert all(pose.rstrip().endswith("$$$$") for pose in poses)


def test_a_molecule_that_no_tool_supports_is_refused_before_it_costs_anything() -> None:
    output = demo_run().stdout
    assert 0 < output.index("⇒ cisplatin has Pt") < output.index("→ create_execution(")


def test_the_person_says_yes_to_two_runs_and_no_to_another() -> None:
    output = demo_run().stdout
    assert output.count("└ the person says yes") == 2
    assert output.count("└ the person says no") == 1


def test_prices_are_shown_before_they_are_confirmed() -> None:
    output = demo_run().stdout
    for price in ("⇒ pockets: 10.00 USD", "⇒ approved drugs: 0.60 USD", "⇒ free energy: 120.00 USD"):
        assert 0 < output.index(price) < output.rindex("→ confirm_execution(")
    assert output.index("⇒ pockets: 10.00 USD") < output.index("→ confirm_execution(")


def test_progress_is_shown_while_it_waits() -> None:
    waits = [step for step in demo_run().stdout.split("\n→ ") if step.startswith("wait_executions(")]
    progress = [re.findall(r"^  … +(\d+\.\d) s  (.+)$", step, re.MULTILINE) for step in waits]
    assert sum(map(len, progress)) > 3
    for reports in progress:
        seconds = [float(since) for since, _ in reports]
        assert seconds == sorted(seconds)
    assert any("Running" in what and "%" in what for reports in progress for _, what in reports)


def test_the_totals_count_what_is_shown() -> None:
    output = demo_run().stdout
    measured = output.partition("Measured in this run:\n")[2]
    assert [re.split(r" {2,}", line.strip())[0] for line in measured.splitlines()] == [*TOTALS]
    assert int(total(output, "tool calls")) == output.count("\n→ ")
    assert float(total(output, "wall time").removesuffix(" s")) > 0


def test_the_totals_are_what_was_done(
    platforms: list[Platform], texts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    assert run_demo(speed=120, folder=tmp_path) is True
    output = capsys.readouterr().out
    [platform] = platforms
    assert total(output, "HTTP requests") == str(len(platform.requests))
    assert total(output, "tool calls") == str(len(texts))
    assert total(output, "bytes to model") == str(sum(len(text.encode()) for text in texts))
    assert float(total(output, "wall time").removesuffix(" s")) <= time.monotonic() - started + 0.05
    assert total(output, "files") == str(sum(path.is_file() for path in tmp_path.rglob("*")))
    assert len(platform.creates) == 5
    assert len(platform.confirms) == 2
    assert total(output, "questions") == str(output.count("the person is asked")) == "3"


def test_a_refused_creation_fails_the_demo_and_the_platform_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        demo, "Platform", lambda **options: Platform(**options, faults=[parse_fault("POST */executions status=400")])
    )
    # The signals of this process are the tests'.
    monkeypatch.setattr(cli, "_end_at_signals", lambda: None)
    assert cli.main(["demo", "--speed", "120", "--folder", str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert "\nFAILED: import_molecules " in output
    assert "Measured in this run" not in output


def test_a_demo_without_a_usable_molecule_has_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "MOLECULES", demo.MOLECULES[-1:])
    assert run_demo(speed=120, folder=tmp_path) is False
    output = capsys.readouterr().out
    assert "\nFAILED: import_molecules " in output
    assert [path.name for path in tmp_path.iterdir()] == ["model.pdb"]


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
