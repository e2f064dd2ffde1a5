"""Which process wrote an entry of the ledger, and whether it still runs."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from pathlib import Path

from deeporigin_mcp.platform.transport.requests import CREATE_TIMEOUT_SECONDS

PROCESS = re.compile(r"\S+ \d{1,10} \S*", re.ASCII)
"""Machine, process id and start time."""
CLAIM_SECONDS = 2 * CREATE_TIMEOUT_SECONDS + 60
"""No confirmation is under way for longer. Used only where it cannot be seen whether its process runs."""


def this_process() -> str:
    """This process, so that no other one on any machine is called the same."""
    return f"{_machine()} {os.getpid()} {_born(os.getpid())}"


def is_alive(process: str, age_seconds: float) -> bool:
    """Whether a process that wrote an entry so long ago may still work on it."""
    machine, _, rest = process.partition(" ")
    pid, _, born = rest.partition(" ")
    if machine == _machine() and os.name == "posix":
        return _born(int(pid)) == born
    return abs(age_seconds) < CLAIM_SECONDS


def _machine() -> str:
    """This machine since its start, and as much of it as this process sees: containers count processes anew."""
    parts = [platform.node().replace(" ", "_")]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with contextlib.suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def _born(pid: int) -> str:
    """When a process began, in ticks where the system shows it; empty if there is no such process."""
    if os.name != "posix":
        # There, signal 0 is one that ends processes.
        return "?"
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ""
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "?"
    return "" if fields[0] == "Z" else fields[19]
