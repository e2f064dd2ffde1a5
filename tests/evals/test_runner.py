"""The runner gives tasks to agents that are processes of their own, and judges what they did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.evals.player import play
from tests.evals.relay import CallLog
from tests.evals.suite import TASKS, known_costs
from tests.support.processes import REPOSITORY, TIMEOUT_SECONDS, environment, run

RUNNER = (sys.executable, "-m", "tests.evals")
PLAYER = (sys.executable, "-m", "tests.evals.player", "{config}")


def judged(home: Path, task: str, *agent: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the verdict of `run`."""
    done = run([*RUNNER, "run", task, "--", *agent], home, variables={"PYTHONPATH": str(REPOSITORY)})
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_the_list_has_every_task_with_its_words(tmp_path: Path) -> None:
    done = run([*RUNNER, "list"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["task"] for line in listed] == [task.id for task in TASKS]
    assert all(line["prompt"] and line["person"] in ("yes", "no", "absent") for line in listed)


@pytest.mark.parametrize("task", ["person-says-yes", "lost-answer"])
def test_an_agent_that_solves_a_task_is_told_so_with_what_it_needed(task: str, tmp_path: Path) -> None:
    code, verdict = judged(tmp_path, task, *PLAYER, task)
    assert (code, verdict["solved"], verdict["problems"]) == (0, True, [])
    known = known_costs()[task]
    assert verdict["reference"] == known
    assert verdict["calls"] == len(verdict["tools"]) == known["calls"]
    assert verdict["bytes"] == pytest.approx(known["bytes"], rel=0.1)


def test_an_agent_that_cancels_the_wrong_run_is_told_what_is_wrong(tmp_path: Path) -> None:
    code, verdict = judged(tmp_path, "cancel-one-of-many", *PLAYER, "cancel-one-of-many", "--mistake")
    assert (code, verdict["solved"]) == (1, False)
    assert "was to be cancelled and nothing else" in verdict["problems"][0]
    assert verdict["tools"] == ["search_executions", "cancel_execution"]


def test_an_agent_that_says_nothing_has_not_solved_it(tmp_path: Path) -> None:
    code, verdict = judged(tmp_path, "forgotten-quotes", sys.executable, "-c", "")
    assert (code, verdict["solved"], verdict["calls"], verdict["tools"]) == (1, False, 0, [])


def test_the_agent_gets_the_prompt_and_works_outside_of_the_checkout(tmp_path: Path) -> None:
    program = (
        "import json, pathlib, sys; "
        "assert 'more than a day' in sys.argv[1]; "
        "assert 'execution_ids' in sys.argv[1]; "
        "assert not pathlib.Path('tests').exists(); "
        "config = json.loads(pathlib.Path(sys.argv[2]).read_text()); "
        "print(json.dumps({'execution_ids': sorted(config['mcpServers'])}))"
    )
    code, verdict = judged(tmp_path, "forgotten-quotes", sys.executable, "-c", program, "{prompt}", "{config}")
    assert code == 1
    assert any("['deeporigin']" in problem for problem in verdict["problems"])


def test_a_served_task_is_judged_by_what_happened_meanwhile_and_by_standard_input(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*RUNNER, "serve", "run-again"],
        cwd=REPOSITORY,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        served = json.loads(process.stdout.readline())
        assert served["task"] == "run-again"
        assert "exactly as it was" in served["prompt"]
        said = anyio.run(play, served["mcpServers"]["deeporigin"], "run-again", False)
        told, _ = process.communicate(said, timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0, told
    verdict = json.loads(told)
    assert (verdict["solved"], verdict["tools"]) == (
        True,
        ["search_executions", "create_execution"],
    )


def test_an_unknown_task_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    done = run([*RUNNER, "serve", "win"], tmp_path)
    assert done.returncode == 2
    assert "running-now" in done.stderr


WRITTEN = '{"name":"t","arguments":{"a":1}}'


def costs_of(folder: Path, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What the relay notes of messages: calls are the client's, the others the server's."""
    log = CallLog(folder / "calls.jsonl")
    for message in messages:
        note = log.sent if message.get("method") == "tools/call" else log.received
        note(json.dumps(message).encode())
    log.received(b"no message at all\n")
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def called(number: int, **params: Any) -> dict[str, Any]:
    return {"id": number, "method": "tools/call", "params": {"name": "t", "arguments": {"a": 1}, **params}}


def test_a_call_that_is_answered_by_a_question_counts_once(tmp_path: Path) -> None:
    asked = {"resultType": "input_required", "inputRequests": {}}
    done = {"structuredContent": {"ok": 1}, "content": [{"type": "text", "text": "it is ok"}]}
    assert costs_of(
        tmp_path, called(1), {"id": 1, "result": asked}, called(2, inputResponses={}), {"id": 2, "result": done}
    ) == [{"tool": "t", "bytes": len(WRITTEN) + len('{"ok":1}'), "is_error": False}]


def test_a_question_of_the_older_protocol_is_not_taken_for_the_answer_of_the_same_number(tmp_path: Path) -> None:
    question = {"id": 1, "method": "elicitation/create", "params": {}}
    done = {"structuredContent": {"ok": 1}, "content": []}
    assert costs_of(tmp_path, called(1), question, {"id": 1, "result": done}) == [
        {"tool": "t", "bytes": len(WRITTEN) + len('{"ok":1}'), "is_error": False}
    ]


def test_of_an_error_its_text_is_what_a_model_reads(tmp_path: Path) -> None:
    refused = {"isError": True, "content": [{"type": "text", "text": "nö"}]}
    unknown = {"code": -32602, "message": "Unknown tool"}
    found = costs_of(tmp_path, called(1), called(2), {"id": 2, "error": unknown}, {"id": 1, "result": refused})
    assert [(line["bytes"] - len(WRITTEN), line["is_error"]) for line in found] == [(12, True), (3, True)]
