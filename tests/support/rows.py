"""Runs that stored rows, and reading all of what they found."""

from __future__ import annotations

import re
from typing import Any

from tests.support.bench import PROJECT, Agent, Bench

_CURSOR = re.compile(r'cursor="([^"]+)" reads them\]')


def stored(bench: Bench, *data: Any, kind: str = "pose", status: str = "Completed") -> str:
    """A run that stored these rows."""
    name = bench.seeded(status)
    bench.platform.executions[name].own_results = [
        {
            "id": f"0A{number:011d}",
            "tool_key": "deeporigin.docking",
            "tool_version": "4.2.0",
            "compute_job_id": name,
            "project_id": PROJECT,
            "result_type": kind,
            "data": facts,
        }
        for number, facts in enumerate(data)
    ]
    return name


async def pages(agent: Agent, **arguments: Any) -> list[dict[str, Any]]:
    """Every answer, one page after the other."""
    found = [await agent.read("get_execution_results", **arguments)]
    for _ in range(2_000):
        if not found[-1]["has_more"]:
            return found
        found.append(await agent.follow(found[-1]["next_step"]))
    raise AssertionError("it never ends")


async def rows_of_all(agent: Agent, **arguments: Any) -> list[dict[str, Any]]:
    return [row for page in await pages(agent, **arguments) for row in page["rows"]]


async def whole(agent: Agent, name: str, cursor: str) -> Any:
    """A part, put together from as many answers as it takes."""
    pieces: Any = None
    while cursor:
        found = await agent.read("get_execution_results", execution_id=name, cursor=cursor)
        # A part comes back under the name of what it is a part of.
        outputs = found[cursor.split(":")[0]]
        piece = outputs.get("text", outputs.get("items", outputs))
        if isinstance(piece, str):
            pieces = (pieces or "") + piece
        elif isinstance(piece, list):
            pieces = (pieces or []) + [await unfolded(agent, name, entry) for entry in piece]
        else:
            pieces = {**(pieces or {}), **{k: await unfolded(agent, name, v) for k, v in piece.items()}}
        step = found.get("next_step", "")
        match = re.search(r'cursor="([^"…]+)"\) reads on', step)
        cursor = match[1] if match else ""
        assert not cursor or cursor == found["next_cursor"]
    return pieces


async def unfolded(agent: Agent, name: str, value: Any) -> Any:
    """A value with everything that was summed up read in its place."""
    if isinstance(value, str):
        match = _CURSOR.search(value)
        return await whole(agent, name, match[1]) if match else value
    if isinstance(value, list):
        made = []
        for entry in value:
            rest = isinstance(entry, str) and _CURSOR.search(entry)
            if rest and "more entries" in entry:
                made += await whole(agent, name, rest[1])
            else:
                made.append(await unfolded(agent, name, entry))
        return made
    if isinstance(value, dict):
        made_fields: dict[str, Any] = {}
        for key, entry in value.items():
            rest = isinstance(entry, str) and _CURSOR.search(entry)
            if rest and "more fields" in entry:
                made_fields |= await whole(agent, name, rest[1])
            else:
                made_fields[key] = await unfolded(agent, name, entry)
        return made_fields
    return value


def log_row(execution_id: str, number: int, message: str, level: str = "info", **facts: Any) -> dict[str, Any]:
    instant = f"2026-10-05T{9 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
    return {
        "id": f"0A{number:011d}",
        "execution_id": execution_id,
        "log_level": level,
        "message": message,
        "date": instant,
        "created_at": instant,
        **facts,
    }
