"""Drives the real server, in front of a simulated platform, with the clients that people have.

    scripts/interop [CLIENT ...]     # all by default: inspector typescript-1 typescript-2 python-1 tdqs

Each client works in every era and over every transport that it has, and has to see the same tools, prices, progress
and errors as the others. Node and the npm packages are installed into `.conformance/`, the Python SDK 1.x into an
environment of its own there. Exit codes: 0 as expected, 1 a client saw something else, 2 it could not be run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator
from tests.support.choice import chosen
from tests.support.node import CACHE, CannotRunError, install, node, npm_package

HERE = Path(__file__).parent
INSPECTOR = ("@modelcontextprotocol/inspector", "2.12.0")
TYPESCRIPT = {"v1": ("@modelcontextprotocol/sdk", "1.32.2"), "v2": ("@modelcontextprotocol/client", "2.4.0")}
PYTHON_SDK = "mcp==1.30.0"
LINTER = "tdqs==0.1.0"
SPEED = 1200.0
"""Simulated seconds per second: a docking run ends within a few seconds."""
SESSION_SECONDS = 300
TOOL_NAMES = [offer.function.__name__ for offer in TOOLS]
DOCKING = "deeporigin.docking"


@dataclass(frozen=True)
class Scene:
    """A platform and the two ways to the server in front of it."""

    platform: Platform
    endless: str
    """An execution that runs for ever."""
    stdio: dict[str, Any]
    http: dict[str, Any]


class ProblemError(Exception):
    """A client saw something else than it should have."""


def main(arguments: list[str] | None = None) -> int:
    clients: dict[str, Callable[[Scene], Iterator[str]]] = {
        "inspector": inspector,
        "typescript-1": typescript_1,
        "typescript-2": typescript_2,
        "python-1": python_1,
        "tdqs": tdqs,
    }
    wanted = chosen("scripts/interop", "Drive the server with other clients.", "client", clients, arguments)
    problems = 0
    try:
        with scene() as here:
            for name in wanted:
                started = time.monotonic()
                for outcome in clients[name](here):
                    _say(f"{name}  {outcome}")
                    problems += outcome.startswith("PROBLEM")
                _say(f"{name}  done in {time.monotonic() - started:.0f} s")
    except CannotRunError as error:
        _say(f"Could not run: {error}")
        return 2
    _say(f"{problems} problems." if problems else "As expected.")
    return 1 if problems else 0


@contextmanager
def scene() -> Iterator[Scene]:
    """A simulated platform, and the server over HTTP; over stdio each client starts one of its own."""
    platform = Platform(clock=ScaledClock(SPEED))
    endless = platform.add_execution(
        {"status": "Running", "tool": {"key": DOCKING, "version": "4.2.0"}, "createdAt": "2026-10-05T08:00:00.000Z"}
    )
    token = make_token()
    with running_simulator(platform) as simulator, tempfile.TemporaryDirectory() as home:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        clean = {"HOME": home, "PATH": path, "DO_BASE_URL": simulator.base_url}
        credentials = {"DO_AUTH_TOKEN": token, "DO_ORG_KEY": "deeporigin", "DO_PROJECT_ID": "09DEMAKNASE01"}
        stdio = {"command": sys.executable, "args": ["-m", "deeporigin_mcp"], "env": clean | credentials}
        headers = {
            "X-Do-Auth-Token": token,
            "X-Do-Org-Key": credentials["DO_ORG_KEY"],
            "X-Do-Project-Id": credentials["DO_PROJECT_ID"],
        }
        with http_server(clean) as url:
            yield Scene(platform, endless, stdio, {"url": url, "headers": headers})


@contextmanager
def http_server(environment: dict[str, str]) -> Iterator[str]:
    """`deeporigin-mcp serve --http` on a free port, until the block is left."""
    command = [sys.executable, "-m", "deeporigin_mcp", "serve", "--http", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if "http://127.0.0.1:" in line:
                yield next(word for word in line.split() if word.startswith("http://")).rstrip(".,;")
                return
        raise CannotRunError(f"the server does not listen:\n{''.join(said)[-2000:]}")
    finally:
        process.terminate()
        process.communicate()


def typescript_1(here: Scene) -> Iterator[str]:
    yield from sessions(here, [*typescript(here, "v1", "legacy")])


def typescript_2(here: Scene) -> Iterator[str]:
    yield from sessions(here, [*typescript(here, "v2", "legacy"), *typescript(here, "v2", "modern")])


def python_1(here: Scene) -> Iterator[str]:
    python = str(python_with(PYTHON_SDK) / "python")
    script = str(HERE / "session_of_python_1.py")
    yield from sessions(
        here, [(f"legacy {way}", [python, script], {way: getattr(here, way)}) for way in ("stdio", "http")]
    )


def typescript(here: Scene, sdk: str, era: str) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    program, package = node(), npm_package(*TYPESCRIPT[sdk])
    for way in ("stdio", "http"):
        asked = {"sdk": sdk, "era": era, "package": str(package), way: getattr(here, way)}
        yield f"{era} {way}", [program, str(HERE / "session.mjs")], asked


def sessions(here: Scene, wanted: list[tuple[str, list[str], dict[str, Any]]]) -> Iterator[str]:
    """Run a session each, and compare what it saw with what there was to see."""
    for title, command, asked in wanted:
        name = f"{Path(command[-1]).stem} {title} {len(here.platform.executions)}"
        try:
            seen = session(command, {**asked, "endless": here.endless, "name": name})
            # A stateless server has no way to ask a client of the old era in the middle of a call.
            judge(here, name, seen, can_be_asked=title != "legacy http")
        except ProblemError as problem:
            yield f"PROBLEM {title}: {problem}"
        else:
            yield f"{title}: as expected"


def session(command: list[str], asked: dict[str, Any]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [*command, json.dumps(asked)], capture_output=True, text=True, timeout=SESSION_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProblemError(f"not over after {SESSION_SECONDS} s") from None
    if done.returncode:
        raise ProblemError(f"exit {done.returncode}: {done.stderr.strip()[-1500:]}")
    seen: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return seen


def judge(here: Scene, name: str, seen: dict[str, Any], *, can_be_asked: bool) -> None:
    """Compare a session's facts with the platform's.

    Raises:
        ProblemError: they differ.
    """
    price = seen["quote"]["price"]
    expected: dict[str, Any] = {
        "tools": TOOL_NAMES,
        "templates": [
            "deeporigin://executions/{execution_id}",
            "deeporigin://executions/{execution_id}/logs",
            "deeporigin://tools/{tool_key}/{tool_version}",
        ],
        "found": DOCKING,
        "quote": {"status": "Quoted", "price": price},
        "questions": 1 if can_be_asked else 0,
        "aborted": "given up",
        "after": "Completed" if can_be_asked else "Quoted",
    }
    if can_be_asked:
        expected |= {"refused": None, "all_done": True, "progress": True, "resource": "Completed"}
    wrong = {key: seen.get(key) for key, value in expected.items() if seen.get(key) != value}
    if wrong:
        raise ProblemError(
            f"saw {json.dumps(wrong)[:1000]} instead of {json.dumps({k: expected[k] for k in wrong})[:1000]}"
        )
    if not price or len(seen["prompts"]) < 3 or "nonsense" not in (seen["error"] or ""):
        raise ProblemError(f"price {price}, prompts {seen['prompts']}, error {seen['error']}")
    if not can_be_asked and "cannot ask" not in (seen["refused"] or ""):
        raise ProblemError(f"nobody could be asked, and the answer was {seen['refused']}")
    made = [dto for dto in here.platform.executions.values() if dto.stored.get("name") == name]
    if [here.platform.status(dto.stored["executionId"]) for dto in made] != [seen["after"]]:
        raise ProblemError(
            f"the platform has {[here.platform.status(dto.stored['executionId']) for dto in made]} of it"
        )


def tdqs(here: Scene) -> Iterator[str]:
    """A linter that starts a server and judges names, descriptions and schemas of its tools."""
    server = " ".join([here.stdio["command"], *here.stdio["args"]])
    command = [str(python_with(LINTER) / "tdqs"), "lint", "--command", server, "--fail-on", "warning"]
    done = subprocess.run(
        command, env=here.stdio["env"], capture_output=True, text=True, timeout=SESSION_SECONDS, check=False
    )
    verdict = done.stdout.strip().splitlines()[-1:]
    told = verdict[0] if verdict else done.stderr.strip()[-1500:]
    yield told if done.returncode == 0 else f"PROBLEM exit {done.returncode}: {told}"


def inspector(here: Scene) -> Iterator[str]:
    """The Inspector's command line: a strict look at the schemas, and calls, each in a process of its own."""
    program = node()
    launcher = str(npm_package(*INSPECTOR) / "clients/launcher/build/index.js")
    environment = [part for name, value in here.stdio["env"].items() for part in ("-e", f"{name}={value}")]
    headers = [part for name, value in here.http["headers"].items() for part in ("--header", f"{name}: {value}")]
    targets = {
        "stdio": ([*environment], ["--", here.stdio["command"], *here.stdio["args"]]),
        "http": ([*headers, "--server-url", here.http["url"], "--transport", "http"], []),
    }
    for way, (options, target) in targets.items():
        for era in ("legacy", "modern"):

            def run(method: str, *more: str, options: Any = options, target: Any = target, era: str = era) -> Any:
                command = [program, launcher, "--cli", *options, "--protocol-era", era, "--method", method, *more]
                return inspected([*command, "--format", "json", *target])

            try:
                yield f"{era} {way}: {_inspected(run, here)}"
            except ProblemError as problem:
                yield f"PROBLEM {era} {way}: {problem}"


def _inspected(run: Callable[..., tuple[int, Any, str]], here: Scene) -> str:
    code, listed, said = run("tools/list", "--strict")
    names = [tool["name"] for tool in listed.get("result", {}).get("tools", [])]
    if code or names != TOOL_NAMES or "Warning" in said:
        raise ProblemError(f"tools/list: exit {code}, {names}, {said[-1500:]}")
    reads = {
        "list_executions": {"page_size": 5},
        "search_executions": {"limit": 5},
        "get_execution": {"execution_id": here.endless},
        "wait_executions": {"execution_ids": [here.endless], "timeout_seconds": 0},
        "get_execution_logs": {"execution_id": here.endless},
        "find_platform_tools": {"query": "dock"},
        "describe_platform_tool": {"tool_key": DOCKING},
        "list_files": {},
        "summarize_spending": {},
        "get_workspace": {},
    }
    for tool, arguments in reads.items():
        code, answer, said = run("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        if code or not answer["result"].get("structuredContent"):
            raise ProblemError(f"{tool}: exit {code}, {said[-1500:]}")
    code, _, said = run(
        "tools/call", "--tool-name", "get_execution", "--tool-args-json", '{"execution_id": "nonsense"}'
    )
    if code != TOOL_ERROR:
        raise ProblemError(f"a refused call ended with exit {code}: {said[-500:]}")
    for method, key in (("resources/templates/list", "resourceTemplates"), ("prompts/list", "prompts")):
        code, answer, said = run(method)
        if code or not answer["result"][key]:
            raise ProblemError(f"{method}: exit {code}, {said[-1500:]}")
    return f"{len(names)} tools portable, {len(reads)} called"


TOOL_ERROR = 5
"""The Inspector's exit code for a result with `isError`."""


def inspected(command: list[str]) -> tuple[int, Any, str]:
    """Exit code, standard output as JSON, standard error."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            command,
            env={"HOME": home, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=SESSION_SECONDS,
            check=False,
        )
    try:
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr
    except ValueError:
        return done.returncode, {}, done.stdout + done.stderr


def python_with(requirement: str) -> Path:
    """The folder of programs of an environment that has this package; made on first use."""
    folder = CACHE / requirement.replace("==", "-")
    programs = folder / "bin"
    if not (folder / ".installed").exists():
        install([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install([*pip, requirement])
        (folder / ".installed").touch()
    return programs


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
