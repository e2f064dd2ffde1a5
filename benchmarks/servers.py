"""The servers that are compared, each in an environment of its own under `.benchmarks/`, made on first use."""

from __future__ import annotations

import functools
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import REPOSITORY

FOLDER = REPOSITORY / ".benchmarks"
OURS, BARE = "deeporigin-mcp", "a bare server"
BARE_TOOL = "echo"


@dataclass(frozen=True)
class Peer:
    """A server that others have published: its package, and the program in it."""

    package: str
    program: str


PEERS = (
    Peer("mcp-server-time", "mcp-server-time"),
    Peer("prefect-mcp", "prefect-mcp-server"),
    Peer("astro-airflow-mcp", "astro-airflow-mcp"),
)


def commands(binaries: Path | None = None) -> dict[str, list[str]]:
    """How ours and the bare server are started, on the same interpreter with the same packages.

    Args:
        binaries: the folder of programs of an environment with both; None for one of their own.
    """
    binaries = binaries or _own_binaries()
    return {
        OURS: [str(binaries / "deeporigin-mcp")],
        BARE: [str(binaries / "python"), str(REPOSITORY / "benchmarks" / "bare.py")],
    }


def peer_commands() -> tuple[dict[str, list[str]], list[str]]:
    """How the peers are started, by name and version; and which of them could not be installed here."""
    found, absent = {}, []
    for peer in PEERS:
        binaries = _installed(peer.package, [peer.package])
        if binaries is None or not (binaries / peer.program).exists():
            absent.append(peer.package)
        else:
            name = f"{peer.package} {_version(binaries, peer.package)}"
            found[name] = [str(binaries / peer.program)]
    return found, absent


@functools.cache
def _own_binaries() -> Path:
    """The project as a user has it, without what it is developed with; that environment if it cannot be made."""
    pinned = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["dependency-groups"]["pinned"]
    FOLDER.mkdir(exist_ok=True)
    constraints = FOLDER / "constraints.txt"
    constraints.write_text("\n".join(pinned) + "\n")
    made = _installed("server", ["--editable", str(REPOSITORY), "--constraint", str(constraints)])
    return made or Path(sys.executable).parent


def _installed(name: str, arguments: Sequence[str]) -> Path | None:
    """The folder of programs of an environment with these packages; None if they cannot be installed."""
    binaries = FOLDER / name / "bin"
    stamp, wanted = FOLDER / f"{name}.installed", "\n".join([*arguments, *_stamps(arguments)])
    if stamp.exists() and stamp.read_text() == wanted:
        return binaries
    print(f"Installing {name} into .benchmarks/ …", file=sys.stderr)
    pip = [str(binaries / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", binaries.parent], check=True, stdout=sys.stderr)
        subprocess.run([*pip, *arguments], check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError):
        return None
    stamp.write_text(wanted)
    return binaries


def _stamps(arguments: Sequence[str]) -> list[str]:
    """What makes an environment out of date beside its arguments: the project's own dependencies."""
    return [(REPOSITORY / "pyproject.toml").read_text()] if str(REPOSITORY) in arguments else []


def _version(binaries: Path, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([binaries / "python", "-c", code], capture_output=True, text=True, check=True).stdout.strip()
