"""The scripted model and what the runner makes of a session, without the clients, which `scripts/clients` installs."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.simulator import Platform
from tests.clients.model import DONE, Model, scripted_model
from tests.clients.runner import TOOL_NAMES, problems_of, scene, script

NAME = "mcp__deeporigin__list_executions"


def asked(url: str, path: str, body: dict[str, Any]) -> str:
    request = urllib.request.Request(url + path, json.dumps(body).encode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        return str(response.read().decode())


@pytest.mark.parametrize(
    ("path", "before", "result"),
    [
        (
            "/v1/messages",
            {"model": "m", "stream": True, "tools": [{"name": NAME}], "messages": []},
            {"messages": [{"content": [{"type": "tool_result", "tool_use_id": "a", "content": "one run"}]}]},
        ),
        (
            "/v1/responses",
            {"model": "m", "tools": [{"type": "function", "name": NAME}], "input": []},
            {"input": [{"type": "function_call_output", "call_id": "a", "output": "one run"}]},
        ),
        (
            "/v1beta/models/m:streamGenerateContent",
            {"tools": [{"functionDeclarations": [{"name": NAME}]}], "contents": []},
            {"contents": [{"parts": [{"functionResponse": {"response": {"text": "one run"}}}]}]},
        ),
    ],
    ids=["Messages", "Responses", "generateContent"],
)
def test_the_model_calls_what_the_script_says_and_then_ends(
    path: str, before: dict[str, Any], result: dict[str, Any]
) -> None:
    with scripted_model([lambda _: ("list_executions", {"page_size": 5})]) as model:
        first = asked(model.url, path, before)
        assert NAME in first
        assert "page_size" in first
        assert DONE not in first
        assert DONE in asked(model.url, path, {**before, **result})
    assert (model.tools, model.results) == ([NAME], ["one run"])


def test_a_session_in_which_nothing_happened_is_a_problem_in_every_respect(tmp_path: Path) -> None:
    platform = Platform()
    model = Model(script(platform, "x"))
    here = scene(tmp_path, "http://127.0.0.1:9", model)
    assert len([*problems_of(model, platform, here)]) == 4
    model.tools = [f"mcp__deeporigin__{name}" for name in TOOL_NAMES]
    assert len([*problems_of(model, platform, here)]) == 3
