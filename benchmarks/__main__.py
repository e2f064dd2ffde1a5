"""Run all benchmarks, or the quick guard of their ratios; `scripts/benchmark` is this.

    python -m benchmarks [--quick] [PART ...]

A run of all parts is written to benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.processes import REPOSITORY
from deeporigin_mcp import __version__

RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"
PARTS = (
    "journeys",
    "cold_start",
    "memory",
    "call_cost",
    "throughput",
    "scale",
    "paging",
    "files",
    "pages",
    "waiting",
    "bytes_read",
    "parsing",
    "growth",
)
PACKAGES = ("mcp", "pydantic", "httpx", "anyio", "deeporigin")
MISSED_AIM = 1
"""The exit code of a part that ran and missed an aim."""


def run(part: str) -> tuple[int, str]:
    """Run one part in a process of its own: its exit code, and what it printed, which is Markdown."""
    if importlib.util.find_spec(f"benchmarks.{part}") is None:
        return 0, f"\n## {part}\n\nNot in this version.\n"
    command = [sys.executable, "-m", f"benchmarks.{part}"]
    lines = []
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            sys.stdout.write(line)
            sys.stdout.flush()
    return process.returncode, "".join(lines)


def heading(load_before: float, seconds: float, told: str) -> str:
    """What was measured, on what, and how many aims hold."""
    held = len(re.findall(r"\| yes \|$", told, re.MULTILINE))
    missed = re.findall(r"^(\|.*)\| \*\*no\*\* \|$", told, re.MULTILINE)
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    lines = [
        "# Results",
        "",
        "Written by `scripts/benchmark`; [README.md](README.md) says how to read it.",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d}, deeporigin-mcp {__version__}, {versions}, Python {platform.python_version()}",
        f"- {_processor()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}",
        f"- load before the run {load_before:.1f}; it took {seconds / 60:.0f} minutes",
        f"- {held} of {held + len(missed)} aims hold" + ("; missed:" if missed else ""),
        *(f"  - {' — '.join(cell.strip() for cell in row.strip('| ').split('|'))}" for row in missed),
    ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def run_all(parts: Sequence[str]) -> int:
    """Run the parts one after the other; 0 if every aim was met, 1 if not, 2 if a part could not run."""
    started, load_before = time.monotonic(), os.getloadavg()[0]
    found = [run(part) for part in parts]
    codes = [code for code, _ in found]
    if tuple(parts) == PARTS:
        text = "".join(told for _, told in found)
        RESULTS.write_text(heading(load_before, time.monotonic() - started, text) + text, encoding="utf-8")
        print(f"\nWritten to {RESULTS.relative_to(REPOSITORY)}.")
    if broken := [part for part, code in zip(parts, codes, strict=True) if code not in (0, MISSED_AIM)]:
        print(f"Could not be run to the end: {', '.join(broken)}", file=sys.stderr)
        return 2
    return max(codes)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description="Speed, memory and bytes against rivals.")
    parser.add_argument("--quick", action="store_true", help="guard the ratios by counting, in less than a minute")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.quick:
        return run("guard")[0]
    return run_all(options.parts or PARTS)


if __name__ == "__main__":
    sys.exit(main())
