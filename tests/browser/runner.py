"""Runs the tests of the pages in a real, headless Chromium that speaks to this machine only.

    scripts/browser [PYTEST ARGUMENT ...]     # all by default

Chromium comes from Debian's packages. Its driver (Playwright, without a browser of its own), the checker of
accessibility (axe-core) and a client that shows pages (the Inspector) are installed into `.conformance/`. Exit codes: 0
as expected, 1 a test failed, 2 it could not be run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.browser.accessibility import install_axe
from tests.browser.chromium import NAMES, executable
from tests.browser.inspector import install_inspector
from tests.support import built_pages
from tests.support.node import CACHE, ROOT, CannotRunError, install

DRIVER = ("playwright==1.65.2", "greenlet==3.5.6")
PACKAGES = ("chromium", "fonts-dejavu-core")


def main(arguments: list[str]) -> int:
    try:
        driver = prepared()
        install_inspector()
    except CannotRunError as error:
        sys.stdout.write(f"Could not run: {error}\n")
        return 2
    chosen = any((ROOT / each.partition("::")[0]).exists() for each in arguments)
    command = [sys.executable, "-m", "pytest", *([] if chosen else ["tests/browser"]), *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": driver}, check=False)
    return min(done.returncode, 1)


def prepared() -> str:
    """Install what is missing and build the pages; the folder of the browser's driver.

    Raises:
        CannotRunError: something could not be installed or built.
    """
    if executable() is None:
        _install_chromium()
    driver = _driver()
    built_pages.build()
    install_axe()
    return driver


def _driver() -> str:
    """The folder of the driver's Python package, installed on first use."""
    folder = CACHE / DRIVER[0].replace("==", "-")
    if not (folder / ".installed").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        install([*pip, "--upgrade", "--target", str(folder), *reversed(DRIVER)])
        (folder / ".installed").touch()
    return str(folder)


def _install_chromium() -> None:
    """Install Debian's package.

    Raises:
        CannotRunError: this machine has no apt-get, or is not ours to change; with what to do.
    """
    wanted = f"none of {', '.join(NAMES)} is on the path"
    by_hand = f"apt-get install {' '.join(PACKAGES)}"
    if shutil.which("apt-get") is None:
        raise CannotRunError(f"{wanted}, and only Debian's packages can be installed here. Install Chromium.")
    if os.geteuid() != 0:
        raise CannotRunError(f"{wanted}. Install it, as root: {by_hand}")
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]):
        sys.stdout.write(f"No Chromium here: {' '.join(command)} …\n")
        sys.stdout.flush()
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotRunError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    if executable() is None:
        raise CannotRunError(f"{by_hand} succeeded, and still {wanted}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
