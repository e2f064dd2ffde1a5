"""What the server says to a client that sends invalid lines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.messages.snapshot import assert_as_agreed
from tests.support.processes import TIMEOUT_SECONDS, environment

LINES = {
    "not JSON": b"[" * 100_000,
    "not a request": b'{"jsonrpc": "1.0", "id": "a", "method": "ping"}',
    "not a message": b'{"jsonrpc": "2.0"}',
}


def test_messages_about_invalid_lines(tmp_path: Path) -> None:
    said = {}
    for case, line in LINES.items():
        done = subprocess.run(
            [sys.executable, "-m", "deeporigin_mcp"],
            env=environment(tmp_path),
            input=line + b"\n",
            timeout=TIMEOUT_SECONDS,
            check=True,
            capture_output=True,
        )
        responses = [json.loads(found) for found in done.stdout.splitlines()]
        said[case] = "\n".join(f"{found['error']['code']}: {found['error']['message']}" for found in responses)
        # Without the time.
        said[case] += "".join(f"log: {found.split(' ', 2)[2]}" for found in done.stderr.decode().splitlines())
    assert_as_agreed("stdio", said)
