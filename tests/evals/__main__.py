"""Give the tasks to a real agent.

    python -m tests.evals list
    python -m tests.evals run ID|all -- COMMAND …
    python -m tests.evals serve ID

`list` prints one task per line, as JSON. `run` arranges a task, runs a command as the agent, takes what it prints for
the answer, and judges; `{config}` in the command becomes the path of an MCP configuration file, `{prompt}` the words.

    python -m tests.evals run running-now -- claude -p {prompt} --mcp-config {config}

`serve` is for agents that cannot be started by a command: it prints the prompt and the server's configuration as one
line of JSON, reads the answer from standard input up to its end, and judges. Both print a verdict as a line of JSON,
with the calls and bytes that the agent needed and those of the reference, and exit with 0 if all is solved.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeporigin_mcp.simulator import Platform, ScaledClock, running_simulator
from tests.evals.suite import BY_ID, TASKS, known_costs
from tests.evals.task import Answer, Task
from tests.evals.trial import server_environment

ALL = "all"
REPOSITORY = Path(__file__).parent.parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.action == "list":
        for task in TASKS:
            _say(_described(task))
        return 0
    tasks = TASKS if options.task == ALL else (BY_ID[options.task],)
    solved = 0
    for task in tasks:
        with _served(task, options.speed) as served:
            if options.action == "run":
                said = _ask(options.command, served)
            else:
                _say({**_described(task), **served.configuration})
                said = sys.stdin.read()
            verdict = served.verdict(Answer.read(said))
        _say(verdict)
        solved += verdict["solved"]
    if len(tasks) > 1:
        sys.stderr.write(f"{solved} of {len(tasks)} tasks are solved.\n")
    return 0 if solved == len(tasks) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="print the tasks, one line of JSON each")
    for name, what in (("serve", "arrange a task and judge the answer on stdin"), ("run", "run an agent and judge it")):
        action = actions.add_parser(name, help=what)
        action.add_argument("task", choices=[*BY_ID, ALL] if name == "run" else [*BY_ID], metavar="ID")
        action.add_argument(
            "--speed", type=float, default=1.0, help="simulated seconds per second (default: %(default)g)"
        )
        if name == "run":
            action.add_argument("command", nargs="+", help="the agent, after --, with {config} and {prompt}")
    return parser


def _described(task: Task) -> dict[str, Any]:
    return {"task": task.id, "prompt": task.whole_prompt, "person": task.person}


@dataclass(frozen=True)
class Served:
    """A task on a simulator that answers, and the configuration of a server in front of it."""

    task: Task
    configuration: dict[str, Any]
    verdict: Callable[[Answer], dict[str, Any]]


@contextlib.contextmanager
def _served(task: Task, speed: float) -> Iterator[Served]:
    platform = Platform(clock=ScaledClock(speed))
    judge = task.arrange(platform)
    with tempfile.TemporaryDirectory() as folder, running_simulator(platform) as simulator:
        log = Path(folder) / "calls.jsonl"
        log.touch()
        files = Path(folder) / "files"
        files.mkdir()
        task.place_files(files)
        server = {
            "command": sys.executable,
            "args": ["-m", "tests.evals.relay", str(log)],
            "env": {**server_environment(task, simulator.base_url, files), "PYTHONPATH": str(REPOSITORY)},
        }

        def verdict(answer: Answer) -> dict[str, Any]:
            problems = task.problems(platform, judge, answer, files)
            calls = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            return {
                "task": task.id,
                "solved": not problems,
                "problems": problems,
                "calls": len(calls),
                "bytes": sum(call["bytes"] for call in calls),
                "errors": sum(call["is_error"] for call in calls),
                "tools": [call["tool"] for call in calls],
                "reference": known_costs().get(task.id),
            }

        yield Served(task, {"mcpServers": {"deeporigin": server}}, verdict)


def _ask(command: Sequence[str], served: Served) -> str:
    """Run the agent; what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mcp.json"
        config.write_text(json.dumps(served.configuration), encoding="utf-8")
        prompt = served.task.whole_prompt
        filled = [part.replace("{config}", str(config)).replace("{prompt}", prompt) for part in command]
        # An agent works in a folder of its own: it should not read the answers here.
        done = subprocess.run(filled, cwd=folder, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False)
    return done.stdout


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
