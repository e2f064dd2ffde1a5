"""The program as its users run it: processes with a home of their own and nothing else of this machine's settings."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "deeporigin_mcp")
ORGANISATION = "deeporigin"
TIMEOUT_SECONDS = 180
"""Far more than anything here takes; reached only where something hangs."""

CLOSED_PROXY = "http://127.0.0.1:9"
"""As HTTPS_PROXY it keeps a process from the network: the connection is refused at once."""

_READY = re.compile(r"http://127\.0\.0\.1:\d+")


def environment(home: Path, **variables: str) -> dict[str, str]:
    """An environment in which only `variables` are set, with what a process needs to start and to be measured."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_") or name == "SYSTEMROOT"}
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": binaries, "HOME": str(home), "HTTPS_PROXY": CLOSED_PROXY, **variables}


def run(
    command: Sequence[str | Path],
    home: Path,
    *,
    cwd: Path = REPOSITORY,
    variables: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment(home, **(variables or {})),
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def run_program(
    *arguments: str, home: Path, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `deeporigin-mcp` with arguments."""
    return run([*COMMAND, *arguments], home, variables=variables)


@functools.cache
def demo_run() -> subprocess.CompletedProcess[str]:
    """`scripts/demo` as the README shows it, run once for all tests of it.

    It runs in a copy whose `.venv` stands for the one in use, so that it can never rebuild that one. Its files are kept
    until this process ends.
    """
    kept = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        (checkout / "scripts").mkdir(parents=True)
        (checkout / ".venv").mkdir()
        for name in ("scripts/setup", "scripts/demo", "pyproject.toml"):
            (checkout / name).write_bytes((REPOSITORY / name).read_bytes())
            (checkout / name).chmod(0o755)
        (checkout / ".venv/bin").symlink_to(Path(sys.executable).parent)
        sum_of_project = subprocess.run(["cksum", "pyproject.toml"], cwd=checkout, capture_output=True, check=True)
        (checkout / ".venv/.installed").write_bytes(sum_of_project.stdout)
        return run(["scripts/demo"], Path(folder), cwd=checkout, variables={"TMPDIR": kept})


@dataclass
class SimulatorProcess:
    """`deeporigin-mcp simulator`, running; `ready_line` is what it printed when it was."""

    process: subprocess.Popen[str]
    ready_line: str
    base_url: str

    def stop(self, number: int) -> str:
        """Send a signal and give the rest of what it printed, out and err; fails if it does not end."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=TIMEOUT_SECONDS)
        return output + errors


@contextlib.contextmanager
def simulator_process(home: Path, *arguments: str, port: Sequence[str] = ("--port", "0")) -> Iterator[SimulatorProcess]:
    """Run the simulator command until the block is left."""
    process = subprocess.Popen(
        [*COMMAND, "simulator", *port, *arguments],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = _first_line(process.stderr)
        address = _READY.search(line)
        assert address, f"it is not ready but said: {line}"
        yield SimulatorProcess(process, line.rstrip("\n"), address.group())
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=TIMEOUT_SECONDS)


def _first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()
