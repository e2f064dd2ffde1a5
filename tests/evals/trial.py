"""One attempt at a task: its platform, a server in front of it, and a solver."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import ManualClock, Platform, running_simulator
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Task
from tests.support.bench import PROJECT, SESSION, Bench, SimulatedTime, bench_token
from tests.support.people import NO, YES, Person

_PEOPLE = {"yes": YES, "no": NO, "absent": None}


def server_environment(task: Task, base_url: str, folder: Path) -> Mapping[str, str]:
    """The variables that a task's server is started with.

    Args:
        folder: the user's files.
    """
    return {
        "DO_AUTH_TOKEN": bench_token(),
        "DO_ORG_KEY": "deeporigin",
        "DO_PROJECT_ID": PROJECT,
        "DO_BASE_URL": base_url,
        "DEEPORIGIN_MCP_SESSION": SESSION,
        "DEEPORIGIN_MCP_FILES": str(folder),
        **task.environment,
    }


@dataclass(frozen=True)
class Trial:
    """A task in its first state, and who may solve it."""

    task: Task
    platform: Platform
    judge: Judge
    solver: Solver
    person: Person
    folder: Path

    def problems(self, answer: Mapping[str, Any]) -> list[str]:
        """What is wrong with the outcome; empty if the task is solved."""
        return self.task.problems(self.platform, self.judge, Answer(answer), self.folder)


@contextlib.asynccontextmanager
async def trial(task: Task, *, mode: str = "auto") -> AsyncIterator[Trial]:
    """Arrange a task in this process: simulated time, a real server, real HTTP behind it.

    Args:
        task: what is to be solved.
        mode: the era of the protocol, as `mcp.Client` takes it.
    """
    # Requests that block until a run has ended move the clock; everything else moves it only by waiting.
    clock = ManualClock(auto_advance=True)
    platform = Platform(clock=clock)
    judge = task.arrange(platform)
    with running_simulator(platform) as simulator, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task.place_files(folder)
        bench = Bench(platform, clock, simulator.base_url, SimulatedTime(clock))
        settings = Settings.load(server_environment(task, simulator.base_url, folder))
        person = Person(_PEOPLE[task.person])
        reply = person.reply if person.answer is not None else None
        server = create_server(settings, connect=bench.connect)
        async with Client(server, mode=mode, elicitation_callback=reply) as client:
            solver = await Solver.of(client, task.prompt, clock.now(), bench.time.timing.sleep)
            yield Trial(task, platform, judge, solver, person, folder)
