"""The roots round of 2026-07-28 on the wire: asked once, and whatever comes back ends the call."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform, running_simulator
from tests.support.bench import PROJECT, bench_token
from tests.support.processes import COMMAND, environment

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"roots": {}},
}


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with running_simulator(Platform(clock=ManualClock(auto_advance=True))) as simulator:
        variables = {"DO_AUTH_TOKEN": bench_token(), "DO_ORG_KEY": "deeporigin", "DO_PROJECT_ID": PROJECT}
        with subprocess.Popen(
            COMMAND,
            env=environment(tmp_path, **variables, DO_BASE_URL=simulator.base_url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as started:
            yield started
            assert started.stdin is not None
            started.stdin.close()


def asked(process: subprocess.Popen[str], path: str, **more: Any) -> dict[str, Any]:
    """The result of an upload."""
    assert process.stdin is not None
    assert process.stdout is not None
    params = {"name": "upload_file", "arguments": {"path": path}, "_meta": META, **more}
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}) + "\n")
    process.stdin.flush()
    found: dict[str, Any] = json.loads(process.stdout.readline())["result"]
    return found


def test_roots_are_asked_for_once_and_only_what_is_in_them_is_read(
    process: subprocess.Popen[str], tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "model.pdb").write_text("ATOM\n")
    first = asked(process, "model.pdb")
    assert first["resultType"] == "input_required"
    assert [request["method"] for request in first["inputRequests"].values()] == ["roots/list"]
    (key,) = first["inputRequests"]
    strange: list[Any] = [
        None,
        [],
        "x",
        {},
        {"other": {}},
        {key: None},
        {key: {}},
        {key: {"roots": "x"}},
        {key: {"roots": [{"uri": "https://example.org/x"}]}},
        {key: {"action": "accept", "content": {"approve": True}}},
    ]
    for responses in strange:
        answer = asked(process, "model.pdb", inputResponses=responses)
        # Nothing at all is as if it were the first round.
        assert answer.get("isError") is True or (responses is None and answer["resultType"] == "input_required")
    good = {key: {"roots": [{"uri": (tmp_path / "project").as_uri(), "name": "project"}]}}
    assert asked(process, "model.pdb", inputResponses=good)["structuredContent"]["status"] == "uploaded"
    assert asked(process, "other.pdb", inputResponses=good)["isError"] is True
