"""The ten journeys of a chemist, from files to files, against the official client and what peers' documents say.

    python -m benchmarks.journeys [--repeats N]

A journey is a task of `tests/evals/journeys.py`. Ours is its reference, which calls tools over real stdio; theirs is
the function of that name in `official_journeys.py`. The same judge has to find nothing wrong with either. The platform
is a simulator in this process, whose clock is so fast that runs take next to no time; the sides have processes of
their own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from mcp import Client, StdioServerParameters

from benchmarks.figures import Sample, Table, interleaved
from benchmarks.peer_journeys import PEERS
from benchmarks.platforms import ORGANISATION, PROJECT
from benchmarks.processes import environment, in_process_of_its_own
from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator
from tests.evals.journeys import TASKS as ALL_TASKS
from tests.evals.solver import Solver
from tests.evals.suite import known_costs
from tests.evals.task import Answer, Judge, Task
from tests.evals.trial import server_environment
from tests.support.bench import Answer as ToolAnswer
from tests.support.people import YES, Person

SPEED = 20_000.0
"""Simulated seconds a second: a docking of minutes is over in some milliseconds, before either side asks twice."""
BYTES_AIM, TIME_AIM = 1.1, 1.5
OURS, OFFICIAL = "ours", "official"
WITHOUT = {
    "dock-within-limit": "the first one again, within a limit that an operator set beforehand; the official client has "
    "a limit for a run and none for a job",
}
"""Journeys that have no counterpart, and why."""
TASKS = tuple(task for task in ALL_TASKS if task.id not in WITHOUT)


# A platform in a journey's first state


@dataclass(frozen=True)
class Stage:
    """A journey before it begins, and who judges its end."""

    task: Task
    platform: Platform
    judge: Judge
    base_url: str
    folder: Path

    def check(self, answer: Mapping[str, Any]) -> None:
        """Raise AssertionError if the job was not done: what it took would say nothing."""
        problems = self.task.problems(self.platform, self.judge, Answer(answer), self.folder)
        assert not problems, f"{self.task.id}: {problems}"

    @property
    def run_seconds(self) -> float:
        """How long the runs themselves took, real seconds."""
        lines = [self.platform.executions[name].timeline for name in self.platform.creates]
        took = sum((line.finished - line.created).total_seconds() for line in lines if line is not None)
        return took / self.platform.clock.speed


@contextlib.contextmanager
def staged(task: Task) -> Iterator[Stage]:
    """Arrange a journey on a platform of its own, with the user's files in a folder."""
    platform = Platform(clock=ScaledClock(SPEED))
    judge = task.arrange(platform)
    with running_simulator(platform) as simulator, tempfile.TemporaryDirectory() as name:
        task.place_files(Path(name))
        yield Stage(task, platform, judge, simulator.base_url, Path(name))


# Sides


@dataclass
class TimedSolver(Solver):
    """Counts the time in which a call is under way; what a test checks of an answer is not among it."""

    seconds: float = field(default=0.0, kw_only=True)

    async def call(self, tool: str, arguments: dict[str, Any]) -> ToolAnswer:
        started = time.perf_counter()
        answer = await super().call(tool, arguments)
        self.seconds += time.perf_counter() - started
        return answer


async def by_ours(task: Task, base_url: str, folder: Path) -> dict[str, Any]:
    """The reference, over stdio, with a server of its own that has just started."""
    person = Person({"yes": YES, "absent": None}[task.person])
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        variables = {**server_environment(task, base_url, folder), "DEEPORIGIN_MCP_APPROVAL": "elicitation"}
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "deeporigin_mcp"], env=environment(home, **variables)
        )
        async with Client(server, elicitation_callback=person.reply if person.answer else None) as client:
            solver = await TimedSolver.of(client, task.prompt, datetime.now(UTC), asyncio.sleep)
            start = time.perf_counter() - started
            answer = await task.reference(solver)
    taken = {"start": start, "job": solver.seconds, "calls": len(solver.calls), "bytes": solver.bytes}
    return {"answer": answer, **taken}


async def by_official(task: Task, base_url: str, folder: Path) -> dict[str, Any]:
    """The official client's function, in a home of its own, so that no file is there from another journey."""
    from deeporigin.platform import executions
    from deeporigin.platform.client import DeepOriginClient

    from benchmarks.official_journeys import JOURNEYS, written_lines

    job = JOURNEYS[task.id]
    # It looks every five seconds, on the platform's clock.
    paced = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: time.sleep(seconds / SPEED)})
    with (
        tempfile.TemporaryDirectory() as home,
        mock.patch.dict(os.environ, HOME=home),
        mock.patch.object(executions, "time", paced),
        contextlib.redirect_stdout(sys.stderr),
        contextlib.closing(
            DeepOriginClient(base_url=base_url, token=make_token(), org_key=ORGANISATION, project_id=PROJECT)
        ) as client,
    ):
        started = time.perf_counter()
        answer = job(client, folder)
        seconds = time.perf_counter() - started
    return {"answer": answer, "job": seconds, "lines": written_lines(job)}


SIDES: dict[str, Callable[[Task, str, Path], Awaitable[dict[str, Any]]]] = {OURS: by_ours, OFFICIAL: by_official}


async def _all(side: str, places: Sequence[Sequence[str]]) -> dict[str, Any]:
    """All journeys of a side: name, address of the platform and folder each."""
    tasks = {task.id: task for task in TASKS}
    start = {"start": _import_seconds()} if side == OFFICIAL else {}
    return {name: start | await SIDES[side](tasks[name], address, Path(folder)) for name, address, folder in places}


def _import_seconds() -> float:
    started = time.perf_counter()
    importlib.import_module("benchmarks.official_journeys")
    return time.perf_counter() - started


# The measuring


def _measure(side: str) -> dict[str, float]:
    """One round of a side: `name seconds`, `name requests` and so on."""
    figures: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        stages = [stack.enter_context(staged(task)) for task in TASKS]
        places = [[stage.task.id, stage.base_url, str(stage.folder)] for stage in stages]
        found: dict[str, Any] = in_process_of_its_own("benchmarks.journeys", "--side", side, json.dumps(places))
        for stage in stages:
            taken = found[stage.task.id]
            stage.check(taken.pop("answer"))
            taken |= {"requests": len(stage.platform.requests), "runs": stage.run_seconds}
            figures |= {f"{stage.task.id} {what}": value for what, value in taken.items()}
    return figures


def _told(side: Mapping[str, Sample], tasks: Sequence[Task], unit: str) -> str:
    """What a side needs for journeys; `unit` names the figures that only one side has."""

    def total(what: str) -> float:
        return sum(side[f"{task.id} {what}"].median for task in tasks)

    own = ", ".join(f"{total(what):,.0f} {what}" for what in unit.split())
    return f"{own}, {total('requests'):.0f} requests, {total('start'):.2f} + {total('job'):.2f} s"


def _add(table: Table, task: Task, ours: Mapping[str, Sample], theirs: Mapping[str, Sample]) -> None:
    def seconds(side: Mapping[str, Sample]) -> float:
        return sum(side[f"{task.id} {what}"].median for what in ("start", "job"))

    known = known_costs()[task.id]
    most = {"calls": known["calls"], "bytes": known["bytes"] * BYTES_AIM}
    table.add(
        _named(task),
        f"{_told(ours, [task], 'calls bytes')} against {_told(theirs, [task], 'lines')}",
        f"≤ {most['calls']} calls, {most['bytes']:,.0f} bytes, {TIME_AIM:g} times their seconds",
        all(ours[f"{task.id} {what}"].median <= limit for what, limit in most.items())
        and seconds(ours) <= seconds(theirs) * TIME_AIM,
    )


def _named(task: Task) -> str:
    return task.id.replace("-", " ")


def _peers() -> None:
    print("\n### What peers need, by their own documents\n")
    print("| journey | " + " | ".join(peer.name for peer in PEERS) + " |")
    print("|---|" + "---|" * len(PEERS))
    for task in TASKS:
        print(f"| {_named(task)} | " + " | ".join(peer.needs[task.id] for peer in PEERS) + " |")
    print("\nNone of this was measured. Sources: " + "; ".join(f"{peer.name}: {peer.source}" for peer in PEERS) + ".")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        side, places = options.side
        print(json.dumps(asyncio.run(_all(side, json.loads(places)))))
        return 0
    table = Table("Journeys: from files to files")
    found = interleaved({side: functools.partial(_measure, side) for side in SIDES}, options.repeats)
    ours, theirs = found[OURS], found[OFFICIAL]
    for task in TASKS:
        _add(table, task, ours, theirs)
    table.add("all of them", f"{_told(ours, TASKS, 'calls bytes')} against {_told(theirs, TASKS, 'lines')}")
    longest = max(sample.median for side in found.values() for name, sample in side.items() if name.endswith(" runs"))
    table.note(
        "Ours: calls that a model makes, bytes that it writes and reads in them, requests to the platform, seconds of "
        "a server's start and of its calls. Against the official client's code for the same job: lines that a person "
        "writes, imports apart; requests; seconds of the package's import and of the code. Both did the job, by the "
        "same judge; how long a model thinks or a person types is in neither."
    )
    table.note(
        "Each journey of ours has a server that has just started, whose first calls import what they need; the "
        "official package is imported once for all, after what both sides use, and only its first journey is cold. "
        "Ours asks the platform more because it checks inputs before a price, and reads again what a person approves. "
        f"The simulator's clock is {SPEED:,.0f} times as fast: the runs of a journey take {longest * 1000:.0f} ms at "
        "most, so that what is shown is what each side adds to them. What a real wait costs is below."
    )
    table.note("Without a counterpart: " + "; ".join(f"{name}: {reason}" for name, reason in WITHOUT.items()) + ".")
    _peers()
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
