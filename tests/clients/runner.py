"""Starts the agents that people have, and lets a model on the loopback address drive them: `scripts/clients`.

    scripts/clients [CLIENT ...]     # all by default: claude-code codex gemini-cli

Each is installed from npm, in a home of its own, and reaches nothing but this machine. It is started twice: from what
`deeporigin-mcp install` writes, and from the plugin. Each time it has to start the server, list its tools, price a
run, get a person's yes on the approval page, start the run once, and wait for its end. (Without a person at its own
screen none of them shows the server's question; so the page opens.)

Cursor and VS Code have no form that runs without a screen; their files are checked in `tests/install` and
`tests/distribution/test_plugin.py`. Exit codes: 0 as expected, 1 a client saw something else, 2 it could not be run.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator
from tests.clients.model import DONE, Call, Model, Script, scripted_model
from tests.support.agents import PACKAGES, agent
from tests.support.choice import chosen
from tests.support.history import DOCKING, docking, price_of
from tests.support.node import ROOT, CannotRunError
from tests.support.processes import CLOSED_PROXY, ORGANISATION

SPEED = 600.0
"""Simulated seconds per second: a docking run ends within a second."""
SESSION_SECONDS = 300
PROMPT = "Repeat the docking, please."
PLUGIN = "deeporigin@deeporigin-mcp"
TOOL_NAMES = [offer.function.__name__ for offer in TOOLS]


@dataclass(frozen=True)
class Scene:
    """One client's home, and what it is started with."""

    home: Path
    project: Path
    variables: Mapping[str, str]
    model: Model


@dataclass(frozen=True)
class Client:
    """How a client is set up and given one prompt.

    Attributes:
        files: what its first start would ask a person, by path below the home.
        plugin: the commands that install the plugin of this checkout.
        prompt: the command line that answers the prompt and ends.
        variables: what leads it to the model.
    """

    files: Mapping[str, Any]
    plugin: Sequence[Sequence[str]]
    prompt: Callable[[Model], Sequence[str]]
    variables: Callable[[Model], Mapping[str, str]]


def _codex(model: Model) -> list[str]:
    provider = {"name": "scripted", "base_url": f"{model.url}/v1", "wire_api": "responses"}
    settings = {
        "model": "scripted",
        "model_provider": "scripted",
        **{f"model_providers.scripted.{name}": value for name, value in provider.items()},
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={json.dumps(value)}")]
    # Without it a tool that may change something is refused, as nobody is there to allow it.
    return ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", *options, PROMPT]


CLIENTS = {
    "claude-code": Client(
        {},
        [["plugin", "marketplace", "add", str(ROOT)], ["plugin", "install", PLUGIN]],
        lambda _: ["-p", PROMPT, "--allowedTools", "mcp__deeporigin", "mcp__plugin_deeporigin_deeporigin"],
        lambda model: {
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ENABLE_TOOL_SEARCH": "false",
        },
    ),
    "codex": Client(
        {},
        [["plugin", "marketplace", "add", str(ROOT)], ["plugin", "add", PLUGIN]],
        _codex,
        lambda _: {},
    ),
    "gemini-cli": Client(
        {
            ".gemini/settings.json": {
                "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}}
            }
        },
        [["extensions", "install", str(ROOT / "plugin"), "--consent", "--skip-settings"]],
        lambda _: ["-p", PROMPT, "--approval-mode", "yolo", "-m", "gemini-2.5-flash"],
        lambda model: {"GOOGLE_GEMINI_BASE_URL": model.url, "GEMINI_API_KEY": "none"},
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the sessions, and say what came of them."""
    wanted = chosen("scripts/clients", "Start the server from real clients.", "client", CLIENTS, arguments)
    problems = 0
    try:
        for name in wanted:
            for way in ("install", "plugin"):
                started = time.monotonic()
                found = [*session(name, way)]
                problems += len(found)
                said = "; ".join(found) or "as expected"
                _say(f"{name} {PACKAGES[name][1]}  {way}  {said}, after {time.monotonic() - started:.0f} s")
    except CannotRunError as error:
        _say(f"Could not run: {error}")
        return 2
    _say(f"{problems} problems." if problems else "As expected.")
    return 1 if problems else 0


def session(name: str, way: str) -> Iterator[str]:
    """What went otherwise than it should in one session of a client."""
    client = CLIENTS[name]
    platform = Platform(clock=ScaledClock(SPEED))
    repeated = platform.seed_run(DOCKING, docking("CCO"), ago_seconds=3600, name="first")
    with (
        tempfile.TemporaryDirectory() as folder,
        running_simulator(platform) as simulator,
        scripted_model(script(platform, repeated)) as model,
    ):
        here = scene(Path(folder), simulator.base_url, model)
        for path, content in client.files.items():
            (here.home / path).parent.mkdir()
            (here.home / path).write_text(json.dumps(content), encoding="utf-8")
        if way == "plugin":
            for words in client.plugin:
                _checked(run([*agent(name), *words], here))
        else:
            _checked(run([sys.executable, "-m", "deeporigin_mcp", "install", "--client", name, "--force"], here))
        try:
            done = run([*agent(name), *client.prompt(model)], here, client.variables(model))
        except subprocess.TimeoutExpired:
            yield f"PROBLEM it did not end within {SESSION_SECONDS} s"
            return
        yield from problems_of(model, platform, here)
        if done.returncode or DONE not in done.stdout:
            yield f"PROBLEM it ended with {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}"


def script(platform: Platform, repeated: str) -> Script:
    """List the runs, repeat one, ask for a yes, wait."""

    def of_the_new_one(tool: str, arguments: Callable[[str], dict[str, Any]]) -> Callable[[Sequence[str]], Call | None]:
        return lambda _: (tool, arguments(platform.creates[-1])) if platform.creates else None

    return [
        lambda _: ("list_executions", {"page_size": 5}),
        lambda _: ("create_execution", {"like": repeated, "name": "again"}),
        of_the_new_one(
            "confirm_execution",
            lambda new: {"execution_id": new, "expected_price": price_of(platform, new), "wait_seconds": 0},
        ),
        of_the_new_one("wait_executions", lambda new: {"execution_ids": [new], "timeout_seconds": 30}),
    ]


def problems_of(model: Model, platform: Platform, here: Scene) -> Iterator[str]:
    """What the model and the platform saw that they should not have seen, or did not see."""
    missing = [name for name in TOOL_NAMES if not any(tool.endswith(name) for tool in model.tools)]
    if missing:
        yield f"PROBLEM the model was not given {', '.join(missing)}"
    if len(model.results) < 4 or "Completed" not in model.results[-1]:
        yield "PROBLEM the calls returned:\n" + "\n".join(result[:500] for result in model.results)
    if len(platform.creates) != 1 or platform.confirms != platform.creates:
        yield f"PROBLEM created were {platform.creates}, confirmed {platform.confirms}"
    audit = here.home / "audit.jsonl"
    lines = audit.read_text(encoding="utf-8").splitlines() if audit.exists() else []
    reasons = [json.loads(line)["reason"] for line in lines]
    if reasons != ["yes by browser"]:
        yield f"PROBLEM on record is {reasons}"


def scene(home: Path, base_url: str, model: Model) -> Scene:
    """A home with a browser that says yes, and `uvx`, which starts this checkout, as the plugin asks for it."""
    programs = home / "bin"
    for folder in (programs, home / "project", home / "run"):
        folder.mkdir(mode=0o700)
    _program(programs / "person", [sys.executable, str(Path(__file__).with_name("person.py"))])
    _program(programs / "uvx", [sys.executable, "-c", STARTED_BY_UVX])
    variables = {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HTTPS_PROXY": CLOSED_PROXY,
        "NO_PROXY": "127.0.0.1",
        "BROWSER": str(programs / "person"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "DO_BASE_URL": base_url,
        "DO_AUTH_TOKEN": make_token(),
        "DO_ORG_KEY": ORGANISATION,
        "DO_PROJECT_ID": "09DEMAKNASE01",
        "DEEPORIGIN_MCP_AUDIT_LOG": str(home / "audit.jsonl"),
    }
    return Scene(home, home / "project", variables, model)


STARTED_BY_UVX = "import sys; from deeporigin_mcp.cli import main; assert sys.argv.pop(1) == 'deeporigin-mcp'; main()"


def _program(path: Path, words: list[str]) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def run(command: Sequence[str], here: Scene, own: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in the scene to its end."""
    return subprocess.run(
        [*command],
        env={**here.variables, **(own or {})},
        cwd=here.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SESSION_SECONDS,
        check=False,
    )


def _checked(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise CannotRunError(f"{' '.join(done.args[-4:])}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
