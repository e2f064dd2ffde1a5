"""Runs groups of scenarios of the official MCP conformance suite against servers of this repository.

    scripts/conformance [GROUP ...]     # all groups of groups.toml by default

The suite is an npm package; `tests/support/node.py` installs it. Exit codes: 0 as expected, 1 a check ended otherwise,
2 it could not be run.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.choice import chosen
from tests.support.node import CannotRunError, node, npm_package

ROOT = Path(__file__).parents[2]
SUITE, SUITE_VERSION = "@modelcontextprotocol/conformance", "0.2.0-alpha.12"

HARMLESS = {"SUCCESS", "INFO"}
PARALLEL = 5
START_SECONDS = 120.0
SCENARIO_SECONDS = 180


@dataclass(frozen=True)
class Group:
    """One server and what it is tried on."""

    name: str
    server: str
    """A module that serves MCP at `/mcp` on the port given as its only argument."""
    scenarios: list[str]
    spec_version: str | None = None
    """Protocol revision; None for the scenario's own."""
    expected: dict[str, str] = field(default_factory=dict)
    """Checks that do not end in success: `scenario check` → `STATUS: reason`."""


def groups() -> dict[str, Group]:
    tables = tomllib.loads((Path(__file__).parent / "groups.toml").read_text(encoding="utf-8"))
    return {name: Group(name, **table) for name, table in tables.items()}


def main(arguments: list[str] | None = None) -> int:
    known = groups()
    wanted = chosen("scripts/conformance", "Run the MCP conformance suite.", "group", known, arguments)
    try:
        suite = installed()
        problems = [problem for name in wanted for problem in run(known[name], suite)]
    except CannotRunError as error:
        _say(f"Could not run: {error}")
        return 2
    _say("\n".join(["", *problems]) if problems else "As expected.")
    return 1 if problems else 0


def run(group: Group, suite: list[str]) -> list[str]:
    """Run a group and show what came of each scenario; what is not as expected, one line each."""
    started = time.monotonic()
    statuses: dict[str, str] = {}
    problems = []
    with serving(group.server) as url, ThreadPoolExecutor(PARALLEL) as pool:
        results = pool.map(lambda scenario: checks_of(group, scenario, url, suite), group.scenarios)
        for scenario, checks in zip(group.scenarios, results, strict=True):
            counted = Counter(check["status"] for check in checks)
            _say(f"{group.name}  {scenario:44}" + ", ".join(f"{n} {status}" for status, n in sorted(counted.items())))
            if not checks:
                problems.append(f"{group.name}: {scenario} made no checks")
            for check in checks:
                name = f"{scenario} {check['id']}"
                if check["status"] not in HARMLESS or name not in statuses:
                    statuses[name] = check["status"]
                if check["status"] not in HARMLESS and not group.expected.get(name, "").startswith(check["status"]):
                    problems.append(f"{group.name}: {name} {check['status']}: {check.get('errorMessage', '')}")
    problems += [
        f"{group.name}: {name} was expected to be {why.split(':')[0]}, and is {statuses.get(name, 'not there')}"
        for name, why in group.expected.items()
        if statuses.get(name, "SUCCESS") in HARMLESS
    ]
    _say(f"{group.name}  {len(statuses)} checks in {time.monotonic() - started:.0f} s")
    return problems


def checks_of(group: Group, scenario: str, url: str, suite: list[str]) -> list[dict[str, Any]]:
    """The checks of one scenario as the suite records them: `id`, `status`, `errorMessage`, …"""
    with tempfile.TemporaryDirectory() as folder:
        command = [*suite, "server", "--url", url, "--scenario", scenario, "-o", folder]
        if group.spec_version is not None:
            command += ["--spec-version", group.spec_version]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SCENARIO_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise CannotRunError(f"{scenario} did not end within {SCENARIO_SECONDS} s") from None
        records = [*Path(folder).glob("*/checks.json")]
        if not records:
            raise CannotRunError(f"{scenario} left no record:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return [check for record in records for check in json.loads(record.read_text(encoding="utf-8"))]


@contextmanager
def serving(module: str) -> Iterator[str]:
    """The URL of a server in a process of its own, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([sys.executable, "-m", module, str(port)], cwd=ROOT, stdout=log, stderr=log)
        try:
            if not _listens(port, process):
                log.seek(0)
                raise CannotRunError(f"{module} does not listen:\n{log.read()[-2000:]}")
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()
            process.wait()


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def installed() -> list[str]:
    """The command that starts the suite, installed on first use.

    Raises:
        CannotRunError: pip or npm could not install it; with what they said.
    """
    program = node()
    return [program, str(npm_package(SUITE, SUITE_VERSION) / "dist" / "index.js")]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
