"""Builds the MCP bundle into `dist/`: `scripts/bundle`.

What goes in is a list, not whatever lies about: the files of the package that are tracked, the pages, what builds it,
and what `bundle/` adds. Exit codes: 0 built, 2 it could not be run.

What the format (0.4) cannot say: a choice among words (fields are `string`, `number`, `boolean`, `directory`, `file`),
that a field is needed only with another, and skills. So the choice of how to approve is a string whose valid words are
in its description, and a wrong one stops the server with a message that names them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.support import built_pages
from tests.support.node import ROOT, CannotRunError, node, npm_package

MCPB, MCPB_VERSION = "@anthropic-ai/mcpb", "2.1.2"
BESIDE = ("LICENSE", "README.md", "pyproject.toml")
MANIFEST = ROOT / "bundle" / "manifest.json"


def contents() -> dict[str, Path]:
    """Each file of the bundle: its name there, and where it comes from."""
    listed = subprocess.run(["git", "ls-files", "deeporigin_mcp"], cwd=ROOT, capture_output=True, text=True, check=True)
    built = [path.relative_to(ROOT).as_posix() for path in built_pages.BUILT.glob("*")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    left_out = project["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"]
    tracked = [
        name
        for name in listed.stdout.splitlines()
        if not any(fnmatch(name, pattern) or name.startswith(f"{pattern}/") for pattern in left_out)
    ]
    names = sorted([*tracked, *built, *BESIDE])
    added = sorted((ROOT / "bundle").iterdir())
    return {**{name: ROOT / name for name in names}, **{path.name: path for path in added}}


def stage(folder: Path) -> None:
    """Lay the files of the bundle out in a folder."""
    for name, source in contents().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def build(folder: Path = ROOT / "dist") -> Path:
    """Check the manifest, pack the bundle and give its path.

    Raises:
        CannotRunError: npm's tool is not there, or refuses the bundle; with what it said.
    """
    built_pages.build()
    tool = [node(), str(npm_package(MCPB, MCPB_VERSION) / "dist" / "cli" / "cli.js")]
    version = json.loads(MANIFEST.read_text(encoding="utf-8"))["version"]
    target = folder / f"deeporigin-mcp-{version}.mcpb"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as staged:
        stage(Path(staged))
        for arguments in (
            ["validate", f"{staged}/manifest.json"],
            ["pack", staged, str(target)],
            ["info", str(target)],
        ):
            done = subprocess.run([*tool, *arguments], capture_output=True, text=True, check=False)
            if done.returncode:
                raise CannotRunError(f"mcpb {arguments[0]}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return target


def started_as_told(
    manifest: Mapping[str, Any], folder: Path, answers: Mapping[str, Any]
) -> tuple[str, list[str], dict[str, str]]:
    """Command, arguments and variables as a host makes them of a manifest.

    A field that was left empty and has no default stays as it is written, as in `@anthropic-ai/mcpb`.
    """
    defaults = {key: option["default"] for key, option in manifest["user_config"].items() if "default" in option}
    values = {f"user_config.{key}": str(value) for key, value in {**defaults, **answers}.items()}
    values["__dirname"] = str(folder)

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    told = manifest["server"]["mcp_config"]
    variables = {name: filled(value) for name, value in told["env"].items()}
    return told["command"], [filled(word) for word in told["args"]], variables


def main() -> int:
    """Build, and say what came of it."""
    try:
        target = build()
    except CannotRunError as error:
        sys.stdout.write(f"Could not be built: {error}\n")
        return 2
    sys.stdout.write(f"{target.relative_to(ROOT)}: {len(contents())} files, {target.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
