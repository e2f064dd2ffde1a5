"""Builds wheel, source distribution and bundle, installs them as users do, and starts the server from each.

The plugin is checked by the clients that can; `scripts/clients` starts the server from it.

    scripts/packages

What is needed comes from the package index, as pip and uv are configured. Exit codes: 0 all well, 1 not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

from deeporigin_mcp import __version__
from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.simulator import Platform, make_token, running_simulator
from tests.distribution import bundle
from tests.support import built_pages
from tests.support.agents import agent
from tests.support.node import CACHE, ROOT, CannotRunError
from tests.support.processes import ORGANISATION, environment

UV = Path(sys.executable).parent / ("uv.exe" if sys.platform == "win32" else "uv")


class WrongError(Exception):
    """A package is not what it should be."""


def main() -> int:
    """Check all three, and say how long it took."""
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            check_wheel(Path(folder))
            check_bundle(Path(folder))
            check_plugin(Path(folder))
    except (CannotRunError, WrongError) as error:
        _say(f"Wrong: {error}")
        return 1
    _say(f"All packages are well, after {time.monotonic() - started:.0f} s.")
    return 0


def check_wheel(folder: Path) -> None:
    """Build wheel and source distribution; install the wheel into an environment of its own and start it."""
    built_pages.build()
    built = folder / "built"
    _run([sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(built), str(ROOT)])
    names = sorted(path.name for path in built.iterdir())
    if names != [f"deeporigin_mcp-{__version__}-py3-none-any.whl", f"deeporigin_mcp-{__version__}.tar.gz"]:
        raise WrongError(f"built were {names}")
    wheel = built / names[0]
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = {name for name in bundle.contents() if name.startswith("deeporigin_mcp/")}
    if inside != tracked:
        raise WrongError(f"the wheel differs from what is tracked in {sorted(inside ^ tracked)}")
    place = folder / "fresh"
    _run([str(UV), "venv", "--quiet", "--python", sys.executable, str(place)])
    _run([str(UV), "pip", "install", "--quiet", "--python", str(place), str(wheel)])
    program = place / ("Scripts" if sys.platform == "win32" else "bin") / "deeporigin-mcp"
    shown = _run([str(program), "--version"]).strip()
    if shown != f"deeporigin-mcp {__version__}":
        raise WrongError(f"--version printed {shown!r}")
    answer = _answer(str(program), [], environment(folder))
    if not answer.is_error:
        raise WrongError("somebody is signed in where nobody should be")
    _say("wheel and source distribution: built, installed, started")


def check_bundle(folder: Path) -> None:
    """Build and unpack the bundle, and start the server as its manifest says, for what people may fill in."""
    place = folder / "unpacked"
    with zipfile.ZipFile(bundle.build(folder)) as archive:
        archive.extractall(place)
    inside = sorted(str(path.relative_to(place).as_posix()) for path in place.rglob("*") if path.is_file())
    if inside != sorted(bundle.contents()):
        raise WrongError(f"the bundle differs from its list in {sorted({*inside} ^ {*bundle.contents()})}")
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    # What the host does when the bundle is installed; from here on nothing is downloaded.
    _run([str(UV), "sync", "--quiet", "--no-dev", "--directory", str(place)])
    with running_simulator(Platform()) as simulator:
        filled = {"token": make_token(), "organisation": ORGANISATION, "auto_approve_up_to": 0.5, "budget": 20}
        for answers in (filled, {}, {"budget": "", "auto_approve_up_to": ""}):
            command, arguments, own = bundle.started_as_told(manifest, place, answers)
            variables = environment(folder, **_uv_variables(), DO_BASE_URL=simulator.base_url, **own)
            answer = _answer(command, arguments, variables)
            if answer.is_error == bool(answers is filled):
                raise WrongError(f"the bundle answered: {answer.content[0].text}")
            limits = {} if answer.is_error else answer.structured_content["spending"]
            if limits and (limits["auto_approve_up_to"], limits["budget"]) != (0.5, 20):
                raise WrongError(f"the limits arrived as {limits}")
    _say("bundle: validated, packed, unpacked, started")


def check_plugin(folder: Path) -> None:
    """Let the clients that have a command for it check the plugin, and Claude Code the list in which it finds it."""
    commands = [
        [*agent("claude-code"), "plugin", "validate", "--strict", str(ROOT / "plugin")],
        [*agent("claude-code"), "plugin", "validate", "--strict", str(ROOT)],
        [*agent("gemini-cli"), "extensions", "validate", str(ROOT / "plugin")],
    ]
    for command in commands:
        done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, check=False)
        if done.returncode:
            raise WrongError(f"{Path(command[1]).name} {' '.join(command[2:])}:\n{done.stdout}{done.stderr}")
    _say("plugin: as Claude Code and Gemini CLI want it")


def _answer(command: str, arguments: Sequence[str], variables: Mapping[str, str]) -> Any:
    async def ask() -> Any:
        parameters = StdioServerParameters(command=command, args=[*arguments], env=dict(variables))
        async with Client(parameters) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            if names != [offer.function.__name__ for offer in TOOLS]:
                raise WrongError(f"{command} offers {names}")
            return await client.call_tool("get_workspace", {})

    return anyio.run(ask)


def _uv_variables() -> dict[str, str]:
    return {"UV_CACHE_DIR": str(CACHE / "uv"), "UV_PYTHON": sys.executable}


def _run(command: list[str]) -> str:
    # Beside this checkout's own: uv is found by `build`, and keeps what it downloaded.
    path = f"{UV.parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, **_uv_variables(), "PATH": path}
    variables.pop("VIRTUAL_ENV", None)
    done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=ROOT, check=False)
    if done.returncode:
        raise CannotRunError(f"{Path(command[0]).name} {command[1]}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
