"""What clients and people read of resources and prompts: reviewed as files, like the tools (`tests/test_surface.py`).

After a change that is meant:

    UPDATE_SURFACE=1 .venv/bin/python -m pytest tests/test_surface_resources.py
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextContent
from pydantic import BaseModel

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings

pytestmark = pytest.mark.anyio

UPDATE = bool(os.environ.get("UPDATE_SURFACE"))
SURFACE = Path(__file__).parent / "surface_resources"
EXAMPLES = {
    "price_and_run": {"tool_key": "deeporigin.docking", "run_on": "CCO and the pocket of run 3f0c9a52"},
    "follow_executions": {},
    "explain_failures": {"since": "2026-05-07"},
}


async def offered(mode: str = "auto") -> dict[str, list[dict[str, Any]]]:
    """Templates and prompts as they are on the wire."""
    async with Client(create_server(Settings()), mode=mode) as client:
        templates = (await client.list_resource_templates()).resource_templates
        prompts = (await client.list_prompts()).prompts
    return {"resource_templates": [on_the_wire(one) for one in templates], "prompts": [on_the_wire(p) for p in prompts]}


def on_the_wire(entry: BaseModel) -> dict[str, Any]:
    return entry.model_dump(mode="json", by_alias=True, exclude_none=True)


async def prompt_texts() -> dict[str, str]:
    texts = {}
    async with Client(create_server(Settings())) as client:
        for name, arguments in EXAMPLES.items():
            (message,) = (await client.get_prompt(name, arguments)).messages
            assert isinstance(message.content, TextContent)
            texts[name] = message.content.text
    return texts


async def test_resources_and_prompts_are_what_was_reviewed() -> None:
    now = {f"{name}.json": json.dumps(found, indent=2) + "\n" for name, found in (await offered()).items()}
    now |= {f"{name}.md": text + "\n" for name, text in (await prompt_texts()).items()}
    if UPDATE:
        SURFACE.mkdir(exist_ok=True)
        for file in SURFACE.iterdir():
            file.unlink()
        for name, content in now.items():
            (SURFACE / name).write_text(content, encoding="utf-8")
    reviewed = {file.name: file.read_text(encoding="utf-8") for file in SURFACE.iterdir()}
    for name in sorted(now.keys() | reviewed.keys()):
        assert now.get(name) == reviewed.get(name), f"{name} changed; if that is meant, run with UPDATE_SURFACE=1"


async def test_both_eras_see_the_same() -> None:
    assert await offered("legacy") == await offered("auto")


async def test_all_of_it_is_short_and_described() -> None:
    found = await offered()
    assert len(json.dumps(found["resource_templates"])) <= 1_500
    assert len(json.dumps(found["prompts"])) <= 2_500
    for text in (await prompt_texts()).values():
        assert len(text) <= 1_500
    for entry in [*found["resource_templates"], *found["prompts"]]:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", entry["name"])
        assert entry["title"]
        assert 20 < len(entry["description"]) <= 120
        assert all(argument["description"] for argument in entry.get("arguments", ()))
