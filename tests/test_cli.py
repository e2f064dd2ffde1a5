"""The command line: what it does, its exit codes, and what it leaves unloaded."""

from __future__ import annotations

import gc
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deeporigin_mcp import __version__, cli, logs
from deeporigin_mcp.cli import main
from tests.support.processes import COMMAND, TIMEOUT_SECONDS, environment, run, run_program


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    """The exit code of a refused command line, and the last line on stderr; nothing may be on stdout."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            # The signals of this process are the tests'.
            patch.setattr(cli, "_end_at_signals", lambda: None)
            code: object = main(arguments)
    except SystemExit as exit_:
        code = exit_.code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return code, captured.err.splitlines()[-1]


def test_the_version_is_printed(tmp_path: Path) -> None:
    done = run_program("--version", home=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"deeporigin-mcp {__version__}\n", "")


def test_garbage_is_looked_for_again_after_a_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DEEPORIGIN_MCP_TOOLSETS", "unknown")
    # Logging, like signals, is the tests' own in this process.
    monkeypatch.setattr(logs, "configure_logging", lambda _: None)
    try:
        assert refusal(capsys, "serve")[0] == cli.EXIT_USAGE
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()


@pytest.mark.parametrize(
    "options",
    [("--port", "8321"), ("--host", "0.0.0.0"), ("--drain-seconds", "0"), ("--allowed-host", "a"),
     ("--allowed-origin", "https://a")],
)  # fmt: skip
def test_an_option_for_http_without_http_is_refused_instead_of_ignored(
    capsys: pytest.CaptureFixture[str], options: tuple[str, str]
) -> None:
    code, line = refusal(capsys, "serve", *options)
    assert (code, options[0] in line, "--http" in line) == (cli.EXIT_USAGE, True, True)


def test_the_console_script_is_the_same_program(tmp_path: Path) -> None:
    done = run(["deeporigin-mcp", "--version"], tmp_path)
    assert (done.returncode, done.stdout) == (0, f"deeporigin-mcp {__version__}\n")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    text = capsys.readouterr().out
    assert exit_.value.code == 0
    for command in ("serve", "simulator", "demo", "doctor", "install", "uninstall"):
        assert re.search(rf"^ +{command}\s", text, re.MULTILINE)


@pytest.mark.parametrize("command", ["serve", "simulator", "demo", "doctor", "install", "uninstall"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert f"usage: deeporigin-mcp {command}" in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refusal(capsys, "start")
    assert code == 2
    assert "'start'" in line
    assert all(command in line for command in ("serve", "simulator", "demo", "doctor", "install", "uninstall"))


@pytest.mark.parametrize("port", ["-1", "65536", "http", "²", "80.5", ""])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refusal(capsys, "simulator", f"--port={port}")
    assert (code, "--port" in line, repr(port) in line) == (2, True, True)


@pytest.mark.parametrize("command", ["simulator", "demo"])
@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf", "1e9"])
def test_a_speed_that_is_none_is_refused(command: str, speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refusal(capsys, command, f"--speed={speed}")
    assert (code, "--speed" in line, repr(speed) in line) == (2, True, True)


@pytest.mark.parametrize("rule", ["nonsense", "GET /x status=42", "FETCH * reset", "GET * explode", "GET * times=2"])
def test_a_fault_that_is_none_is_refused_with_the_form(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refusal(capsys, "simulator", "--port=0", "--fault", rule)
    assert (code, line.startswith("deeporigin-mcp: ")) == (2, True)
    assert "POST */executions status=504 html after=work times=1" in line


def test_a_limit_on_money_that_cannot_be_read_stops_the_server(tmp_path: Path) -> None:
    done = run_program(home=tmp_path, variables={"DEEPORIGIN_MCP_BUDGET": "ten"})
    assert (done.returncode, done.stdout) == (2, "")
    assert (done.stderr.count("\n"), "DEEPORIGIN_MCP_BUDGET 'ten'" in done.stderr) == (1, True)


def test_the_server_ends_quietly_when_its_client_leaves(tmp_path: Path) -> None:
    done = run_program(home=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_serve_is_the_default_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_end_at_signals", lambda: None)
    monkeypatch.setattr(cli, "_serve", lambda options: 7)
    assert main([]) == main(["serve"]) == 7


def test_a_signal_ends_the_process_with_the_shells_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    logs.leave_at_once(signal.SIGTERM, None)
    assert codes == [143]


def test_reading_a_command_line_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, deeporigin_mcp.cli; print(*(sorted({name.split('.')[0] for name in sys.modules})))"
    loaded = set(run([sys.executable, "-c", code], tmp_path).stdout.split())
    assert "deeporigin_mcp" in loaded
    assert loaded.isdisjoint({"mcp", "httpx", "pydantic", "starlette", "uvicorn", "anyio", "asyncio", "jsonschema"})


@pytest.mark.parametrize("arguments", [("demo",), ("doctor",), ("doctor", "--json")])
def test_a_reader_that_leaves_early_causes_no_traceback(arguments: tuple[str, ...], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, errors) == (1, b"")


def test_a_terminal_without_unicode_gets_the_text_all_the_same(tmp_path: Path) -> None:
    done = run_program("doctor", home=tmp_path, variables={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAILED   token: " in done.stdout


def test_the_demo_ends_at_once_when_interrupted(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("→"):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, errors) == (128 + signal.SIGINT, "")
