"""Plays the agent for the tests of the runner: it knows the reference of a task and prints its answer.

python -m tests.evals.player CONFIG ID [--mistake]
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

from tests.evals.solver import Solver
from tests.evals.suite import BY_ID
from tests.support.people import NO, YES, Person


async def play(server: dict[str, Any], name: str, mistaken: bool) -> str:
    """Solve a task over stdio, as it is configured; what an agent would print."""
    task = BY_ID[name]
    person = Person({"yes": YES, "no": NO, "absent": None}[task.person])
    reply = person.reply if person.answer is not None else None
    async with Client(StdioServerParameters(**server), elicitation_callback=reply) as client:
        solver = await Solver.of(client, task.prompt, datetime.now(UTC), anyio.sleep)
        solution = task.mistakes[0].act if mistaken else task.reference
        answer = await solution(solver)
    return f"Here is what I found.\n```json\n{json.dumps(answer)}\n```"


if __name__ == "__main__":
    configured = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["mcpServers"]["deeporigin"]
    sys.stdout.write(anyio.run(play, configured, sys.argv[2], "--mistake" in sys.argv))
